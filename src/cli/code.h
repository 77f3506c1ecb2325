/* SPDX-License-Identifier: MIT */
/* The recovery code, typed and shown: what `setup`, `recover` and `renew` share. */
#ifndef MLSH_CLI_CODE_H
#define MLSH_CLI_CODE_H

#include "cli/cli.h"
#include "membership/mlog.h"

/*
 * Reads a code from standard input, unseen on a terminal, and derives its key pair. `salt` is
 * genesis' random bytes. The caller wipes the seed. -EINVAL; -ENOMEM.
 */
int code_read(const uint8_t salt[32], uint8_t ret_seed[SIGN_SEED_LEN], uint8_t ret_key[KEY_LEN],
	      struct err *err) MUST_CHECK;
/* Prints a code: the `first` of a cluster, or the next one. Returns false if it could not be. */
bool code_print(const char *cluster, const char *code, bool first, bool json) MUST_CHECK;
/*
 * Makes the next code, prints it, and asks with `question` whether it is written down. Nothing is
 * printed where nobody can be asked. `command` is for messages. Returns an exit code; EXIT_OK: the
 * code was printed, and what names its public key may be sent.
 */
int code_announce(struct cli *c, const struct mlog *log, const char *command, bool yes, bool json,
		  const char *question, uint8_t ret_key[KEY_LEN]);

/* It is not used: says that it is worth nothing. Returns `code`, an exit code. */
int code_void(int code);

/* Which record put the code in force there? Its seq; 0: genesis. */
uint64_t code_record(const struct mlog *log);
/* The message about a code that is not in force says which one is. -EACCES. */
int code_refuse(const struct mlog *log, struct err *err);

#endif
