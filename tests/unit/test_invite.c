/* SPDX-License-Identifier: MIT */
/* Invites and the URL that carries one: one form, and every alteration is noticed. */
#include "log_kit.h"
#include "membership/hostport.h"
#include "membership/invite_url.h"

static const char prefix[] = "mlsh://signal.example.org/adopt/";

static struct invite_url kit_url(const struct kit *k)
{
	struct kit_invite i = kit_invite_fields(k, 7);
	struct invite_url u = { .host = "signal.example.org", .port = 4433 };

	strcpy(i.inv.node_name, "printer");
	i.inv.role = ROLE_ADMIN;
	kit_invite_sign(&i, k->admin);
	memcpy(u.signal_key, i.inv.signal_key, HASH_LEN);
	memcpy(u.invite_bytes, i.bytes, i.len);
	u.invite_len = i.len;
	memcpy(u.invite_sig, i.sig, SIG_LEN);
	memcpy(u.one_time, i.one_time, SIGN_SEED_LEN);
	u.invite = i.inv;
	return u;
}

static void format(const struct invite_url *u, char out[INVITE_URL_MAX])
{
	struct err err = { .code = 0 };
	int r = invite_url_format(u, out, INVITE_URL_MAX, &err);

	ck_assert_msg(r == 0, "%s", err.text);
}

static void check_refused(const char *text, int code, int reason)
{
	struct invite_url u = { .port = 77 };
	struct err err = { .code = 0 };
	int r = invite_url_parse(text, &u, &err);

	ck_assert_msg(r == code && err.reason == reason, "%s: %d %s", text, r, err.text);
	ck_assert_uint_eq(u.port, 77);
}

static void check_damaged(const char *text)
{
	check_refused(text, -EBADMSG, REFUSAL_TAMPERED);
}

/* --- the invite ----------------------------------------------------------------------------- */

START_TEST(invite_comes_back)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite_fields(&k, 7);
	struct invite back;

	strcpy(i.inv.node_name, "printer");
	i.inv.role = ROLE_ADMIN;
	kit_invite_sign(&i, k.admin);
	memset(&back, 0, sizeof(back));
	ck_assert_int_eq(invite_decode(span_of(i.bytes, i.len), &back, NULL), 0);
	ck_assert_mem_eq(back.cluster_id, mlog_cluster_id(k.log), HASH_LEN);
	ck_assert_str_eq(back.cluster_name, "homelab");
	ck_assert(node_id_equal(&back.sponsor, &i.inv.sponsor));
	ck_assert_int_eq(back.role, ROLE_ADMIN);
	ck_assert_uint_eq(back.issued, KIT_TIME);
	ck_assert_uint_eq(back.expiry, KIT_TIME + 3600);
	ck_assert_mem_eq(back.nonce, i.inv.nonce, NONCE_LEN);
	ck_assert_uint_eq(back.head.seq, 0);
	ck_assert_mem_eq(back.head.hash, mlog_cluster_id(k.log), HASH_LEN);
	ck_assert_mem_eq(back.signal_key, i.inv.signal_key, HASH_LEN);
	ck_assert_str_eq(back.node_name, "printer");
	ck_assert_mem_eq(back.key, i.inv.key, KEY_LEN);
	ck_assert_int_eq(key_verify(identity_key(k.admin), "invite", i.inv.cluster_id,
				    span_of(i.bytes, i.len), i.sig),
			 0);
	kit_close(&k);
}
END_TEST

START_TEST(invite_fields_are_checked_when_made)
{
	struct kit k = kit_open();
	struct kit_invite good = kit_invite_fields(&k, 7), bad[7];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		bad[i] = good;
	bad[0].inv.expiry = good.inv.issued - 1;
	strcpy(bad[1].inv.cluster_name, "Home");
	strcpy(bad[2].inv.node_name, "a.b");
	memset(bad[3].inv.key, 0, KEY_LEN);
	bad[4].inv.expiry = LOG_TIME_MAX_S + 1ull;
	bad[5].inv.role = (enum member_role)2;
	bad[6].inv.cluster_name[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		ck_assert_msg(invite_make(&bad[i].inv, identity_signer(k.admin), bad[i].bytes,
					  &bad[i].len, bad[i].sig, &err) == -EINVAL,
			      "%zu", i);
		ck_assert_uint_eq(bad[i].len, 0);
	}
	ck_assert_int_eq(invite_make(&good.inv, identity_signer(k.admin), good.bytes, &good.len,
				     good.sig, &err),
			 0);
	kit_close(&k);
}
END_TEST

