/* SPDX-License-Identifier: MIT */
/* What people and service managers do in a mesh whose calls fail. */
#include "play.h"

#include <stdarg.h>
#include <unistd.h>

#include "client/follow.h"
#include "identity/identity.h"
#include "os/sim/sim.h"
#include "os/sim/stream.h"
#include "tund/dns_tcp.h"

#define TRIES 5
#define PAUSE (5 * SECOND)

/* --- what was said ---------------------------------------------------------------------------- */

static uint64_t lines;

void __real_world_trace(struct world *w, const char *fmt, ...);
void __wrap_world_trace(struct world *w, const char *fmt, ...) PRINTF_LIKE(2, 3);

void __wrap_world_trace(struct world *w, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (strstr(text, ": warn: ") || strstr(text, ": error: "))
		lines++;
	__real_world_trace(w, "%s", text);
}

uint64_t play_lines(void)
{
	return lines;
}

/* --- a deed, again and again ------------------------------------------------------------------ */

typedef bool (*deed_fn)(struct play *p, struct mesh_node *n, const void *about, struct err *err);

static void saw_log(struct play *p)
{
	p->ordered = MAX(p->ordered, mesh_server_log(p->m));
}

static bool try(struct play *p, const char *doing, deed_fn deed, struct mesh_node *n,
		const void *about)
{
	p->doing = doing;
	for (unsigned i = 0; i < TRIES; i++) {
		struct err err = { 0 };

		if (deed(p, n, about, &err)) {
			saw_log(p);
			return true;
		}
		world_trace(p->m->w, "%s: %s fails: %s", n ? n->name : "signal", doing, err.text);
		if (strlen(err.text) < 10) {
			world_dump(p->m->w);
			ck_abort_msg("%s: %s fails without a word", n ? n->name : "signal", doing);
		}
		p->said++;
		sim_pass(p->m->w, PAUSE);
	}
	return false;
}

/* --- the world -------------------------------------------------------------------------------- */

void play_begin(struct play *p, size_t nodes)
{
	char path[96];

	*p = (struct play){ .m = mesh_new(sim_seed()) };
	mesh_server_crash(p->m);
	mesh_server_db(p->m, path);
	for (unsigned i = 0; i < 3; i++) {
		static const char *const ends[] = { "", "-wal", "-shm" };
		char file[112];

		snprintf(file, sizeof(file), "%s%s", path, ends[i]);
		(void)unlink(file);
	}
	p->m->token[0] = '\0';
	mesh_nodes(p->m, nodes);
	p->nas = &p->m->node[0];
	p->laptop = nodes > 1 ? &p->m->node[1] : NULL;
	p->phone = nodes > 2 ? &p->m->node[2] : NULL;
}

void play_end(struct play *p)
{
	move_end(p->m, &p->second);
}

void play_crash(struct play *p)
{
	for (size_t i = 0; i < p->m->n_nodes; i++)
		mesh_daemon_crash(&p->m->node[i]);
	if (p->m->server)
		mesh_server_crash(p->m);
	if (p->second.server)
		second_crash(&p->second);
}

/* --- the server ------------------------------------------------------------------------------- */

static bool do_server(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	(void)n, (void)about;
	return mesh_try_server_start(p->m, err) == 0;
}

static bool do_token(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	(void)n, (void)about;
	return mesh_try_server_token(p->m, err) == 0;
}

bool play_server(struct play *p)
{
	if (!p->m->server && !try(p, "the start of the server", do_server, NULL, NULL))
		return false;
	return p->m->token[0] || try(p, "mlsh-signal token", do_token, NULL, NULL);
}

static bool do_second(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	(void)n, (void)about;
	return second_try_open(&p->second, err) == 0;
}

static bool do_second_token(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	(void)n, (void)about;
	return second_try_token(&p->second, err) == 0;
}

bool play_second(struct play *p)
{
	if (!p->second.host)
		second_place(&p->second, p->m);
	if (!p->second.server && !try(p, "the start of another server", do_second, NULL, NULL))
		return false;
	return p->second.token[0] || try(p, "its mlsh-signal token", do_second_token, NULL, NULL);
}

/* --- members ---------------------------------------------------------------------------------- */

static bool do_setup(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	struct mesh_join j;
	int rc;

	(void)about;
	mesh_setup_start(n, p->m->token, &j);
	rc = mesh_join_finish(&j);
	*err = j.err;
	return rc == 0;
}

