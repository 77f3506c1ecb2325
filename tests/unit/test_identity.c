/* SPDX-License-Identifier: MIT */
/* Identity: certificates, storage, signatures, which keys are refused, tokens. */
#include "identity/identity.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crypto/hash.h"
#include "crypto/init.h"
#include "identity/codes.h"
#include "identity/token.h"
#include "proto/limits.h"
#include "unit.h"

static struct host *host;
static char dir[] = "/tmp/mlsh-test-identity-XXXXXX";
static char id_dir[64], key_path[80], cert_path[80];

static void setup(void)
{
	ck_assert_int_eq(host_new(NULL, &host), 0);
	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(id_dir, sizeof(id_dir), "%s/deep/identity", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", id_dir);
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", id_dir);
}

static void teardown(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
	host_free(host);
}

static void from_hex(const char *hex, uint8_t *out, size_t len)
{
	ck_assert_int_eq(hex_decode(hex, strlen(hex), out, len), 0);
}

static void check_hash(const uint8_t bytes[HASH_LEN], const char *expected)
{
	char hex[2 * HASH_LEN + 1];

	hex_encode(bytes, HASH_LEN, hex);
	ck_assert_str_eq(hex, expected);
}

static struct identity *identity_of(uint8_t first)
{
	uint8_t seed[SIGN_SEED_LEN] = { first };
	struct identity *id = NULL;

	ck_assert_int_eq(identity_from_seed(seed, NULL, &id), 0);
	return id;
}

/* RFC 8032 section 7.1, TEST 1 */
START_TEST(seed_gives_the_key_of_rfc_8032)
{
	uint8_t seed[SIGN_SEED_LEN], key[KEY_LEN];
	struct identity *id = NULL;

	from_hex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", seed, 32);
	ck_assert_int_eq(seed_public(seed, key), 0);
	check_hash(key, "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
	ck_assert_int_eq(identity_from_seed(seed, NULL, &id), 0);
	ck_assert_mem_eq(identity_key(id), key, KEY_LEN);
	identity_free(id);
}
END_TEST

/* [P1-2] */
START_TEST(certificate_is_a_function_of_the_key)
{
	struct identity *a = identity_of(1), *b = identity_of(1), *c = identity_of(2);
	unsigned char *der = NULL;
	int len = i2d_X509(identity_x509(a), &der), other_len;
	uint8_t hash[HASH_LEN];

	ck_assert_int_gt(len, 0);
	sha256(span_of(der, (size_t)len), hash);
	OPENSSL_free(der);
	der = NULL;
	other_len = i2d_X509(identity_x509(c), &der);
	OPENSSL_free(der);
	ck_assert_int_eq(len, other_len);
	ck_assert_mem_eq(hash, identity_cert_sha256(a), HASH_LEN);
	ck_assert_mem_eq(identity_cert_sha256(a), identity_cert_sha256(b), HASH_LEN);
	ck_assert_mem_ne(identity_cert_sha256(a), identity_cert_sha256(c), HASH_LEN);
	ck_assert_int_eq(X509_verify(identity_x509(a), identity_pkey(a)), 1);
	identity_free(a);
	identity_free(b);
	identity_free(c);
}
END_TEST

/* [P1-1] */
START_TEST(key_hashes_agree_between_certificate_and_raw_key)
{
	struct identity *id = identity_of(7);
	struct node_id from_key = key_node_id(identity_key(id)), own = identity_node_id(id);
	uint8_t hash[HASH_LEN];
	char text[NODE_ID_TEXT_MAX], hex[NODE_ID_TEXT_MAX];

	key_spki_sha256(identity_key(id), hash);
	ck_assert_mem_eq(hash, identity_key_sha256(id), HASH_LEN);
	ck_assert(node_id_equal(&from_key, &own));
	ck_assert_mem_eq(own.bytes, hash, NODE_ID_LEN);
	hex_encode(hash, NODE_ID_LEN, hex);
	ck_assert_str_eq(node_id_format(&own, text), hex);
	identity_free(id);
}
END_TEST

START_TEST(new_identities_differ)
{
	struct identity *a = NULL, *b = NULL;

	setup();
	ck_assert_int_eq(identity_new(host, NULL, &a), 0);
	ck_assert_int_eq(identity_new(host, NULL, &b), 0);
	ck_assert_mem_ne(identity_key(a), identity_key(b), KEY_LEN);
	identity_free(a);
	identity_free(b);
	identity_free(NULL);
	teardown();
}
END_TEST

/* --- files ---------------------------------------------------------------------------------- */

START_TEST(stored_identity_is_loaded_again)
{
	struct identity *id = identity_of(3), *again = NULL;
	struct stat st;
	struct err err;

	setup();
	ck_assert_int_eq(identity_load(host, id_dir, &err, &again), -ENOENT);
	ck_assert_int_eq(identity_store(host, id, id_dir, &err), 0);
	ck_assert_int_eq(stat(id_dir, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0700);
	ck_assert_int_eq(stat(key_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(stat(cert_path, &st), 0);
	ck_assert_uint_eq(st.st_mode & 07777, 0600);
	ck_assert_int_eq(identity_load(host, id_dir, &err, &again), 0);
	ck_assert_mem_eq(identity_cert_sha256(id), identity_cert_sha256(again), HASH_LEN);
	ck_assert_mem_eq(identity_key(id), identity_key(again), KEY_LEN);
	identity_free(again);
	identity_free(id);
	teardown();
}
END_TEST

/* What is left of an earlier identity goes: never a key with another's certificate. */
START_TEST(store_replaces_both_files)
{
	struct identity *id = identity_of(3), *other = identity_of(4), *again = NULL;
	struct err err;

	setup();
	ck_assert_int_eq(identity_store(host, id, id_dir, &err), 0);
	ck_assert_int_eq(identity_store(host, other, id_dir, &err), 0);
	ck_assert_int_eq(identity_load(host, id_dir, &err, &again), 0);
	ck_assert_mem_eq(identity_key(other), identity_key(again), KEY_LEN);
	ck_assert_mem_eq(identity_cert_sha256(other), identity_cert_sha256(again), HASH_LEN);
	identity_free(again);
	identity_free(other);
	identity_free(id);
	teardown();
}
END_TEST

/* A crash between the two files. */
START_TEST(key_without_certificate_is_enough)
{
	struct identity *id = identity_of(5), *again = NULL;
	struct err err;

	setup();
	ck_assert_int_eq(identity_store(host, id, id_dir, &err), 0);
	ck_assert_int_eq(unlink(cert_path), 0);
	ck_assert_int_eq(identity_load(host, id_dir, &err, &again), 0);
	ck_assert_mem_eq(identity_cert_sha256(id), identity_cert_sha256(again), HASH_LEN);
	identity_free(again);
	identity_free(id);
	teardown();
}
END_TEST

/* [P1-7] */
START_TEST(key_that_others_can_read_is_refused)
{
	static const mode_t modes[] = { 0640, 0604, 0610, 0601, 0620, 0602, 0666 };
	struct identity *id = identity_of(5), *again = NULL;
	struct err err;

	setup();
	ck_assert_int_eq(identity_store(host, id, id_dir, &err), 0);
	for (size_t i = 0; i < ARRAY_LEN(modes); i++) {
		ck_assert_int_eq(chmod(key_path, modes[i]), 0);
		ck_assert_int_eq(identity_load(host, id_dir, &err, &again), -EACCES);
		ck_assert_ptr_nonnull(strstr(err.text, "chmod 600"));
		ck_assert_ptr_nonnull(strstr(err.text, key_path));
	}
	ck_assert_int_eq(chmod(key_path, 0400), 0);
	ck_assert_int_eq(identity_load(host, id_dir, &err, &again), 0);
	identity_free(again);
	identity_free(id);
	teardown();
}
END_TEST

START_TEST(damaged_files_are_refused)
{
	struct identity *id = identity_of(5), *again = NULL;
	struct buf cert = { 0 }, key = { 0 };
	struct err err;

	setup();
	ck_assert_int_eq(identity_to_pem(id, &cert, &key, NULL), 0);
	for (size_t cut = 0; cut + 1 < key.len; cut += 7) {
		ck_assert_int_eq(identity_from_pem(span_of(cert.data, cert.len),
						   span_of(key.data, cut), false, &err, &again),
				 -EINVAL);
	}
	for (size_t cut = 0; cut + 1 < cert.len; cut += 17) {
		ck_assert_int_eq(identity_from_pem(span_of(cert.data, cut),
						   span_of(key.data, key.len), false, &err, &again),
				 -EINVAL);
	}
	ck_assert_int_eq(identity_from_pem(span_of(key.data, key.len), span_of(cert.data, cert.len),
					   true, &err, &again),
			 -EINVAL);
	ck_assert_int_eq(dir_make(host, id_dir, 0700, NULL), 0);
	ck_assert_int_eq(file_write(host, key_path, "rubbish", 7, 0600, NULL), 0);
	ck_assert_int_eq(identity_load(host, id_dir, &err, &again), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, id_dir));
	buf_free(&cert);
	buf_free(&key);
	identity_free(id);
	teardown();
}
END_TEST

START_TEST(key_of_another_certificate_is_refused)
{
	struct identity *a = identity_of(5), *b = identity_of(6), *again = NULL;
	struct buf cert_a = { 0 }, key_a = { 0 }, cert_b = { 0 }, key_b = { 0 };
	struct err err;

	ck_assert_int_eq(identity_to_pem(a, &cert_a, &key_a, NULL), 0);
	ck_assert_int_eq(identity_to_pem(b, &cert_b, &key_b, NULL), 0);
	ck_assert_int_eq(identity_from_pem(span_of(cert_a.data, cert_a.len),
					   span_of(key_b.data, key_b.len), true, &err, &again),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "belong together"));
	buf_free(&cert_a);
	buf_free(&key_a);
	buf_free(&cert_b);
	buf_free(&key_b);
	identity_free(a);
	identity_free(b);
}
END_TEST

/* PEM of a P-256 key (encrypted if `password`) and a self-signed certificate. */
static void make_ec(char *cert_pem, char *key_pem, size_t cap, const char *password)
{
	EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	X509 *cert = X509_new();
	const EVP_CIPHER *cipher = password ? EVP_aes_128_cbc() : NULL;
	BIO *bio = BIO_new(BIO_s_mem());
	int n;

	X509_gmtime_adj(X509_getm_notBefore(cert), 0);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	ck_assert_int_eq(X509_set_pubkey(cert, pkey), 1);
	ck_assert_int_gt(X509_sign(cert, pkey, EVP_sha256()), 0);
	ck_assert_int_eq(PEM_write_bio_X509(bio, cert), 1);
	n = BIO_read(bio, cert_pem, (int)cap - 1);
	cert_pem[n] = '\0';
	ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(bio, pkey, cipher, password,
						       password ? 1 : 0, NULL, NULL),
			 1);
	n = BIO_read(bio, key_pem, (int)cap - 1);
	key_pem[n] = '\0';
	BIO_free(bio);
	X509_free(cert);
	EVP_PKEY_free(pkey);
}

START_TEST(operators_key_of_another_type)
{
	static const uint8_t zeros[HASH_LEN];
	char cert[4096], key[4096];
	struct identity *id = NULL;
	uint8_t sig[SIG_LEN];
	struct err err;

	make_ec(cert, key, sizeof(cert), NULL);
	ck_assert_int_eq(identity_from_pem(span_str(cert), span_str(key), false, &err, &id),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "Ed25519"));
	ck_assert_int_eq(identity_from_pem(span_str(cert), span_str(key), true, &err, &id), 0);
	ck_assert_ptr_null(identity_key(id));
	ck_assert_int_eq(signer_sign(identity_signer(id), "invite", zeros, span_str("x"), sig),
			 -ENOKEY);
	identity_free(id);
}
END_TEST

START_TEST(encrypted_key_is_refused_without_asking)
{
	char cert[4096], key[4096];
	struct identity *id = NULL;
	struct err err;

	make_ec(cert, key, sizeof(cert), "p");
	ck_assert_int_eq(identity_from_pem(span_str(cert), span_str(key), true, &err, &id),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "unencrypted"));
}
END_TEST

