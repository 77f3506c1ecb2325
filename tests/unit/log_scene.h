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

void scene_admit(struct scene *s);

/* In the caller's frame: the entry holds views into the scene. */
void scene_open(struct scene *s);

void scene_close(struct scene *s);

/* Signs the altered admit as its author would, and expects this refusal. */
void check_admit_(struct scene *s, int code, int reason, const char *file, int line);

#define check_admit(s, code, reason) check_admit_(s, code, reason, __FILE__, __LINE__)

#endif
