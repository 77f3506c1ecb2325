/* SPDX-License-Identifier: MIT */
/* Signals that are nobody's business here. */
#include <signal.h>
#include <stddef.h>

#include "base/macros.h"
#include "os/loop.h"

void signals_ignore_strays(void)
{
	static const int strays[] = { SIGHUP, SIGPIPE, SIGUSR1, SIGUSR2, SIGTTOU, SIGXFSZ };

	for (size_t i = 0; i < ARRAY_LEN(strays); i++)
		signal(strays[i], SIG_IGN);
}

bool signal_is_ignored(int signum)
{
	struct sigaction now;

	return sigaction(signum, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}
