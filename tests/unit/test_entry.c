/* SPDX-License-Identifier: MIT */
/* Log entries: what is made is read back the same, and there is no second form of anything. */
#include "log_kit.h"

START_TEST(genesis_comes_back)
{
	struct identity *admin = kit_identity(0);
	struct genesis g = kit_genesis(admin);
	struct node_id id = identity_node_id(admin);
	uint8_t hash[HASH_LEN];
	struct entry_bytes b;
	struct entry e;

	ck_assert_int_eq(genesis_make(&g, KIT_TIME, identity_signer(admin), &b, NULL), 0);
	ck_assert_int_eq(entry_decode(kit_span(&b), &e, NULL), 0);
	ck_assert_int_eq(e.type, ENTRY_GENESIS);
	ck_assert_uint_eq(e.base.seq, 0);
	ck_assert_uint_eq(e.time_s, KIT_TIME);
	ck_assert_mem_eq(e.base.hash, zero_hash, HASH_LEN);
	ck_assert(node_id_equal(&e.author, &id));
	ck_assert_str_eq(e.genesis.name, "homelab");
	ck_assert_str_eq(e.genesis.node_name, "nas");
	ck_assert_uint_eq(e.genesis.subnet.net, KIT_NET);
	ck_assert_uint_eq(e.genesis.subnet.bits, 16);
	ck_assert_uint_eq(e.genesis.address, KIT_NET + 1);
	ck_assert_str_eq(e.genesis.server.host, "signal.example.org");
	ck_assert_uint_eq(e.genesis.server.port, 4433);
	ck_assert_mem_eq(e.genesis.key, g.key, KEY_LEN);
	ck_assert_mem_eq(e.genesis.server.cert, g.server.cert, HASH_LEN);
	ck_assert_mem_eq(e.genesis.server.key, g.server.key, HASH_LEN);
	ck_assert_mem_eq(e.genesis.recovery, g.recovery, HASH_LEN);
	ck_assert_mem_eq(e.genesis.random, g.random, sizeof(g.random));
	ck_assert_uint_eq(e.n_sigs, 1);
	sha256(kit_span(&b), hash);
	ck_assert_mem_eq(e.hash, hash, HASH_LEN);
	identity_free(admin);
}
END_TEST

START_TEST(admit_and_cancel_come_back)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite(&k, 5);
	struct entry_bytes a = kit_admit(&k, &i, 1), c = kit_cancel(&k, i.inv.nonce);
	struct identity *joiner = kit_identity(1);
	struct node_id id = identity_node_id(joiner), admin = identity_node_id(k.admin);
	struct head head = mlog_head(k.log);
	struct entry e;

	ck_assert_int_eq(entry_decode(kit_span(&a), &e, NULL), 0);
	ck_assert_int_eq(e.type, ENTRY_ADMIT);
	ck_assert_uint_eq(e.base.seq, head.seq);
	ck_assert_mem_eq(e.base.hash, head.hash, HASH_LEN);
	ck_assert(node_id_equal(&e.author, &id));
	ck_assert_str_eq(e.admit.node_name, "node1");
	ck_assert_mem_eq(e.admit.key, identity_key(joiner), KEY_LEN);
	ck_assert(span_equal(e.admit.invite, span_of(i.bytes, i.len)));
	ck_assert_mem_eq(e.admit.invite_sig, i.sig, SIG_LEN);
	ck_assert_mem_eq(e.admit.invite_decoded.nonce, i.inv.nonce, NONCE_LEN);
	ck_assert_uint_eq(e.n_sigs, 2);

	ck_assert_int_eq(entry_decode(kit_span(&c), &e, NULL), 0);
	ck_assert_int_eq(e.type, ENTRY_CANCEL);
	ck_assert(node_id_equal(&e.author, &admin));
	ck_assert_mem_eq(e.cancel.nonce, i.inv.nonce, NONCE_LEN);
	identity_free(joiner);
	kit_close(&k);
}
END_TEST

/* --- making --------------------------------------------------------------------------------- */

static void check_no_genesis(const struct genesis *g, const char *what)
{
	struct identity *admin = kit_identity(0);
	struct entry_bytes b = { .len = 77 };
	struct err err = { .code = 0 };

	ck_assert_msg(genesis_make(g, KIT_TIME, identity_signer(admin), &b, &err) == -EINVAL, "%s",
		      what);
	ck_assert_int_eq(err.code, -EINVAL);
	ck_assert_uint_eq(b.len, 77);
	identity_free(admin);
}

