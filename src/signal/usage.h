/* SPDX-License-Identifier: AGPL-3.0-only */
/* The command line of mlsh-signal. */
#ifndef MLSH_SIGNAL_USAGE_H
#define MLSH_SIGNAL_USAGE_H

#include "base/options.h"

enum command { COMMAND_SERVE, COMMAND_TOKEN, COMMAND_HELP, COMMAND_TOKEN_HELP, COMMAND_VERSION };

struct usage {
	enum command command;
	uint64_t ttl_s; /* token: 0 if not given */
};

/* Of mlsh-signal and of `mlsh-signal token`. */
extern const struct options usage_options, usage_token_options;

/* -EINVAL with a message that says where help is. */
int usage_parse(int argc, char **argv, struct usage *ret, struct err *err) MUST_CHECK;

#endif