bool play_setup(struct play *p, struct mesh_node *n)
{
	return n->address || try(p, "mlsh setup", do_setup, n, NULL);
}

static bool do_daemon(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	(void)p, (void)about;
	return mesh_try_daemon_start(n, err) == 0;
}

bool play_daemon(struct play *p, struct mesh_node *n)
{
	return n->daemon || try(p, "the start of mlshtund", do_daemon, n, NULL);
}

static bool do_connect(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	struct handover files;
	struct control_request r;
	char *reply = NULL;
	int rc;

	(void)about;
	if (handover_read(n->host, &n->store, p->m->cluster, &files, err) < 0)
		return false;
	files.sent = 0;
	r = handover_request(&files, p->m->cluster);
	rc = mesh_try_call(n, &r, &files, err, &reply);
	if (rc == 0 && strcmp(reply, "{\"ok\":true}") != 0)
		rc = err_set(err, -EIO, "%s", reply);
	free(reply);
	handover_free(&files);
	return rc == 0;
}

bool play_connect(struct play *p, struct mesh_node *n)
{
	return play_daemon(p, n) && (mesh_tunnel(n) || try(p, "mlsh connect", do_connect, n, NULL));
}

static bool invite_from(struct mesh_node *n, const struct cluster_file *f, struct mlog *log,
			struct invite_url *ret, struct err *err)
{
	struct invite_params params = { .ttl_s = 3600, .cluster = f, .log = log };
	struct identity *id = NULL;
	int rc = store_identity(n->host, &n->store, n->mesh->cluster, &id, err);

	params.now_s = (uint64_t)clock_wall_s(n->host);
	params.identity = id;
	if (rc == 0)
		rc = invite_new(n->host, &params, err, ret);
	identity_free(id);
	return rc == 0;
}

static bool do_invite(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	struct cluster_file f;
	struct mlog *log = NULL;

	(void)about;
	if (store_load_cluster(n->host, &n->store, p->m->cluster, &f, err) < 0 ||
	    store_load_log(n->host, &n->store, &f, &log, NULL, err) < 0)
		return false;
	p->has_url = invite_from(n, &f, log, &p->url, err);
	mlog_free(log);
	return p->has_url;
}

static bool do_adopt(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	(void)about;
	return mesh_try_adopt(n, p->url, err) == 0;
}

bool play_adopt(struct play *p, struct mesh_node *n)
{
	if (n->address)
		return true;
	if (!p->has_url && !try(p, "mlsh invite", do_invite, p->nas, NULL))
		return false;
	if (!try(p, "mlsh adopt", do_adopt, n, NULL))
		return false;
	p->has_url = false;
	return true;
}

bool play_member(struct play *p, struct mesh_node *n)
{
	return (n == p->nas ? play_setup(p, n) : play_adopt(p, n)) && play_connect(p, n);
}

/* --- commands and names ----------------------------------------------------------------------- */

struct typing {
	const struct command *command;
	const char *typed, *line;
};

static bool do_command(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	const struct typing *t = about;

	command_run(&p->run, n, t->command, UINT_MAX, t->typed, t->line);
	if (p->run.code == EXIT_OK)
		return true;
	(void)err_set(err, -EIO, "%s%s", p->run.complaint, p->run.out);
	return false;
}

bool play_command(struct play *p, struct mesh_node *n, const struct command *c, const char *typed,
		  const char *line)
{
	struct typing t = { c, typed, line };

	return try(p, line, do_command, n, &t);
}

bool play_until(struct play *p, const char *doing, bool (*holds)(struct play *p))
{
	uint64_t begin = world_now(p->m->w);

	p->doing = doing;
	while (!holds(p)) {
		if (world_now(p->m->w) - begin > 2 * MINUTE)
			return false;
		sim_pass(p->m->w, SECOND);
	}
	return true;
}

/* Returns the length of the question for an IPv4 address. */
static size_t ask(const char *name, uint8_t query[512])
{
	static const uint8_t head[] = { 0xbe, 0xef, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0 };
	static const uint8_t type[] = { 0, 0, 1, 0, 1 };
	size_t at = sizeof(head);

	memcpy(query, head, sizeof(head));
	while (*name) {
		size_t len = strcspn(name, ".");

		query[at++] = (uint8_t)len;
		memcpy(query + at, name, len);
		at += len;
		name += len + (name[len] == '.');
	}
	memcpy(query + at, type, sizeof(type));
	return at + sizeof(type);
}

