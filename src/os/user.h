/* SPDX-License-Identifier: MIT */
/*
 * A user of this machine. What is in it is the system's own: outside of os it is compared, printed
 * and stored, and means nothing. A port to a system whose ids are no numbers changes this header.
 */
#ifndef MLSH_OS_USER_H
#define MLSH_OS_USER_H

#include <inttypes.h>
#include <stdio.h>

#include "os/host.h"

struct user {
	uint32_t id;
};

#define USER_TEXT_MAX 16

/* The one who may do anything on this machine. */
static inline struct user user_admin(void)
{
	return (struct user){ 0 };
}

static inline bool user_equal(struct user a, struct user b)
{
	return a.id == b.id;
}

static inline bool user_is_admin(struct user u)
{
	return user_equal(u, user_admin());
}

/* For files and JSON of this machine. */
static inline uint32_t user_number(struct user u)
{
	return u.id;
}

static inline struct user user_of_number(uint32_t number)
{
	return (struct user){ number };
}

/* As people know it who look it up: "1000". Returns `out`. */
static inline const char *user_text(struct user u, char out[USER_TEXT_MAX])
{
	snprintf(out, USER_TEXT_MAX, "%" PRIu32, u.id);
	return out;
}

/* The user that this process runs as. */
struct user user_self(struct host *h);
/* Is that user a member of the named group, as local_conn_in_group has it? */
bool user_self_in_group(struct host *h, const char *group);
/* The home folder of a user by the table of users. -ENOENT, -ENOSPC. */
int user_home(struct host *h, struct user u, char *out, size_t cap) MUST_CHECK;

#endif
