/* SPDX-License-Identifier: AGPL-3.0-only */
/* The command line of mlsh-signal. */
#ifndef MLSH_SIGNAL_USAGE_H
#define MLSH_SIGNAL_USAGE_H

#include "base/err.h"

enum command { COMMAND_SERVE, COMMAND_TOKEN, COMMAND_HELP, COMMAND_TOKEN_HELP, COMMAND_VERSION };

struct usage {
	enum command command;
	uint64_t ttl_s; /* token: 0 if not given */
};

extern const char usage_help[], usage_token_help[];

/* -EINVAL with a message. */
int usage_parse(int argc, char **argv, struct usage *ret, struct err *err) MUST_CHECK;

#endif
