/* SPDX-License-Identifier: MIT */
/*
 * The roster against a naive model, under random changes: every question, and readers that lag.
 * It is compiled into this test with an allocator that can fail, because after roster_reserve no
 * change may allocate.
 */
#include <stdbool.h>
#include <stdlib.h>

static bool memory_is_out;

static void *scarce_calloc(size_t n, size_t len)
{
	return memory_is_out ? NULL : calloc(n, len);
}

static void *scarce_realloc(void *p, size_t len)
{
	return memory_is_out ? NULL : realloc(p, len);
}

#define calloc scarce_calloc
#define realloc scarce_realloc
#include "base/map.c"
#include "membership/roster.c"
#undef calloc
#undef realloc

#include "roster_kit.h"
#include "unit.h"

#define MODEL_MAX 600
#define KEYS_MAX 4000
#define NET 0x0a000000u

static const uint8_t seed[16] = { 7 };

/* --- the model: all that was ever true, in plain arrays ------------------------------------- */

struct model_member {
	bool current;
	unsigned key;  /* number of the key in force */
	unsigned name; /* number of the name */
	ip4 address;
	enum member_role role;
	uint64_t left_seq;
	enum member_left left;
};

struct model {
	struct model_member m[MODEL_MAX];
	size_t n;
	unsigned key_holder[KEYS_MAX], n_keys;
	unsigned name_holder[KEYS_MAX], n_names;
	ip4 next_address;
	uint64_t seq;
};

static void key_of(unsigned number, uint8_t ret[KEY_LEN])
{
	memset(ret, 0, KEY_LEN);
	memcpy(ret, &number, sizeof(number));
}

/* Member i's id: that of the key that was the first. */
static struct node_id id_of(unsigned i)
{
	struct node_id id = { 0 };

	memcpy(id.bytes, &i, sizeof(i));
	id.bytes[NODE_ID_LEN - 1] = 1;
	return id;
}

static const char *name_of(unsigned number)
{
	static char text[LABEL_MAX + 1];

	snprintf(text, sizeof(text), "node%u", number);
	return text;
}

struct pair {
	struct roster *r;
	struct model model;
};

static struct pair *pair_new(void)
{
	struct pair *p = calloc(1, sizeof(*p));

	p->r = roster_new(seed);
	p->model.next_address = NET + 1;
	return p;
}

static void pair_free(struct pair *p)
{
	roster_free(p->r);
	free(p);
}

/* --- one change to both --------------------------------------------------------------------- */

static const struct member *member_of_model(const struct pair *p, unsigned i)
{
	struct node_id id = id_of(i);

	return roster_by_id(p->r, &id, ROSTER_ALL);
}

static void reserve_then_no_memory(struct pair *p, size_t changes)
{
	ck_assert_int_eq(roster_reserve(p->r, changes), 0);
	memory_is_out = true;
}

/* Model member i joins as it stands in the model. */
static void join(struct pair *p, unsigned i)
{
	struct model_member *m = &p->model.m[i];
	struct member as = {
		.id = id_of(i),
		.address = m->address,
		.role = m->role,
		.joined_seq = ++p->model.seq,
		.sponsor = id_of(0),
	};

	key_of(m->key, as.key);
	strcpy(as.name, name_of(m->name));
	m->current = true;
	p->model.key_holder[m->key] = i;
	p->model.name_holder[m->name] = i;
	reserve_then_no_memory(p, 1);
	ck_assert_ptr_eq(roster_join(p->r, &as), member_of_model(p, i));
	memory_is_out = false;
}

static void join_new(struct pair *p, bool admin)
{
	unsigned i = p->model.n++;

	p->model.m[i] = (struct model_member){
		.key = p->model.n_keys++,
		.name = p->model.n_names++,
		.address = p->model.next_address++,
		.role = admin ? ROLE_ADMIN : ROLE_NODE,
	};
	join(p, i);
}

static void leave(struct pair *p, unsigned i, enum member_left how)
{
	struct roster_leave left = { how, ++p->model.seq, 100, id_of(0) };

	p->model.m[i].current = false;
	p->model.m[i].left = how;
	p->model.m[i].left_seq = left.seq;
	reserve_then_no_memory(p, 1);
	roster_leave(p->r, member_of_model(p, i), &left);
	memory_is_out = false;
}

