/* SPDX-License-Identifier: MIT */
/* The entries that govern a cluster: what is in them, and what is refused before it is sent. */
#include "client/govern.h"
#include "log_kit.h"

static struct govern by(const struct kit *k, const struct identity *id)
{
	return (struct govern){ .log = k->log, .identity = id, .now_s = k->now_s };
}

static struct id_list list_of(unsigned a, unsigned b)
{
	struct id_list l = { .n = 2 };

	l.id[0] = kit_id(a);
	l.id[1] = kit_id(b);
	if (a == b)
		l.n = 1;
	return l;
}

static struct entry decoded(const struct entry_bytes *b)
{
	struct entry e;

	ck_assert_int_eq(entry_decode(kit_span(b), &e, NULL), 0);
	return e;
}

START_TEST(each_is_ordered)
{
	struct kit k = kit_open_with(3);
	struct govern g = by(&k, k.admin);
	struct entry_bytes b;

	ck_assert_int_eq(govern_promote(&g, kit_member(&k, 1), &b, NULL), 0);
	kit_append(&k, &b);
	ck_assert_int_eq(kit_member(&k, 1)->role, ROLE_ADMIN);
	ck_assert_int_eq(govern_rename(&g, kit_member(&k, 2), "tablet", &b, NULL), 0);
	kit_append(&k, &b);
	ck_assert_str_eq(kit_member(&k, 2)->name, "tablet");
	ck_assert_int_eq(govern_demote(&g, kit_member(&k, 1), &b, NULL), 0);
	kit_append(&k, &b);
	ck_assert_int_eq(kit_member(&k, 1)->role, ROLE_NODE);

	struct id_list two = list_of(2, 1);
	ck_assert_int_eq(govern_remove(&g, &two, &b, NULL), 0);
	kit_append(&k, &b);
	ck_assert_int_eq(kit_member(&k, 1)->left, LEFT_REMOVED);
	ck_assert_int_eq(kit_member(&k, 2)->left, LEFT_REMOVED);

	struct identity *three = kit_identity(3);
	struct govern own = by(&k, three);
	ck_assert_int_eq(govern_leave(&own, &b, NULL), 0);
	kit_append(&k, &b);
	ck_assert_int_eq(kit_member(&k, 3)->left, LEFT_BY_ITSELF);
	identity_free(three);
	kit_close(&k);
}
END_TEST

/* Scripts ask for what there is already. */
START_TEST(what_is_so_already_makes_nothing)
{
	struct kit k = kit_open();
	struct govern g = by(&k, k.admin);
	struct entry_bytes b = { .len = 0 };
	struct id_list one = list_of(1, 1);

	kit_join(&k, 1);
	ck_assert_int_eq(govern_demote(&g, kit_member(&k, 1), &b, NULL), GOVERN_DONE);
	ck_assert_int_eq(govern_promote(&g, kit_member(&k, 0), &b, NULL), GOVERN_DONE);
	ck_assert_int_eq(govern_rename(&g, kit_member(&k, 1), "node1", &b, NULL), GOVERN_DONE);
	ck_assert_uint_eq(b.len, 0);
	ck_assert_int_eq(govern_remove(&g, &one, &b, NULL), 0);
	kit_append(&k, &b);
	ck_assert_int_eq(govern_remove(&g, &one, &b, NULL), GOVERN_DONE);
	ck_assert_int_eq(govern_signal(&g, mlog_server(k.log), &b, NULL), GOVERN_DONE);
	kit_close(&k);
}
END_TEST

static uint64_t base_of_removal(const struct kit *k, const struct identity *id, unsigned whom)
{
	struct govern g = by(k, id);
	struct id_list one = list_of(whom, whom);
	struct entry_bytes b;
	struct entry e;
	struct err err = { 0 };
	int r = govern_remove(&g, &one, &b, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	e = decoded(&b);
	ck_assert(mlog_has_head(k->log, &e.base));
	return e.base.seq;
}

/* A node on the other side of a fork, or behind, is to know the base. */
/* [P2-58] */
START_TEST(removals_have_the_oldest_base)
{
	struct kit k = kit_open();
	struct identity *one = kit_identity(1), *new_key = kit_identity(77);
	struct entry_bytes b;

	kit_join(&k, 1); /* record 1 */
	kit_join(&k, 2);
	kit_join(&k, 3);
	ck_assert_uint_eq(base_of_removal(&k, k.admin, 1), 1);
	ck_assert_uint_eq(base_of_removal(&k, k.admin, 2), 2);
	b = kit_promote(&k, 0, 1); /* record 4: its own right */
	kit_append(&k, &b);
	ck_assert_uint_eq(base_of_removal(&k, one, 2), 4);
	b = kit_rotate(&k, 1, 1, 77); /* record 5: its key */
	kit_append(&k, &b);
	kit_join(&k, 6);
	ck_assert_uint_eq(base_of_removal(&k, new_key, 2), 5);
	ck_assert_uint_eq(base_of_removal(&k, new_key, 6), 6);
	b = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 0); /* record 7 */
	kit_append(&k, &b);
	kit_join(&k, 8);
	ck_assert_uint_gt(mlog_generation(k.log), 0);
	ck_assert_uint_eq(base_of_removal(&k, k.admin, 2), 7);
	ck_assert_uint_eq(base_of_removal(&k, k.admin, 8), 8);
	identity_free(one);
	identity_free(new_key);
	kit_close(&k);
}
END_TEST

