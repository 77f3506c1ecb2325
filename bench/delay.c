/* SPDX-License-Identifier: MIT */
/*
 * A long wire: what the kernel routes into the TUN comes out of it again after a while, in order.
 * For kernels without netem.
 *
 *	delay DEVICE MILLISECONDS
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PACKETS 16384 /* 10 ms of 20 Gbit/s in packets of 1500 bytes: never full */
#define PACKET_MAX 2048

struct slot {
	uint64_t due; /* ns */
	size_t len;
	uint8_t data[PACKET_MAX];
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int open_tun(const char *name)
{
	struct ifreq r = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (strlen(name) >= sizeof(r.ifr_name))
		errx(2, "%s is too long for a device", name);
	memcpy(r.ifr_name, name, strlen(name) + 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0)
		err(1, "%s", name);
	return fd;
}

int main(int argc, char **argv)
{
	struct slot *ring = calloc(PACKETS, sizeof(*ring));
	uint64_t first = 0, end = 0, delay;
	int fd;

	if (argc != 3 || !ring)
		errx(2, "usage: delay DEVICE MILLISECONDS");
	delay = strtoull(argv[2], NULL, 10) * 1000000;
	fd = open_tun(argv[1]);
	for (;;) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		uint64_t now = now_ns(), left;
		struct timespec t;

		for (; first < end && ring[first % PACKETS].due <= now; first++) {
			struct slot *s = &ring[first % PACKETS];

			if (write(fd, s->data, s->len) < 0 && errno != EINVAL && errno != EIO)
				err(1, "writing to %s", argv[1]);
		}
		while (end - first < PACKETS) {
			struct slot *s = &ring[end % PACKETS];
			ssize_t n = read(fd, s->data, sizeof(s->data));

			if (n <= 0)
				break;
			s->len = (size_t)n;
			s->due = now_ns() + delay;
			end++;
		}
		now = now_ns();
		left = first == end ? now + 1000000000 : ring[first % PACKETS].due;
		left = left > now ? left - now : 0;
		t = (struct timespec){ .tv_sec = (time_t)(left / 1000000000),
				       .tv_nsec = (long)(left % 1000000000) };
		ppoll(&wait, 1, &t, NULL);
	}
}