/* --- signatures ----------------------------------------------------------------------------- */

/* [P1-16] */
START_TEST(signature_covers_everything)
{
	struct identity *id = identity_of(9), *other = identity_of(10);
	uint8_t cluster[HASH_LEN] = { 1 }, other_cluster[HASH_LEN] = { 2 };
	uint8_t sig[SIG_LEN], again[SIG_LEN];
	const uint8_t *key = identity_key(id);
	struct span text = span_str("text"), empty = span_of(NULL, 0);

	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, text, sig), 0);
	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, text, again), 0);
	ck_assert_mem_eq(sig, again, SIG_LEN);
	ck_assert_int_eq(key_verify(key, "admit", cluster, text, sig), 0);
	ck_assert_int_eq(key_verify(key, "admis", cluster, text, sig), -EKEYREJECTED);
	ck_assert_int_eq(key_verify(key, "admi", cluster, text, sig), -EKEYREJECTED);
	ck_assert_int_eq(key_verify(key, "admit", other_cluster, text, sig), -EKEYREJECTED);
	ck_assert_int_eq(key_verify(key, "admit", cluster, span_str("texu"), sig), -EKEYREJECTED);
	ck_assert_int_eq(key_verify(key, "admit", cluster, span_str("tex"), sig), -EKEYREJECTED);
	ck_assert_int_eq(key_verify(key, "admit", cluster, empty, sig), -EKEYREJECTED);
	ck_assert_int_eq(key_verify(identity_key(other), "admit", cluster, text, sig),
			 -EKEYREJECTED);
	for (size_t bit = 0; bit < 8 * SIG_LEN; bit++) {
		memcpy(again, sig, SIG_LEN);
		again[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_eq(key_verify(key, "admit", cluster, text, again), -EKEYREJECTED);
	}
	identity_free(id);
	identity_free(other);
}
END_TEST

