/* SPDX-License-Identifier: MIT */
/*
 * UDP: batches, joined sends and receives, ECN, source addresses, and what happens when the kernel
 * says no.
 */
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "os/udp.h"
#include "os_deny.h"
#include "os_unit.h"

#define LOOPBACK4 0x7f000001

struct end {
	struct host *host;
	struct udp *udp;
	struct addr at; /* loopback address and port */
	uint8_t *got;	/* every datagram received: 4 bytes length, then the data */
	size_t got_len, n_got, n_runs;
	size_t want;	 /* stop the loop after so many */
	size_t max_runs; /* asked for in a call */
	struct udp_rx last;
};

static struct addr loopback6(uint16_t port)
{
	static const uint8_t one[16] = { [15] = 1 };
	return addr_v6(one, port);
}

static void take(struct end *e, const uint8_t *data, size_t len)
{
	uint32_t n = (uint32_t)len;
	e->got = realloc(e->got, e->got_len + 4 + len);
	memcpy(e->got + e->got_len, &n, 4);
	if (len)
		memcpy(e->got + e->got_len + 4, data, len);
	e->got_len += 4 + len;
	if (++e->n_got == e->want)
		loop_stop(e->host);
}

static void on_readable(void *ctx)
{
	struct end *e = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(e->udp, rx, e->max_runs);
	ck_assert_uint_le(n, e->max_runs);
	e->n_runs += n;
	for (size_t i = 0; i < n; i++) {
		e->last = rx[i];
		if (rx[i].len == 0)
			take(e, NULL, 0);
		for (size_t at = 0; at < rx[i].len; at += rx[i].segment)
			take(e, rx[i].data + at, MIN(rx[i].segment, rx[i].len - at));
		memset(rx[i].data, 0xee, rx[i].len); /* ours to overwrite */
	}
}

static void end_open(struct end *e, struct host *h, bool v6)
{
	struct udp_config cfg = { .rcvbuf_bytes = 4 << 20 };
	struct err err = { 0 };
	*e = (struct end){ .host = h, .max_runs = UDP_BATCH_MAX };
	int r = udp_open(h, &cfg, on_readable, e, &err, &e->udp);
	ck_assert_msg(r == 0, "%s", err.text);
	struct addr local = udp_local(e->udp);
	ck_assert_uint_ne(local.port, 0);
	e->at = v6 ? loopback6(local.port) : addr_v4(LOOPBACK4, local.port);
	local.port = 0;
	ck_assert(addr_is_unset(&local));
}

static void end_close(struct end *e)
{
	udp_close(e->udp);
	free(e->got);
}

/* The datagrams received are those of `tx`, in order. */
static void check_received(const struct end *e, const struct udp_tx *tx, size_t n)
{
	size_t at = 0;
	for (size_t i = 0; i < n; i++) {
		for (size_t off = 0; off < tx[i].len; off += tx[i].segment) {
			uint32_t len, expected = (uint32_t)MIN(tx[i].segment, tx[i].len - off);
			ck_assert_uint_lt(at, e->got_len);
			memcpy(&len, e->got + at, 4);
			ck_assert_uint_eq(len, expected);
			ck_assert_mem_eq(e->got + at + 4, tx[i].data + off, len);
			at += 4 + len;
		}
	}
	ck_assert_uint_eq(at, e->got_len);
}

static bool has_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in6 one = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool yes = fd >= 0 && bind(fd, (struct sockaddr *)&one, sizeof(one)) == 0;
	if (fd >= 0)
		close(fd);
	if (!yes)
		os_unit_skip("no IPv6 here");
	return yes;
}

