/* SPDX-License-Identifier: MIT */
/* Tests of the simulated world itself: time, processes, files, names, local sockets. */
#include <fcntl.h>
#include <unistd.h>

#include "os/file.h"
#include "os/local.h"
#include "os/loop.h"
#include "os/resolve.h"
#include "sim.h"

struct record {
	struct host *host;
	char text[64];
	uint64_t at[16];
	size_t n;
};

struct mark {
	struct record *record;
	char letter;
	struct timer *timer;
	struct deferred *deferred;
};

static void mark_fire(void *ctx)
{
	struct mark *m = ctx;
	struct record *r = m->record;

	ck_assert_uint_lt(r->n, ARRAY_LEN(r->at));
	r->at[r->n] = clock_now(r->host);
	r->text[r->n++] = m->letter;
}

START_TEST(timers_fire_in_the_order_of_time_then_of_setting)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct record r = { .host = h };
	struct mark m[6];
	static const uint64_t at_ms[] = { 30, 10, 20, 10, 20, 10 };

	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = (struct mark){ .record = &r, .letter = (char)('a' + i) };
		m[i].timer = timer_new(h, mark_fire, &m[i]);
		ck_assert(!timer_is_set(m[i].timer));
		timer_set(m[i].timer, clock_now(h) + at_ms[i] * NS_PER_MS);
		ck_assert(timer_is_set(m[i].timer));
	}
	timer_set(m[3].timer, TIME_NEVER);
	timer_set(m[1].timer, clock_now(h) + 10 * NS_PER_MS); /* now set after f */
	ck_assert(!timer_is_set(m[3].timer));
	sim_pass(w, NS_PER_S);
	ck_assert_str_eq(r.text, "fbcea");
	ck_assert_uint_eq(r.at[0], WORLD_START_NS + 10 * NS_PER_MS);
	ck_assert_uint_eq(r.at[4], WORLD_START_NS + 30 * NS_PER_MS);
	ck_assert_uint_eq(clock_now(h), WORLD_START_NS + NS_PER_S);
	ck_assert_int_eq(clock_wall_s(h), 1800000000 + 1001);
	timer_set(m[0].timer, 5); /* long past: at once, but not from within timer_set */
	ck_assert_uint_eq(r.n, 5);
	sim_pass(w, 0);
	ck_assert_uint_eq(r.n, 6);
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		timer_free(m[i].timer);
	timer_free(NULL);
	world_free(w);
}
END_TEST

static void free_itself(void *ctx)
{
	struct mark *m = ctx;

	mark_fire(m);
	timer_free(m->timer);
	m->timer = NULL;
}

START_TEST(a_timer_may_free_itself)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct record r = { .host = h };
	struct mark m = { .record = &r, .letter = 'x' };

	m.timer = timer_new(h, free_itself, &m);
	timer_set_in(m.timer, 1);
	sim_pass(w, 1);
	ck_assert_str_eq(r.text, "x");
	ck_assert_ptr_null(m.timer);
	world_free(w);
}
END_TEST

static void call_deferred(void *ctx)
{
	struct mark *m = ctx;

	deferred_call(m->deferred);
	deferred_call(m->deferred);
	m->record->text[m->record->n++] = '(';
}

START_TEST(deferred_calls_run_once_after_the_callback_before_anything_else)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct record r = { .host = h };
	struct mark m = { .record = &r, .letter = 'd' }, other = { .record = &r, .letter = 't' };

	m.deferred = deferred_new(h, mark_fire, &m);
	m.timer = timer_new(h, call_deferred, &m);
	other.timer = timer_new(h, mark_fire, &other);
	timer_set_in(m.timer, 1);
	timer_set_in(other.timer, 1);
	sim_pass(w, 1);
	ck_assert_str_eq(r.text, "(dt");
	deferred_call(m.deferred);
	deferred_free(m.deferred); /* pending: never runs */
	sim_pass(w, 1);
	ck_assert_str_eq(r.text, "(dt");
	timer_free(m.timer);
	timer_free(other.timer);
	world_free(w);
}
END_TEST

static bool record_has_two(void *ctx)
{
	return ((struct record *)ctx)->n == 2;
}

