/* SPDX-License-Identifier: MIT */
/* The question before something that cannot be undone. */
#include <stdio.h>
#include <strings.h>
#include <unistd.h>

#include "cli/cli.h"

static bool is_yes(char *answer)
{
	answer[strcspn(answer, "\r\n")] = '\0';
	return strcasecmp(answer, "y") == 0 || strcasecmp(answer, "yes") == 0;
}

bool cli_can_ask(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

int cli_confirm(const char *command, bool yes, const char *question)
{
	char answer[16] = "";

	if (yes)
		return EXIT_OK;
	if (!cli_can_ask())
		return cli_usage(command, "this cannot be undone, and without a terminal mlsh "
					  "cannot ask you: add --yes");
	cli_note("%s", question);
	fputs("Go on? [y/N] ", stderr);
	if (fgets(answer, sizeof(answer), stdin) && is_yes(answer))
		return EXIT_OK;
	cli_note("Nothing was changed.");
	return EXIT_FAILED;
}