/* A new member takes the name and the address of i, which may have left before. */
static void replace(struct pair *p, unsigned i)
{
	unsigned by = p->model.n++;

	if (p->model.m[i].current)
		leave(p, i, LEFT_REPLACED);
	p->model.m[by] = p->model.m[i];
	p->model.m[by].key = p->model.n_keys++;
	join(p, by);
}

/* Does anybody have the name or address of i? Then i cannot come back. */
static bool is_succeeded(const struct model *m, unsigned i)
{
	for (unsigned j = 0; j < m->n; j++)
		if (j != i && m->m[j].current &&
		    (m->m[j].name == m->m[i].name || m->m[j].address == m->m[i].address))
			return true;
	return false;
}

static void alter(struct pair *p, struct unit_rng *rng, unsigned i)
{
	struct model_member *m = &p->model.m[i];
	const struct member *held = member_of_model(p, i);
	uint8_t key[KEY_LEN];

	reserve_then_no_memory(p, 1);
	switch (unit_random_below(rng, 3)) {
	case 0:
		m->role = m->role == ROLE_ADMIN ? ROLE_NODE : ROLE_ADMIN;
		roster_set_role(p->r, held, m->role, ++p->model.seq);
		break;
	case 1:
		m->name = p->model.n_names++;
		p->model.name_holder[m->name] = i;
		roster_rename(p->r, held, name_of(m->name), ++p->model.seq);
		break;
	default:
		m->key = p->model.n_keys++;
		p->model.key_holder[m->key] = i;
		key_of(m->key, key);
		roster_rekey(p->r, held, key, ++p->model.seq, 200);
	}
	memory_is_out = false;
}

static void change_at_random(struct pair *p, struct unit_rng *rng)
{
	unsigned i = (unsigned)unit_random_below(rng, p->model.n);
	bool current = p->model.m[i].current;

	if (unit_random_below(rng, 3) == 0)
		join_new(p, unit_random_below(rng, 4) == 0);
	else if (current && unit_random_below(rng, 3) == 0)
		leave(p, i, (enum member_left)(LEFT_REMOVED + unit_random_below(rng, 2)));
	else if (current)
		alter(p, rng, i);
	else if (!is_succeeded(&p->model, i) && unit_random_below(rng, 2) == 0)
		join(p, i);
	else if (!is_succeeded(&p->model, i))
		replace(p, i);
}

/* --- both say the same ---------------------------------------------------------------------- */

static void check_member(const struct pair *p, unsigned i)
{
	const struct model_member *m = &p->model.m[i];
	const struct member *held = member_of_model(p, i);
	struct node_id id = id_of(i);
	uint8_t key[KEY_LEN];

	ck_assert_ptr_nonnull(held);
	key_of(m->key, key);
	ck_assert_mem_eq(held->key, key, KEY_LEN);
	ck_assert_str_eq(held->name, name_of(m->name));
	ck_assert_uint_eq(held->address, m->address);
	ck_assert_int_eq(held->role, m->role);
	ck_assert_int_eq(member_is_current(held), m->current);
	ck_assert_ptr_eq(roster_by_id(p->r, &id, ROSTER_CURRENT), m->current ? held : NULL);
	ck_assert_int_eq(held->left, m->current ? LEFT_NOT : m->left);
	ck_assert_uint_eq(held->left_seq, m->current ? 0 : m->left_seq);
	if (m->current)
		ck_assert_ptr_eq(roster_by_address(p->r, m->address, ROSTER_CURRENT), held);
}

static void check_indexes(const struct pair *p)
{
	const struct model *model = &p->model;
	uint8_t key[KEY_LEN], sha[HASH_LEN];

	for (unsigned k = 0; k < model->n_keys; k++) {
		const struct model_member *m = &model->m[model->key_holder[k]];
		const struct member *held = member_of_model(p, model->key_holder[k]);

		key_of(k, key);
		key_spki_sha256(key, sha);
		ck_assert_ptr_eq(roster_by_key_sha256(p->r, sha, ROSTER_ALL), held);
		ck_assert_ptr_eq(roster_by_key_sha256(p->r, sha, ROSTER_CURRENT),
				 m->current && m->key == k ? held : NULL);
	}
	for (unsigned n = 0; n < model->n_names; n++) {
		const struct model_member *m = &model->m[model->name_holder[n]];
		const struct member *held = member_of_model(p, model->name_holder[n]);
		struct span name = span_str(name_of(n));

		ck_assert_ptr_eq(roster_by_name(p->r, name, ROSTER_ALL), held);
		ck_assert_ptr_eq(roster_by_name(p->r, name, ROSTER_CURRENT),
				 m->current && m->name == n ? held : NULL);
	}
	for (ip4 a = NET + 1; a < model->next_address; a++)
		ck_assert_ptr_nonnull(roster_by_address(p->r, a, ROSTER_ALL));
	ck_assert_ptr_null(roster_by_address(p->r, model->next_address, ROSTER_ALL));
	ck_assert_ptr_null(roster_by_name(p->r, span_str(name_of(model->n_names)), ROSTER_ALL));
}

