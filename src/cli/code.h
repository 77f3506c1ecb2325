/* SPDX-License-Identifier: MIT */
/* The recovery code, typed and shown: what `recover` and `renew` share. */
#ifndef MLSH_CLI_CODE_H
#define MLSH_CLI_CODE_H

#include "cli/cli.h"

/*
 * Reads a code from standard input, unseen on a terminal, and derives its key pair. `salt` is
 * genesis' random bytes. The caller wipes the seed. -EINVAL; -ENOMEM.
 */
int code_read(const uint8_t salt[32], uint8_t ret_seed[SIGN_SEED_LEN], uint8_t ret_key[KEY_LEN],
	      struct err *err) MUST_CHECK;
/* Prints the next code. Returns false if it could not be printed: nothing may be sent then. */
bool code_print(const char *cluster, const char *code, bool json) MUST_CHECK;

#endif
