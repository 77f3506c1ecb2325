/* SPDX-License-Identifier: MIT */
/*
 * Name resolution: literals, /etc/hosts, and (in a namespace, against a name server in the test)
 * what servers answer, or do not.
 */
#include <fcntl.h>
#include <sys/mount.h>

#include "os/resolve.h"
#include "os/udp.h"
#include "os_unit.h"

static struct host *host;

struct answer {
	struct resolve *resolve;
	bool called, cancel_in_fn, in_start;
	int code;
	char text[480];
	struct addr addrs[RESOLVE_MAX];
	size_t n;
};

static void on_answer(void *ctx, const struct err *err, const struct addr *addrs, size_t n)
{
	struct answer *a = ctx;
	ck_assert(!a->called);
	ck_assert(!a->in_start);
	a->called = true;
	a->code = err ? err->code : 0;
	snprintf(a->text, sizeof(a->text), "%s", err ? err->text : "");
	ck_assert(err ? n == 0 && err->code < 0 : n >= 1 && n <= RESOLVE_MAX);
	memcpy(a->addrs, addrs, n * sizeof(*addrs));
	a->n = n;
	if (a->cancel_in_fn)
		resolve_cancel(a->resolve);
	loop_stop(host);
}

static void start(struct answer *a, const char *name, uint64_t timeout)
{
	struct err err = { 0 };
	*a = (struct answer){ .in_start = true };
	int r = resolve_start(host, name, 4433, timeout, on_answer, a, &err, &a->resolve);
	ck_assert_msg(r == 0, "%s", err.text);
	a->in_start = false;
}

static const char *resolve(struct answer *a, const char *name)
{
	static char out[RESOLVE_MAX * ADDR_TEXT_MAX];
	start(a, name, 20 * NS_PER_S);
	os_unit_run(host, name);
	ck_assert(a->called);
	out[0] = '\0';
	for (size_t i = 0; i < a->n; i++) {
		char text[ADDR_TEXT_MAX];
		ck_assert_uint_eq(a->addrs[i].port, 4433);
		strcat(strcat(out, i ? " " : ""), addr_format_ip(&a->addrs[i], text));
	}
	return out;
}

/* ---- without a server ---- */

START_TEST(literals_answer_themselves)
{
	struct answer a;
	host = os_unit_host();
	ck_assert_str_eq(resolve(&a, "192.0.2.7"), "192.0.2.7");
	ck_assert(addr_is_v4(&a.addrs[0]));
	ck_assert_str_eq(resolve(&a, "2001:db8::7"), "2001:db8::7");
	ck_assert_str_eq(resolve(&a, "[2001:db8::7]"), "2001:db8::7");
	host_free(host);
}
END_TEST

START_TEST(localhost_is_known)
{
	struct answer a;
	host = os_unit_host();
	const char *addrs = resolve(&a, "localhost");
	ck_assert_msg(strstr(addrs, "127.0.0.1") || strstr(addrs, "::1"), "%s: %s", addrs, a.text);
	host_free(host);
}
END_TEST

START_TEST(names_that_are_none)
{
	struct answer a = { 0 };
	struct err err = { 0 };
	char name[300];
	host = os_unit_host();
	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	ck_assert_int_eq(resolve_start(host, "", 1, NS_PER_S, on_answer, &a, &err, &a.resolve),
			 -EINVAL);
	ck_assert_int_eq(resolve_start(host, name, 1, NS_PER_S, on_answer, &a, &err, &a.resolve),
			 -EINVAL);
	ck_assert_ptr_null(a.resolve);
	resolve(&a, "two..dots");
	ck_assert_int_lt(a.code, 0);
	name[64] = '\0';
	resolve(&a, name); /* a label has at most 63 */
	ck_assert_int_lt(a.code, 0);
	host_free(host);
}
END_TEST

START_TEST(cancel_at_any_time)
{
	struct answer a;
	host = os_unit_host();
	start(&a, "192.0.2.7", NS_PER_S);
	resolve_cancel(a.resolve);
	start(&a, "localhost", NS_PER_S);
	resolve_cancel(a.resolve);
	resolve_cancel(NULL);
	os_unit_run_for(host, 5 * NS_PER_MS);
	ck_assert(!a.called);
	start(&a, "192.0.2.7", NS_PER_S);
	a.cancel_in_fn = true;
	os_unit_run(host, "the answer");
	ck_assert(a.called);
	host_free(host);
}
END_TEST