START_TEST(genesis_fields_are_checked)
{
	static const struct {
		uint32_t net;
		uint8_t bits;
		uint32_t address;
	} bad[] = {
		{ 0x64600000, 16, 0x64600000 }, /* the network itself */
		{ 0x64600000, 16, 0x6460ffff }, /* its broadcast address */
		{ 0x64600000, 16, 0x64610001 }, /* another network */
		{ 0x64600001, 16, 0x64600002 }, /* host bits */
		{ 0x64600000, 30, 0x64600001 }, { 0x0a000000, 7, 0x0a000001 },
		{ 0x08080800, 24, 0x08080801 }, /* somebody's */
		{ 0x64400000, 9, 0x64400001 },	{ 0, 0, 1 },
	};
	static const char *const bad_names[] = { "", "Homelab", "a.b", "-a", "a_b", "xn--a" };
	static const char *const bad_hosts[] = { "",
						 "Signal.example.org",
						 "a b",
						 "[::1]",
						 "2001:DB8::1",
						 "::ffff:1.2.3.4",
						 "example.org.",
						 "a:1",
						 "1.2.3" };
	struct identity *admin = kit_identity(0), *other = kit_identity(1);
	struct genesis good = kit_genesis(admin), g;
	struct entry_bytes last;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		g = good;
		g.subnet = (struct prefix4){ bad[i].net, bad[i].bits };
		g.address = bad[i].address;
		check_no_genesis(&g, "subnet");
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_names); i++) {
		g = good;
		strcpy(g.name, bad_names[i]);
		check_no_genesis(&g, bad_names[i]);
		g = good;
		strcpy(g.node_name, bad_names[i]);
		check_no_genesis(&g, bad_names[i]);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad_hosts); i++) {
		g = good;
		strcpy(g.server.host, bad_hosts[i]);
		check_no_genesis(&g, bad_hosts[i]);
	}
	g = good;
	g.server.port = 0;
	check_no_genesis(&g, "port");
	g = good;
	g.address = KIT_NET + 0xfffe; /* the last that is good */
	ck_assert_int_eq(genesis_make(&g, KIT_TIME, identity_signer(admin), &last, NULL), 0);
	g = good;
	memcpy(g.key, identity_key(other), KEY_LEN);
	check_no_genesis(&g, "another's key");
	identity_free(admin);
	identity_free(other);
}
END_TEST

/* [P2-4] */
START_TEST(longest_entries_fit)
{
	struct kit k = kit_open();
	struct genesis g = kit_genesis(k.admin);
	struct entry_bytes b;

	memset(g.name, 'a', LABEL_MAX);
	memset(g.node_name, 'b', LABEL_MAX);
	memset(g.server.host, 'c', 253);
	for (size_t i = 63; i < 253; i += 64)
		g.server.host[i] = '.';
	ck_assert_int_eq(genesis_make(&g, LOG_TIME_MAX_S, identity_signer(k.admin), &b, NULL), 0);
	ck_assert_int_eq(genesis_make(&g, LOG_TIME_MAX_S + 1ull, identity_signer(k.admin), &b,
				      NULL),
			 -EINVAL);
	kit_close(&k);
}
END_TEST

START_TEST(admit_arguments_are_checked)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite(&k, 5), j = kit_invite(&k, 6);
	struct identity *joiner = kit_identity(1);
	struct span invite = span_of(i.bytes, i.len), cut = span_of(i.bytes, i.len - 1);
	struct entry_bytes b = { .len = 77 };
	struct err err;

	ck_assert_int_eq(admit_make(k.now_s, identity_signer(joiner), "Bad", invite, i.sig,
				    i.one_time, &b, &err),
			 -EINVAL);
	ck_assert_int_eq(admit_make(k.now_s, identity_signer(joiner), "good", invite, i.sig,
				    j.one_time, &b, &err),
			 -EINVAL);
	ck_assert_int_eq(err.reason, REFUSAL_TAMPERED);
	ck_assert_int_eq(admit_make(k.now_s, identity_signer(joiner), "good", cut, i.sig,
				    i.one_time, &b, &err),
			 -EBADMSG);
	ck_assert_int_eq(err.reason, REFUSAL_TAMPERED);
	ck_assert_uint_eq(b.len, 77);
	identity_free(joiner);
	kit_close(&k);
}
END_TEST

/* --- other forms ---------------------------------------------------------------------------- */