/* The others stand on what their author has seen. */
START_TEST(others_are_on_the_head)
{
	struct kit k = kit_open();
	struct govern g = by(&k, k.admin);
	struct entry_bytes b;

	kit_join(&k, 1);
	kit_join(&k, 2);
	ck_assert_int_eq(govern_promote(&g, kit_member(&k, 1), &b, NULL), 0);
	ck_assert_uint_eq(decoded(&b).base.seq, 2);
	ck_assert_int_eq(govern_rename(&g, kit_member(&k, 1), "tablet", &b, NULL), 0);
	ck_assert_uint_eq(decoded(&b).base.seq, 2);

	struct log_server other = *mlog_server(k.log);
	other.port++;
	ck_assert_int_eq(govern_signal(&g, &other, &b, NULL), 0);
	ck_assert_uint_eq(decoded(&b).base.seq, 2);
	kit_append(&k, &b);
	ck_assert_uint_eq(mlog_server(k.log)->port, other.port);
	kit_close(&k);
}
END_TEST

static void check_refused(int got, const struct err *err, int code, int reason)
{
	ck_assert_msg(got == code && err->reason == reason, "%d, %s: %s", got,
		      refusal_name(err->reason), err->text);
	ck_assert_uint_gt(strlen(err->text), 20);
}

START_TEST(refusals_are_exact)
{
	struct kit k = kit_open();
	struct identity *one = kit_identity(1), *stranger = kit_identity(9);
	struct govern g = by(&k, k.admin), plain, unknown;
	struct id_list own = list_of(0, 0), two = list_of(2, 2);
	struct entry_bytes b;
	struct err err = { 0 };
	const struct member *m;

	kit_join(&k, 1);
	kit_join(&k, 2);
	plain = by(&k, one);
	unknown = by(&k, stranger);
	check_refused(govern_remove(&g, &own, &b, &err), &err, -EACCES, REFUSAL_LAST_ADMIN);
	check_refused(govern_leave(&g, &b, &err), &err, -EACCES, REFUSAL_LAST_ADMIN);
	check_refused(govern_demote(&g, kit_member(&k, 0), &b, &err), &err, -EACCES,
		      REFUSAL_LAST_ADMIN);
	check_refused(govern_remove(&plain, &two, &b, &err), &err, -EACCES, REFUSAL_NOT_ALLOWED);
	check_refused(govern_promote(&plain, kit_member(&k, 1), &b, &err), &err, -EACCES,
		      REFUSAL_NOT_ALLOWED);
	check_refused(govern_rename(&g, kit_member(&k, 1), "node2", &b, &err), &err, -EACCES,
		      REFUSAL_NAME_TAKEN);
	check_refused(govern_leave(&unknown, &b, &err), &err, -EACCES, REFUSAL_NOT_MEMBER);
	ck_assert_int_eq(govern_rename(&g, kit_member(&k, 1), "Bad Name", &b, &err), -EINVAL);
	ck_assert_int_eq(govern_find(&g, "nobody", &m, &err), -ENOENT);

	b = kit_remove(&k, 0, 2);
	kit_append(&k, &b);
	check_refused(govern_promote(&g, kit_member(&k, 2), &b, &err), &err, -EACCES,
		      REFUSAL_NOT_MEMBER);
	check_refused(govern_rename(&g, kit_member(&k, 1), "node2", &b, &err), &err, -EACCES,
		      REFUSAL_NAME_TAKEN);
	identity_free(one);
	identity_free(stranger);
	kit_close(&k);
}
END_TEST