START_TEST(running_stops_as_soon_as_it_is_done)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct record r = { .host = h };
	struct mark m[3];

	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = (struct mark){ .record = &r, .letter = 'x' };
		m[i].timer = timer_new(h, mark_fire, &m[i]);
		timer_set_in(m[i].timer, (i + 1) * NS_PER_S);
	}
	ck_assert(!world_run(w, NS_PER_S, record_has_two, &r));
	ck_assert(world_run(w, 9 * NS_PER_S, record_has_two, &r));
	ck_assert_uint_eq(world_now(w), WORLD_START_NS + 2 * NS_PER_S);
	ck_assert(world_run(w, NS_PER_S, record_has_two, &r)); /* is done: nothing runs */
	ck_assert_uint_eq(world_now(w), WORLD_START_NS + 2 * NS_PER_S);
	for (size_t i = 0; i < ARRAY_LEN(m); i++)
		timer_free(m[i].timer);
	world_free(w);
}
END_TEST

/* A little world with loss and jitter; returns its digest. */
static uint64_t story(uint64_t seed, bool further_host)
{
	struct world *w = world_new(seed);
	struct host *a = world_host(w, "a", IP(192, 0, 2, 1));
	struct host *b = world_host(w, "b", IP(192, 0, 2, 2));
	struct sim_sink from, to;
	uint8_t data[100];
	uint64_t digest;

	if (further_host)
		(void)world_host(w, "c", IP(192, 0, 2, 3));
	world_link_both(w, a, b,
			(struct link_params){
				.delay_ns = NS_PER_MS, .loss = 0.2, .jitter_ns = NS_PER_MS });
	sim_sink_open(&from, a, 1000);
	sim_sink_open(&to, b, 2000);
	to.echo = true;
	for (int i = 0; i < 50; i++) {
		random_fill(a, data, sizeof(data));
		sim_sink_send(&from, addr_v4(IP(192, 0, 2, 2), 2000), data, sizeof(data));
		sim_pass(w, NS_PER_MS);
	}
	sim_pass(w, NS_PER_S);
	ck_assert_uint_gt(from.datagrams, 15);
	ck_assert_uint_lt(from.datagrams, 50);
	udp_close(from.udp);
	udp_close(to.udp);
	digest = world_digest(w);
	world_free(w);
	return digest;
}

START_TEST(the_digest_is_equal_for_equal_seeds_only)
{
	ck_assert_uint_eq(story(1, false), story(1, false));
	ck_assert_uint_eq(story(2, false), story(2, false));
	ck_assert_uint_ne(story(1, false), story(2, false));
	ck_assert_uint_ne(story(1, false), story(1ull << 40, false));
	/* A further machine does not disturb what the others do. */
	ck_assert_uint_eq(story(1, false), story(1, true));
}
END_TEST

START_TEST(randomness_is_each_machines_own_and_fair)
{
	struct world *w = world_new(5), *again = world_new(5);
	struct host *a = world_host(w, "a", 0), *b = world_host(w, "b", 0);
	struct host *b2 = world_host(again, "b", 0);
	uint8_t x[33], y[33], z[33];
	size_t hits[3] = { 0 };

	random_fill(a, x, sizeof(x));
	random_fill(b, y, sizeof(y));
	random_fill(b2, z, sizeof(z));
	ck_assert_mem_ne(x, y, sizeof(x));
	ck_assert_mem_eq(y, z, sizeof(y));
	ck_assert_uint_ne(random_u64(a), random_u64(a));
	for (int i = 0; i < 3000; i++) {
		uint64_t v = random_below(a, 3);

		ck_assert_uint_lt(v, 3);
		hits[v]++;
	}
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_gt(hits[i], 900);
	world_free(w);
	world_free(again);
}
END_TEST