static void check_malformed(struct span s, const char *what)
{
	struct err err = { .code = 0 };
	struct entry e;
	int r = entry_decode(s, &e, &err);

	ck_assert_msg(r == -EBADMSG && err.reason != REFUSAL_NONE, "%s: %d %s", what, r, err.text);
}

static struct span rebuild(uint8_t *buf, size_t cap, struct span payload,
			   const uint8_t *const *sigs, size_t n)
{
	struct cbor_writer w = cbor_writer_of(buf, cap);

	entry_put(&w, payload, sigs, n);
	return cbor_writer_span(&w);
}

/* [P2-3] [P2-4] */
START_TEST(envelope_has_one_form)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite(&k, 5);
	struct entry_bytes a = kit_admit(&k, &i, 1);
	uint8_t buf[ENTRY_MAX_BYTES + 16];
	const uint8_t *three[3];
	struct entry e;
	struct span s;

	ck_assert_int_eq(entry_decode(kit_span(&a), &e, NULL), 0);
	three[0] = three[2] = e.sig[0];
	three[1] = e.sig[1];
	s = rebuild(buf, sizeof(buf), e.payload, three, 2);
	ck_assert(span_equal(s, kit_span(&a)));
	check_malformed(rebuild(buf, sizeof(buf), e.payload, three, 0), "no signature");
	check_malformed(rebuild(buf, sizeof(buf), e.payload, three, 1), "one signature");
	check_malformed(rebuild(buf, sizeof(buf), e.payload, three, 3), "three signatures");
	check_malformed(rebuild(buf, sizeof(buf), span_of(NULL, 0), three, 2), "no payload");
	memcpy(buf, a.data, a.len);
	buf[a.len] = 0;
	check_malformed(span_of(buf, a.len + 1), "a byte more");
	check_malformed(span_of(NULL, 0), "nothing");
	/* the payload's length in four bytes instead of two: 82 59 xx xx -> 82 5a 00 00 xx xx */
	ck_assert_uint_eq(a.data[1], 0x59);
	memcpy(buf, "\x82\x5a\0\0", 4);
	memcpy(buf + 4, a.data + 2, a.len - 2);
	check_malformed(span_of(buf, a.len + 2), "a longer length");
	/* an indefinite array around the same content */
	memcpy(buf, a.data, a.len);
	buf[0] = 0x9f;
	buf[a.len] = 0xff;
	check_malformed(span_of(buf, a.len + 1), "an indefinite array");
	/* a tag in front */
	buf[0] = 0xc0;
	memcpy(buf + 1, a.data, a.len);
	check_malformed(span_of(buf, a.len + 1), "a tag");
	memset(buf, 0, sizeof(buf));
	check_malformed(span_of(buf, ENTRY_MAX_BYTES + 1), "too long");
	kit_close(&k);
}
END_TEST

/* The payload with bytes exchanged: `at` and `cut` where, `put` what instead. */
static struct span payload_with(uint8_t *buf, struct span payload, size_t at, size_t cut,
				const char *put, size_t put_len)
{
	memcpy(buf, payload.data, at);
	memcpy(buf + at, put, put_len);
	memcpy(buf + at + put_len, payload.data + at + cut, payload.len - at - cut);
	return span_of(buf, payload.len - cut + put_len);
}

/* [P2-3] */
START_TEST(payload_has_one_form)
{
	struct kit k = kit_open();
	uint8_t nonce[NONCE_LEN] = { 1 }, changed[ENTRY_MAX_BYTES], buf[ENTRY_MAX_BYTES];
	struct entry_bytes c = kit_cancel(&k, nonce);
	struct entry e;
	struct span p;

	ck_assert_int_eq(entry_decode(kit_span(&c), &e, NULL), 0);
	/* 87 01 03 1a<time> 50<author> 00 5820<base> 54 82 00 50<nonce> */
	ck_assert_mem_eq(e.payload.data, "\x87\x01\x03\x1a", 4);
	p = payload_with(changed, e.payload, 2, 1, "\x18\x03", 2);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a longer integer");
	p = payload_with(changed, e.payload, 25, 1, "\x20", 1);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a negative integer");
	p = payload_with(changed, e.payload, 25, 1, "\xc1\0", 2);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a tagged integer");
	p = payload_with(changed, e.payload, 3, 1, "\x1b\0\0\0\0", 5);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a longer time");
	p = payload_with(changed, e.payload, 26, 2, "\x59\0\x20", 3);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a longer length");
	p = payload_with(changed, e.payload, 60, 1, "\x58\x13", 2);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a longer length of the body");
	p = payload_with(changed, e.payload, 61, 1, "\x83", 1);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a body of three");
	p = payload_with(changed, e.payload, 62, 1, "\x02", 1);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "cancels what there is not");
	p = payload_with(changed, e.payload, 0, 1, "\x88", 1);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "an array of eight");
	p = payload_with(changed, e.payload, e.payload.len, 0, "\0", 1);
	check_malformed(rebuild(buf, sizeof(buf), p, e.sig, 1), "a byte more");
	kit_close(&k);
}
END_TEST