/* ---- with a server ---- */

/*
 * What the server says of a name: records of both families, or a response code, or nothing at all.
 */
struct record {
	const char *name;
	unsigned rcode;
	bool silent;
	const char *a[3], *aaaa[3];
};

static const struct record records[] = {
	{ .name = "four.example", .a = { "192.0.2.1" } },
	{ .name = "six.example", .aaaa = { "2001:db8::1" } },
	{ .name = "both.example",
	  .a = { "192.0.2.1", "192.0.2.2", "192.0.2.3" },
	  .aaaa = { "2001:db8::1", "2001:db8::2" } },
	{ .name = "empty.example" },
	{ .name = "broken.example", .rcode = 2 },
	{ .name = "silent.example", .silent = true },
};

struct server {
	struct udp *udp;
	size_t queries;
};

/*
 * "four.example" out of its labels (RFC 1035 section 3.1); returns the length of the encoded form.
 */
static size_t read_name(const uint8_t *q, char *out)
{
	size_t at = 0, len = 0;
	for (; q[at]; at += 1u + q[at]) {
		if (len)
			out[len++] = '.';
		memcpy(out + len, q + at + 1, q[at]);
		len += q[at];
	}
	out[len] = '\0';
	return at + 1;
}

static size_t add_records(uint8_t *out, const char *const *list, uint16_t type)
{
	static const uint8_t head[] = { 0xc0, 12, 0, 0, 0, 1, 0, 0, 0, 60, 0, 0 };
	size_t n = 0, len = type == 1 ? 4 : 16;
	for (; n < 3 && list[n]; n++) {
		uint8_t *r = out + n * (sizeof(head) + len);
		struct addr a;
		ck_assert_int_eq(addr_parse_ip(list[n], &a), 0);
		memcpy(r, head, sizeof(head));
		store_be16(r + 2, type);
		store_be16(r + 10, (uint16_t)len);
		memcpy(r + 12, a.ip + 16 - len, len);
	}
	return n;
}

static void on_query(void *ctx)
{
	struct server *s = ctx;
	struct udp_rx rx;
	char name[256];
	uint8_t out[512] = { 0 };
	if (udp_recv(s->udp, &rx, 1) != 1)
		return;
	s->queries++;
	size_t name_len = read_name(rx.data + 12, name), len = 12 + name_len + 4;
	uint16_t type = load_be16(rx.data + 12 + name_len);
	const struct record *r = NULL;
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		if (strcmp(records[i].name, name) == 0)
			r = &records[i];
	if (r && r->silent)
		return;
	memcpy(out, rx.data, len);
	store_be16(out + 2, (uint16_t)(0x8180 | (r ? r->rcode : 3)));
	memset(out + 6, 0, 6);
	if (r && (type == 1 || type == 28)) {
		size_t n = add_records(out + len, type == 1 ? r->a : r->aaaa, type);
		store_be16(out + 6, (uint16_t)n);
		len += n * (12 + (type == 1 ? 4 : 16));
	}
	struct udp_tx tx = { .data = out, .len = len, .segment = len, .to = rx.from };
	ck_assert_uint_eq(udp_send(s->udp, &tx, 1), 1);
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
}

/* A machine with one name server, 127.0.0.1. */
static bool setup(void)
{
	if (!os_unit_namespace())
		return false;
	if (!os_unit_command("ip link set lo up && mount --make-rprivate /")) {
		os_unit_skip("needs iproute2");
		return false;
	}
	/* A minimal system has no /etc/hosts, over which a file could be mounted. */
	ck_assert_int_eq(mount("tmpfs", "/etc", "tmpfs", 0, NULL), 0);
	write_file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
	write_file("/etc/hosts", "127.0.0.1 localhost\n198.51.100.9 nas.lan nas # a comment\n"
				 "2001:db8::9 nas.lan\n");
	host = os_unit_host();
	return true;
}

static void server_start(struct server *s)
{
	struct udp_config cfg = { .bind = addr_v4(0x7f000001, 53) };
	s->queries = 0;
	ck_assert_int_eq(udp_open(host, &cfg, on_query, s, NULL, &s->udp), 0);
}