static void check_round_trip(bool v6)
{
	struct host *h = os_unit_host();
	struct end a, b;
	end_open(&a, h, v6);
	end_open(&b, h, v6);
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		struct udp_tx tx = { .data = (const uint8_t *)"hello",
				     .len = 5,
				     .segment = 5,
				     .to = b.at,
				     .local = a.at,
				     .ecn = ecn };
		if (ecn == 3)
			tx.local = (struct addr){ 0 };
		b.want = b.n_got + 1;
		ck_assert_uint_eq(udp_send(a.udp, &tx, 1), 1);
		os_unit_run(h, "a datagram");
		ck_assert(addr_equal(&b.last.from, &a.at));
		ck_assert(addr_same_ip(&b.last.local, &b.at));
		ck_assert_uint_eq(b.last.local.port, 0);
		ck_assert_uint_eq(b.last.ecn, ecn);
		ck_assert_uint_eq(b.last.len, 5);
		ck_assert_uint_eq(b.last.segment, 5);
	}
	struct udp_stats sa = udp_stats_get(a.udp), sb = udp_stats_get(b.udp);
	ck_assert_uint_eq(sa.tx_datagrams, 4);
	ck_assert_uint_eq(sa.tx_bytes, 20);
	ck_assert_uint_eq(sa.tx_errors + sa.tx_too_big, 0);
	ck_assert_uint_eq(sb.rx_datagrams, 4);
	ck_assert_uint_eq(sb.rx_bytes, 20);
	end_close(&a);
	end_close(&b);
	host_free(h);
}

START_TEST(round_trip_over_ipv4)
{
	check_round_trip(false);
}
END_TEST

START_TEST(round_trip_over_ipv6)
{
	if (has_ipv6())
		check_round_trip(true);
}
END_TEST

/* Runs of random sizes and lengths, more of them than a batch holds. */
static uint64_t check_runs(bool v6, bool joined)
{
	enum { RUNS = 70 };
	struct unit_rng rng = unit_rng_new("udp runs");
	struct host *h = os_unit_host();
	static uint8_t data[RUNS][UDP_GSO_BYTES_MAX];
	struct udp_tx tx[RUNS];
	struct end a, b;
	end_open(&a, h, v6);
	end_open(&b, h, v6);
	b.max_runs = 7;
	uint64_t calls = 0;
	for (size_t round = 0; round < 4; round++) {
		size_t datagrams = 0;
		for (size_t i = 0; i < RUNS; i++) {
			size_t segment = 1 + unit_random_below(&rng, 1400);
			size_t segments = 1 + unit_random_below(&rng, 12);
			size_t len = segment * segments - unit_random_below(&rng, segment);
			unit_random_bytes(&rng, data[i], len);
			tx[i] = (struct udp_tx){ .data = data[i],
						 .len = len,
						 .segment = segment,
						 .to = b.at,
						 .ecn = 2 };
			datagrams += (len + segment - 1) / segment;
		}
		b.got_len = b.n_got = 0;
		b.want = datagrams;
		ck_assert_uint_eq(udp_send(a.udp, tx, RUNS), RUNS);
		os_unit_run(h, "all datagrams");
		check_received(&b, tx, RUNS);
		struct udp_stats s = udp_stats_get(a.udp);
		ck_assert_uint_eq(s.tx_errors + s.tx_too_big, 0);
		calls = s.tx_calls;
	}
	ck_assert_uint_eq(b.last.ecn, 2);
	ck_assert_uint_eq(udp_stats_get(b.udp).rx_datagrams, udp_stats_get(a.udp).tx_datagrams);
	if (joined) {
		ck_assert_uint_eq(calls, 4 * ((RUNS + UDP_BATCH_MAX - 1) / UDP_BATCH_MAX));
		/* nor were they cut before they came here; the odd one fits behind another */
		ck_assert_uint_le(b.n_runs, 4 * RUNS);
		ck_assert_uint_ge(b.n_runs, 3 * RUNS);
	}
	end_close(&a);
	end_close(&b);
	host_free(h);
	return calls;
}

START_TEST(joined_runs_over_ipv4)
{
	check_runs(false, true);
}
END_TEST

START_TEST(joined_runs_over_ipv6)
{
	if (has_ipv6())
		check_runs(true, true);
}
END_TEST

