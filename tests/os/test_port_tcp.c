/* SPDX-License-Identifier: MIT */
/* What os/tcp.h and os/exchange.h promise: each is the other's other side. */
#include "os/exchange.h"
#include "os/loop.h"
#include "os/tcp.h"
#include "port_kit.h"

/* A server that reads a request of this length, answers, and closes. */
static struct server {
	struct tcp *listener, *conn;
	struct addr from;
	uint8_t request[EXCHANGE_REQUEST_MAX];
	size_t request_len, expected;
	const uint8_t *answer;
	size_t answer_len, sent, accepted;
	bool keep_open, other_side_ended;
} server;

static struct {
	uint8_t data[EXCHANGE_ANSWER_MAX];
	size_t len;
	unsigned times;
	uint64_t at;
} answer;

static struct host *h;

static void write_answer(void)
{
	while (server.sent < server.answer_len) {
		int n = tcp_write(server.conn, server.answer + server.sent,
				  server.answer_len - server.sent);

		if (n == -EAGAIN) {
			tcp_watch(server.conn, false, true);
			return;
		}
		ck_assert_int_gt(n, 0);
		server.sent += (size_t)n;
	}
	if (server.keep_open) {
		tcp_watch(server.conn, true, false);
		return;
	}
	tcp_close(server.conn); /* from within its callback */
	server.conn = NULL;
}

static void on_conn(void *ctx)
{
	ck_assert_ptr_eq(ctx, &server);
	while (server.request_len < server.expected) {
		int n = tcp_read(server.conn, server.request + server.request_len,
				 sizeof(server.request) - server.request_len);

		if (n == -EAGAIN)
			return;
		ck_assert_int_gt(n, 0);
		server.request_len += (size_t)n;
	}
	if (server.sent < server.answer_len || !server.keep_open) {
		write_answer();
		return;
	}
	int n = tcp_read(server.conn, server.request, 1);
	if (n == -EAGAIN)
		return;
	ck_assert_int_le(n, 0);
	server.other_side_ended = true;
	tcp_watch(server.conn, false, false);
}

static void on_listener(void *ctx)
{
	struct tcp *second = NULL;
	struct addr from;

	PORT_OK(tcp_accept(server.listener, on_conn, ctx, &server.from, &server.conn));
	server.accepted++;
	ck_assert_int_eq(tcp_accept(server.listener, on_conn, ctx, &from, &second), -EAGAIN);
}

static void on_answer(void *ctx, struct span got)
{
	ck_assert_ptr_eq(ctx, &answer);
	ck_assert_uint_le(got.len, sizeof(answer.data));
	if (got.len)
		memcpy(answer.data, got.data, got.len);
	answer.len = got.len;
	answer.at = clock_now(h);
	answer.times++;
}

static bool is_answered(void *ctx)
{
	(void)ctx;
	return answer.times > 0;
}

static void begin(void)
{
	const struct addr any_port = port_address(0);

	h = port_begin();
	PORT_OK(tcp_listen(h, &any_port, on_listener, &server, NULL, &server.listener));
}

static void end(void)
{
	tcp_close(server.conn);
	tcp_close(server.listener);
	tcp_close(NULL);
	port_end();
}

static struct exchange *ask(size_t len, uint64_t timeout)
{
	static uint8_t request[EXCHANGE_REQUEST_MAX];
	const struct addr to = tcp_local(server.listener);
	struct exchange *x = NULL;

	for (size_t i = 0; i < len; i++)
		request[i] = (uint8_t)(i * 5 + i / 256);
	server.expected = len;
	PORT_OK(exchange_start(port_second(), &to, span_of(request, len), timeout, on_answer,
			       &answer, &x));
	ck_assert_uint_eq(answer.times, 0); /* never from within the call */
	return x;
}

