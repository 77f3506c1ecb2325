/* SPDX-License-Identifier: MIT */
/*
 * A machine. Every call into `os` takes a host, and nothing in the program is global, so that many
 * hosts can live in one simulated process. The headers in src/os are the port, and name no system:
 * a folder beside them implements them for a real machine, src/os/sim for a simulated one; the
 * linker chooses. A host and all that hangs off it belong to one thread.
 */
#ifndef MLSH_OS_HOST_H
#define MLSH_OS_HOST_H

#include "base/err.h"
#include "base/log.h"

struct host;

/*
 * The machine this process runs on, with its event loop. Simulated hosts come from os/sim/world.h
 * instead. A standard stream that the process was started without (`2>&-`) stays unusable, but no
 * file or socket gets its number afterwards.
 */
int host_new(struct err *err, struct host **ret) MUST_CHECK;
void host_free(struct host *h);

/* The host's log: level info, to standard error, until changed. Owned by the host. */
struct log *host_log(struct host *h);
/* The machine's name as the kernel has it. -ENOSPC if it does not fit. */
int host_name(struct host *h, char *out, size_t cap) MUST_CHECK;

/*
 * Nanoseconds on a clock that never goes back and counts time spent suspended. The
 * value is taken once per turn of the event loop and after each blocking wait: no system call on
 * the packet path.
 */
uint64_t clock_now(struct host *h);
/* Reads the clock again, for long computations. */
uint64_t clock_refresh(struct host *h);
/* Seconds since 1970, from the wall clock: for entries and expiry only, never for timers. */
int64_t clock_wall_s(struct host *h);

/*
 * Fills `out` from the kernel's generator (simulated: from the seed). Does not fail: aborts if the
 * kernel has none.
 */
void random_fill(struct host *h, void *out, size_t len);
uint64_t random_u64(struct host *h);
/* Uniform in [0, bound). bound > 0. */
uint64_t random_below(struct host *h, uint64_t bound);

#endif
