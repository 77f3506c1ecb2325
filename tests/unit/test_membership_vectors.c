/* SPDX-License-Identifier: MIT */
/*
 * Fixed seeds give fixed bytes: tests/vectors/membership.txt, lines of a name and hexadecimal
 * (or, for the URL, text). With MLSH_VECTORS_OUT=<folder> in the environment the lines are also
 * written there, with the binary values as files: seeds for fuzzers, and a new list after a
 * change of format.
 */
#include "identity/codes.h"
#include "identity/identity.h"
#include "identity/token.h"
#include "log_kit.h"
#include "membership/beacon.h"
#include "membership/invite_url.h"

#define VECTORS "tests/vectors/membership.txt"
#define VECTORS_MAX 131072
#define HEX_MAX (2 * ENTRY_MAX_BYTES + 1)

static char made[VECTORS_MAX];
static size_t made_len;

static void write_file(const char *name, const void *data, size_t len)
{
	const char *folder = getenv("MLSH_VECTORS_OUT");
	char path[512];
	FILE *f;

	if (!folder)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	ck_assert_int_eq(fclose(f), 0);
}

static void add_text(const char *name, const char *text)
{
	int len = snprintf(made + made_len, sizeof(made) - made_len, "%s %s\n", name, text);

	ck_assert_int_gt(len, 0);
	made_len += (size_t)len;
	ck_assert_uint_lt(made_len, sizeof(made));
}

static void add(const char *name, const void *data, size_t len)
{
	static char hex[HEX_MAX];

	hex_encode(data, len, hex);
	add_text(name, hex);
	write_file(name, data, len);
}

static void add_node(unsigned n, const char *prefix)
{
	static const char *const fields[] = { "seed", "key", "key-sha256", "node-id",
					      "cert-sha256" };
	struct identity *id = kit_identity(n);
	struct node_id node = identity_node_id(id);
	uint8_t seed[SIGN_SEED_LEN];
	const uint8_t *values[] = { seed, identity_key(id), identity_key_sha256(id), node.bytes,
				    identity_cert_sha256(id) };
	char name[64];

	kit_seed(n, seed);
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		snprintf(name, sizeof(name), "%s-%s", prefix, fields[i]);
		add(name, values[i], i == 3 ? NODE_ID_LEN : 32);
	}
	identity_free(id);
}

static void add_head(const char *name, const struct mlog *l)
{
	struct head h = mlog_head(l);

	add(name, h.hash, HASH_LEN);
}

/* The newest record of the log, and its hash. */
static void add_record(const char *name, const struct kit *k)
{
	struct span record = mlog_record(k->log, mlog_count(k->log) - 1);
	char line[64];

	snprintf(line, sizeof(line), "record-%s", name);
	add(line, record.data, record.len);
	snprintf(line, sizeof(line), "hash-%s", name);
	add_head(line, k->log);
}

/* An entry, and the record that the server makes of it a minute later. */
static void add_ordered(const char *name, struct kit *k, const struct entry_bytes *b)
{
	add(name, b->data, b->len);
	k->now_s += 60;
	kit_append(k, b);
	add_record(name, k);
}

static void add_recover(struct kit *k)
{
	struct entry e = kit_recover_fields(k, KIT_CODE_NEXT, KIT_CODE_NEXT + 1, 2);
	struct entry_bytes b = kit_sign(k, &e, KIT_CODE_NEXT, 0);
	struct entry_bytes again = kit_recover_again(k, KIT_CODE_NEXT + 1, KIT_CODE_NEXT + 2, 2,
						     &b);

	add("recover-again", again.data, again.len);
	e.recover.removed.id[e.recover.removed.n++] = kit_id(0);
	strcpy(e.recover.reserved[0].name, "gone");
	e.recover.reserved[0].address = KIT_NET + 9;
	e.recover.n_reserved = 1;
	e.recover.has_server = true;
	e.recover.server = kit_server(KIT_ORDER);
	b = kit_sign(k, &e, KIT_CODE_NEXT, 0);
	k->order = KIT_ORDER;
	add_ordered("recover", k, &b);
}

static void add_url(const struct kit_invite *i)
{
	struct invite_url u = { .host = "signal.example.org", .port = SIGNAL_PORT };
	char text[INVITE_URL_MAX];

	memcpy(u.signal_key, i->inv.signal_key, HASH_LEN);
	memcpy(u.invite_bytes, i->bytes, i->len);
	u.invite_len = i->len;
	memcpy(u.invite_sig, i->sig, SIG_LEN);
	memcpy(u.one_time, i->one_time, SIGN_SEED_LEN);
	ck_assert_int_eq(invite_url_format(&u, text, sizeof(text), NULL), 0);
	add_text("invite-url", text);
	write_file("invite-url", text, strlen(text));
}