static void check_lists(const struct pair *p)
{
	size_t current = 0, admins = 0, at = 0;
	const struct member *m;

	for (unsigned i = 0; i < p->model.n; i++) {
		current += p->model.m[i].current;
		admins += p->model.m[i].current && p->model.m[i].role == ROLE_ADMIN;
	}
	ck_assert_uint_eq(roster_count(p->r, ROSTER_CURRENT), current);
	ck_assert_uint_eq(roster_count(p->r, ROSTER_ALL), p->model.n);
	ck_assert_uint_eq(roster_admins(p->r), admins);
	ck_assert_uint_eq(roster_highest_address(p->r), p->model.next_address - 1);
	for (m = NULL; (m = roster_next(p->r, m, ROSTER_ALL));)
		ck_assert_uint_eq(m->index, at++);
	ck_assert_uint_eq(at, p->model.n);
	for (m = NULL; (m = roster_next(p->r, m, ROSTER_CURRENT)); current--)
		ck_assert(member_is_current(m));
	ck_assert_uint_eq(current, 0);
}

static void check(const struct pair *p)
{
	for (unsigned i = 0; i < p->model.n; i++)
		check_member(p, i);
	check_indexes(p);
	check_lists(p);
}

/* --- readers -------------------------------------------------------------------------------- */

/* What a reader believes who only ever sees changes. */
struct reader {
	struct roster_cursor cursor;
	bool in[MODEL_MAX];
	enum member_role role[MODEL_MAX];
	char name[MODEL_MAX][LABEL_MAX + 1];
	uint8_t key_sha256[MODEL_MAX][HASH_LEN];
};

/* What the change undoes must be what the reader has. */
static void reader_take(struct reader *v, const struct roster_change *c)
{
	size_t i = c->member->index;

	ck_assert_int_eq(v->in[i], c->kind != ROSTER_JOINED);
	switch (c->kind) {
	case ROSTER_JOINED:
	case ROSTER_LEFT:
		v->in[i] = !v->in[i];
		break;
	case ROSTER_ROLE:
		break;
	case ROSTER_NAME:
		ck_assert_str_ne(c->old_name, "");
		break;
	case ROSTER_KEY:
		ck_assert_ptr_nonnull(c->old_key_sha256);
	}
	v->role[i] = c->member->role;
	strcpy(v->name[i], c->member->name);
	memcpy(v->key_sha256[i], c->member->key_sha256, HASH_LEN);
}

/* A reader that looks after every change sees each old value. */
static void reader_take_at_once(struct reader *v, const struct roster_change *c)
{
	size_t i = c->member->index;

	if (c->kind == ROSTER_ROLE)
		ck_assert_int_eq(v->role[i], c->old_role);
	if (c->kind == ROSTER_NAME)
		ck_assert_str_eq(v->name[i], c->old_name);
	if (c->kind == ROSTER_KEY)
		ck_assert_mem_eq(v->key_sha256[i], c->old_key_sha256, HASH_LEN);
	reader_take(v, c);
}

static void reader_look(struct reader *v, const struct roster *r,
			void (*take)(struct reader *, const struct roster_change *))
{
	struct roster_change c;

	while (roster_next_change(r, &v->cursor, &c))
		take(v, &c);
	ck_assert_mem_eq(&v->cursor, &(struct roster_cursor){ roster_now(r).next },
			 sizeof(v->cursor));
}

static void reader_check(const struct reader *v, const struct roster *r)
{
	const struct member *m;

	for (m = NULL; (m = roster_next(r, m, ROSTER_ALL));) {
		ck_assert_int_eq(v->in[m->index], member_is_current(m));
		if (!member_is_current(m))
			continue;
		ck_assert_int_eq(v->role[m->index], m->role);
		ck_assert_str_eq(v->name[m->index], m->name);
		ck_assert_mem_eq(v->key_sha256[m->index], m->key_sha256, HASH_LEN);
	}
}

