/* SPDX-License-Identifier: MIT */
/*
 * What the attacks on the membership log begin with: a valid entry that a test alters. Unless a
 * test is about signatures, the forged entry is signed by the right keys, so that it is the rule
 * that refuses it.
 */
#ifndef MLSH_TESTS_LOG_SCENE_H
#define MLSH_TESTS_LOG_SCENE_H

#include "log_kit.h"

/* A log with the admin (node 0) and node 1, an unused invite, and the admit of node 2 with it. */
struct scene {
	struct kit k;
	struct kit_invite invite;
	struct entry_bytes bytes;
	struct entry e;	 /* of bytes; what a test alters */
	unsigned joiner; /* the number of the key that signs first */
};

static inline void scene_admit(struct scene *s)
{
	s->bytes = kit_admit(&s->k, &s->invite, 2);
	ck_assert_int_eq(entry_decode(kit_span(&s->bytes), &s->e, NULL), 0);
}

/* In the caller's frame: the entry holds views into the scene. */
static inline void scene_open(struct scene *s)
{
	s->k = kit_open();
	s->joiner = 2;
	kit_join(&s->k, 1);
	s->k.now_s += 100;
	s->invite = kit_invite(&s->k, 50);
	scene_admit(s);
}

static inline void scene_close(struct scene *s)
{
	kit_close(&s->k);
}

/* Signs the altered admit as its author would, and expects this refusal. */
static inline void check_admit_(struct scene *s, int code, int reason, int line)
{
	struct entry_bytes b = kit_forge(&s->k, &s->e, s->joiner, KIT_ONE_TIME + 50);

	kit_refused_(&s->k, kit_span(&b), code, reason, __FILE__, line);
	scene_admit(s);
}

#define check_admit(s, code, reason) check_admit_(s, code, reason, __LINE__)

#endif