START_TEST(seed_and_identity_sign_alike)
{
	uint8_t seed[SIGN_SEED_LEN] = { 9 }, cluster[HASH_LEN] = { 1 }, a[SIG_LEN], b[SIG_LEN];
	struct identity *id = identity_of(9);

	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, span_str("text"), a),
			 0);
	ck_assert_int_eq(seed_sign(seed, "admit", cluster, span_str("text"), b), 0);
	ck_assert_mem_eq(a, b, SIG_LEN);
	identity_free(id);
}
END_TEST

/* S + L verifies where S < L is not checked (RFC 8032 section 8.4). */
/* [P1-18] */
START_TEST(malleated_signature_is_refused)
{
	uint8_t order[32] = { 0 };
	struct identity *id = identity_of(9);
	uint8_t cluster[HASH_LEN] = { 1 }, sig[SIG_LEN];
	unsigned carry = 0;

	from_hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010", order, 32);
	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, span_str("text"), sig),
			 0);
	for (size_t i = 0; i < 32; i++) {
		carry += sig[32 + i] + order[i];
		sig[32 + i] = (uint8_t)carry;
		carry >>= 8;
	}
	ck_assert_uint_eq(carry, 0);
	ck_assert_int_eq(key_verify(identity_key(id), "admit", cluster, span_str("text"), sig),
			 -EKEYREJECTED);
	identity_free(id);
}
END_TEST