START_TEST(nothing_of_a_crashed_process_is_called_again)
{
	struct world *w = sim_new();
	struct host *a = world_host(w, "a", IP(192, 0, 2, 1)), *again;
	struct host *b = world_host(w, "b", IP(192, 0, 2, 2));
	struct addr to_a = addr_v4(IP(192, 0, 2, 1), 7), to_b = addr_v4(IP(192, 0, 2, 2), 7);
	struct sim_sink old, fresh, peer;
	struct record r = { .host = a };
	struct mark m = { .record = &r, .letter = 'x' };

	sim_sink_open(&old, a, 7);
	sim_sink_open(&peer, b, 7);
	m.timer = timer_new(a, mark_fire, &m);
	m.deferred = deferred_new(a, mark_fire, &m);
	timer_set_in(m.timer, 1);
	sim_sink_send(&peer, to_a, "x", 1);
	deferred_call(m.deferred);
	world_host_crash(a);
	world_host_crash(a); /* dead already */
	ck_assert(!world_host_alive(a));
	deferred_call(m.deferred);
	timer_set_in(m.timer, 1);
	ck_assert(!timer_is_set(m.timer));
	sim_sink_send(&old, to_b, "ghost", 5);
	sim_pass(w, NS_PER_S);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_uint_eq(old.datagrams, 0);
	ck_assert_uint_eq(peer.datagrams, 0);

	/* The port is free for the next one, although the old handle is still there. */
	again = world_host_boot(a);
	ck_assert(world_host_alive(again));
	sim_sink_open(&fresh, again, 7);
	sim_sink_send(&peer, to_a, "y", 1);
	sim_sink_send(&fresh, to_b, "z", 1);
	sim_pass(w, NS_PER_S);
	ck_assert_uint_eq(fresh.datagrams, 1);
	ck_assert_uint_eq(peer.datagrams, 1);
	ck_assert_uint_eq(old.datagrams, 0);
	udp_close(old.udp);
	udp_close(fresh.udp);
	udp_close(peer.udp);
	timer_free(m.timer);
	deferred_free(m.deferred);
	world_free(w);
}
END_TEST

START_TEST(a_suspended_machine_stands_still_while_its_clock_runs)
{
	struct world *w = sim_new();
	struct host *a = world_host(w, "a", IP(192, 0, 2, 1));
	struct host *b = world_host(w, "b", IP(192, 0, 2, 2));
	struct sim_sink sink, peer;
	struct record r = { .host = a };
	struct mark early = { .record = &r, .letter = 'e' }, late = { .record = &r, .letter = 'l' };
	struct mark gone = { .record = &r, .letter = 'g' };

	sim_sink_open(&sink, a, 7);
	sim_sink_open(&peer, b, 7);
	late.timer = timer_new(a, mark_fire, &late);
	early.timer = timer_new(a, mark_fire, &early);
	gone.timer = timer_new(a, mark_fire, &gone);
	timer_set_in(late.timer, 2 * NS_PER_S);
	timer_set_in(early.timer, NS_PER_S);
	timer_set_in(gone.timer, NS_PER_S);
	world_host_suspend(a);
	sim_sink_send(&peer, addr_v4(IP(192, 0, 2, 1), 7), "x", 1);
	sim_pass(w, 10 * NS_PER_S);
	ck_assert_uint_eq(r.n, 0);
	ck_assert_uint_eq(sink.datagrams, 0);
	ck_assert(timer_is_set(early.timer));
	timer_free(gone.timer); /* while it is held back */
	world_host_resume(a);
	sim_pass(w, 0);
	ck_assert_str_eq(r.text, "el");
	ck_assert_uint_eq(r.at[0], WORLD_START_NS + 10 * NS_PER_S);
	sim_sink_send(&peer, addr_v4(IP(192, 0, 2, 1), 7), "y", 1);
	sim_pass(w, NS_PER_S);
	ck_assert_uint_eq(sink.datagrams, 1);
	timer_free(early.timer);
	timer_free(late.timer);
	udp_close(sink.udp);
	udp_close(peer.udp);
	world_free(w);
}
END_TEST

static void stop_loop(void *ctx)
{
	loop_stop(ctx);
}

START_TEST(loop_run_runs_the_world_until_the_host_stops)
{
	struct world *w = sim_new();
	struct host *a = world_host(w, "a", IP(192, 0, 2, 1));
	struct timer *t = timer_new(a, stop_loop, a);
	struct signal_watch *s = signal_watch_new(a, 15, stop_loop, a);

	timer_set_in(t, 3 * NS_PER_S);
	ck_assert_int_eq(loop_run(a), 0);
	ck_assert(world_host_stopped(a));
	ck_assert_uint_eq(world_now(w), WORLD_START_NS + 3 * NS_PER_S);
	ck_assert_int_eq(clock_wall_s(a), 1800001003);
	world_host_wall_skew(a, -3600);
	ck_assert_int_eq(clock_wall_s(a), 1799997403);
	world_host_signal(a, 2);
	world_host_signal(a, 15);
	ck_assert_int_eq(loop_run(a), 0);
	ck_assert_uint_eq(world_now(w), WORLD_START_NS + 3 * NS_PER_S);
	timer_free(t);
	signal_watch_free(s);
	world_free(w);
}
END_TEST

