/* SPDX-License-Identifier: MIT */
/* What the commands share: where things are, exit codes, asking the daemon, showing progress and
 * results. */
#ifndef MLSH_CLI_CLI_H
#define MLSH_CLI_CLI_H

#include "base/log.h"
#include "base/options.h"
#include "client/handover.h"

/* Documented in README; they never change their meaning. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,     /* refused or failed; the message says why */
	EXIT_USAGE = 2,	     /* the command line is wrong */
	EXIT_NOT_YET = 3,    /* connect: not up within the time given, still trying */
	EXIT_NO_DAEMON = 4,  /* mlshtund does not run */
	EXIT_UNREACHABLE = 5 /* the signal server could not be reached */
};

struct command;

struct cli {
	struct host *host;
	struct store store;
	struct store left; /* another user's, in whose place `store` is root's own; or empty */
	const char *socket_path;
	const struct command *command; /* that runs; NULL in tests of parts */
};

struct command {
	const char *name, *summary;
	struct options options;
	/* Returns an exit code. */
	int (*run)(struct cli *c, const struct options_given *g);
};

extern const struct command setup_command, invite_command, adopt_command, connect_command,
	disconnect_command, status_command, nodes_command, ping_command, why_command,
	netcheck_command, forget_command, invites_command, log_command, recover_command,
	remove_command, leave_command, promote_command, demote_command, rename_command,
	renew_command, cancel_command, rotate_command, move_command, container_command;

/*
 * Runs a program's main function, which returns an exit code, with SIGPIPE ignored. Returns
 * EXIT_FAILED in place of EXIT_OK if output was lost; ends by SIGPIPE if its reader went away.
 */
int cli_main(int (*program)(int argc, char **argv), int argc, char **argv);
/* connect --foreground; `json`: a line of JSON for each change of its state */
int foreground_run(struct cli *c, const char *cluster, bool json);
/* What `connect --json` prints; no address yet: "". */
void connect_print_json(const char *cluster, const char *state, const char *address,
			const char *warning);

/* Prints "mlsh: <message>" on standard error, in lines of OPTIONS_COLUMNS. */
void cli_complain(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Prints a remark on standard error, in lines of OPTIONS_COLUMNS. */
void cli_note(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* "mlsh: <message>" on standard error; the exit code that goes with the error's reason. */
int cli_fail(const struct err *err);
/* Wrong command line: the message and where to find help. */
int cli_usage(const char *command, const char *fmt, ...) PRINTF_LIKE(2, 3);
/*
 * Before something that cannot be undone: asks on a terminal, with `question` in lines of
 * OPTIONS_COLUMNS, and wants --yes elsewhere. Returns EXIT_OK to go on, EXIT_FAILED after another
 * answer than yes, EXIT_USAGE if nobody can be asked.
 */
int cli_confirm(const char *command, bool yes, const char *question);
bool cli_can_ask(void);
/* A duration as base/duration.h has it, in [min, max] seconds. -EINVAL with a message. */
int cli_parse_seconds(const char *option, const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret, struct err *err) MUST_CHECK;
/* Any whole number in [min, max]. -EINVAL with a message. */
int cli_parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
		     uint64_t *ret, struct err *err) MUST_CHECK;
/* A variable of the environment; `otherwise` when it is not set or empty. */
const char *cli_env(const char *name, const char *otherwise);
/* Parses a fixed UDP port. A `text` of NULL gives 0, no fixed port. -EINVAL with a message. */
int cli_fixed_port(const char *text, uint16_t *ret, struct err *err) MUST_CHECK;
/* "on" or "off": may the gateway be asked to map ports? -EINVAL with a message. */
int cli_port_mapping(const char *text, bool *ret_no, struct err *err) MUST_CHECK;
/* "error", "warn", "info" or "debug". -EINVAL with a message. */
int cli_log_level(const char *text, enum log_level *ret, struct err *err) MUST_CHECK;
/* A secret given as "-" comes from standard input (one line); else `arg` itself. The caller wipes.
 * -EINVAL, -EFBIG. */
int cli_read_secret(const char *what, const char *arg, char *out, size_t cap, struct err *err)
	MUST_CHECK;
/* The name of this node: `name`, or made from the host name when NULL. */
int cli_node_name(struct cli *c, const char *name, char out[LABEL_MAX + 1], struct err *err)
	MUST_CHECK;

/* --- progress: one line on a terminal, rewritten while something is waited for; silent elsewhere
 * --- */
void progress_show(const char *fmt, ...) PRINTF_LIKE(1, 2);
void progress_clear(void);
/* Words, with the end of the line, for somebody who presses Ctrl-C while a line is shown. Kept. */
void progress_at_interrupt(const char *words);

/* --- the daemon --- */
struct daemon_reply {
	uint8_t *data; /* NUL-terminated */
	size_t len;
};

void daemon_reply_free(struct daemon_reply *r);
/*
 * One request and its whole reply. -ENOENT, -ECONNREFUSED: no daemon (the message says how to start
 * one); -EPERM: somebody else listens at the socket, who was sent nothing; -ETIMEDOUT.
 */
int daemon_call(struct cli *c, const struct control_request *r, struct err *err,
		struct daemon_reply *ret) MUST_CHECK;
/* The same for a cluster and its files, which the daemon asks for. */
int daemon_hand_over(struct cli *c, const char *cluster, struct handover *o, struct err *err,
		     struct daemon_reply *ret) MUST_CHECK;
bool daemon_is_absent(int rc);
/*
 * Sends a watch request and calls fn with each reply until fn returns non-zero (which becomes the
 * result), the time is up (-ETIMEDOUT) or the daemon goes away (-EPIPE).
 */
int daemon_watch(struct cli *c, const char *cluster, uint64_t timeout_ns,
		 int (*fn)(void *ctx, const struct daemon_reply *reply), void *ctx, struct err *err)
	MUST_CHECK;
/* The same for any request that is answered more than once. */
int daemon_stream(struct cli *c, const struct control_request *r, uint64_t timeout_ns,
		  int (*fn)(void *ctx, const struct daemon_reply *reply), void *ctx,
		  struct err *err) MUST_CHECK;
/* Lets time pass. -ENOMEM, -EINTR. */
int cli_wait(struct cli *c, uint64_t ns) MUST_CHECK;
/* Turns {"ok":false,...} into an error. 0 for anything else. */
int daemon_reply_check(const struct daemon_reply *r, struct err *err) MUST_CHECK;

/* Prints the QR code of a text on a terminal, two modules a character, or a line that says why not.
 * Returns false if the text is too long for one. */
bool qr_print(const char *text);

/* --- host_note.c --- */

/*
 * Says on standard error if other machines cannot find the server by this host. `setup`: also if it
 * is known in a private network only.
 */
void host_note(const char *host, bool setup);
/* Says it if the cluster's zone hides the server's name. */
void host_note_zone(const char *host, const char *cluster);

#endif
