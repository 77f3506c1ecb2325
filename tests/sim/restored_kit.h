/* SPDX-License-Identifier: MIT */
/* A server whose database is put back to an older copy, and what its nodes show it then. */
#ifndef MLSH_TESTS_RESTORED_KIT_H
#define MLSH_TESTS_RESTORED_KIT_H

#include "signal/caller.h"
#include "signal/mark.h"
#include "signal_steps.h"

static struct sig g;
static struct mark_value mark_kept;	       /* beside the database that keep_copy kept */
static char joiner_text[REFUSAL_TEXT_MAX + 1]; /* why the last one was refused, or "" */

/* Stops the server, puts the database back to what sig_backup kept, and starts it again. */
static inline void put_back(void)
{
	sig_crash(&g);
	sig_backup(&g, true);
	sig_boot(&g);
}

static inline void keep_copy(void)
{
	sig_crash(&g);
	sig_backup(&g, false);
	g.h = world_host_boot(g.h);
	ck_assert_int_eq(mark_file_get(g.h, g.cfg.db_path, &mark_kept), 0);
	sig_open(&g);
}

/* The whole machine is put back to that copy: the server cannot notice. */
static inline void put_back_whole(void)
{
	sig_crash(&g);
	sig_backup(&g, true);
	g.h = world_host_boot(g.h);
	ck_assert_int_eq(mark_file_put(g.h, g.cfg.db_path, &mark_kept, NULL), 0);
	sig_open(&g);
}

static inline void restart(void)
{
	sig_crash(&g);
	sig_boot(&g);
}

/* Would a joiner with an invite of the sponsor's be admitted, if its name were not taken? */
static inline enum refusal asks_to_join(struct raw *sponsor)
{
	struct raw_invite i = raw_invite(sponsor);
	struct raw *r = raw_new(&g);
	struct entry_bytes b = raw_admit_entry(r, &i, "nas");
	struct signal_reply reply;
	enum refusal refused;

	raw_adopt_begin(r, &i);
	refused = raw_admit(r, &b, &reply);
	snprintf(joiner_text, sizeof(joiner_text), "%.*s", (int)reply.text.len,
		 refused ? (const char *)reply.text.data : "");
	if (refused == REFUSAL_RESTORED)
		ck_assert_ptr_nonnull(memmem(reply.text.data, reply.text.len,
					     "restored from a backup", 22));
	raw_free(r);
	return refused == REFUSAL_NAME_TAKEN ? REFUSAL_NONE : refused;
}

/* Brings what the server's log lacks. */
static inline enum refusal push_all(struct raw *r)
{
	struct signal_request rq = { .type = SIGNAL_PUSH };
	struct signal_reply reply;

	memcpy(rq.node_token, r->token, HASH_LEN);
	mlog_page(r->log, 0, &rq.entries);
	return raw_ask(r, &rq, &reply);
}

/* An admin has shown its log; the nodes may show beacons for so long. */
static inline void wait_for_beacons(void)
{
	sim_pass(g.w, 9 * NS_PER_S);
}

static inline struct beacon_bytes beacon_of(struct raw *admin)
{
	struct node_id id = key_node_id(identity_key(admin->id));
	struct beacon_bytes b;

	ck_assert_int_eq(beacon_make(admin->log, &id, admin->id, raw_now_s(admin), &b), 0);
	return b;
}

static inline enum refusal show_beacon(struct raw *r, const struct beacon_bytes *b)
{
	struct signal_request rq = { .type = SIGNAL_BEACON, .beacon = span_of(b->data, b->len) };
	struct signal_reply reply;

	return raw_ask(r, &rq, &reply);
}

/*
 * The admin's machine was restored as well: its log ends where the server's does. `lost` gets the
 * log as it was, and the beacon of then.
 */
static inline struct raw *admin_of_then(struct raw **ret_now, struct beacon_bytes *ret)
{
	struct raw *founder, *old;

	sig_start(&g);
	founder = raw_founder(&g);
	raw_free(raw_member(founder, "member"));
	keep_copy();
	raw_session(founder);
	raw_free(raw_member(founder, "lost"));
	raw_fetch(founder);
	*ret = beacon_of(founder);
	put_back();
	old = raw_clone(founder);
	old->log = NULL;
	raw_session(old);
	raw_fetch(old);
	ck_assert_uint_eq(mlog_count(old->log), 2);
	*ret_now = founder;
	return old;
}

static inline enum refusal renames(struct raw *r, const struct raw *whom, const char *name)
{
	struct entry e = raw_entry(r, ENTRY_RENAME);
	struct signal_reply reply;
	struct entry_bytes b;

	e.rename.id = identity_node_id(whom->id);
	snprintf(e.rename.name, sizeof(e.rename.name), "%s", name);
	b = raw_sign(r, &e);
	return raw_append(r, &b, &reply);
}

#endif
