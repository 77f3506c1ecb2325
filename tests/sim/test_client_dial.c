/* SPDX-License-Identifier: MIT */
/* Reaching a server with several addresses, of which some are dead, slow, or somebody else's. */
#include "hostile_kit.h"
#include "client/dial.h"
#include "client/refuse.h"

#define NAME "many.example.net"

struct dialler {
	struct kit k;
	struct kit_node *n;
	struct identity *id;
	struct quic_socket *socket;
	struct dial *dial;
	struct dial_params p;
	/* how it ended */
	bool ended;
	struct err err;
	struct quic_conn *conn;
	struct addr to;
	uint64_t began, took;
	unsigned lines;
};

static void on_conn(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	(void)ctx, (void)c, (void)ev;
}

static void on_dialled(void *ctx, const struct err *err, struct quic_conn *conn,
		       const struct addr *to)
{
	static const struct quic_conn_ops ops = { .event = on_conn };
	struct dialler *d = ctx;
	struct addr remote;

	ck_assert(!d->ended);
	d->ended = true;
	d->took = world_now(d->k.w) - d->began;
	dial_free(d->dial);
	d->dial = NULL;
	if (err) {
		d->err = *err;
		return;
	}
	d->conn = conn;
	d->to = *to;
	ck_assert(quic_conn_remote_addr(conn, &remote));
	ck_assert(addr_equal(&remote, to));
	quic_conn_set_owner(conn, &ops, d);
}

static void on_line(void *ctx, const char *line)
{
	ck_assert_uint_gt(strlen(line), 5);
	((struct dialler *)ctx)->lines++;
}

static void dialler_open(struct dialler *d)
{
	struct quic_socket_config cfg = { .max_conns = 16 };

	memset(d, 0, sizeof(*d));
	kit_world_open(&d->k);
	d->n = kit_node(&d->k, "nas");
	SIM_CHECK_OK(d->k.w, identity_new(d->n->host, NULL, &d->id));
	cfg.identity = d->id;
	SIM_CHECK_OK(d->k.w, quic_socket_open(d->n->host, &cfg, NULL, &d->socket));
	d->p = (struct dial_params){
		.socket = d->socket,
		.host = NAME,
		.port = KIT_PORT,
		.pin.by_cert = true,
		.dns_timeout = 3 * NS_PER_S,
		.timeout = 10 * NS_PER_S,
		.progress = on_line,
		.progress_ctx = d,
	};
	memcpy(d->p.pin.cert_sha256, d->k.cert, HASH_LEN);
}

static bool has_ended(void *ctx)
{
	return ((struct dialler *)ctx)->ended;
}

static void dial(struct dialler *d)
{
	quic_conn_free(d->conn);
	d->conn = NULL;
	d->ended = false;
	d->err = (struct err){ 0 };
	d->began = world_now(d->k.w);
	SIM_CHECK_OK(d->k.w, dial_start(d->n->host, &d->p, on_dialled, d, NULL, &d->dial));
	ck_assert(!d->ended);
	SIM_CHECK(d->k.w, world_run(d->k.w, 12 * NS_PER_S, has_ended, d));
}

static void dialler_close(struct dialler *d)
{
	quic_conn_free(d->conn);
	dial_free(d->dial);
	quic_socket_close(d->socket);
	identity_free(d->id);
	kit_world_close(&d->k);
}

static void name(struct dialler *d, struct addr a)
{
	SIM_CHECK_OK(d->k.w, world_dns_set(d->k.w, NAME, &a));
}

static void set_links(struct dialler *d, struct link_params p)
{
	world_link(d->k.w, d->n->host, d->k.server_host, p);
	world_link(d->k.w, d->k.server_host, d->n->host, p);
}

static struct addr dead6(uint8_t last)
{
	uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = last };

	return addr_v6(ip, 0);
}

START_TEST(dead_addresses_cost_little)
{
	struct dialler d;

	dialler_open(&d);
	name(&d, dead6(1));
	name(&d, dead6(2));
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	dial(&d);
	ck_assert_ptr_nonnull(d.conn);
	ck_assert_uint_eq(addr_ip4(&d.to), KIT_SERVER_IP);
	ck_assert_uint_eq(d.to.port, KIT_PORT);
	ck_assert_uint_lt(d.took, 2 * DIAL_STAGGER + 200 * NS_PER_MS);
	ck_assert_uint_ge(d.lines, 2);
	dialler_close(&d);
}
END_TEST

