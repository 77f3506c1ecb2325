/* SPDX-License-Identifier: MIT */
/* What os/udp.h promises: runs, batches, addresses, marks, ports. */
#include "os/loop.h"
#include "os/udp.h"
#include "port_kit.h"

#define BYTES_MAX (4u << 20)

/* A socket that keeps all that came, in order. */
struct sink {
	struct udp *udp;
	size_t take; /* runs a call */
	uint8_t data[BYTES_MAX];
	size_t bytes, datagrams, runs, calls;
	size_t sizes[8192];
	struct addr from, local;
	uint8_t ecn;
	bool close;
};

static struct host *h;
static struct sink a, b;

static void on_readable(void *ctx)
{
	struct sink *s = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(s->udp, rx, s->take);

	s->calls++;
	ck_assert_uint_le(n, s->take);
	for (size_t i = 0; i < n; i++) {
		s->runs++;
		s->from = rx[i].from;
		s->local = rx[i].local;
		s->ecn = rx[i].ecn;
		ck_assert(rx[i].len == 0 || rx[i].segment > 0);
		ck_assert_uint_le(rx[i].segment, rx[i].len);
		ck_assert_uint_le(s->bytes + rx[i].len, sizeof(s->data));
		memcpy(s->data + s->bytes, rx[i].data, rx[i].len);
		if (rx[i].len)
			memset(rx[i].data, 0xee, rx[i].len); /* ours to overwrite */
		s->bytes += rx[i].len;
		for (size_t at = 0; at < rx[i].len || at == 0; at += MAX(rx[i].segment, 1))
			s->sizes[s->datagrams++ % ARRAY_LEN(s->sizes)] = MIN(rx[i].segment,
									     rx[i].len - at);
	}
	if (s->close && n) {
		udp_close(s->udp);
		s->udp = NULL;
	}
}

static void sink_open(struct sink *s, const struct udp_config *cfg)
{
	*s = (struct sink){ .take = UDP_BATCH_MAX };
	PORT_OK(udp_open(h, cfg, on_readable, s, NULL, &s->udp));
}

static void begin(void)
{
	const struct udp_config cfg = { .rcvbuf_bytes = 2u << 20 };

	h = port_begin();
	sink_open(&a, &cfg);
	sink_open(&b, &cfg);
}

static void end(void)
{
	udp_close(a.udp);
	udp_close(b.udp);
	udp_close(NULL);
	port_end();
}

static struct addr to_b(void)
{
	return port_address(udp_local(b.udp).port);
}

static size_t expected;

static bool has_datagrams(void *ctx)
{
	return ((struct sink *)ctx)->datagrams >= expected;
}

static void wait_for(struct sink *s, size_t datagrams)
{
	expected = datagrams;
	port_wait(has_datagrams, s, "datagrams");
	ck_assert_uint_eq(s->datagrams, datagrams);
}

/* Sends from a, however long that takes. */
static void send_all(const struct udp_tx *tx, size_t n)
{
	for (size_t done = 0; done < n;) {
		done += udp_send(a.udp, tx + done, n - done);
		if (done < n)
			port_pass(NS_PER_MS);
	}
}

static void send_one(const void *data, size_t len)
{
	const struct udp_tx tx = { .data = data, .len = len, .segment = len, .to = to_b() };

	send_all(&tx, 1);
}

START_TEST(a_datagram_arrives_with_its_addresses)
{
	begin();
	ck_assert_uint_ne(udp_local(a.udp).port, 0);
	ck_assert_uint_ne(udp_local(a.udp).port, udp_local(b.udp).port);
	const struct addr local = udp_local(a.udp);
	ck_assert(addr_equal(&local, &(struct addr){ .port = local.port })); /* any: no address */
	send_one("hello", 5);
	ck_assert_uint_eq(b.datagrams, 0); /* nothing from within a call */
	wait_for(&b, 1);
	ck_assert_mem_eq(b.data, "hello", 5);
	const struct addr from = port_address(local.port), to = port_address(0);
	ck_assert(addr_equal(&b.from, &from));
	ck_assert(addr_equal(&b.local, &to));
	ck_assert_uint_eq(b.ecn, 0);
	end();
}
END_TEST

