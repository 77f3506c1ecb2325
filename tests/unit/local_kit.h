/* SPDX-License-Identifier: MIT */
/* What the tests of the local socket share: a listener that echoes, and sides that note events. */
#ifndef MLSH_TESTS_LOCAL_KIT_H
#define MLSH_TESTS_LOCAL_KIT_H

#include <sys/stat.h>

#include "os/local.h"
#include "os_unit.h"

#define CONNS 8

extern struct host *localkit_host;
extern char localkit_dir[32];
extern char localkit_path[64];

struct side {
	struct local_conn *conn;
	uint8_t last[LOCAL_MESSAGE_MAX];
	size_t last_len, n_messages;
	bool closed, echo, close_on_message;
};

struct server {
	struct local_listener *listener;
	struct side sides[CONNS];
	size_t n, max, of_user, refuse; /* refuse: accept so many more with NULL */
};

extern struct server localkit_server;

void localkit_wait_events(size_t n, const char *what);

extern const struct local_ops localkit_ops;

void *localkit_on_accepted(void *ctx, struct local_conn *c);
void localkit_setup(void);
void localkit_listen_here(void);
void localkit_teardown(void);
void localkit_connect_here(struct side *s);

#endif
