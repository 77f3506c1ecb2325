/* SPDX-License-Identifier: MIT */
/* A new recovery code without the one in force: one admin asks, another one consents. */
#ifndef MLSH_CLI_RENEW_TWO_H
#define MLSH_CLI_RENEW_TWO_H

#include "cli/governing.h"

/* What both were given on the command line. */
struct renew_two {
	const char *what; /* to ask: the other admin, as typed; to consent: the request, or "-" */
	bool yes, json;
};

/*
 * Prints a new code, and the request to another admin. Sends nothing. Both return an exit code.
 */
int renew_ask(struct governing *g, const struct renew_two *o);
/* Shows what is asked for, and has it ordered when the person here agrees. */
int renew_consent(struct governing *g, const struct renew_two *o);

#endif
