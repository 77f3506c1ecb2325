/* SPDX-License-Identifier: MIT */
/* The start of the cryptographic library. */
#ifndef MLSH_CRYPTO_INIT_H
#define MLSH_CRYPTO_INIT_H

#include "base/err.h"

/* Once a process, before anything else of TLS: no configuration file of the host is read. */
int crypto_init(struct err *err) MUST_CHECK;
/*
 * Makes the tables of OpenSSL, for a process that lives long. Returns an error if OpenSSL lacked
 * memory since the process began: what it could not make then may be missing forever.
 * quic_prepare (quic/prepare.h) calls it, and makes what else is made once.
 */
int crypto_prepare(struct err *err) MUST_CHECK;

#endif