/* [P2-12] */
START_TEST(invite_has_one_form)
{
	struct kit k = kit_open();
	struct kit_invite i = kit_invite(&k, 7);
	uint8_t buf[2 * INVITE_MAX_BYTES];
	struct invite back;
	struct err err;

	for (size_t len = 0; len < i.len; len++) {
		ck_assert_int_eq(invite_decode(span_of(i.bytes, len), &back, &err), -EBADMSG);
		ck_assert_int_eq(err.reason, REFUSAL_TAMPERED);
	}
	memcpy(buf, i.bytes, i.len);
	buf[i.len] = 0;
	ck_assert_int_eq(invite_decode(span_of(buf, i.len + 1), &back, &err), -EBADMSG);
	/* 8f 01 00 5820...: the version in two bytes, another version, a flag, fourteen fields */
	ck_assert_mem_eq(i.bytes, "\x8f\x01\0\x58\x20", 5);
	memcpy(buf, "\x8f\x18\x01", 3);
	memcpy(buf + 3, i.bytes + 2, i.len - 2);
	ck_assert_int_eq(invite_decode(span_of(buf, i.len + 1), &back, &err), -EBADMSG);
	memcpy(buf, i.bytes, i.len);
	buf[0] = 0x8e;
	ck_assert_int_eq(invite_decode(span_of(buf, i.len), &back, &err), -EBADMSG);
	buf[0] = 0x8f;
	buf[2] = 1;
	ck_assert_int_eq(invite_decode(span_of(buf, i.len), &back, &err), -EPROTONOSUPPORT);
	buf[2] = 0;
	buf[1] = 2;
	ck_assert_int_eq(invite_decode(span_of(buf, i.len), &back, &err), -EPROTONOSUPPORT);
	ck_assert_int_eq(err.reason, REFUSAL_VERSION);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(invite_decode(span_of(buf, INVITE_MAX_BYTES + 1), &back, &err), -EBADMSG);
	kit_close(&k);
}
END_TEST

/* --- the URL -------------------------------------------------------------------------------- */

START_TEST(url_comes_back)
{
	static const struct {
		const char *host;
		uint16_t port;
		const char *start;
	} places[] = {
		{ "signal.example.org", 4433, "mlsh://signal.example.org/adopt/eyJ" },
		{ "signal.example.org", 443, "mlsh://signal.example.org:443/adopt/eyJ" },
		{ "192.0.2.1", 4433, "mlsh://192.0.2.1/adopt/eyJ" },
		{ "192.0.2.1", 65535, "mlsh://192.0.2.1:65535/adopt/eyJ" },
		{ "2001:db8::1", 4433, "mlsh://[2001:db8::1]/adopt/eyJ" },
		{ "2001:db8::1", 1, "mlsh://[2001:db8::1]:1/adopt/eyJ" },
	};
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k), back;
	char text[INVITE_URL_MAX];
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		strcpy(u.host, places[i].host);
		u.port = places[i].port;
		format(&u, text);
		ck_assert_msg(strncmp(text, places[i].start, strlen(places[i].start)) == 0, "%s",
			      text);
		ck_assert_int_eq(invite_url_parse(text, &back, &err), 0);
		ck_assert_str_eq(back.host, u.host);
		ck_assert_uint_eq(back.port, u.port);
		ck_assert_mem_eq(back.signal_key, u.signal_key, HASH_LEN);
		ck_assert_uint_eq(back.invite_len, u.invite_len);
		ck_assert_mem_eq(back.invite_bytes, u.invite_bytes, u.invite_len);
		ck_assert_mem_eq(back.invite_sig, u.invite_sig, SIG_LEN);
		ck_assert_mem_eq(back.one_time, u.one_time, SIGN_SEED_LEN);
		ck_assert_str_eq(back.invite.node_name, "printer");
	}
	invite_url_wipe(&back);
	ck_assert_uint_eq(back.one_time[0] | back.one_time[31] | back.invite_len, 0);
	kit_close(&k);
}
END_TEST