START_TEST(a_question_is_answered)
{
	begin();
	const struct addr at = port_address(0), there = tcp_local(server.listener);

	ck_assert(addr_same_ip(&there, &at));
	ck_assert_uint_ne(there.port, 0);
	server.answer = (const uint8_t *)"answer";
	server.answer_len = 6;
	ask(8, 60 * NS_PER_S);
	port_wait(is_answered, NULL, "the answer");
	ck_assert_uint_eq(answer.len, 6);
	ck_assert_mem_eq(answer.data, "answer", 6);
	ck_assert_uint_eq(server.request_len, 8);
	ck_assert_uint_eq(server.request[1], 5);
	ck_assert(addr_same_ip(&server.from, &at));
	ck_assert_uint_eq(server.accepted, 1);
	port_pass(5 * NS_PER_MS);
	ck_assert_uint_eq(answer.times, 1);
	end();
}
END_TEST

START_TEST(the_largest_question_and_answer_pass)
{
	static uint8_t big[EXCHANGE_ANSWER_MAX + 50000];
	const struct addr to = port_address(1);
	struct exchange *x = NULL;

	begin();
	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (uint8_t)(i * 3 + i / 253);
	server.answer = big;
	server.answer_len = EXCHANGE_ANSWER_MAX;
	ask(EXCHANGE_REQUEST_MAX, 60 * NS_PER_S);
	port_wait(is_answered, NULL, "the answer");
	ck_assert_uint_eq(answer.len, EXCHANGE_ANSWER_MAX);
	ck_assert_mem_eq(answer.data, big, EXCHANGE_ANSWER_MAX);
	ck_assert_uint_eq(server.request_len, EXCHANGE_REQUEST_MAX);
	ck_assert_int_eq(exchange_start(h, &to, span_of(big, EXCHANGE_REQUEST_MAX + 1), NS_PER_S,
					on_answer, &answer, &x),
			 -EINVAL);
	end();
}
END_TEST

START_TEST(the_time_limit_ends_with_what_came)
{
	begin();
	uint64_t start = clock_refresh(h);

	server.answer = (const uint8_t *)"half";
	server.answer_len = 4;
	server.keep_open = true;
	ask(1, 300 * NS_PER_MS);
	port_wait(is_answered, NULL, "the time limit");
	ck_assert_uint_ge(answer.at, start + 300 * NS_PER_MS);
	ck_assert_uint_eq(answer.len, 4);
	ck_assert_mem_eq(answer.data, "half", 4);
	end();
}
END_TEST

START_TEST(nobody_there_is_an_empty_answer)
{
	begin();
	const struct addr gone = tcp_local(server.listener);
	struct exchange *x = NULL;

	tcp_close(server.listener);
	server.listener = NULL;
	int r = exchange_start(h, &gone, span_of("x", 1), 300 * NS_PER_MS, on_answer, &answer, &x);
	if (r == 0) { /* or it is known at once */
		port_wait(is_answered, NULL, "the end");
		ck_assert_uint_eq(answer.len, 0);
	}
	end();
}
END_TEST

static bool has_ended(void *ctx)
{
	(void)ctx;
	return server.other_side_ended;
}

START_TEST(a_cancelled_question_says_nothing_more)
{
	begin();
	server.answer = (const uint8_t *)"half";
	server.answer_len = 4;
	server.keep_open = true;
	struct exchange *x = ask(1, 60 * NS_PER_S);
	port_pass(50 * NS_PER_MS);
	exchange_cancel(x);
	exchange_cancel(NULL);
	port_wait(has_ended, NULL, "the end, at the server");
	ck_assert_uint_eq(answer.times, 0);
	end();
}
END_TEST

START_TEST(an_address_has_one_listener)
{
	begin();
	const struct addr at = tcp_local(server.listener);
	struct err err = { 0 };
	struct tcp *second = NULL;
	char text[ADDR_TEXT_MAX];

	ck_assert_int_eq(tcp_listen(h, &at, on_listener, &server, &err, &second), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(err.text, addr_format(&at, text)));
	ck_assert_ptr_null(second);
	tcp_close(server.listener);
	PORT_OK(tcp_listen(h, &at, on_listener, &server, &err, &server.listener));
	end();
}
END_TEST

UNIT_MAIN("port/tcp", a_question_is_answered, the_largest_question_and_answer_pass,
	  the_time_limit_ends_with_what_came, nobody_there_is_an_empty_answer,
	  a_cancelled_question_says_nothing_more, an_address_has_one_listener)
