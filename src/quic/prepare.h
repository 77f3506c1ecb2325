/* SPDX-License-Identifier: MIT */
/*
 * What OpenSSL makes once in a process, made before anything depends on it.
 *
 * OpenSSL makes its tables, locks and caches when they are first needed. If memory lacks at that
 * moment, some of them stay unmade for as long as the process lives, and no later connection works.
 */
#ifndef MLSH_QUIC_PREPARE_H
#define MLSH_QUIC_PREPARE_H

#include "os/host.h"

/*
 * For a process that lives long, after crypto_init and before the first identity. -ENOMEM: OpenSSL
 * has lacked memory; the process must end.
 */
int quic_prepare(struct host *h, struct err *err) MUST_CHECK;

#endif