START_TEST(a_working_first_address_is_the_only_one)
{
	struct dialler d;

	dialler_open(&d);
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	name(&d, addr_v4(IP(192, 0, 2, 200), 0));
	dial(&d);
	ck_assert_ptr_nonnull(d.conn);
	ck_assert_uint_lt(d.took, DIAL_STAGGER);
	ck_assert_uint_eq(quic_socket_stats_get(d.socket).conns, 1);
	dialler_close(&d);
}
END_TEST

START_TEST(anothers_address_is_passed_over)
{
	struct dialler d;
	struct evil e;

	dialler_open(&d);
	evil_open(&e, d.k.w);
	name(&d, addr_v4(IP(192, 0, 2, 66), 0));
	dial(&d);
	ck_assert_ptr_null(d.conn);
	ck_assert_int_eq(d.err.reason, REFUSAL_FINGERPRINT);
	ck_assert_uint_eq(e.requests[SIGNAL_HELLO], 0);
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	dial(&d);
	ck_assert_ptr_nonnull(d.conn);
	ck_assert_uint_eq(addr_ip4(&d.to), KIT_SERVER_IP);
	/* At once after the refusal, not with the next turn. */
	ck_assert_uint_lt(d.took, DIAL_STAGGER);
	quic_socket_close(e.socket);
	identity_free(e.id);
	dialler_close(&d);
}
END_TEST

START_TEST(last_good_address_does_not_wait_for_dns)
{
	struct dialler d;

	dialler_open(&d);
	world_dns_down(d.k.w, true);
	d.p.last_good = addr_v4(KIT_SERVER_IP, KIT_PORT);
	dial(&d);
	ck_assert_ptr_nonnull(d.conn);
	ck_assert_uint_lt(d.took, 200 * NS_PER_MS);
	/* A stale one does not hinder. */
	world_dns_down(d.k.w, false);
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	d.p.last_good = addr_v4(IP(192, 0, 2, 201), KIT_PORT);
	dial(&d);
	ck_assert_ptr_nonnull(d.conn);
	ck_assert_uint_lt(d.took, 2 * DIAL_STAGGER);
	dialler_close(&d);
}
END_TEST

START_TEST(failures_come_in_time_and_say_why)
{
	struct dialler d;

	dialler_open(&d);
	dial(&d); /* no such name */
	ck_assert_int_eq(d.err.reason, REFUSAL_UNREACHABLE);
	ck_assert_ptr_nonnull(strstr(d.err.text, NAME));
	ck_assert_uint_lt(d.took, 4 * NS_PER_S);

	world_dns_down(d.k.w, true);
	dial(&d);
	ck_assert_int_eq(d.err.reason, REFUSAL_UNREACHABLE);
	ck_assert_uint_lt(d.took, 4 * NS_PER_S);
	world_dns_down(d.k.w, false);

	for (uint8_t i = 1; i <= 12; i++) /* more than are tried */
		name(&d, dead6(i));
	dial(&d);
	ck_assert_int_eq(d.err.reason, REFUSAL_UNREACHABLE);
	ck_assert_ptr_nonnull(strstr(d.err.text, "2001:db8::1"));
	ck_assert_ptr_nonnull(strstr(d.err.text, "UDP port 4433"));
	ck_assert_uint_ge(d.took, 10 * NS_PER_S);
	ck_assert_uint_le(d.took, 10 * NS_PER_S + 100 * NS_PER_MS);
	ck_assert_uint_eq(quic_socket_stats_get(d.socket).conns, 0);
	dialler_close(&d);
}
END_TEST