/* Datagrams that were received one by one: what can be, goes through the kernel as one. */
START_TEST(sends_that_lie_apart_are_joined)
{
	enum { SENDS = 40, LONE = 25, SHORT = 30 };
	struct unit_rng rng = unit_rng_new("udp apart");
	struct host *h = os_unit_host();
	static uint8_t data[SENDS][2000];
	struct udp_tx tx[SENDS];
	struct end a, b;
	end_open(&a, h, false);
	end_open(&b, h, false);
	for (size_t i = 0; i < SENDS; i++) {
		unit_random_bytes(&rng, data[i], sizeof(data[i]));
		tx[i] = (struct udp_tx){
			.data = data[i], .len = 1000, .segment = 1000, .to = b.at, .ecn = i == LONE
		};
	}
	tx[SHORT].len = tx[SHORT].segment = 10; /* the last one of its message */
	tx[5].len = 2000;
	b.want = SENDS + 1;
	ck_assert_uint_eq(udp_send(a.udp, tx, SENDS), SENDS);
	os_unit_run(h, "all datagrams");
	check_received(&b, tx, SENDS);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_datagrams, SENDS + 1);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_bytes, SENDS * 1000 + 10);
	/* 0 to 24, 25, 26 to 30, 31 on: the last as far as the first call had room */
	ck_assert_uint_ge(b.n_runs, 4);
	ck_assert_uint_le(b.n_runs, 6);
	end_close(&a);
	end_close(&b);
	host_free(h);
}
END_TEST

/* The largest run there may be: cut into sends that the kernel takes. */
START_TEST(long_run_is_split)
{
	struct host *h = os_unit_host();
	static uint8_t data[3 * UDP_GSO_BYTES_MAX];
	struct unit_rng rng = unit_rng_new("udp long run");
	struct end a, b;
	end_open(&a, h, false);
	end_open(&b, h, false);
	unit_random_bytes(&rng, data, sizeof(data));
	struct udp_tx tx = { .data = data, .len = sizeof(data) - 7, .segment = 1400, .to = b.at };
	b.want = (tx.len + 1399) / 1400;
	ck_assert_uint_eq(udp_send(a.udp, &tx, 1), 1);
	os_unit_run(h, "all datagrams");
	check_received(&b, &tx, 1);
	end_close(&a);
	end_close(&b);
	host_free(h);
}
END_TEST

START_TEST(kernel_without_joined_sends)
{
	os_deny(ENOPROTOOPT, SCMP_SYS(setsockopt), 1, SOL_UDP); /* UDP_SEGMENT, UDP_GRO */
	ck_assert_uint_gt(check_runs(false, false), 8);
}
END_TEST

START_TEST(machine_without_ipv6)
{
	os_deny(EAFNOSUPPORT, SCMP_SYS(socket), 0, AF_INET6);
	check_round_trip(false);
	check_runs(false, true);

	/* An IPv6 address cannot be reached from here: given up, not stuck. */
	struct host *h = os_unit_host();
	struct end a;
	end_open(&a, h, false);
	struct udp_tx tx = {
		.data = (const uint8_t *)"x", .len = 1, .segment = 1, .to = loopback6(9)
	};
	ck_assert_uint_eq(udp_send(a.udp, &tx, 1), 1);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_errors, 1);
	end_close(&a);
	host_free(h);
}
END_TEST

START_TEST(bad_sends_are_given_up_and_the_rest_goes_on)
{
	struct host *h = os_unit_host();
	static uint8_t data[70000];
	struct end a, b;
	end_open(&a, h, false);
	end_open(&b, h, false);
	struct addr nowhere = b.at, foreign = addr_v4(0x08080808, 0);
	nowhere.port = 0;
	const struct udp_tx tx[] = {
		{ .data = data, .len = 1, .segment = 1, .to = b.at },
		{ .data = data, .len = 65530, .segment = 65530, .to = b.at }, /* too long */
		{ .data = data, .len = 2, .segment = 2, .to = nowhere },
		{ .data = data, .len = 3, .segment = 3, .to = b.at, .local = foreign },
		{ .data = data, .len = 4, .segment = 4, .to = b.at },
	};
	b.want = 2;
	ck_assert_uint_eq(udp_send(a.udp, tx, ARRAY_LEN(tx)), ARRAY_LEN(tx));
	os_unit_run(h, "the good datagrams");
	ck_assert_uint_eq(b.got_len, 4 + 1 + 4 + 4);
	struct udp_stats s = udp_stats_get(a.udp);
	ck_assert_uint_eq(s.tx_too_big, 1);
	ck_assert_uint_eq(s.tx_errors, 2);
	ck_assert_uint_eq(s.tx_datagrams, 2);
	end_close(&a);
	end_close(&b);
	host_free(h);
}
END_TEST

