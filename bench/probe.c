/* SPDX-License-Identifier: MIT */
/*
 * Round trips over UDP, for the benchmark.
 *
 *	probe echo PORT				sends back what comes, forever
 *	probe now				the clock that `first` counts from, in ns
 *	probe first IP4 PORT SINCE_NS		asks every 2 ms until an answer comes, at most 30 s;
 *						prints the ms since then
 *	probe rtt IP4 PORT COUNT GAP_US		asks COUNT times, GAP_US apart, whether answers come
 *						or not; prints a JSON object, microseconds
 */
#include <arpa/inet.h>
#include <err.h>
#include <inttypes.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS 1000000LL
#define FIRST_LIMIT (30000 * NS_PER_MS)
#define LATE (1000 * NS_PER_MS) /* how long the last answers are waited for */
#define COUNT_MAX 100000

struct question {
	uint64_t run, number;
	int64_t sent_at;
	uint8_t filling[40];
};

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000 * NS_PER_MS + t.tv_nsec;
}

static struct sockaddr_in address(const char *ip, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };

	if (inet_pton(AF_INET, ip, &a.sin_addr) != 1)
		errx(2, "%s is no IPv4 address", ip);
	return a;
}

static int open_socket(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	if (s < 0)
		err(2, "UDP socket");
	return s;
}

/* The source address is chosen again each time: the tunnel may not be there yet. */
static void ask(int s, const struct question *q, const struct sockaddr_in *to)
{
	(void)!sendto(s, q, sizeof(*q), 0, (const struct sockaddr *)to, sizeof(*to));
}

static void echo(const char *port)
{
	struct sockaddr_in any = address("0.0.0.0", port);
	int s = open_socket();
	uint8_t buf[2048];

	if (bind(s, (struct sockaddr *)&any, sizeof(any)) < 0)
		err(2, "port %s", port);
	for (;;) {
		struct sockaddr_in from;
		socklen_t len = sizeof(from);
		ssize_t n = recvfrom(s, buf, sizeof(buf), 0, (struct sockaddr *)&from, &len);

		if (n > 0)
			(void)!sendto(s, buf, (size_t)n, 0, (struct sockaddr *)&from, len);
	}
}

/* An answer of this run that is there now: its number, -1 if none. */
static int64_t take_answer(int s, uint64_t run, int64_t *ret_sent_at)
{
	struct question q;

	while (recv(s, &q, sizeof(q), MSG_DONTWAIT) == (ssize_t)sizeof(q)) {
		if (q.run != run)
			continue;
		*ret_sent_at = q.sent_at;
		return (int64_t)q.number;
	}
	return -1;
}

static int first(const char *ip, const char *port, int64_t since)
{
	struct question q = { .run = (uint64_t)now_ns() };
	struct sockaddr_in to = address(ip, port);
	int64_t sent_at;
	int s = open_socket();

	while (now_ns() - since < FIRST_LIMIT) {
		struct pollfd wait = { .fd = s, .events = POLLIN };

		ask(s, &q, &to);
		if (poll(&wait, 1, 2) > 0 && take_answer(s, q.run, &sent_at) >= 0) {
			printf("%.2f\n", (double)(now_ns() - since) / (double)NS_PER_MS);
			return 0;
		}
	}
	return 1;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static int rtt(const char *ip, const char *port, int count, int64_t gap)
{
	static int64_t took[COUNT_MAX];
	static uint8_t seen[COUNT_MAX];
	struct question q = { .run = (uint64_t)now_ns() };
	struct sockaddr_in to = address(ip, port);
	int sent = 0, got = 0, s = open_socket();
	int64_t begin = now_ns(), last = begin;

	if (count < 1 || count > COUNT_MAX)
		errx(2, "between 1 and %d questions", COUNT_MAX);
	while (got < count && (sent < count || now_ns() - last < LATE)) {
		struct pollfd wait = { .fd = s, .events = POLLIN };
		int64_t next = begin + sent * gap, t = now_ns(), sent_at, number;
		int64_t pause = sent < count ? next - t : 100 * NS_PER_MS;

		if (sent < count && t >= next) {
			q.number = (uint64_t)sent++;
			q.sent_at = last = now_ns();
			ask(s, &q, &to);
			continue;
		}
		struct timespec limit = { .tv_sec = pause / (1000 * NS_PER_MS),
					  .tv_nsec = pause % (1000 * NS_PER_MS) };
		if (ppoll(&wait, 1, &limit, NULL) <= 0)
			continue;
		while ((number = take_answer(s, q.run, &sent_at)) >= 0) {
			if (number < count && !seen[number]) {
				seen[number] = 1;
				took[got++] = now_ns() - sent_at;
			}
		}
	}
	if (got == 0) {
		printf("{\"sent\":%d,\"got\":0}\n", sent);
		return 1;
	}
	qsort(took, (size_t)got, sizeof(*took), by_size);
	printf("{\"sent\":%d,\"got\":%d,\"min\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,"
	       "\"max\":%.1f}\n",
	       sent, got, (double)took[0] / 1e3, (double)took[got / 2] / 1e3,
	       (double)took[(got - 1) * 90 / 100] / 1e3, (double)took[(got - 1) * 99 / 100] / 1e3,
	       (double)took[got - 1] / 1e3);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (argc == 3 && strcmp(what, "echo") == 0)
		echo(argv[2]);
	if (argc == 2 && strcmp(what, "now") == 0)
		return printf("%" PRId64 "\n", now_ns()) < 0;
	if (argc == 5 && strcmp(what, "first") == 0)
		return first(argv[2], argv[3], atoll(argv[4]));
	if (argc == 6 && strcmp(what, "rtt") == 0)
		return rtt(argv[2], argv[3], atoi(argv[4]), atoll(argv[5]) * 1000);
	errx(2, "usage: probe echo PORT | now | first IP4 PORT SINCE_NS | "
		"rtt IP4 PORT COUNT GAP_US");
}
