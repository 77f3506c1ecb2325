/* SPDX-License-Identifier: MIT */
/*
 * Commands of `mlsh`, run whole in a simulated world: with what is typed, and what they print.
 *
 *	command_run(&r, nas, &remove_command, UINT_MAX, "", "remove phone --yes");
 */
#ifndef MLSH_TESTS_COMMAND_KIT_H
#define MLSH_TESTS_COMMAND_KIT_H

#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"
#include "mesh.h"

#define COMMAND_WORDS 16
#define COMMAND_TEXT 4096

struct command_run {
	struct host *host; /* of the command's process */
	int code;	   /* what it exited with, unless it was killed */
	bool killed;
	char out[COMMAND_TEXT], complaint[COMMAND_TEXT]; /* standard output and error */
};

/* Puts an empty file in the place of one of our own; returns what stood there. */
static inline int command_redirect(int fd, const char *content)
{
	int was = dup(fd), file = memfd_create("command", 0);

	ck_assert(was >= 0 && file >= 0);
	ck_assert_int_eq(write(file, content, strlen(content)), (ssize_t)strlen(content));
	ck_assert_int_eq(lseek(file, 0, SEEK_SET), 0);
	ck_assert_int_ge(dup2(file, fd), 0);
	close(file);
	return was;
}

/* Returns what was written there, and puts back what stood there. */
static inline void command_restore(int fd, int was, char *out)
{
	ssize_t n = pread(fd, out ? out : (char[1]){ 0 }, out ? COMMAND_TEXT - 1 : 0, 0);

	ck_assert_int_ge(n, 0);
	if (out)
		out[n] = '\0';
	ck_assert_int_ge(dup2(was, fd), 0);
	close(was);
}

/*
 * Runs the command on the node as its user, in a process that dies at its next step but `steps`
 * (UINT_MAX: lives). `typed` is on its standard input, `line` are its words from its name on. What
 * a killed one prints after its end is in the texts all the same.
 */
static inline void command_run(struct command_run *r, struct mesh_node *n, const struct command *c,
			       unsigned steps, const char *typed, const char *line)
{
	struct cli cli = { .store = n->store, .socket_path = CONTROL_SOCKET };
	char words[COMMAND_TEXT], *argv[COMMAND_WORDS], *rest = words;
	struct options_given g;
	struct err err = { 0 };
	int argc = 0, was[3];

	snprintf(words, sizeof(words), "%s", line);
	while (argc < COMMAND_WORDS && (argv[argc] = strsep(&rest, " ")))
		argc++;
	ck_assert_msg(options_parse(&c->options, argc, argv, &g, &err) == 0, "%s", err.text);
	cli.host = r->host = world_host_boot(n->host);
	world_host_crash_after_steps(r->host, steps);
	fflush(NULL);
	was[0] = command_redirect(STDIN_FILENO, typed);
	was[1] = command_redirect(STDOUT_FILENO, "");
	was[2] = command_redirect(STDERR_FILENO, "");
	r->code = c->run(&cli, &g);
	fflush(NULL);
	command_restore(STDIN_FILENO, was[0], NULL);
	command_restore(STDOUT_FILENO, was[1], r->out);
	command_restore(STDERR_FILENO, was[2], r->complaint);
	r->killed = !world_host_alive(r->host);
	world_host_crash(r->host);
}

#endif
