/* SPDX-License-Identifier: MIT */
/*
 * A mesh in which calls fail, and people and service managers who do what they do then: they read
 * the error and try again, and a process that ended is started again.
 *
 * A scene is a function of such deeds that can be played again: what is done already is left as it
 * is. It returns false as soon as a deed could not be done.
 */
#ifndef MLSH_TESTS_FAULTS_PLAY_H
#define MLSH_TESTS_FAULTS_PLAY_H

#include "inject.h"
#include "sim/command_kit.h"
#include "sim/mesh.h"
#include "sim/move_kit.h"

struct play {
	struct mesh *m;
	const char *doing;     /* for people: the deed that is under way */
	struct invite_url url; /* of the last invite */
	bool has_url;	       /* it may be used still */
	uint64_t said;	       /* errors that somebody was shown, and lines logged as such */
	size_t ordered;	       /* records of the server's log that were seen so far */
	struct command_run run;
	struct second second; /* server; without a host if the scene has not placed it */
	unsigned stage;	      /* kept by the scene */
	struct mesh_node *nas, *laptop, *phone; /* NULL: the scene has not added it */
};

struct scene {
	const char *name;
	size_t nodes;
	bool (*play)(struct play *p);
	const char *again; /* calls at whose place this is read fail in it, too; NULL if none */
};

extern const struct scene scenes[];
extern const size_t n_scenes;

/* A world without a server and without faults, which begin with fault_resume. */
void play_begin(struct play *p, size_t nodes);
void play_end(struct play *p);
/* kill -9 to every program. */
void play_crash(struct play *p);
/* So many lines of the world's logs are warnings and errors. */
uint64_t play_lines(void);

/* Each does one thing. Returns false if it could not be done; the error was shown each time. */
bool play_server(struct play *p);
/* Another one, at NEW_NAME, with a token in p->second. */
bool play_second(struct play *p);
bool play_setup(struct play *p, struct mesh_node *n);
bool play_daemon(struct play *p, struct mesh_node *n);
bool play_connect(struct play *p, struct mesh_node *n);
bool play_adopt(struct play *p, struct mesh_node *n);
/* All three, as far as they are not done. */
bool play_member(struct play *p, struct mesh_node *n);
/* A command of mlsh, with what is typed, until it ends with 0. Its output is in p->run. */
bool play_command(struct play *p, struct mesh_node *n, const struct command *c, const char *typed,
		  const char *line);
/* The node's own DNS server knows the name. */
bool play_name(struct play *p, struct mesh_node *n, const char *name, ip4 address);
/* A DNS server of its own answers by TCP, as that of a node does where the fence redirects. */
bool play_name_tcp(struct play *p, struct mesh_node *n, const char *name, ip4 address);
/* Waits until it holds; `doing` says what for. */
bool play_until(struct play *p, const char *doing, bool (*holds)(struct play *p));
/* Waits until all nodes reach each other, and until it is directly. */
bool play_reach(struct play *p, uint64_t within);
bool play_direct(struct play *p, uint64_t within);

#endif