START_TEST(the_source_is_the_one_that_was_asked_for)
{
	begin();
	const struct addr other = port_other_address(0);
	const struct udp_tx tx = {
		.data = (const uint8_t *)"x", .len = 1, .segment = 1, .to = to_b(), .local = other
	};
	const struct addr from = port_other_address(udp_local(a.udp).port);

	send_all(&tx, 1);
	wait_for(&b, 1);
	ck_assert(addr_equal(&b.from, &from));
	end();
}
END_TEST

START_TEST(marks_arrive)
{
	begin();
	for (uint8_t ecn = 0; ecn < 4; ecn++) {
		const struct udp_tx tx = { .data = (const uint8_t *)"x",
					   .len = 1,
					   .segment = 1,
					   .to = to_b(),
					   .ecn = ecn };

		send_all(&tx, 1);
		wait_for(&b, ecn + 1u);
		ck_assert_uint_eq(b.ecn, ecn);
	}
	end();
}
END_TEST

static uint8_t pattern[UDP_GSO_BYTES_MAX];

static void pattern_fill(void)
{
	for (size_t i = 0; i < sizeof(pattern); i++)
		pattern[i] = (uint8_t)(i * 7 + i / 251);
}

START_TEST(a_run_is_cut_into_its_datagrams)
{
	static const struct {
		size_t len, segment;
	} runs[] = {
		{ 1000 * 64, 1000 }, { 1000 * 63 + 1, 1000 }, { 1, 1 },
		{ 64, 1 },	     { 999, 1000 },	      { 1200 * 54 + 77, 1200 },
	};
	begin();
	pattern_fill();
	for (size_t i = 0; i < ARRAY_LEN(runs); i++) {
		const size_t len = runs[i].len, segment = MIN(runs[i].segment, len);
		const size_t n = (len + segment - 1) / segment;
		const struct udp_tx tx = {
			.data = pattern, .len = len, .segment = segment, .to = to_b()
		};

		b.bytes = b.datagrams = 0;
		send_all(&tx, 1);
		wait_for(&b, n);
		ck_assert_uint_eq(b.bytes, len);
		ck_assert_mem_eq(b.data, pattern, len);
		for (size_t k = 0; k < n; k++)
			ck_assert_uint_eq(b.sizes[k], k + 1 < n ? segment : len - k * segment);
	}
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_datagrams, udp_stats_get(b.udp).rx_datagrams);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_bytes, udp_stats_get(b.udp).rx_bytes);
	ck_assert_uint_ge(udp_stats_get(b.udp).rx_calls, 1);
	ck_assert_uint_eq(udp_stats_get(a.udp).tx_errors, 0);
	end();
}
END_TEST

START_TEST(datagrams_of_all_sizes_keep_their_order)
{
	static struct udp_tx tx[UDP_BATCH_MAX];
	size_t sizes[ARRAY_LEN(tx)], total = 0;
	struct unit_rng rng = unit_rng_new("datagrams_of_all_sizes_keep_their_order");

	begin();
	pattern_fill();
	for (size_t i = 0; i < ARRAY_LEN(tx); i++) {
		/* Neighbours of one size, and of others; empty ones. */
		sizes[i] = unit_random_below(&rng, 4) && i ? sizes[i - 1]
							   : unit_random_below(&rng, 1300);
		tx[i] = (struct udp_tx){
			.data = pattern + total, .len = sizes[i], .segment = sizes[i], .to = to_b()
		};
		total += sizes[i];
	}
	send_all(tx, ARRAY_LEN(tx));
	wait_for(&b, ARRAY_LEN(tx));
	ck_assert_uint_eq(b.bytes, total);
	ck_assert_mem_eq(b.data, pattern, total);
	for (size_t i = 0; i < ARRAY_LEN(tx); i++)
		ck_assert_uint_eq(b.sizes[i], sizes[i]);
	end();
}
END_TEST

/* Nothing is lost when a reader takes one run a call: it is called again while something waits. */
START_TEST(a_slow_reader_is_called_again)
{
	begin();
	b.take = 1;
	for (size_t i = 0; i < 500; i++) {
		uint8_t data[4 + 200] = { (uint8_t)i, (uint8_t)(i >> 8) };

		send_one(data, 4 + i % 7);
	}
	wait_for(&b, 500);
	ck_assert_uint_ge(b.calls, 10);
	ck_assert_uint_eq(b.runs, b.calls);
	for (size_t i = 0, at = 0; i < 500; at += b.sizes[i++])
		ck_assert_uint_eq(b.data[at] | b.data[at + 1] << 8, i);
	end();
}
END_TEST