/* [P2-9] [P2-16] */
START_TEST(later_versions_and_types_ask_for_an_upgrade)
{
	struct kit k = kit_open();
	uint8_t nonce[NONCE_LEN] = { 1 }, changed[ENTRY_MAX_BYTES], buf[ENTRY_MAX_BYTES];
	struct entry_bytes c = kit_cancel(&k, nonce);
	struct err err;
	struct entry e, other;
	struct span p;

	ck_assert_int_eq(entry_decode(kit_span(&c), &e, NULL), 0);
	for (uint8_t type = 0; type < 24; type++) {
		if (type >= ENTRY_GENESIS && type < ENTRY_TYPES)
			continue;
		p = payload_with(changed, e.payload, 2, 1, (const char *)&type, 1);
		ck_assert_int_eq(entry_decode(rebuild(buf, sizeof(buf), p, e.sig, 1), &other, &err),
				 -EPROTONOSUPPORT);
		ck_assert_int_eq(err.reason, REFUSAL_VERSION);
		ck_assert_ptr_nonnull(strstr(err.text, "upgrade mlsh"));
	}
	p = payload_with(changed, e.payload, 1, 1, "\x02", 1);
	ck_assert_int_eq(entry_decode(rebuild(buf, sizeof(buf), p, e.sig, 1), &other, &err),
			 -EPROTONOSUPPORT);
	ck_assert_int_eq(err.reason, REFUSAL_VERSION);
	kit_close(&k);
}
END_TEST

START_TEST(every_prefix_is_malformed)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite(&k, 5);
	struct entry_bytes a = kit_admit(&k, &i, 1);

	for (size_t len = 0; len < a.len; len++)
		check_malformed(span_of(a.data, len), "prefix");
	kit_close(&k);
}
END_TEST

/* What decodes at all is what encodes to the same bytes: changed bytes never give the old entry. */
START_TEST(changed_bytes_change_the_hash)
{
	struct unit_rng rng = unit_rng_new("changed_bytes_change_the_hash");
	struct kit k = kit_open();
	struct kit_invite i = kit_invite(&k, 5);
	struct entry_bytes a = kit_admit(&k, &i, 1), b;
	struct entry e, other;

	ck_assert_int_eq(entry_decode(kit_span(&a), &e, NULL), 0);
	for (int round = 0; round < 20000; round++) {
		b = a;
		for (uint64_t n = 1 + unit_random_below(&rng, 3); n > 0; n--)
			b.data[unit_random_below(&rng, b.len)] = (uint8_t)unit_random(&rng);
		if (memcmp(a.data, b.data, a.len) == 0)
			continue;
		if (entry_decode(kit_span(&b), &other, NULL) == 0)
			ck_assert_mem_ne(e.hash, other.hash, HASH_LEN);
	}
	kit_close(&k);
}
END_TEST

/* --- the other types: what is made comes back, and no second form ------------------------ */

/* A well-formed entry of each type, as far as the form goes. */
static struct entry sample(const struct kit *k, unsigned type)
{
	struct entry e = kit_entry(k, type, 0);
	struct recover *c = &e.recover;

	switch (type) {
	case ENTRY_REMOVE:
		for (unsigned n = 0; n < REMOVE_IDS_MAX; n++)
			e.remove.id[e.remove.n++].bytes[3] = (uint8_t)n;
		break;
	case ENTRY_RENAME:
		strcpy(e.rename.name, "desk");
		break;
	case ENTRY_ROTATE:
		kit_key(9, e.rotate.key);
		break;
	case ENTRY_SIGNAL:
		e.signal = kit_server(KIT_ORDER_NEXT);
		break;
	case ENTRY_RECOVER:
		e = kit_recover_fields(k, KIT_CODE, KIT_CODE_NEXT, 1);
		for (unsigned n = 0; n < RECOVER_REMOVED_MAX; n++)
			c->removed.id[c->removed.n++].bytes[3] = (uint8_t)n;
		for (unsigned n = 0; n < 9; n++) {
			snprintf(c->reserved[n].name, sizeof(c->reserved[n].name), "gone%u", n);
			c->reserved[n].address = KIT_NET + n;
		}
		c->n_reserved = 9;
		c->has_server = true;
		c->server = kit_server(KIT_ORDER_NEXT);
		break;
	case ENTRY_RENEW:
		e.renew.second = kit_id(1);
		break;
	}
	return e;
}