START_TEST(random_changes_follow_the_model)
{
	struct unit_rng rng = unit_rng_new("random_changes_follow_the_model");
	struct reader *prompt = calloc(1, sizeof(*prompt)), *late = calloc(1, sizeof(*late));
	struct pair *p = pair_new();

	join_new(p, true);
	reader_look(prompt, p->r, reader_take_at_once);
	for (unsigned i = 0; i < 1000; i++) {
		change_at_random(p, &rng);
		reader_look(prompt, p->r, reader_take_at_once);
		if (unit_random_below(&rng, 40) == 0) {
			reader_look(late, p->r, reader_take);
			reader_check(late, p->r);
		}
		if (i % 50 == 0)
			check(p);
	}
	check(p);
	reader_check(prompt, p->r);
	reader_look(late, p->r, reader_take);
	reader_check(late, p->r);
	pair_free(p);
	free(prompt);
	free(late);
}
END_TEST

/* --- back, and on by another way ------------------------------------------------------------ */

/*
 * Two go the same way, then each its own. One becomes the other: it says the same of all current
 * members, and its readers come to the same; nothing that it knew is forgotten.
 */
/* One that only roster_next finds. */
static const struct member *dropped_member(const struct roster *r, unsigned i)
{
	struct node_id id = id_of(i);
	const struct member *m = NULL;

	while ((m = roster_next(r, m, ROSTER_ALL)) && !node_id_equal(&m->id, &id))
		;
	ck_assert_ptr_nonnull(m);
	return m;
}

static void become_once(struct unit_rng *rng)
{
	struct pair *p = pair_new(), *q = pair_new();
	struct reader *v = calloc(1, sizeof(*v));
	uint64_t both = unit_random(rng), same = unit_random_below(rng, 60);
	struct roster_leave how = { LEFT_BY_RECOVERY, 5000, 1, id_of(0) };
	size_t known;

	for (struct pair *x = p;; x = q) {
		struct unit_rng way = { both };

		join_new(x, true);
		for (unsigned i = 0; i < same; i++)
			change_at_random(x, &way);
		if (x == q)
			break;
	}
	for (unsigned i = 0; i < 60; i++) {
		change_at_random(p, rng);
		if (i % 2)
			change_at_random(q, rng);
	}
	reader_look(v, p->r, reader_take);
	known = roster_count(p->r, ROSTER_ALL);

	ck_assert_int_eq(roster_reserve_become(p->r, q->r), 0);
	memory_is_out = true;
	roster_become(p->r, q->r, &how);
	memory_is_out = false;

	reader_look(v, p->r, reader_take);
	reader_check(v, p->r);
	ck_assert_uint_ge(roster_count(p->r, ROSTER_ALL), known);
	ck_assert_uint_eq(roster_count(p->r, ROSTER_CURRENT), roster_count(q->r, ROSTER_CURRENT));
	ck_assert_uint_eq(roster_admins(p->r), roster_admins(q->r));
	for (unsigned i = 0; i < q->model.n; i++)
		check_member(&(struct pair){ .r = p->r, .model = q->model }, i);
	for (unsigned i = q->model.n; i < p->model.n; i++) {
		const struct member *m = dropped_member(p->r, i);

		ck_assert_ptr_null(member_of_model(p, i));
		ck_assert(!member_is_current(m) && m->dropped);
		if (p->model.m[i].current)
			ck_assert_int_eq(m->left, LEFT_BY_RECOVERY);
	}
	/* the target's names are known, and no others */
	for (unsigned n = 0; n < p->model.n_names || n < q->model.n_names; n++) {
		struct span name = span_str(name_of(n));

		ck_assert_int_eq(roster_by_name(p->r, name, ROSTER_ALL) != NULL,
				 roster_by_name(q->r, name, ROSTER_ALL) != NULL);
	}
	for (unsigned k = 0; k < q->model.n_keys; k++) {
		uint8_t key[KEY_LEN], sha[HASH_LEN];

		key_of(k, key);
		key_spki_sha256(key, sha);
		ck_assert_ptr_eq(roster_by_key_sha256(p->r, sha, ROSTER_ALL),
				 member_of_model(p, q->model.key_holder[k]));
	}
	pair_free(p);
	pair_free(q);
	free(v);
}

