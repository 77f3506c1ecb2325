/* SPDX-License-Identifier: MIT */
/* How much of what comes and goes a UDP socket lets wait. */
#ifndef MLSH_OS_LINUX_UDP_BUFFERS_H
#define MLSH_OS_LINUX_UDP_BUFFERS_H

#include "os/udp.h"

/* As the configuration asks, or as much as the kernel gives, which is said. */
void udp_buffers_set(struct host *h, int fd, const struct udp_config *cfg);

#endif
