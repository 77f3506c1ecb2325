/* SPDX-License-Identifier: MIT */
/*
 * kill -9 at steps of a command, of the daemon on its machine, of the server, and of a new server.
 * A step is a change of a file, a commit of a database, a datagram, or a message on the local
 * socket; kills_at_every_step says which ones. A keeper starts daemon and servers again, as systemd
 * does.
 *
 * A program that uses it wraps recovery_code_new and db_commit (mk/variant.mk).
 */
#ifndef MLSH_TESTS_KILLS_KIT_H
#define MLSH_TESTS_KILLS_KIT_H

#include "command_kit.h"
#include "crypto/hash.h"
#include "move_kit.h"

#define KEEPER_GAP (100 * MS)
#ifdef __SANITIZE_ADDRESS__
#define FACTOR 7 /* it takes ten times as long */
#else
#define FACTOR 1
#endif
#define SOON (300 * MS)
#define RECORDS 3 /* at the end: genesis, laptop's admission, and that of the command */
#define CODES_MAX 8

enum victim { COMMAND, DAEMON, SERVER, NEW_SERVER };

extern const char *const kills_victims[4];

struct scene {
	struct mesh *m;
	struct mesh_node *who; /* whose machine the command runs on */
	struct second second;  /* with `has_second` */
	bool has_second;
	char first_code[RECOVERY_CODE_TEXT_MAX]; /* of setup */
	char token[SETUP_TOKEN_TEXT_MAX];	 /* of the second server */
	enum victim victim;
	unsigned steps;
	struct host *keeper;
	struct timer *look;
	struct command_run run;
	/* by a process that lived, in their order */
	char printed[CODES_MAX][RECOVERY_CODE_TEXT_MAX];
	size_t n_printed;
};

extern struct scene *kills_scene; /* the one that is open, for what is wrapped */

/* --- the scene -------------------------------------------------------------------------------- */

/* nas, the admin, and laptop, both connected; `second`: and a server without a cluster. */
struct mesh *kills_open_scene(struct scene *s, bool second);

void kills_close_scene(struct scene *s);

/* Of the server that has the cluster at the end; NULL while that is down or does not know it. */
const struct mlog *kills_server_log(const struct scene *s);

/* Says where it was killed if that does not hold. */
#define HOLDS(s, expr)                                                                             \
	do {                                                                                       \
		if (!(expr)) {                                                                     \
			world_dump((s)->m->w);                                                     \
			ck_abort_msg("%s killed after %u steps: %s\n%s%s",                         \
				     kills_victims[(s)->victim], (s)->steps, #expr, (s)->run.out,  \
				     (s)->run.complaint);                                          \
		}                                                                                  \
	} while (0)

/*
 * Runs it, and it or somebody else is killed, then or soon after it. Returns false if
 * the victim lives on.
 */
bool kills_run_killed(struct scene *s, const struct command *c, const char *typed,
		      const char *line);

void kills_run_again(struct scene *s, const struct command *c, const char *typed, const char *line);
bool kills_acknowledged(const struct scene *s);
size_t kills_count(const struct mlog *log, enum entry_type type);
void kills_settle(struct scene *s);
bool kills_has_file(struct mesh_node *n, const char *suffix);
bool kills_code_in_force(const struct scene *s, const char *code);
bool kills_is_member(const struct scene *s, const char *name);

/*
 * Calls fn with each number of steps until the victim lives on; with every second one where the
 * victim is not the command. Another seed begins with another one.
 */
void kills_at_every_step(enum victim victim, unsigned at_least,
			 bool (*fn)(enum victim victim, unsigned steps));

#endif
