/* SPDX-License-Identifier: MIT */
/* A test's end of a TCP connection to a program that listens (os/tcp.h) on a simulated machine. */
#ifndef MLSH_OS_SIM_STREAM_H
#define MLSH_OS_SIM_STREAM_H

#include "base/bytes.h"
#include "os/sim/world.h"

#define STREAM_WINDOW 16384 /* bytes that wait unread, each way */

struct stream;

/* From an address to one of the machine's. NULL if nobody listens there. Freed before the world. */
struct stream *stream_open(struct host *machine, const struct addr *from, const struct addr *to);
/* Connections that programs of the machine have accepted and not closed. */
size_t stream_count(const struct host *machine);
/* Returns how many bytes were taken: as far as the window goes, 0 once the other side is gone. */
size_t stream_send(struct stream *s, const void *data, size_t len);
/* Reads what has come, at most `cap`. */
size_t stream_receive(struct stream *s, void *out, size_t cap);
void stream_finish(struct stream *s);	       /* sends no more, and goes on reading */
bool stream_is_closed(const struct stream *s); /* by the program */
void stream_close(struct stream *s);	       /* NULL allowed */

#endif
