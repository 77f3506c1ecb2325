/* SPDX-License-Identifier: MIT */
/*
 * A stream of numbered datagrams, a thousand a second, for the lab: what of it arrives, and how
 * long nothing does.
 *
 *	counter send ADDRESS PORT
 *	counter receive PORT
 *
 * The sender goes on until SIGUSR1 (ten minutes at most), and then repeats its count, which the
 * receiver waits for (two minutes at most), until it is ended; the receiver prints "begun" and, in
 * the end, "lost N of M, doubled N, longest gap N ms".
 */
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define RATE 1000
#define PACKET 64
#define COUNT_MAX (600u * RATE)
#define BEGUN (RATE / 4) /* received: said, so that things may happen */
#define END_REPEATS 6000 /* 20 ms apart */
#define END_WAIT_S 120

struct number {
	uint32_t seq, count; /* count: 0, or how many there were */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_until(uint64_t ns)
{
	struct timespec t = { (time_t)(ns / 1000000000u), (long)(ns % 1000000000u) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) != 0)
		;
}

static int fail(const char *what)
{
	perror(what);
	return 1;
}

static void put(int fd, const struct sockaddr_in *to, struct number n)
{
	uint8_t packet[PACKET] = { 0 };

	memcpy(packet, &n, sizeof(n));
	/* Without a route for a moment: lost, as it would be on the way. */
	(void)sendto(fd, packet, sizeof(packet), 0, (const struct sockaddr *)to, sizeof(*to));
}

static volatile sig_atomic_t stopped;

static void stop(int number)
{
	(void)number;
	stopped = 1;
}

static int run_send(const char *address, int port)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint64_t at = now_ns();
	uint32_t n = 0;

	(void)signal(SIGUSR1, stop);
	if (fd < 0 || inet_pton(AF_INET, address, &to.sin_addr) != 1)
		return fail("counter send");
	while (!stopped && n < COUNT_MAX) {
		sleep_until(at += 1000000000u / RATE);
		put(fd, &to, (struct number){ .seq = n++ });
	}
	for (int i = 0; i < END_REPEATS; i++) {
		sleep_until(at += 20000000u);
		put(fd, &to, (struct number){ .count = n });
	}
	return 0;
}

static int run_receive(int port)
{
	static uint8_t seen[COUNT_MAX];
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct timeval wait = { .tv_sec = END_WAIT_S };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint32_t got = 0, doubled = 0;
	uint64_t last = 0, gap = 0;
	uint8_t packet[PACKET];

	if (fd < 0 || bind(fd, (struct sockaddr *)&own, sizeof(own)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) < 0)
		return fail("counter receive");
	while (recv(fd, packet, sizeof(packet), 0) == sizeof(packet)) {
		uint64_t now = now_ns();
		struct number n;

		memcpy(&n, packet, sizeof(n));
		if (last && now - last > gap)
			gap = now - last;
		last = now;
		if (n.count) {
			printf("lost %u of %u, doubled %u, longest gap %llu ms\n", n.count - got,
			       n.count, doubled, (unsigned long long)(gap / 1000000u));
			return 0;
		}
		if (n.seq >= COUNT_MAX)
			return 1;
		doubled += seen[n.seq];
		got += !seen[n.seq];
		if (got == BEGUN) {
			puts("begun");
			fflush(stdout);
		}
		seen[n.seq] = 1;
	}
	fputs("the stream did not end\n", stderr);
	return 1;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "send") == 0)
		return run_send(argv[2], atoi(argv[3]));
	if (argc == 3 && strcmp(argv[1], "receive") == 0)
		return run_receive(atoi(argv[2]));
	fputs("usage: counter send ADDRESS PORT | counter receive PORT\n", stderr);
	return 2;
}