static bool answers(const uint8_t *reply, size_t len, ip4 address)
{
	return len > 12 && reply[7] == 1 && load_be32(reply + len - 4) == address;
}

/* A question that may get no answer (tests/sim/mesh.h has one that must). */
static bool asks(struct mesh_node *n, const char *name, ip4 address)
{
	uint8_t query[512];
	size_t len = ask(name, query);
	struct sim_sink sink;
	bool found;

	sim_sink_open(&sink, n->host, 0);
	sim_sink_send(&sink, addr_v4(n->address, 53), query, len);
	sim_pass(n->mesh->w, SECOND);
	found = sink.datagrams > 0 && answers(sink.last, sink.last_len, address);
	udp_close(sink.udp);
	return found;
}

bool play_name(struct play *p, struct mesh_node *n, const char *name, ip4 address)
{
	uint64_t begin = world_now(p->m->w);

	p->doing = "a name";
	while (!asks(n, name, address))
		if (world_now(p->m->w) - begin > 2 * MINUTE)
			return false;
	return true;
}

struct wanted {
	const char *name;
	ip4 address;
};

static bool asks_tcp(struct mesh_node *n, const struct addr *to, const struct wanted *want)
{
	struct addr from = addr_v4(n->address, 40000);
	struct stream *s = stream_open(n->daemon_host, &from, to);
	uint8_t query[514], reply[512];
	size_t len = ask(want->name, query + 2);
	size_t got;

	if (!s)
		return false;
	store_be16(query, (uint16_t)len);
	sim_pass(n->mesh->w, MS);
	(void)stream_send(s, query, 2 + len);
	sim_pass(n->mesh->w, SECOND);
	got = stream_receive(s, reply, sizeof(reply));
	stream_close(s);
	return got > 2 && answers(reply + 2, got - 2, want->address);
}

static bool do_name_tcp(struct play *p, struct mesh_node *n, const void *about, struct err *err)
{
	const struct tunnel *t = mesh_tunnel(n);
	struct dns_names names = { .log = tunnel_log(t), .self = tunnel_self(t) };
	struct addr at = addr_v4(n->address, 5300);
	struct dns_tcp *server = NULL;
	bool found;

	(void)p;
	if (dns_tcp_new(n->daemon_host, &at, &names, err, &server) < 0)
		return false;
	found = asks_tcp(n, &at, about);
	dns_tcp_free(server);
	if (!found)
		(void)err_set(err, -EIO, "the connection ends without an answer");
	return found;
}

bool play_name_tcp(struct play *p, struct mesh_node *n, const char *name, ip4 address)
{
	struct wanted w = { name, address };

	return try(p, "a name by TCP", do_name_tcp, n, &w);
}

/* --- packets ---------------------------------------------------------------------------------- */

static bool none_apart(struct mesh *m, uint32_t since)
{
	for (size_t to = 0; to < m->n_nodes; to++)
		for (size_t from = 0; from < m->n_nodes; from++)
			if (from != to && m->node[to].address && m->node[from].address &&
			    m->newest[to][from] <= since)
				return false;
	return true;
}

bool play_reach(struct play *p, uint64_t within)
{
	uint64_t begin = world_now(p->m->w);
	uint32_t since = p->m->ping_seq;

	p->doing = "packets from all to all";
	while (!none_apart(p->m, since)) {
		if (world_now(p->m->w) - begin > within)
			return false;
		mesh_ping_pairs(p->m);
		sim_pass(p->m->w, 200 * MS);
		mesh_take(p->m);
	}
	return true;
}

static bool all_direct(struct mesh *m)
{
	for (size_t i = 0; i < m->n_nodes; i++)
		for (size_t k = 0; k < m->n_nodes; k++)
			if (i != k &&
			    (!mesh_tunnel(&m->node[i]) ||
			     mesh_peer(&m->node[i], &m->node[k]).path != PEER_PATH_DIRECT))
				return false;
	return true;
}

bool play_direct(struct play *p, uint64_t within)
{
	uint64_t begin = world_now(p->m->w);

	p->doing = "direct paths between all";
	while (!all_direct(p->m)) {
		if (world_now(p->m->w) - begin > within)
			return false;
		mesh_ping_pairs(p->m);
		sim_pass(p->m->w, SECOND);
		mesh_take(p->m);
	}
	return play_reach(p, within);
}