static void append_name(void *ctx, const char *name)
{
	strcat(strcat(ctx, name), " ");
}

static void check_content(struct host *h, const char *path, const char *text)
{
	struct buf b;

	ck_assert_int_eq(file_read(h, path, 100, NULL, &b), 0);
	ck_assert_uint_eq(b.len, strlen(text));
	ck_assert_str_eq((const char *)b.data, text);
	buf_free(&b);
}

START_TEST(files_survive_a_crash)
{
	struct world *w = sim_new();
	struct host *a = world_host(w, "a", 0), *b = world_host(w, "b", 0);
	struct err err;
	struct buf buf;
	char names[64] = "";

	ck_assert_int_eq(file_write(a, "/var/lib/mlsh/x", "1", 1, 0600, &err), -ENOENT);
	ck_assert_int_eq(dir_make(a, "/var/lib/mlsh/deep/er", 0700, NULL), 0);
	ck_assert_int_eq(world_file_mode(a, "/var/lib/mlsh/deep"), 0700);
	ck_assert_int_eq(world_file_mode(a, "/var/lib"), 0755);
	ck_assert_int_eq(file_write(a, "/var/lib/mlsh/x", "one", 3, 0600, NULL), 0);
	ck_assert_int_eq(file_create(a, "/var/lib/mlsh/x", "two", 3, 0600, NULL), -EEXIST);
	ck_assert_int_eq(file_create(a, "/var/lib/mlsh/a", "", 0, 0644, NULL), 0);
	ck_assert_int_eq(file_write(a, "/var/lib/mlsh/deep/z", "zz", 2, 0644, NULL), 0);
	ck_assert_int_eq(file_write(a, "/var/lib/mlsh/deep", "zz", 2, 0644, NULL), -EISDIR);
	ck_assert_int_eq(dir_make(a, "/var/lib/mlsh/x/y", 0700, NULL), -ENOTDIR);

	world_host_disk_full(a, true);
	ck_assert_int_eq(file_write(a, "/var/lib/mlsh/x", "lost", 4, 0600, NULL), -ENOSPC);
	world_host_disk_full(a, false);
	world_host_crash(a);
	ck_assert_int_eq(file_write(a, "/var/lib/mlsh/x", "ghost", 5, 0600, NULL), 0);
	a = world_host_boot(a);
	check_content(a, "/var/lib/mlsh/x", "one");
	check_content(a, "/var/lib/mlsh/a", "");
	ck_assert_int_eq(world_file_mode(a, "/var/lib/mlsh/x"), 0600);
	ck_assert_int_eq(file_read(a, "/var/lib/mlsh/x", 2, &err, &buf), -EFBIG);
	ck_assert_int_eq(file_read(b, "/var/lib/mlsh/x", 9, &err, &buf), -ENOENT);
	ck_assert_int_eq(dir_list(a, "/var/lib/mlsh", append_name, names, NULL), 0);
	ck_assert_str_eq(names, "a x ");
	ck_assert_int_eq(dir_list(a, "/nowhere", append_name, names, NULL), 0);
	ck_assert_int_eq(file_remove(a, "/var/lib/mlsh/x"), 0);
	ck_assert_int_eq(file_remove(a, "/var/lib/mlsh/x"), -ENOENT);
	ck_assert_int_eq(file_forget(a, "/var/lib/mlsh/x"), 0);
	ck_assert_int_eq(dir_remove(a, "/var/lib/mlsh/deep"), -ENOTEMPTY);
	ck_assert_int_eq(dir_remove(a, "/var/lib/mlsh/deep/er"), 0);
	ck_assert_int_eq(dir_remove(a, "/var/lib/mlsh/deep"), -ENOTEMPTY);
	ck_assert_int_eq(file_forget(a, "/var/lib/mlsh/deep/z"), 0);
	ck_assert_int_eq(dir_remove(a, "/var/lib/mlsh/deep"), 0);
	ck_assert_int_eq(dir_remove(a, "/var/lib/mlsh/deep"), -ENOENT);
	ck_assert(!file_exists(a, "/var/lib/mlsh/x"));
	ck_assert(file_exists(a, "/var/lib/mlsh/a"));
	world_free(w);
}
END_TEST