START_TEST(empty_datagram_is_a_run_of_its_own)
{
	struct host *h = os_unit_host();
	struct end a, b;
	end_open(&a, h, false);
	end_open(&b, h, false);
	const struct udp_tx tx[] = {
		{ .data = NULL, .to = b.at },
		{ .data = (const uint8_t *)"x", .len = 1, .segment = 1, .to = b.at }
	};
	b.want = 2;
	ck_assert_uint_eq(udp_send(a.udp, tx, 2), 2);
	os_unit_run(h, "two datagrams");
	ck_assert_uint_eq(b.n_got, 2);
	ck_assert_uint_eq(b.got_len, 4 + 4 + 1);
	struct udp_rx rx[4];
	ck_assert_uint_eq(udp_recv(b.udp, rx, 4), 0); /* and now nothing waits */
	end_close(&a);
	end_close(&b);
	host_free(h);
}
END_TEST

START_TEST(port_in_use_is_said)
{
	struct host *h = os_unit_host();
	struct end a;
	struct err err = { 0 };
	end_open(&a, h, false);
	struct udp_config cfg = { .bind = { .port = a.at.port } };
	struct udp *u = NULL;
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, NULL, &err, &u), -EADDRINUSE);
	ck_assert_ptr_null(u);
	ck_assert_int_eq(err.code, -EADDRINUSE);
	cfg.bind = addr_v4(0x08080808, 0);
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, NULL, &err, &u), -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(err.text, "8.8.8.8"));
	cfg.bind = addr_v4(LOOPBACK4, 0);
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, NULL, NULL, &u), 0);
	struct addr local = udp_local(u), expected = addr_v4(LOOPBACK4, local.port);
	ck_assert(addr_equal(&local, &expected));
	udp_close(u);
	udp_close(NULL);
	end_close(&a);
	host_free(h);
}
END_TEST

static void keep_line(void *ctx, enum log_level level, const char *line)
{
	(void)level;
	snprintf(ctx, 256, "%s", line);
}

START_TEST(small_buffer_is_said)
{
	struct host *h = os_unit_host();
	char said[256] = "";
	struct end a;

	host_log(h)->sink = keep_line;
	host_log(h)->ctx = said;
	end_open(&a, h, false); /* root gets what it asks for */
	ck_assert(geteuid() != 0 || !*said);
	end_close(&a);
	os_deny(EPERM, SCMP_SYS(setsockopt), 2, SO_RCVBUFFORCE);
	os_deny(EPERM, SCMP_SYS(setsockopt), 2, SO_RCVBUF);
	end_open(&a, h, false);
	ck_assert_ptr_nonnull(strstr(said, "KiB of packets wait, not 4096: "));
	end_close(&a);
	host_free(h);
}
END_TEST

static void close_in_callback(void *ctx)
{
	struct end *e = ctx;
	udp_close(e->udp);
	e->udp = NULL;
	loop_stop(e->host);
}

START_TEST(socket_is_closed_in_its_callback)
{
	struct host *h = os_unit_host();
	struct end a, b = { .host = h };
	end_open(&a, h, false);
	struct udp_config cfg = { 0 };
	ck_assert_int_eq(udp_open(h, &cfg, close_in_callback, &b, NULL, &b.udp), 0);
	struct udp_tx tx = { .data = (const uint8_t *)"x",
			     .len = 1,
			     .segment = 1,
			     .to = addr_v4(LOOPBACK4, udp_local(b.udp).port) };
	ck_assert_uint_eq(udp_send(a.udp, &tx, 1), 1);
	os_unit_run(h, "the callback");
	ck_assert_ptr_null(b.udp);
	end_close(&a);
	host_free(h);
}
END_TEST

/*
 * Datagrams that do not fit the device: the joined send is refused as a whole, the short end of it
 * still arrives.
 */
