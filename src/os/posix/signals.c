/* SPDX-License-Identifier: MIT */
/* Signals that are nobody's business here, and those that end the first process. */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/macros.h"
#include "os/loop.h"

void signals_ignore_strays(void)
{
	static const int strays[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGTTOU, SIGXFSZ };

	for (size_t i = 0; i < ARRAY_LEN(strays); i++)
		signal(strays[i], SIG_IGN);
}

static void on_end(int number)
{
	_exit(128 + number);
}

void signals_end_first(void)
{
	static const int ends[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };

	for (size_t i = 0; getpid() == 1 && i < ARRAY_LEN(ends); i++)
		if (!signal_is_ignored(ends[i]))
			signal(ends[i], on_end);
}

bool signal_is_ignored(int signum)
{
	struct sigaction now;

	return sigaction(signum, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}