START_TEST(url_needs_room_and_a_host)
{
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k);
	char text[INVITE_URL_MAX], small[64] = "";
	size_t len;

	ck_assert_int_eq(invite_url_format(&u, small, sizeof(small), NULL), -ENOSPC);
	ck_assert_int_eq(small[40], 0); /* no part of a secret stays behind */
	strcpy(u.host, "Signal.example.org");
	ck_assert_int_eq(invite_url_format(&u, text, sizeof(text), NULL), -EINVAL);
	strcpy(u.host, "signal.example.org");
	u.port = 0;
	ck_assert_int_eq(invite_url_format(&u, text, sizeof(text), NULL), -EINVAL);
	u.port = 4433;
	u.invite_len = INVITE_MAX_BYTES + 1;
	ck_assert_int_eq(invite_url_format(&u, text, sizeof(text), NULL), -EINVAL);
	u.invite_len = INVITE_MAX_BYTES;
	format(&u, text);
	len = strlen(text);
	ck_assert_int_eq(invite_url_format(&u, text, len, NULL), -ENOSPC);
	ck_assert_int_eq(invite_url_format(&u, text, len + 1, NULL), 0);
	ck_assert_uint_eq(strlen(text), len);
	kit_close(&k);
}
END_TEST

START_TEST(too_long_url_is_refused)
{
	static const size_t lengths[] = { 254, 255, 256, 263, 264, 265, 266, 300, 4000, 5000 };
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k);
	char text[INVITE_URL_MAX], changed[3 * INVITE_URL_MAX];

	format(&u, text);
	for (size_t i = 0; i < ARRAY_LEN(lengths); i++) { /* a long name of the server */
		memset(changed, 'c', lengths[i] + 7);
		memcpy(changed, "mlsh://", 7);
		strcpy(changed + 7 + lengths[i], strstr(text, "/adopt/"));
		check_damaged(changed);
		changed[7 + lengths[i]] = '\0'; /* and nothing behind it */
		check_damaged(changed);
	}
	for (size_t len = INVITE_URL_MAX - 8; len < INVITE_URL_MAX + 8; len++) {
		memset(changed, 'A', len); /* a long envelope */
		memcpy(changed, text, strlen(text));
		changed[len] = '\0';
		check_damaged(changed);
	}
	kit_close(&k);
}
END_TEST

START_TEST(longest_url_fits)
{
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k), back;
	struct kit_invite i = kit_invite_fields(&k, 7);
	char text[INVITE_URL_MAX];

	memset(u.host, 'c', 253);
	for (size_t at = 63; at < 253; at += 64)
		u.host[at] = '.';
	u.host[253] = '\0';
	u.port = 65535;
	/* a cluster with the longest name, and so on; who signs does not matter to the form */
	memset(i.inv.cluster_name, 'a', LABEL_MAX);
	memset(i.inv.node_name, 'b', LABEL_MAX);
	i.inv.issued = i.inv.expiry = LOG_TIME_MAX_S;
	i.inv.head.seq = LOG_MAX_ENTRIES - 1;
	kit_invite_sign(&i, k.admin);
	memcpy(u.invite_bytes, i.bytes, i.len);
	u.invite_len = i.len;
	format(&u, text);
	ck_assert_int_eq(invite_url_parse(text, &back, NULL), 0);
	kit_close(&k);
}
END_TEST

START_TEST(url_cut_anywhere_is_refused)
{
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k);
	char text[INVITE_URL_MAX], cut[INVITE_URL_MAX];

	format(&u, text);
	for (size_t len = 0; len < strlen(text); len++) {
		memcpy(cut, text, len);
		cut[len] = '\0';
		check_damaged(cut);
	}
	strcat(text, "A");
	check_damaged(text);
	kit_close(&k);
}
END_TEST

