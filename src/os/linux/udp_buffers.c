/* SPDX-License-Identifier: MIT */
/* How much of what comes and goes a UDP socket lets wait. */
#include "os/linux/udp_buffers.h"

#include <sys/socket.h>

/* Best effort: the system's limit (net.core.rmem_max) holds for who may not pass it. */
static void size_set(int fd, int force, int polite, size_t bytes)
{
	int value = (int)MIN(bytes, (size_t)INT32_MAX / 2);

	if (bytes && setsockopt(fd, SOL_SOCKET, force, &value, sizeof(value)) < 0)
		(void)!setsockopt(fd, SOL_SOCKET, polite, &value, sizeof(value));
}

/* The kernel itself gives less without a word. */
static void say_if_small(struct host *h, int fd, size_t wanted)
{
	int given = 0; /* twice of what was asked for: the kernel counts its own part, too */
	socklen_t len = sizeof(given);

	if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &given, &len) < 0 || (size_t)given / 2 >= wanted)
		return;
	log_info(host_log(h),
		 "this kernel lets %d KiB of packets wait, not %zu: more are lost in bursts. "
		 "CAP_NET_ADMIN passes that limit, or net.core.rmem_max (sysctl) raises it",
		 given / 2048, wanted / 1024);
}

void udp_buffers_set(struct host *h, int fd, const struct udp_config *cfg)
{
	size_set(fd, SO_RCVBUFFORCE, SO_RCVBUF, cfg->rcvbuf_bytes);
	say_if_small(h, fd, cfg->rcvbuf_bytes);
	size_set(fd, SO_SNDBUFFORCE, SO_SNDBUF, cfg->sndbuf_bytes);
}
