/* SPDX-License-Identifier: MIT */
/* Commands run whole in a simulated world. */
#include "command_kit.h"
#include "os/paths.h"

/* Puts an empty file in the place of one of our own; returns what stood there. */
static int command_redirect(int fd, const char *content)
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
static void command_restore(int fd, int was, char *out)
{
	ssize_t n = pread(fd, out ? out : (char[1]){ 0 }, out ? COMMAND_TEXT - 1 : 0, 0);

	ck_assert_int_ge(n, 0);
	if (out)
		out[n] = '\0';
	ck_assert_int_ge(dup2(was, fd), 0);
	close(was);
}

void command_run(struct command_run *r, struct mesh_node *n, const struct command *c,
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