/* Whatever one character is changed to: refused, or it is the host, the port or the signature. */
/* [P2-13] */
START_TEST(url_with_any_bit_flipped)
{
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k), back;
	char text[INVITE_URL_MAX], other[INVITE_URL_MAX];
	size_t accepted = 0;

	format(&u, text);
	for (size_t bit = 0; bit < 8 * strlen(text); bit++) {
		struct invite seen;
		struct span bytes;
		struct err err;

		strcpy(other, text);
		other[bit / 8] ^= (char)(1 << bit % 8);
		if (other[bit / 8] == '\0' || invite_url_parse(other, &back, &err) < 0)
			continue;
		accepted++;
		if (strcmp(back.host, u.host) != 0)
			continue;
		bytes = span_of(back.invite_bytes, back.invite_len);
		ck_assert_int_lt(kit_check_invite(k.log, bytes, back.invite_sig, k.now_s, &seen,
						  &err),
				 0);
	}
	ck_assert_uint_gt(accepted, 0);
	kit_close(&k);
}
END_TEST

/* mlsh://signal.example.org/adopt/ and the base64url of `json`. */
static void url_of_json(const char *json, char out[INVITE_URL_MAX])
{
	strcpy(out, prefix);
	base64url_encode((const uint8_t *)json, strlen(json), out + strlen(prefix));
}

/* The JSON in the URL of `u`. */
static void json_of_url(const struct invite_url *u, char out[INVITE_URL_MAX])
{
	char text[INVITE_URL_MAX];
	const char *encoded;
	ptrdiff_t len;

	format(u, text);
	encoded = strstr(text, "/adopt/") + 7;
	len = base64url_decode(encoded, strlen(encoded), (uint8_t *)out, INVITE_URL_MAX - 1);
	ck_assert_int_gt(len, 0);
	out[len] = '\0';
}

static void replace(const char *text, const char *what, const char *with, char out[INVITE_URL_MAX])
{
	const char *at = strstr(text, what);

	ck_assert_ptr_nonnull(at);
	snprintf(out, INVITE_URL_MAX, "%.*s%s%s", (int)(at - text), text, with, at + strlen(what));
}

START_TEST(envelope_has_one_form)
{
	static const struct {
		const char *what, *with;
	} changes[] = {
		{ "{\"v\":1", "{ \"v\":1" },
		{ "\"v\":1", "\"v\":01" },
		{ "\"v\":1", "\"v\":1.0" },
		{ "\"v\":1", "\"v\":\"1\"" },
		{ "\"v\":1,", "\"v\":1,\"v\":1," },
		{ "\"v\":1,", "\"v\":1,\"x\":1," },
		{ "\"v\":1,", "" },
		{ "\"signal\"", "\"Signal\"" },
		{ "\"signal\"", "\"\\u0073ignal\"" },
		{ "1111", "11" },
		{ "1111", "111 " },
		{ "\"sig\"", "\"gis\"" },
		{ "\",\"sig\"", "=\",\"sig\"" },
		{ "\",\"sig\"", "A\",\"sig\"" },
		{ "\"}", "\" }" },
		{ "\"}", "\"}\n" },
		{ "\"}", "\",\"extra\":1}" },
		{ "\"}", "\"}{}" },
	};
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k);
	char json[INVITE_URL_MAX], changed[INVITE_URL_MAX], text[INVITE_URL_MAX];

	json_of_url(&u, json);
	url_of_json(json, text);
	ck_assert_int_eq(invite_url_parse(text, &u, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		replace(json, changes[i].what, changes[i].with, changed);
		url_of_json(changed, text);
		check_damaged(text);
	}
	replace(json, "\"v\":1", "\"v\":2", changed);
	url_of_json(changed, text);
	check_refused(text, -EPROTONOSUPPORT, REFUSAL_VERSION);
	kit_close(&k);
}
END_TEST