static void add_tokens(const struct kit *k)
{
	static const char recovery[] = "0123-4567-89AB-CDEF-GHJK-MNPQ-RSTV";
	struct node_id id = identity_node_id(k->admin);
	uint8_t key[32], salt[16], out[HASH_LEN];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	memcpy(salt, key, sizeof(salt));
	node_token(key, mlog_cluster_id(k->log), &id, out);
	add("node-token", out, HASH_LEN);
	bootstrap_code_hash(salt, "ABCD-EFGH-JKMN", out);
	add("bootstrap-code-hash", out, HASH_LEN);
	ck_assert_int_eq(recovery_code_seed(recovery, mlog_genesis(k->log)->random, out), 0);
	add("recovery-seed", out, HASH_LEN);
	ck_assert_int_eq(seed_public(out, key), 0);
	add("recovery-key", key, KEY_LEN);
}

/* Of the admin, a minute after the newest record. */
static void add_beacon(const struct kit *k)
{
	struct node_id id = kit_id(0);
	struct beacon_bytes b;

	ck_assert_int_eq(beacon_make(k->log, &id, identity_signer(k->admin), k->now_s + 60, &b), 0);
	add("beacon", b.data, b.len);
}

static void make_all(void)
{
	uint8_t key[KEY_LEN];
	struct kit k = kit_open();
	struct kit_invite i, j;
	struct entry_bytes b;

	add_node(0, "admin");
	add_node(1, "joiner");
	kit_key(KIT_ORDER, key);
	add("order-key", key, KEY_LEN);
	add_record("genesis", &k);
	add_head("cluster-id", k.log);
	k.now_s += 60;
	i = kit_invite(&k, 1);
	add("one-time-seed", i.one_time, SIGN_SEED_LEN);
	add("invite", i.bytes, i.len);
	add("invite-sig", i.sig, SIG_LEN);
	add_url(&i);
	k.now_s += 60;
	b = kit_admit(&k, &i, 1);
	add_ordered("admit", &k, &b);
	j = kit_invite(&k, 2);
	b = kit_cancel(&k, j.inv.nonce);
	add_ordered("cancel", &k, &b);
	b = kit_promote(&k, 0, 1);
	add_ordered("promote", &k, &b);
	b = kit_renew(&k, 0, 1, KIT_CODE_NEXT);
	add_ordered("renew", &k, &b);
	b = kit_demote(&k, 0, 1);
	add_ordered("demote", &k, &b);
	add_beacon(&k);
	b = kit_rename(&k, 0, 1, "desk");
	add_ordered("rename", &k, &b);
	b = kit_rotate(&k, 1, 1, 101);
	add_ordered("rotate", &k, &b);
	i = kit_invite_replace(&k, 30, kit_id(1));
	add("invite-replace", i.bytes, i.len);
	b = kit_admit(&k, &i, 2);
	add_ordered("admit-replace", &k, &b);
	kit_join(&k, 3);
	b = kit_remove(&k, 0, 3);
	add_ordered("remove", &k, &b);
	b = kit_signal(&k, 0, KIT_ORDER_NEXT);
	add_ordered("signal", &k, &b);
	k.order = KIT_ORDER_NEXT;
	add_recover(&k);
	add_tokens(&k);
	kit_close(&k);
	write_file("membership.txt", made, made_len);
}

/* [P1-1] [P1-16] [P1-25] [P2-7] */
START_TEST(bytes_are_as_documented)
{
	static char kept[VECTORS_MAX];
	FILE *f = fopen(VECTORS, "rb");
	char *line = made, *kept_line = kept;
	size_t len;

	make_all();
	ck_assert_msg(f, "%s cannot be read", VECTORS);
	len = fread(kept, 1, sizeof(kept) - 1, f);
	fclose(f);
	kept[len] = '\0';
	while (*line) {
		size_t n = strcspn(line, "\n");

		ck_assert_msg(strncmp(line, kept_line, n + 1) == 0, "%.*s", (int)n, line);
		line += n + 1;
		kept_line += n + 1;
	}
	ck_assert_str_eq(kept_line, "");
}
END_TEST

UNIT_MAIN("membership/vectors", bytes_are_as_documented)