/* What is left in OpenSSL's error queue would be taken for a failure of the next TLS connection. */
START_TEST(failures_leave_no_error_behind)
{
	struct identity *id = identity_of(9), *none = NULL;
	uint8_t cluster[HASH_LEN] = { 1 }, sig[SIG_LEN] = { 0 }, off_curve[KEY_LEN] = { 2 };
	struct span rubbish = span_str("rubbish");

	ERR_clear_error();
	ck_assert_int_eq(key_verify(identity_key(id), "admit", cluster, rubbish, sig),
			 -EKEYREJECTED);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, rubbish, sig), 0);
	sig[63] |= 0xe0; /* S beyond any order */
	ck_assert_int_eq(key_verify(identity_key(id), "admit", cluster, rubbish, sig),
			 -EKEYREJECTED);
	ck_assert_int_eq(key_verify(off_curve, "admit", cluster, rubbish, sig), -EKEYREJECTED);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	ck_assert_int_eq(identity_from_pem(rubbish, rubbish, true, NULL, &none), -EINVAL);
	ck_assert_uint_eq(ERR_peek_error(), 0);
	identity_free(id);
}
END_TEST

/* [P1-17] */
START_TEST(signed_text_has_a_limit)
{
	static uint8_t text[ENTRY_MAX_BYTES + 1];
	struct identity *id = identity_of(9);
	uint8_t cluster[HASH_LEN] = { 1 }, sig[SIG_LEN];
	struct span most = span_of(text, ENTRY_MAX_BYTES), more = span_of(text, sizeof(text));

	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, most, sig), 0);
	ck_assert_int_eq(key_verify(identity_key(id), "admit", cluster, most, sig), 0);
	ck_assert_int_eq(signer_sign(identity_signer(id), "admit", cluster, more, sig), -EMSGSIZE);
	ck_assert_int_eq(key_verify(identity_key(id), "admit", cluster, more, sig), -EMSGSIZE);
	ck_assert_int_eq(signer_sign(identity_signer(id), "a purpose of thirty-two characters",
				     cluster, span_str("x"), sig),
			 -EMSGSIZE);
	identity_free(id);
}
END_TEST