START_TEST(all_types_come_back)
{
	struct kit k = kit_open();

	for (unsigned type = ENTRY_REMOVE; type < ENTRY_TYPES; type++) {
		struct entry e = sample(&k, type), back;
		struct entry_bytes b = kit_sign(&k, &e, type == ENTRY_RECOVER ? KIT_CODE : 0,
						entry_sig_count(&e) > 1 ? 9 : 0);
		uint8_t buf[ENTRY_MAX_BYTES];
		struct cbor_writer w = cbor_writer_of(buf, sizeof(buf));

		ck_assert_int_eq(entry_decode(kit_span(&b), &back, NULL), 0);
		ck_assert_uint_eq(back.type, type);
		ck_assert_uint_eq(entry_peek(kit_span(&b)), type);
		ck_assert_str_ne(entry_type_name(type), "unknown");
		entry_put_payload(&w, &e);
		ck_assert(span_equal(cbor_writer_span(&w), back.payload));
		for (size_t len = 0; len < b.len; len++)
			check_malformed(span_of(b.data, len), "prefix");
	}
	kit_close(&k);
}
END_TEST

/* entry_make refuses what entry_decode would. */
static void check_not_made(const struct kit *k, const struct entry *e, const char *what)
{
	uint8_t seed[SIGN_SEED_LEN];
	struct signer signer = { .seed = seed };
	struct entry_bytes b = { .len = 77 };
	struct err err = { .code = 0 };

	kit_seed(0, seed);
	ck_assert_msg(entry_make(e, mlog_cluster_id(k->log), &signer,
				 entry_sig_count(e) > 1 ? &signer : NULL, &b, &err) == -EINVAL,
		      "%s", what);
	ck_assert_uint_eq(b.len, 77);
}

/* [P2-8] */
START_TEST(lists_have_one_form)
{
	struct kit k = kit_open();
	struct entry e = kit_entry(&k, ENTRY_REMOVE, 0);

	check_not_made(&k, &e, "nobody");
	e.remove.n = 2;
	check_not_made(&k, &e, "twice the same");
	e.remove.id[0].bytes[0] = 1;
	check_not_made(&k, &e, "descending");
	id_list_sort(&e.remove);
	ck_assert_uint_eq(e.remove.id[1].bytes[0], 1);
	ck_assert(id_list_has(&e.remove, &e.remove.id[1]));
	e.remove.id[0] = e.remove.id[1];
	id_list_sort(&e.remove);
	ck_assert_uint_eq(e.remove.n, 1);
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	e.recover.removed = e.recover.admins;
	check_not_made(&k, &e, "removes its admin");
	e.recover.removed.n = e.recover.admins.n = 0;
	check_not_made(&k, &e, "no admin");
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	strcpy(e.recover.reserved[0].name, "b");
	strcpy(e.recover.reserved[1].name, "a");
	e.recover.n_reserved = 2;
	check_not_made(&k, &e, "names descend");
	strcpy(e.recover.reserved[1].name, "B");
	check_not_made(&k, &e, "no name");
	e = kit_entry(&k, ENTRY_SIGNAL, 0);
	e.signal = kit_server(KIT_ORDER);
	memset(e.signal.order_key, 0, KEY_LEN);
	check_not_made(&k, &e, "an order key that cannot be used");
	e = kit_entry(&k, ENTRY_RENEW, 0);
	e.renew.second = e.author;
	check_not_made(&k, &e, "two admins that are one");
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/entry", genesis_comes_back, admit_and_cancel_come_back,
	  genesis_fields_are_checked, longest_entries_fit, admit_arguments_are_checked,
	  envelope_has_one_form, payload_has_one_form, later_versions_and_types_ask_for_an_upgrade,
	  every_prefix_is_malformed, changed_bytes_change_the_hash, all_types_come_back,
	  lists_have_one_form)