/* What to do is said, too. */
START_TEST(refusals_say_what_to_do)
{
	struct kit k = kit_open();
	struct identity *one = kit_identity(1);
	struct govern g = by(&k, k.admin), plain;
	const struct member *m;
	struct entry_bytes b;
	struct err err = { 0 };
	char text[400];

	ck_assert_int_lt(govern_leave(&g, &b, &err), 0);
	snprintf(text, sizeof(text), "`mlsh forget %s` takes it off this machine",
		 mlog_genesis(k.log)->name);
	ck_assert_ptr_nonnull(strstr(err.text, text));
	kit_join(&k, 1);
	ck_assert_int_lt(govern_leave(&g, &b, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "promote another node first"));
	plain = by(&k, one);
	ck_assert_int_lt(govern_promote(&plain, kit_member(&k, 1), &b, &err), 0);
	snprintf(text, sizeof(text),
		 "node1 is a plain node of %s, and only admins can do that. "
		 "Ask an admin: %s.",
		 mlog_genesis(k.log)->name, kit_member(&k, 0)->name);
	ck_assert_str_eq(err.text, text);
	ck_assert_int_eq(govern_find(&g, "ndoe1", &m, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "did you mean node1?"));
	ck_assert_int_eq(govern_find(&g, "nobody", &m, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "--all` lists them"));
	identity_free(one);
	kit_close(&k);
}
END_TEST

START_TEST(nodes_are_found_by_name_and_address)
{
	struct kit k = kit_open();
	struct govern g = by(&k, k.admin);
	const struct member *m;
	struct entry_bytes b;

	kit_join(&k, 1);
	b = kit_rename(&k, 0, 1, "tablet");
	kit_append(&k, &b);
	ck_assert_int_eq(govern_find(&g, "tablet", &m, NULL), 0);
	ck_assert_ptr_eq(m, kit_member(&k, 1));
	ck_assert_int_eq(govern_find(&g, "node1", &m, NULL), 0); /* the name it had */
	ck_assert_ptr_eq(m, kit_member(&k, 1));
	ck_assert_int_eq(govern_find(&g, "100.96.0.2", &m, NULL), 0);
	ck_assert_ptr_eq(m, kit_member(&k, 1));
	kit_close(&k);
}
END_TEST

/* Node n joins by an invite of the admin number `sponsor`. */
static void join_by(struct kit *k, unsigned n, unsigned sponsor)
{
	struct kit_invite i = kit_invite_fields(k, n);
	struct identity *id = kit_identity(sponsor);
	struct entry_bytes b;

	i.inv.sponsor = kit_id(sponsor);
	kit_invite_sign(&i, id);
	b = kit_admit(k, &i, n);
	kit_append(k, &b);
	identity_free(id);
}

/* A stolen admin let in another one, which let in more. */
START_TEST(sponsored_ones_are_found_through_others)
{
	struct kit k = kit_open();
	struct node_id self = kit_id(0);
	struct id_list l = list_of(1, 1);
	struct entry_bytes b;

	kit_join(&k, 1);
	b = kit_promote(&k, 0, 1);
	kit_append(&k, &b);
	kit_join(&k, 2);
	join_by(&k, 3, 1);
	b = kit_promote(&k, 1, 3);
	kit_append(&k, &b);
	k.now_s += 100;
	join_by(&k, 4, 3);
	ck_assert_int_eq(govern_add_sponsored(k.log, &self, 0, &l, NULL), 0);
	id_list_sort(&l);
	ck_assert_uint_eq(l.n, 3);
	struct node_id three = kit_id(3), four = kit_id(4);
	ck_assert(id_list_has(&l, &three) && id_list_has(&l, &four));

	l = list_of(1, 1); /* only the later ones; nobody who came between is passed through */
	ck_assert_int_eq(govern_add_sponsored(k.log, &self, KIT_TIME + 50, &l, NULL), 0);
	ck_assert_uint_eq(l.n, 1);
	l = list_of(3, 3);
	ck_assert_int_eq(govern_add_sponsored(k.log, &self, KIT_TIME + 50, &l, NULL), 0);
	ck_assert_uint_eq(l.n, 2);
	l = list_of(0, 0); /* by oneself: oneself is never among those found */
	ck_assert_int_eq(govern_add_sponsored(k.log, &self, 0, &l, NULL), 0);
	ck_assert_uint_eq(l.n, 5);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("client/govern", each_is_ordered, what_is_so_already_makes_nothing,
	  removals_have_the_oldest_base, others_are_on_the_head, refusals_are_exact,
	  refusals_say_what_to_do, nodes_are_found_by_name_and_address,
	  sponsored_ones_are_found_through_others)