START_TEST(address_has_one_form)
{
	static const char *const starts[] = {
		"mlsh://signal.example.org:4433/adopt/",
		"mlsh://Signal.example.org/adopt/",
		"mlsh://signal.example.org./adopt/",
		"mlsh://signal.example.org:/adopt/",
		"mlsh://signal.example.org:0443/adopt/",
		"mlsh://signal.example.org:0/adopt/",
		"mlsh://signal.example.org:65536/adopt/",
		"mlsh://signal.example.org:+1/adopt/",
		"mlsh://2001:db8::1/adopt/",
		"mlsh://[2001:db8:0::1]/adopt/",
		"mlsh://[2001:DB8::1]/adopt/",
		"mlsh://[fe80::1%3]/adopt/",
		"mlsh://[::ffff:192.0.2.1]/adopt/",
		"mlsh://[192.0.2.1]/adopt/",
		"mlsh://192.0.2.01/adopt/",
		"mlsh:///adopt/",
		"mlsh://user@host/adopt/",
		"mlsh://signal.example.org/Adopt/",
		"mlsh://signal.example.org//adopt/",
		"mlsh://signal.example.org/adopt/?",
		"mlsh:signal.example.org/adopt/",
		"MLSH://signal.example.org/adopt/",
		"https://signal.example.org/adopt/",
		" mlsh://signal.example.org/adopt/",
		"mlsh://a b/adopt/",
		"mlsh://a;b/adopt/",
	};
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k);
	char text[INVITE_URL_MAX], changed[INVITE_URL_MAX];

	format(&u, text);
	for (size_t i = 0; i < ARRAY_LEN(starts); i++) {
		replace(text, prefix, starts[i], changed);
		check_damaged(changed);
	}
	kit_close(&k);
}
END_TEST

/* [P2-14] */
START_TEST(parts_that_do_not_fit_are_noticed)
{
	struct kit k = kit_open();
	struct invite_url u = kit_url(&k), other = u;
	char text[INVITE_URL_MAX];

	other.signal_key[5] ^= 1;
	format(&other, text);
	check_damaged(text);
	other = u;
	other.one_time[5] ^= 1;
	format(&other, text);
	check_damaged(text);
	other = u;
	other.invite_bytes[other.invite_len - 1] ^= 1; /* the public half */
	format(&other, text);
	check_damaged(text);
	kit_close(&k);
}
END_TEST

/* --- host and port -------------------------------------------------------------------------- */

static const struct {
	const char *text, *host; /* NULL: refused */
	uint16_t port;
} places[] = {
	{ "signal.example.org", "signal.example.org", 4433 },
	{ "Signal.Example.ORG:443", "signal.example.org", 443 },
	{ "nas", "nas", 4433 },
	{ "a-b.c1", "a-b.c1", 4433 },
	{ "192.0.2.1", "192.0.2.1", 4433 },
	{ "192.0.2.1:1", "192.0.2.1", 1 },
	{ "[2001:db8::1]", "2001:db8::1", 4433 },
	{ "[2001:DB8:0:0::1]:65535", "2001:db8::1", 65535 },
	{ "2001:db8::1", "2001:db8::1", 4433 },
	{ "::1", "::1", 4433 },
	{ "::ffff:192.0.2.1", "192.0.2.1", 4433 },
	{ "", NULL, 0 },
	{ ":443", NULL, 0 },
	{ "host:", NULL, 0 },
	{ "host:0", NULL, 0 },
	{ "host:65536", NULL, 0 },
	{ "host:99999", NULL, 0 },
	{ "host:4294967297", NULL, 0 },
	{ "host:080", NULL, 0 },
	{ "host:1 ", NULL, 0 },
	{ "host:-1", NULL, 0 },
	{ "host:1:2", NULL, 0 },
	{ "[2001:db8::1", NULL, 0 },
	{ "2001:db8::1]", NULL, 0 },
	{ "[2001:db8::1]443", NULL, 0 },
	{ "[host]:1", NULL, 0 },
	{ "[192.0.2.1]:1", NULL, 0 },
	{ "[]", NULL, 0 },
	{ "fe80::1%3", NULL, 0 },
	{ "1.2.3", NULL, 0 },
	{ "1.2.3.4.5", NULL, 0 },
	{ "256.1.1.1", NULL, 0 },
	{ "a..b", NULL, 0 },
	{ ".a", NULL, 0 },
	{ "a.", NULL, 0 },
	{ "-a", NULL, 0 },
	{ "a-", NULL, 0 },
	{ "a_b", NULL, 0 },
	{ "a b", NULL, 0 },
	{ "$(reboot)", NULL, 0 },
	{ "http://host", NULL, 0 },
	{ "host/path", NULL, 0 },
	{ "\xc3\xa4.example", NULL, 0 },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.org", NULL, 0 },
};

