/* SPDX-License-Identifier: MIT */
/*
 * What an admission costs the server: it is decoded once, and each of its signatures is verified
 * once. The linker puts the counters in (mk/variant.mk), so that the server itself has none.
 */
#include "signal_steps.h"

static unsigned decoded, verified, signed_by_seed;

int __real_entry_decode(struct span bytes, struct entry *ret, struct err *err);
int __real_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN]);
int __real_seed_sign(const uint8_t seed[SIGN_SEED_LEN], const char *purpose,
		     const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN]);
int __wrap_entry_decode(struct span bytes, struct entry *ret, struct err *err);
int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN]);
int __wrap_seed_sign(const uint8_t seed[SIGN_SEED_LEN], const char *purpose,
		     const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN]);

int __wrap_entry_decode(struct span bytes, struct entry *ret, struct err *err)
{
	decoded++;
	return __real_entry_decode(bytes, ret, err);
}

int __wrap_key_verify(const uint8_t key[KEY_LEN], const char *purpose,
		      const uint8_t cluster_id[HASH_LEN], struct span bytes,
		      const uint8_t sig[SIG_LEN])
{
	verified++;
	return __real_key_verify(key, purpose, cluster_id, bytes, sig);
}

int __wrap_seed_sign(const uint8_t seed[SIGN_SEED_LEN], const char *purpose,
		     const uint8_t cluster_id[HASH_LEN], struct span bytes, uint8_t sig[SIG_LEN])
{
	signed_by_seed++;
	return __real_seed_sign(seed, purpose, cluster_id, bytes, sig);
}

static void count_from_zero(void)
{
	decoded = verified = signed_by_seed = 0;
}

/* The nodes have no events here, so that only the server works. */
START_TEST(an_admission_is_read_once_and_verified_once)
{
	struct raw *founder, *r;
	struct signal_reply reply;
	struct raw_invite i;
	struct entry_bytes b;
	struct sig g;

	sig_start(&g);
	founder = raw_new(&g);
	raw_setup(founder, g.code, "homelab", NULL);
	i = raw_invite(founder);
	r = raw_new(&g);
	b = raw_admit_entry(r, &i, "laptop");
	count_from_zero();
	ck_assert_int_eq(key_verify(identity_key(r->id), "entry", i.inv.cluster_id, span_of("x", 1),
				    i.sig),
			 -EKEYREJECTED);
	ck_assert_uint_eq(verified, 1); /* it does count */
	count_from_zero();
	raw_adopt_begin(r, &i);
	ck_assert_uint_eq(decoded + verified + signed_by_seed, 0);
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(decoded, 1);
	ck_assert_uint_eq(verified, 3);	      /* the sponsor's, the joiner's, the one-time key's */
	ck_assert_uint_eq(signed_by_seed, 1); /* the receipt */

	/* the same again, when the reply was lost: a look-up */
	count_from_zero();
	ck_assert_int_eq(raw_admit(r, &b, &reply), REFUSAL_NONE);
	ck_assert_uint_eq(decoded, 1);
	ck_assert_uint_eq(verified, 0);
	ck_assert_uint_eq(signed_by_seed, 0);
	raw_free(r);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

/* A start verifies the last record only: the hashes vouch for the others. */
START_TEST(a_start_verifies_one_record)
{
	struct raw *founder;
	char name[16];
	struct sig g;

	sig_start(&g);
	founder = raw_founder(&g);
	for (unsigned i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "node%u", i);
		raw_free(raw_member(founder, name));
	}
	sig_crash(&g);
	count_from_zero();
	sig_boot(&g);
	ck_assert_uint_eq(verified, 4); /* three of the last admission, and its receipt */
	raw_session(founder);
	raw_fetch(founder);
	ck_assert_uint_eq(mlog_count(founder->log), 6);
	raw_free(founder);
	sig_stop(&g);
}
END_TEST

UNIT_MAIN("signal/cost", an_admission_is_read_once_and_verified_once, a_start_verifies_one_record)
