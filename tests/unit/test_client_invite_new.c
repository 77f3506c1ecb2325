/* SPDX-License-Identifier: MIT */
/* Making invites: what is in them, and who may not make any. */
#include "client/invite_new.h"
#include "log_kit.h"
#include "membership/invite_url.h"

struct maker {
	struct kit k;
	struct host *h;
	struct cluster_file cluster;
	struct invite_params p;
};

static void maker_open(struct maker *m)
{
	*m = (struct maker){ .k = kit_open() };
	ck_assert_int_eq(host_new(NULL, &m->h), 0);
	strcpy(m->cluster.cluster, "homelab");
	memcpy(m->cluster.cluster_id, mlog_cluster_id(m->k.log), HASH_LEN);
	strcpy(m->cluster.signal_host, "2001:db8::5");
	m->cluster.signal_port = 4444;
	memset(m->cluster.signal_cert, 0x11, HASH_LEN);
	m->p = (struct invite_params){
		.cluster = &m->cluster,
		.identity = m->k.admin,
		.log = m->k.log,
		.ttl_s = 3600,
		.now_s = KIT_TIME + 100,
	};
}

static void maker_close(struct maker *m)
{
	host_free(m->h);
	kit_close(&m->k);
}

static struct invite_url make(struct maker *m)
{
	struct invite_url u;
	struct err err = { 0 };
	int r = invite_new(m->h, &m->p, &err, &u);

	ck_assert_msg(r == 0, "%s", err.text);
	return u;
}

static void check_refused(struct maker *m, int code, int reason)
{
	struct invite_url u = { .port = 7 };
	struct err err = { 0 };

	ck_assert_int_eq(invite_new(m->h, &m->p, &err, &u), code);
	ck_assert_int_eq(err.reason, reason);
	ck_assert_uint_gt(strlen(err.text), 20);
	ck_assert_uint_eq(u.port, 7);
}

START_TEST(invite_is_good_and_travels)
{
	struct maker m;
	struct invite_url u, back;
	struct invite checked;
	char text[INVITE_URL_MAX];
	struct err err = { 0 };

	maker_open(&m);
	m.p.role = ROLE_ADMIN;
	m.p.node_name = "printer";
	u = make(&m);
	ck_assert_int_eq(invite_url_format(&u, text, sizeof(text), NULL), 0);
	ck_assert_ptr_eq(strstr(text, "mlsh://[2001:db8::5]:4444/adopt/eyJ"), text);
	ck_assert_msg(invite_url_parse(text, &back, &err) == 0, "%s", err.text);
	ck_assert_str_eq(back.invite.node_name, "printer");
	ck_assert_int_eq(back.invite.role, ROLE_ADMIN);
	ck_assert_uint_eq(back.invite.issued, KIT_TIME + 100);
	ck_assert_uint_eq(back.invite.expiry, KIT_TIME + 3700);
	ck_assert_int_eq(kit_check_invite(m.k.log, span_of(back.invite_bytes, back.invite_len),
					  back.invite_sig, KIT_TIME + 200, &checked, &err),
			 0);
	ck_assert_mem_eq(back.one_time, u.one_time, SIGN_SEED_LEN);
	maker_close(&m);
}
END_TEST

START_TEST(each_is_another)
{
	struct maker m;
	struct invite_url a, b;

	maker_open(&m);
	a = make(&m);
	b = make(&m);
	ck_assert_mem_ne(a.one_time, b.one_time, SIGN_SEED_LEN);
	ck_assert_mem_ne(a.invite.nonce, b.invite.nonce, NONCE_LEN);
	maker_close(&m);
}
END_TEST

/* Our clock is behind the last entry's: the invite would be older than its head. */
START_TEST(slow_clock_is_corrected)
{
	struct maker m;
	struct invite_url u;
	struct invite checked;

	maker_open(&m);
	m.p.now_s = 5;
	u = make(&m);
	ck_assert_uint_eq(u.invite.issued, KIT_TIME);
	ck_assert_int_eq(kit_check_invite(m.k.log, span_of(u.invite_bytes, u.invite_len),
					  u.invite_sig, KIT_TIME + 1, &checked, NULL),
			 0);
	maker_close(&m);
}
END_TEST

START_TEST(only_admins_invite)
{
	struct maker m;
	struct identity *node, *stranger;

	maker_open(&m);
	kit_join(&m.k, 1);
	node = kit_identity(1);
	stranger = kit_identity(2);
	m.p.identity = node;
	check_refused(&m, -EACCES, REFUSAL_SPONSOR_NOT_ADMIN);
	m.p.identity = stranger;
	check_refused(&m, -EACCES, REFUSAL_NOT_MEMBER);
	identity_free(node);
	identity_free(stranger);
	maker_close(&m);
}
END_TEST

START_TEST(bad_wishes_are_refused)
{
	struct maker m;

	maker_open(&m);
	m.p.ttl_s = 0;
	check_refused(&m, -EINVAL, 0);
	m.p.ttl_s = INVITE_TTL_MAX_S + 1;
	check_refused(&m, -EINVAL, 0);
	m.p.ttl_s = UINT64_MAX;
	check_refused(&m, -EINVAL, 0);
	m.p.ttl_s = 60;
	m.p.node_name = "No Such";
	check_refused(&m, -EINVAL, 0);
	m.p.node_name = "nas";
	check_refused(&m, -EEXIST, REFUSAL_NAME_TAKEN);
	m.p.node_name = "";
	make(&m);
	maker_close(&m);
}
END_TEST

/* A member, a former one, and nobody. */
START_TEST(takes_the_place_of_a_member)
{
	struct maker m;
	struct invite_url u;
	struct entry_bytes e;
	char ip[IP4_TEXT_MAX];
	const char *name;

	maker_open(&m);
	kit_join(&m.k, 1);
	m.p.replace = roster_at(mlog_roster(m.k.log), 1)->name;
	u = make(&m);
	ck_assert(u.invite.replaces);
	ck_assert_str_eq(u.invite.node_name, m.p.replace);
	name = m.p.replace;
	m.p.replace = ip4_format(roster_at(mlog_roster(m.k.log), 1)->address, ip);
	u = make(&m);
	ck_assert_str_eq(u.invite.node_name, name);
	m.p.replace = name;
	e = kit_remove(&m.k, 0, 1);
	kit_append(&m.k, &e);
	ck_assert(make(&m).invite.replaces);
	m.p.replace = "nobody";
	check_refused(&m, -ENOENT, 0);
	m.p.replace = "nas"; /* the sponsor itself */
	check_refused(&m, -EINVAL, 0);
	maker_close(&m);
}
END_TEST

UNIT_MAIN("client/invite_new", invite_is_good_and_travels, each_is_another, slow_clock_is_corrected,
	  only_admins_invite, bad_wishes_are_refused, takes_the_place_of_a_member)
