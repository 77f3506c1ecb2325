/* SPDX-License-Identifier: MIT */
/* What becomes of a program's output, the same for mlsh and mlshtund. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/cli.h"

/*
 * Output that was lost, on a full disk, is a failure. If the reader of a pipe went away (`| head`),
 * the program ends as others do then: without a word, by SIGPIPE.
 */
static int written(int rc, bool pipe_ends_us)
{
	struct pollfd out = { .fd = STDOUT_FILENO, .events = POLLOUT };

	if ((fflush(stdout) == 0 && !ferror(stdout)) || rc != EXIT_OK)
		return rc;
	if (pipe_ends_us && poll(&out, 1, 0) == 1 && out.revents & POLLERR) {
		signal(SIGPIPE, SIG_DFL);
		raise(SIGPIPE);
	}
	cli_complain("writing the output failed");
	return EXIT_FAILED;
}

int cli_main(int (*program)(int argc, char **argv), int argc, char **argv)
{
	/* Not before what was begun is finished; `trap '' PIPE` in a shell: not at all. */
	bool pipe_ends_us = signal(SIGPIPE, SIG_IGN) != SIG_IGN;

	signals_end_first();
	return written(program(argc, argv), pipe_ends_us);
}
