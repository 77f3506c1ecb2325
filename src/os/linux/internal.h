/* SPDX-License-Identifier: MIT */
/* What the files of os/linux share and nobody else sees. */
#ifndef MLSH_OS_LINUX_INTERNAL_H
#define MLSH_OS_LINUX_INTERNAL_H

#include "os/loop.h"

struct loop;

struct host {
	struct log log;
	bool log_to_journal; /* standard error is the journal: lines begin with "<priority>" */
	uint64_t now_ns;     /* CLOCK_BOOTTIME, taken by clock_refresh */
	struct loop *loop;
};

int loop_new(struct host *h, struct err *err, struct loop **ret) MUST_CHECK;
void loop_free(struct loop *l); /* NULL allowed; everything made on it must be gone */

#endif