/* Small-order points and second encodings, with either sign (Chalkias et al. 2020, table 6). */
static const char *const bad_keys[] = {
	"0000000000000000000000000000000000000000000000000000000000000000",
	"0000000000000000000000000000000000000000000000000000000000000080",
	"0100000000000000000000000000000000000000000000000000000000000000",
	"0100000000000000000000000000000000000000000000000000000000000080",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	"f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

/* [P1-8] */
START_TEST(unsafe_keys_are_refused)
{
	uint8_t key[KEY_LEN], cluster[HASH_LEN] = { 0 }, sig[SIG_LEN] = { 1 };

	for (size_t i = 0; i < ARRAY_LEN(bad_keys); i++) {
		from_hex(bad_keys[i], key, KEY_LEN);
		ck_assert_msg(!key_ok(key), "%s", bad_keys[i]);
		/* R = the neutral element, S = 0 fits any text under such a key */
		ck_assert_int_eq(key_verify(key, "admit", cluster, span_str("text"), sig),
				 -EKEYREJECTED);
	}
	/* the base point, and the largest y that is canonical */
	from_hex("5866666666666666666666666666666666666666666666666666666666666666", key, KEY_LEN);
	ck_assert(key_ok(key));
	from_hex("ebffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", key, KEY_LEN);
	ck_assert(key_ok(key));
	from_hex("edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff6f", key, KEY_LEN);
	ck_assert(key_ok(key));
	from_hex("edfffffffffffffffffffffffffffffffffffffffffffffffffffffffffffe7f", key, KEY_LEN);
	ck_assert(key_ok(key));
}
END_TEST

START_TEST(good_keys_are_accepted)
{
	struct unit_rng rng = unit_rng_new("good_keys_are_accepted");
	uint8_t seed[SIGN_SEED_LEN], key[KEY_LEN];

	for (int i = 0; i < 200; i++) {
		unit_random_bytes(&rng, seed, sizeof(seed));
		ck_assert_int_eq(seed_public(seed, key), 0);
		ck_assert(key_ok(key));
	}
}
END_TEST

/* --- hashes and tokens ---------------------------------------------------------------------- */

/* [P1-21] [P1-25] */
START_TEST(hashes_have_known_values)
{
	uint8_t key[32], salt[16], cluster[HASH_LEN], out[HASH_LEN];
	struct node_id id;

	for (size_t i = 0; i < 32; i++)
		key[i] = (uint8_t)i;
	memcpy(salt, key, sizeof(salt));
	memset(cluster, 0x11, sizeof(cluster));
	memset(id.bytes, 0x22, sizeof(id.bytes));
	sha256(span_str("abc"), out);
	check_hash(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_2(span_str("a"), span_str("bc"), out);
	check_hash(out, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	sha256_2(span_of(NULL, 0), span_of(NULL, 0), out);
	check_hash(out, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	hmac_sha256(key, span_str("hello"), out);
	check_hash(out, "53c40272a70c15ca4ee0af4df1f155fd6c41e00ce2307d8987ecd4bb36a7e990");
	node_token(key, cluster, &id, out);
	check_hash(out, "d49dd95aa3606910a02ccd9e05a3fd218721e7b0572258b878c17747a34e553b");
	bootstrap_code_hash(salt, "ABCD-EFGH-JKMN", out);
	check_hash(out, "ef3fb0ba70abecb75c6a32d7c13569bb5531a7b0fe9f501b3ae8e46410d329f7");
	/* as libargon2 has it */
	ck_assert_int_eq(recovery_code_seed("0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV", key, out), 0);
	check_hash(out, "8a37270c45286a98265365860d1a03a5042ba511dd0c2be98a29e2aa2ebef221");
}
END_TEST

UNIT_MAIN("identity", seed_gives_the_key_of_rfc_8032, certificate_is_a_function_of_the_key,
	  key_hashes_agree_between_certificate_and_raw_key, new_identities_differ,
	  stored_identity_is_loaded_again, store_replaces_both_files,
	  key_without_certificate_is_enough, key_that_others_can_read_is_refused,
	  damaged_files_are_refused, key_of_another_certificate_is_refused,
	  operators_key_of_another_type, encrypted_key_is_refused_without_asking,
	  signature_covers_everything, seed_and_identity_sign_alike, malleated_signature_is_refused,
	  failures_leave_no_error_behind, signed_text_has_a_limit, unsafe_keys_are_refused,
	  good_keys_are_accepted, hashes_have_known_values)