struct answer {
	int calls, code;
	struct addr addrs[RESOLVE_MAX];
	size_t n;
};

static void answer_take(void *ctx, const struct err *err, const struct addr *addrs, size_t n)
{
	struct answer *a = ctx;

	a->calls++;
	a->code = err ? err->code : 0;
	a->n = n;
	for (size_t i = 0; i < n; i++)
		a->addrs[i] = addrs[i];
}

static struct answer ask(struct world *w, struct host *h, const char *name)
{
	struct answer a = { 0 };
	struct resolve *r;

	ck_assert_int_eq(resolve_start(h, name, 7001, 2 * NS_PER_S, answer_take, &a, NULL, &r), 0);
	ck_assert_int_eq(a.calls, 0);
	sim_pass(w, 5 * NS_PER_S);
	ck_assert_int_eq(a.calls, 1);
	return a;
}

START_TEST(names_resolve_interleaved_fail_and_run_into_the_limit)
{
	struct world *w = sim_new();
	struct host *h = world_host(w, "a", IP(192, 0, 2, 1));
	struct addr v4[2] = { addr_v4(IP(192, 0, 2, 9), 0), addr_v4(IP(192, 0, 2, 10), 0) }, v6;
	struct answer a;
	struct resolve *r;

	ck_assert_int_eq(addr_parse_ip("2001:db8::9", &v6), 0);
	ck_assert_int_eq(world_dns_set(w, "signal.example", &v4[0]), 0);
	ck_assert_int_eq(world_dns_set(w, "signal.example", &v4[1]), 0);
	ck_assert_int_eq(world_dns_set(w, "signal.example", &v6), 0);
	a = ask(w, h, "Signal.Example");
	ck_assert_uint_eq(a.n, 3);
	ck_assert(addr_same_ip(&a.addrs[0], &v6) && addr_same_ip(&a.addrs[1], &v4[0]));
	ck_assert(addr_same_ip(&a.addrs[2], &v4[1]));
	ck_assert_uint_eq(a.addrs[2].port, 7001);
	a = ask(w, h, "2001:db8::9");
	ck_assert(a.n == 1 && addr_same_ip(&a.addrs[0], &v6) && a.addrs[0].port == 7001);
	ck_assert_int_eq(ask(w, h, "other.example").code, -ENOENT);
	world_dns_down(w, true);
	ck_assert_int_eq(ask(w, h, "signal.example").code, -ETIMEDOUT);
	ck_assert_int_eq(ask(w, h, "192.0.2.9").code, 0);
	world_dns_down(w, false);
	world_dns_del(w, "signal.example");
	ck_assert_int_eq(ask(w, h, "signal.example").code, -ENOENT);

	a = (struct answer){ 0 };
	ck_assert_int_eq(resolve_start(h, "x", 1, NS_PER_S, answer_take, &a, NULL, &r), 0);
	resolve_cancel(r);
	resolve_cancel(NULL);
	ck_assert_int_eq(resolve_start(h, "", 1, NS_PER_S, answer_take, &a, NULL, &r), -EINVAL);
	sim_pass(w, NS_PER_S);
	ck_assert_int_eq(a.calls, 0);
	world_free(w);
}
END_TEST

/* One end of a local connection. */
struct end {
	struct host *host;
	struct local_conn *conn;
	char got[64];
	int closed;
};

static void end_message(void *ctx, struct local_conn *c, struct span m)
{
	struct end *e = ctx;

	ck_assert_ptr_eq(e->conn, c);
	strncat(e->got, (const char *)m.data, m.len);
}

static void end_closed(void *ctx, struct local_conn *c)
{
	struct end *e = ctx;

	ck_assert_ptr_eq(e->conn, c);
	e->closed++;
}

static const struct local_limits few = { .conns = 8, .of_user = 8 };
static const struct local_ops end_ops = { .message = end_message, .closed = end_closed };

static void *end_accepted(void *ctx, struct local_conn *c)
{
	struct end *e = ctx;

	e->conn = c;
	return e;
}