START_TEST(it_becomes_another_by_changes)
{
	struct unit_rng rng = unit_rng_new("it_becomes_another_by_changes");

	for (unsigned i = 0; i < 200; i++)
		become_once(&rng);
}
END_TEST

/* Whichever allocation fails, a reservation fails as a whole and the roster stays as it was. */
START_TEST(a_reservation_that_fails_changes_nothing)
{
	struct pair *p = pair_new();

	join_new(p, true);
	for (unsigned i = 0; i < 100; i++) {
		memory_is_out = true;
		(void)!roster_reserve(p->r, 1);
		memory_is_out = false;
		check(p);
		join_new(p, false);
	}
	memory_is_out = true;
	ck_assert_int_eq(roster_reserve(p->r, 100000), -ENOMEM);
	memory_is_out = false;
	check(p);
	pair_free(p);
}
END_TEST

START_TEST(an_empty_roster_knows_nobody)
{
	struct roster *r = roster_new(seed);
	struct roster_cursor c = { 0 };
	struct roster_change change;
	struct node_id id = id_of(0);

	ck_assert_uint_eq(roster_count(r, ROSTER_ALL), 0);
	ck_assert_ptr_null(roster_next(r, NULL, ROSTER_ALL));
	ck_assert_ptr_null(roster_by_id(r, &id, ROSTER_ALL));
	ck_assert_ptr_null(roster_by_name(r, span_str("nas"), ROSTER_ALL));
	ck_assert_ptr_null(roster_by_address(r, 0, ROSTER_ALL));
	ck_assert(!roster_next_change(r, &c, &change));
	roster_free(r);
	roster_free(NULL);
}
END_TEST

START_TEST(how_a_member_left_is_told)
{
	static const char *const want[] = {
		[LEFT_NOT] = "node1 is a member",
		[LEFT_REMOVED] = "node0 removed node1 on 2027-01-15 08:00 UTC",
		[LEFT_BY_ITSELF] = "node1 left on 2027-01-15 08:00 UTC",
		[LEFT_REPLACED] = ("another machine took the place of node1 on 2027-01-15 08:00 "
				   "UTC, invited by node0"),
		[LEFT_BY_RECOVERY] = "the recovery of 2027-01-15 08:00 UTC left node1 out",
	};
	char text[MEMBER_LEFT_TEXT_MAX];

	for (unsigned how = LEFT_NOT; how <= LEFT_BY_RECOVERY; how++) {
		struct pair *p = pair_new();
		struct roster_leave left = { (enum member_left)how, 7, 1800000000, id_of(0) };

		join_new(p, true);
		join_new(p, false);
		ck_assert_int_eq(roster_reserve(p->r, 1), 0);
		if (how != LEFT_NOT)
			roster_leave(p->r, roster_at(p->r, 1), &left);
		ck_assert_str_eq(member_left_text(p->r, roster_at(p->r, 1), text), want[how]);
		pair_free(p);
	}
}
END_TEST

/* A name goes on to the node that replaces its holder; its own earlier names stay its own. */
START_TEST(names_lead_to_their_newest_holder)
{
	struct pair *p = pair_new();
	struct span first = span_str("node0"), second = span_str("old");

	join_new(p, true);
	ck_assert_int_eq(roster_reserve(p->r, 1), 0);
	roster_rename(p->r, roster_at(p->r, 0), "old", 2);
	ck_assert_ptr_null(roster_by_name(p->r, first, ROSTER_CURRENT));
	ck_assert_ptr_eq(roster_by_name(p->r, first, ROSTER_ALL), roster_at(p->r, 0));
	ck_assert_ptr_eq(roster_by_name(p->r, second, ROSTER_CURRENT), roster_at(p->r, 0));
	ck_assert_ptr_null(roster_by_name(p->r, span_of("old", 2), ROSTER_ALL));
	ck_assert_ptr_null(roster_by_name(p->r, span_of("old", 0), ROSTER_ALL));
	pair_free(p);
}
END_TEST

UNIT_MAIN("membership/roster", random_changes_follow_the_model, it_becomes_another_by_changes,
	  a_reservation_that_fails_changes_nothing, an_empty_roster_knows_nobody,
	  how_a_member_left_is_told, names_lead_to_their_newest_holder)