/* Whatever the kernel refuses is no fault of the server's, and waiting for it is of no use. */
START_TEST(what_the_kernel_refuses_is_said_at_once)
{
	struct dialler d;
	struct addr own;

	dialler_open(&d);
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	world_host_mtu(d.n->host, 1200);
	dial(&d);
	ck_assert_int_eq(d.err.reason, REFUSAL_UNREACHABLE);
	ck_assert_int_eq(d.err.code, -EMSGSIZE);
	ck_assert(refuse_is_local(&d.err));
	ck_assert_ptr_nonnull(strstr(d.err.text, "this machine cannot send"));
	ck_assert_ptr_nonnull(strstr(d.err.text, "MTU"));
	ck_assert_ptr_null(strstr(d.err.text, "firewalls"));
	ck_assert_uint_lt(d.took, 100 * NS_PER_MS);
	world_host_mtu(d.n->host, 1500);
	dial(&d);
	ck_assert_ptr_nonnull(d.conn);

	own = addr_v4(IP(198, 51, 100, 11), 0);
	SIM_CHECK_OK(d.k.w, world_host_addr_del(d.n->host, &own));
	d.p.last_good = addr_v4(KIT_SERVER_IP, KIT_PORT);
	dial(&d);
	ck_assert_int_eq(d.err.reason, REFUSAL_UNREACHABLE);
	ck_assert_int_eq(d.err.code, -ENETUNREACH);
	ck_assert_ptr_nonnull(strstr(d.err.text, "no route to that IPv4 address"));
	ck_assert_uint_lt(d.took, 4 * NS_PER_S); /* the name had to be resolved */
	dialler_close(&d);
}
END_TEST

/* The first packets of one handshake go out after 0, 1, 3 and 7 s: too few. */
START_TEST(a_server_that_comes_up_late_is_found_in_time)
{
	static const uint64_t late[] = { 1100, 3100, 5200, 7500, 8900 };
	struct dialler d;

	dialler_open(&d);
	d.p.again = 2 * NS_PER_S;
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	for (size_t i = 0; i < ARRAY_LEN(late); i++) {
		struct link_params cut = { .delay_ns = 5 * NS_PER_MS, .loss = 1 };

		quic_conn_free(d.conn);
		d.conn = NULL;
		d.ended = false;
		d.began = world_now(d.k.w);
		set_links(&d, cut);
		SIM_CHECK_OK(d.k.w, dial_start(d.n->host, &d.p, on_dialled, &d, NULL, &d.dial));
		sim_pass(d.k.w, late[i] * NS_PER_MS);
		ck_assert(!d.ended);
		set_links(&d, LINK_DEFAULT);
		SIM_CHECK(d.k.w, world_run(d.k.w, 12 * NS_PER_S, has_ended, &d));
		ck_assert_msg(d.conn, "%s", d.err.text);
		printf("up after %llu ms: found after %llu\n", (unsigned long long)late[i],
		       (unsigned long long)(d.took / NS_PER_MS));
		ck_assert_uint_le(d.took, late[i] * NS_PER_MS + 1100 * NS_PER_MS);
	}
	dialler_close(&d);
}
END_TEST

/* A path that is slower than the gap: the connection that has begun already goes on. */
START_TEST(a_slow_path_is_not_given_up_for_another_try)
{
	struct dialler d;

	dialler_open(&d);
	d.p.again = 2 * NS_PER_S;
	name(&d, addr_v4(KIT_SERVER_IP, 0));
	set_links(&d, (struct link_params){ .delay_ns = 800 * NS_PER_MS, .mtu_bytes = 1500 });
	dial(&d);
	ck_assert_msg(d.conn, "%s", d.err.text);
	ck_assert_uint_lt(d.took, 4 * NS_PER_S);
	dialler_close(&d);
}
END_TEST

/* Given up at any moment: nothing is called, nothing leaks. */
START_TEST(given_up_at_any_moment)
{
	struct dialler d;

	for (uint64_t ms = 0; ms < 600; ms += 7) {
		dialler_open(&d);
		name(&d, dead6(1));
		name(&d, addr_v4(KIT_SERVER_IP, 0));
		SIM_CHECK_OK(d.k.w, dial_start(d.n->host, &d.p, on_dialled, &d, NULL, &d.dial));
		sim_pass(d.k.w, ms * NS_PER_MS);
		dial_free(d.dial);
		d.dial = NULL;
		if (!d.ended) {
			sim_pass(d.k.w, 15 * NS_PER_S);
			ck_assert(!d.ended);
			ck_assert_uint_eq(quic_socket_stats_get(d.socket).conns, 0);
		}
		dialler_close(&d);
	}
}
END_TEST

UNIT_MAIN("client/dial", dead_addresses_cost_little, a_working_first_address_is_the_only_one,
	  anothers_address_is_passed_over, last_good_address_does_not_wait_for_dns,
	  failures_come_in_time_and_say_why, what_the_kernel_refuses_is_said_at_once,
	  a_server_that_comes_up_late_is_found_in_time, a_slow_path_is_not_given_up_for_another_try,
	  given_up_at_any_moment)
