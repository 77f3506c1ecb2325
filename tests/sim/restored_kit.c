/* SPDX-License-Identifier: MIT */
/* A server whose database is put back, and what nodes show it then. */
#include "restored_kit.h"

struct sig restored_g;
static struct mark_value restored_mark_kept;	 /* beside the database that keep_copy kept */
char restored_joiner_text[REFUSAL_TEXT_MAX + 1]; /* why the last one was refused, or "" */

void restored_put_back(void)
{
	sig_crash(&restored_g);
	sig_backup(&restored_g, true);
	sig_boot(&restored_g);
}

void restored_keep_copy(void)
{
	sig_crash(&restored_g);
	sig_backup(&restored_g, false);
	restored_g.h = world_host_boot(restored_g.h);
	ck_assert_int_eq(mark_file_get(restored_g.h, restored_g.cfg.db_path, &restored_mark_kept),
			 0);
	sig_open(&restored_g);
}

void restored_put_back_whole(void)
{
	sig_crash(&restored_g);
	sig_backup(&restored_g, true);
	restored_g.h = world_host_boot(restored_g.h);
	ck_assert_int_eq(mark_file_put(restored_g.h, restored_g.cfg.db_path, &restored_mark_kept,
				       NULL),
			 0);
	sig_open(&restored_g);
}

void restored_restart(void)
{
	sig_crash(&restored_g);
	sig_boot(&restored_g);
}

enum refusal restored_asks_to_join(struct raw *sponsor)
{
	struct raw_invite i = raw_invite(sponsor);
	struct raw *r = raw_new(&restored_g);
	struct entry_bytes b = raw_admit_entry(r, &i, "nas");
	struct signal_reply reply;
	enum refusal refused;

	raw_adopt_begin(r, &i);
	refused = raw_admit(r, &b, &reply);
	snprintf(restored_joiner_text, sizeof(restored_joiner_text), "%.*s", (int)reply.text.len,
		 refused ? (const char *)reply.text.data : "");
	if (refused == REFUSAL_RESTORED)
		ck_assert_ptr_nonnull(memmem(reply.text.data, reply.text.len,
					     "restored from a backup", 22));
	raw_free(r);
	return refused == REFUSAL_NAME_TAKEN ? REFUSAL_NONE : refused;
}

enum refusal restored_push_all(struct raw *r)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct signal_reply reply;

	memcpy(rq.node_token, r->token, HASH_LEN);
	mlog_page(r->log, 0, &rq.entries);
	return raw_ask(r, &rq, &reply);
}

void restored_wait_for_beacons(void)
{
	sim_pass(restored_g.w, 9 * NS_PER_S);
}

struct beacon_bytes restored_beacon_of(struct raw *admin)
{
	struct node_id id = key_node_id(identity_key(admin->id));
	struct beacon_bytes b;

	ck_assert_int_eq(beacon_make(admin->log, &id, identity_signer(admin->id), raw_now_s(admin),
				     &b),
			 0);
	return b;
}

enum refusal restored_show_beacon(struct raw *r, const struct beacon_bytes *b)
{
	struct signal_request rq = { .type = SIGNAL_BEACON, .beacon = span_of(b->data, b->len) };
	struct signal_reply reply;

	return raw_ask(r, &rq, &reply);
}

struct raw *restored_admin_of_then(struct raw **ret_now, struct beacon_bytes *ret)
{
	struct raw *founder, *old;

	sig_start(&restored_g);
	founder = raw_founder(&restored_g);
	raw_free(raw_member(founder, "member"));
	restored_keep_copy();
	raw_session(founder);
	raw_free(raw_member(founder, "lost"));
	raw_fetch(founder);
	*ret = restored_beacon_of(founder);
	restored_put_back();
	old = raw_clone(founder);
	old->log = NULL;
	raw_session(old);
	raw_fetch(old);
	ck_assert_uint_eq(mlog_count(old->log), 2);
	*ret_now = founder;
	return old;
}

enum refusal restored_renames(struct raw *r, const struct raw *whom, const char *name)
{
	struct entry e = raw_entry(r, ENTRY_RENAME);
	struct signal_reply reply;
	struct entry_bytes b;

	e.rename.id = identity_node_id(whom->id);
	snprintf(e.rename.name, sizeof(e.rename.name), "%s", name);
	b = raw_sign(r, &e);
	return raw_append(r, &b, &reply);
}