START_TEST(a_closed_port_does_no_harm)
{
	begin();
	const struct addr gone = to_b();
	const struct udp_tx tx = {
		.data = (const uint8_t *)"x", .len = 1, .segment = 1, .to = gone
	};

	udp_close(b.udp);
	b.udp = NULL;
	for (int i = 0; i < 3; i++) {
		send_all(&tx, 1);
		port_pass(2 * NS_PER_MS);
	}
	ck_assert_uint_eq(a.datagrams, 0);
	sink_open(&b, &(struct udp_config){ .bind = { .port = gone.port } });
	send_one("y", 1);
	wait_for(&b, 1);
	ck_assert_mem_eq(b.data, "y", 1);
	end();
}
END_TEST

START_TEST(a_callback_may_close_its_socket)
{
	begin();
	b.close = true;
	send_one("x", 1);
	wait_for(&b, 1);
	ck_assert_ptr_null(b.udp);
	end();
}
END_TEST

START_TEST(a_port_has_one_socket)
{
	begin();
	struct udp_config cfg = { .bind = { .port = udp_local(a.udp).port } };
	struct udp *taken = NULL;
	struct err err = { 0 };
	char port[8];

	ck_assert_int_eq(udp_open(h, &cfg, on_readable, &a, &err, &taken), -EADDRINUSE);
	snprintf(port, sizeof(port), "%u", cfg.bind.port);
	ck_assert_ptr_nonnull(strstr(err.text, port));
	cfg.bind = port_address(cfg.bind.port);
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, &a, &err, &taken), -EADDRINUSE);
	ck_assert_ptr_null(taken);
	/* With one address bound, the other one is free. */
	udp_close(a.udp);
	sink_open(&a, &cfg);
	const struct addr bound = udp_local(a.udp);
	ck_assert(addr_equal(&bound, &cfg.bind));
	udp_close(b.udp);
	cfg.bind = port_other_address(cfg.bind.port);
	sink_open(&b, &cfg);
	end();
}
END_TEST

START_TEST(a_shared_port_has_several_sockets)
{
	struct udp_config cfg = { .shared = true };

	h = port_begin();
	sink_open(&a, &cfg);
	cfg.bind = port_address(udp_local(a.udp).port);
	sink_open(&b, &cfg);
	/* The one that has this very address gets what is sent to it. */
	struct udp_tx tx = { .data = (const uint8_t *)"x", .len = 1, .segment = 1, .to = cfg.bind };

	send_all(&tx, 1);
	wait_for(&b, 1);
	tx.to = port_other_address(cfg.bind.port);
	send_all(&tx, 1);
	wait_for(&a, 1);
	ck_assert_uint_eq(b.datagrams, 1);
	/* A socket that does not share is refused. */
	cfg.shared = false;
	struct udp *taken = NULL;
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, &a, NULL, &taken), -EADDRINUSE);
	end();
}
END_TEST

START_TEST(an_address_that_may_come_is_waited_for)
{
	struct udp_config cfg = { .bind = addr_v4(0xcb007109, 0) }; /* 203.0.113.9, nobody's */
	struct err err = { 0 };
	struct udp *u = NULL;

	h = port_begin();
	ck_assert_int_eq(udp_open(h, &cfg, on_readable, &a, &err, &u), -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(err.text, "203.0.113.9"));
	cfg.address_may_come = true;
	PORT_OK(udp_open(h, &cfg, on_readable, &a, &err, &u));
	ck_assert_uint_ne(udp_local(u).port, 0);
	udp_close(u);
	port_end();
}
END_TEST

UNIT_MAIN("port/udp", a_datagram_arrives_with_its_addresses,
	  the_source_is_the_one_that_was_asked_for, marks_arrive, a_run_is_cut_into_its_datagrams,
	  datagrams_of_all_sizes_keep_their_order, a_slow_reader_is_called_again,
	  a_closed_port_does_no_harm, a_callback_may_close_its_socket, a_port_has_one_socket,
	  a_shared_port_has_several_sockets, an_address_that_may_come_is_waited_for)