START_TEST(run_that_exceeds_the_mtu)
{
	if (!os_unit_namespace())
		return;
	ck_assert(os_unit_command("ip link set lo mtu 1300 up"));
	struct host *h = os_unit_host();
	static const uint8_t data[4 * 1400 + 10];
	struct end a, b;
	end_open(&a, h, false);
	end_open(&b, h, false);
	const struct udp_tx tx[] = {
		{ .data = data, .len = sizeof(data), .segment = 1400, .to = b.at },
		{ .data = data, .len = 2500, .segment = 1250, .to = b.at },
		{ .data = data, .len = 1280, .segment = 1280, .to = b.at },
		{ .data = data, .len = 1280, .segment = 1280, .to = b.at },
		{ .data = data, .len = 1000, .segment = 1000, .to = b.at },
	};
	b.want = 4;
	ck_assert_uint_eq(udp_send(a.udp, tx, 5), 5);
	os_unit_run(h, "the datagrams that fit");
	ck_assert_uint_eq(b.got_len, 4 * 4 + 10 + 2500 + 1000);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_too_big, 4 + 2);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_errors, 0);
	end_close(&a);
	end_close(&b);
	host_free(h);
}
END_TEST

static void count_call(void *ctx)
{
	++*(unsigned *)ctx;
}

struct blocked {
	struct end *from;
	struct udp_tx *tx;
	size_t n, sent;
	unsigned calls;
};

static void on_writable(void *ctx)
{
	struct blocked *b = ctx;
	b->calls++;
	b->sent += udp_send(b->from->udp, b->tx + b->sent, b->n - b->sent);
}

/* A slow device: the socket fills, and nothing is lost or doubled when it goes on. */
static void check_full_socket(bool joined)
{
	enum { RUNS = 40 };
	static uint8_t data[RUNS * 12000];
	struct unit_rng rng = unit_rng_new("udp full socket");
	struct host *h = os_unit_host();
	struct udp_tx tx[RUNS];
	struct end a, b;
	end_open(&b, h, false);
	struct udp_config cfg = { .sndbuf_bytes = 60000 };
	a = (struct end){ .host = h, .max_runs = 1 };
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, &a, NULL, &a.udp), 0);
	unit_random_bytes(&rng, data, sizeof(data));
	for (size_t i = 0; i < RUNS; i++)
		tx[i] = (struct udp_tx){
			.data = data + i * 12000, .len = 12000, .segment = 1200, .to = b.at
		};
	struct blocked blocked = { &a, tx, RUNS, 0, 0 };
	udp_on_writable(a.udp, on_writable, &blocked);
	blocked.sent = udp_send(a.udp, tx, RUNS);
	ck_assert_uint_lt(blocked.sent, RUNS);
	b.want = RUNS * 10;
	os_unit_run(h, "all datagrams through a slow device");
	ck_assert_uint_gt(blocked.calls, 0);
	ck_assert_uint_eq(blocked.sent, RUNS);
	if (joined)
		ck_assert_uint_eq(udp_stats_get(a.udp).tx_errors, 0);
	check_received(&b, tx, RUNS);
	unsigned before = blocked.calls;
	udp_on_writable(a.udp, count_call, &before);
	os_unit_run_for(h, 20 * NS_PER_MS);
	ck_assert_uint_eq(before, blocked.calls); /* not called when nothing was refused */
	end_close(&a);
	end_close(&b);
	host_free(h);
}

static bool slow_loopback(void)
{
	if (!os_unit_namespace())
		return false;
	if (os_unit_command("ip link set lo up && "
			    "tc qdisc add dev lo root tbf rate 20mbit burst 100kb latency 10s"))
		return true;
	os_unit_skip("needs tc and a kernel with the tbf queue");
	return false;
}

START_TEST(full_socket_calls_back)
{
	if (slow_loopback())
		check_full_socket(true);
}
END_TEST

START_TEST(full_socket_in_the_middle_of_a_run)
{
	if (!slow_loopback())
		return;
	os_deny(ENOPROTOOPT, SCMP_SYS(setsockopt), 1, SOL_UDP); /* UDP_SEGMENT, UDP_GRO */
	check_full_socket(false);
}
END_TEST

UNIT_MAIN("os/udp", round_trip_over_ipv4, round_trip_over_ipv6, joined_runs_over_ipv4,
	  joined_runs_over_ipv6, sends_that_lie_apart_are_joined, long_run_is_split,
	  kernel_without_joined_sends, machine_without_ipv6,
	  bad_sends_are_given_up_and_the_rest_goes_on, empty_datagram_is_a_run_of_its_own,
	  port_in_use_is_said, small_buffer_is_said, socket_is_closed_in_its_callback,
	  run_that_exceeds_the_mtu, full_socket_calls_back, full_socket_in_the_middle_of_a_run)
