/* SPDX-License-Identifier: MIT */
/* The start of the cryptographic library. */
#ifndef MLSH_CRYPTO_INIT_H
#define MLSH_CRYPTO_INIT_H

#include "base/err.h"

/* Once a process, before anything else of TLS: no configuration file of the host is read. */
int crypto_init(struct err *err) MUST_CHECK;

#endif