START_TEST(hosts_and_ports_are_read)
{
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		char host[HOST_TEXT_MAX + 1] = "kept";
		struct err err = { .code = 0 };
		uint16_t port = 77;
		int r = hostport_parse(places[i].text, 4433, host, &port, &err);

		ck_assert_msg(r == (places[i].host ? 0 : -EINVAL), "\"%s\": %d", places[i].text, r);
		ck_assert_str_eq(host, places[i].host ? places[i].host : "kept");
		ck_assert_uint_eq(port, places[i].host ? places[i].port : 77);
	}
}
END_TEST

START_TEST(host_has_a_limit)
{
	char text[600], host[HOST_TEXT_MAX + 1];
	uint16_t port;

	memset(text, 'c', sizeof(text));
	for (size_t at = 63; at < sizeof(text); at += 64)
		text[at] = '.';
	text[253] = '\0';
	ck_assert_int_eq(hostport_parse(text, 4433, host, &port, NULL), 0);
	text[253] = 'c';
	text[254] = '\0';
	ck_assert_int_eq(hostport_parse(text, 4433, host, &port, NULL), -EINVAL);
	text[254] = 'c';
	text[599] = '\0';
	ck_assert_int_eq(hostport_parse(text, 4433, host, &port, NULL), -EINVAL);
}
END_TEST

START_TEST(hosts_that_mean_another_machine_elsewhere_are_known)
{
	static const struct {
		const char *host;
		enum host_reach reach;
	} hosts[] = {
		{ "localhost", HOST_REACH_SELF },
		{ "a.localhost", HOST_REACH_SELF },
		{ "localhost.localdomain", HOST_REACH_SELF },
		{ "127.0.0.1", HOST_REACH_SELF },
		{ "127.8.9.10", HOST_REACH_SELF },
		{ "0.0.0.0", HOST_REACH_SELF },
		{ "::1", HOST_REACH_SELF },
		{ "::", HOST_REACH_SELF },
		{ "169.254.7.8", HOST_REACH_LINK },
		{ "fe80::1", HOST_REACH_LINK },
		{ "nas.local", HOST_REACH_LINK },
		{ "nas", HOST_REACH_NETWORK },
		{ "nas.lan", HOST_REACH_NETWORK },
		{ "nas.home.arpa", HOST_REACH_NETWORK },
		{ "192.168.1.5", HOST_REACH_NETWORK },
		{ "10.0.0.1", HOST_REACH_NETWORK },
		{ "100.64.0.1", HOST_REACH_NETWORK },
		{ "fd00::5", HOST_REACH_NETWORK },
		{ "signal.example.org", HOST_REACH_ALL },
		{ "lan.example.org", HOST_REACH_ALL },
		{ "notlocalhost.org", HOST_REACH_ALL },
		{ "203.0.113.5", HOST_REACH_ALL },
		{ "2001:db8::5", HOST_REACH_ALL },
	};

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++)
		ck_assert_msg(host_reach(hosts[i].host) == hosts[i].reach, "%s", hosts[i].host);
	ck_assert(host_in_zone("signal.lan", "lan"));
	ck_assert(host_in_zone("a.signal.lan", "lan"));
	ck_assert(host_in_zone("lan", "lan"));
	ck_assert(!host_in_zone("signal.vlan", "lan"));
	ck_assert(!host_in_zone("signal.lan.org", "lan"));
	ck_assert(!host_in_zone("an", "lan"));
	ck_assert(!host_in_zone("192.0.2.1", "1"));
}
END_TEST

UNIT_MAIN("membership/invite", invite_comes_back, invite_fields_are_checked_when_made,
	  invite_has_one_form, url_comes_back, url_needs_room_and_a_host, too_long_url_is_refused,
	  longest_url_fits, url_cut_anywhere_is_refused, url_with_any_bit_flipped,
	  envelope_has_one_form, address_has_one_form, parts_that_do_not_fit_are_noticed,
	  hosts_and_ports_are_read, hosts_that_mean_another_machine_elsewhere_are_known,
	  host_has_a_limit)