START_TEST(local_sockets_carry_messages_and_credentials)
{
	struct world *w = sim_new();
	struct host *daemon = world_host(w, "a", 0), *user = world_host_boot(daemon);
	struct host *elsewhere = world_host(w, "b", 0);
	struct end server = { .host = daemon }, client = { .host = user };
	struct local_listener *l, *second;

	world_host_user(user, 1000, 100);
	world_group_add(user, "mlsh", 50, 1000);
	ck_assert_int_eq(local_connect(user, "/run/s", &end_ops, &client, NULL, &client.conn),
			 -ENOENT);
	ck_assert_int_eq(local_listen(daemon, "/run/s", few, &end_ops, end_accepted, &server, NULL,
				      &l),
			 0);
	ck_assert_int_eq(local_listen(user, "/run/s", few, &end_ops, end_accepted, NULL, NULL,
				      &second),
			 -EADDRINUSE);
	ck_assert_int_eq(local_connect(elsewhere, "/run/s", &end_ops, NULL, NULL, &client.conn),
			 -ENOENT);
	ck_assert_int_eq(local_connect(user, "/run/s", &end_ops, &client, NULL, &client.conn), 0);
	ck_assert_int_eq(local_send(client.conn, "one,", 4), 0);
	ck_assert_int_eq(local_send(client.conn, "two", 3), 0);
	ck_assert_str_eq(server.got, "");
	sim_pass(w, 1);
	ck_assert_str_eq(server.got, "one,two");
	ck_assert_uint_eq(user_number(local_conn_user(server.conn)), 1000);
	ck_assert(local_conn_in_group(server.conn, "mlsh"));
	ck_assert(!local_conn_in_group(server.conn, "wheel"));
	ck_assert(user_is_admin(local_conn_user(client.conn)));

	/* What was sent before the end arrives before the end. */
	ck_assert_int_eq(local_send(server.conn, "bye", 3), 0);
	local_listener_close(l);
	sim_pass(w, 1);
	ck_assert_str_eq(client.got, "bye");
	ck_assert_int_eq(client.closed, 1);
	ck_assert_int_eq(local_send(client.conn, "x", 1), -EPIPE);
	local_conn_close(client.conn);
	world_free(w);
}
END_TEST

START_TEST(local_sockets_notice_the_crash_of_the_other_process)
{
	struct world *w = sim_new();
	struct host *daemon = world_host(w, "a", 0), *user = world_host_boot(daemon);
	struct end server = { .host = daemon }, client = { .host = user };
	struct local_listener *l;
	int rc = 0, sent = 0;

	ck_assert_int_eq(local_listen(daemon, "/run/s", few, &end_ops, end_accepted, &server, NULL,
				      &l),
			 0);
	ck_assert_int_eq(local_connect(user, "/run/s", &end_ops, &client, NULL, &client.conn), 0);
	sim_pass(w, 1);
	for (; rc == 0 && sent < 10000; sent++)
		rc = local_send(client.conn, "x", 1);
	ck_assert_int_ge(sent, 256);
	ck_assert_int_eq(rc, -ENOBUFS);
	world_host_crash(daemon);
	sim_pass(w, 1);
	ck_assert_int_eq(client.closed, 1);
	ck_assert_int_eq(server.closed, 0);
	ck_assert_str_eq(server.got, "");
	ck_assert_int_eq(local_send(server.conn, "x", 1), 0); /* vanishes */
	local_conn_close(client.conn);
	local_listener_close(l);
	world_free(w);
}
END_TEST

UNIT_MAIN("sim/os", timers_fire_in_the_order_of_time_then_of_setting, a_timer_may_free_itself,
	  deferred_calls_run_once_after_the_callback_before_anything_else,
	  running_stops_as_soon_as_it_is_done, the_digest_is_equal_for_equal_seeds_only,
	  randomness_is_each_machines_own_and_fair, nothing_of_a_crashed_process_is_called_again,
	  a_suspended_machine_stands_still_while_its_clock_runs,
	  loop_run_runs_the_world_until_the_host_stops, files_survive_a_crash,
	  names_resolve_interleaved_fail_and_run_into_the_limit,
	  local_sockets_carry_messages_and_credentials,
	  local_sockets_notice_the_crash_of_the_other_process)