START_TEST(hosts_file_comes_first)
{
	if (!setup())
		return;
	struct answer a;
	struct server s;
	server_start(&s);
	const char *addrs = resolve(&a, "NAS.lan");
	ck_assert(strstr(addrs, "198.51.100.9") && strstr(addrs, "2001:db8::9"));
	ck_assert_uint_eq(a.n, 2);
	ck_assert_ptr_nonnull(strstr(resolve(&a, "nas"), "198.51.100.9"));
	ck_assert_uint_eq(s.queries, 0);
	udp_close(s.udp);
	host_free(host);
}
END_TEST

START_TEST(answers_of_a_server)
{
	if (!setup())
		return;
	struct answer a;
	struct server s;
	server_start(&s);
	ck_assert_str_eq(resolve(&a, "four.example"), "192.0.2.1");
	ck_assert_str_eq(resolve(&a, "six.example"), "2001:db8::1");
	resolve(&a, "empty.example");
	ck_assert_int_eq(a.code, -ENOENT);
	ck_assert_ptr_nonnull(strstr(a.text, "empty.example"));
	resolve(&a, "absent.example");
	ck_assert_int_eq(a.code, -ENOENT);
	ck_assert_ptr_nonnull(strstr(a.text, "absent.example"));
	resolve(&a, "broken.example");
	ck_assert_int_lt(a.code, 0);
	ck_assert_uint_gt(s.queries, 0);
	udp_close(s.udp);
	host_free(host);
}
END_TEST

START_TEST(families_take_turns)
{
	if (!setup())
		return;
	struct answer a;
	struct server s;
	server_start(&s);
	resolve(&a, "both.example");
	ck_assert_uint_eq(a.n, 5);
	for (size_t i = 1; i < 4; i++)
		ck_assert(addr_is_v4(&a.addrs[i]) != addr_is_v4(&a.addrs[i - 1]));
	udp_close(s.udp);
	host_free(host);
}
END_TEST

START_TEST(silence_has_an_end)
{
	if (!setup())
		return;
	struct answer a;
	struct server s;
	server_start(&s);
	uint64_t before = clock_refresh(host);
	start(&a, "silent.example", 300 * NS_PER_MS);
	os_unit_run(host, "the timeout");
	ck_assert_int_eq(a.code, -ETIMEDOUT);
	ck_assert(clock_refresh(host) - before >= 300 * NS_PER_MS);
	start(&a, "silent.example", 20 * NS_PER_S);
	os_unit_run_for(host, 20 * NS_PER_MS);
	resolve_cancel(a.resolve); /* while its sockets are open */
	os_unit_run_for(host, 20 * NS_PER_MS);
	ck_assert(!a.called);
	udp_close(s.udp);
	host_free(host);
}
END_TEST

/* Repeated after a loss: the first query of each family falls on deaf ears. */
START_TEST(queries_are_repeated)
{
	if (!setup())
		return;
	struct answer a;
	struct server s;
	struct udp *deaf;
	struct udp_config cfg = { .bind = addr_v4(0x7f000001, 53) };
	ck_assert_int_eq(udp_open(host, &cfg, os_unit_stop, host, NULL, &deaf), 0);
	start(&a, "four.example", 20 * NS_PER_S);
	os_unit_run(host, "the first query");
	udp_close(deaf);
	server_start(&s);
	os_unit_run(host, "the answer to a later one");
	ck_assert(a.called);
	ck_assert_int_eq(a.code, 0);
	udp_close(s.udp);
	host_free(host);
}
END_TEST

START_TEST(no_server_at_all)
{
	if (!setup())
		return;
	struct answer a;
	resolve(&a, "four.example"); /* nobody listens there */
	ck_assert_int_lt(a.code, 0);
	ck_assert_ptr_nonnull(strstr(a.text, "four.example"));
	host_free(host);
}
END_TEST

UNIT_MAIN("os/resolve", literals_answer_themselves, localhost_is_known, names_that_are_none,
	  cancel_at_any_time, hosts_file_comes_first, answers_of_a_server, families_take_turns,
	  silence_has_an_end, queries_are_repeated, no_server_at_all)
