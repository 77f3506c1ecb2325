/* SPDX-License-Identifier: MIT */
/* The mesh harness: daemons, the local socket, packets and names. */
#include "mesh.h"
#include "os/paths.h"

#define STATE_DIR DAEMON_STATE_DIR
#define CALL_TIME (10 * SECOND)

/* --- the daemon ------------------------------------------------------------------------------- */

int mesh_try_daemon_start(struct mesh_node *n, struct err *err)
{
	struct daemon_config cfg = { .socket_path = CONTROL_SOCKET,
				     .state_dir = STATE_DIR,
				     .port = n->port };
	int rc;

	SIM_CHECK(n->mesh->w, !n->daemon);
	n->daemon_host = world_host_boot(n->host);
	if (n->mesh->watchdog)
		world_host_managed(n->daemon_host, n->mesh->watchdog);
	rc = dir_make(n->daemon_host, STATE_DIR, 0700, err);
	if (rc == 0)
		rc = dir_make(n->daemon_host, "/run/mlsh", 0755, err);
	if (rc == 0)
		rc = daemon_new(n->daemon_host, &cfg, err, &n->daemon);
	if (rc < 0) {
		world_host_crash(n->daemon_host);
		n->daemon_host = NULL;
		return rc;
	}
	daemon_restore(n->daemon);
	return 0;
}

void mesh_daemon_start(struct mesh_node *n)
{
	struct err err = { 0 };

	if (mesh_try_daemon_start(n, &err) < 0) {
		world_dump(n->mesh->w);
		ck_abort_msg("the daemon of %s does not start: %s", n->name, err.text);
	}
}

void mesh_daemon_crash(struct mesh_node *n)
{
	struct mesh *m = n->mesh;

	if (!n->daemon)
		return;
	world_host_crash(n->daemon_host);
	m->dead = mesh_grow(m->dead, m->n_dead, sizeof(*m->dead));
	m->dead[m->n_dead++] = n->daemon;
	n->daemon = NULL;
	n->daemon_host = NULL;
}

void mesh_daemon_stop(struct mesh_node *n)
{
	daemon_free(n->daemon);
	world_host_crash(n->daemon_host);
	n->daemon = NULL;
	n->daemon_host = NULL;
}

struct tunnel *mesh_tunnel(struct mesh_node *n)
{
	struct daemon_cluster *c = n->daemon ? daemon_find(n->daemon, n->mesh->cluster) : NULL;

	return c ? c->tunnel : NULL;
}

bool mesh_connected(struct mesh_node *n)
{
	struct tunnel *t = mesh_tunnel(n);

	return t && tunnel_state_get(t) == TUNNEL_CONNECTED;
}

static bool all_connected(void *ctx)
{
	struct mesh *m = ctx;

	for (size_t i = 0; i < m->n_nodes; i++) {
		if (m->node[i].daemon && !mesh_connected(&m->node[i]))
			return false;
	}
	return true;
}

bool mesh_at_peace(void *mesh)
{
	struct mesh *m = mesh;

	for (size_t i = 0; i < m->n_nodes; i++) {
		struct session_status s;

		session_status_get(tunnel_session(mesh_tunnel(&m->node[i])), &s);
		if (s.state != SESSION_UP || s.last_err.code != 0)
			return false;
	}
	return true;
}

void mesh_all_connected(struct mesh *m, uint64_t within)
{
	mesh_until(m, within, all_connected, m);
}

struct peer_status mesh_peer(struct mesh_node *n, struct mesh_node *peer)
{
	struct tunnel *t = mesh_tunnel(n);
	struct peer_status s = { 0 };
	const struct member *member;

	MESH_CHECK(n->mesh, t);
	member = roster_by_address(mlog_roster(tunnel_log(t)), peer->address, ROSTER_CURRENT);
	MESH_CHECK(n->mesh, member && overlay_peer_status(tunnel_overlay(t), member, &s));
	return s;
}

/* --- the local socket ------------------------------------------------------------------------- */

struct call {
	struct handover *files; /* or NULL */
	char *reply;
	size_t len;
	bool done;
	struct err err; /* why there is no reply; code 0 if there is one */
};

static void call_fail(struct call *c, int code, const char *what)
{
	c->done = true;
	(void)err_set(&c->err, code, "%s", what);
}

static void on_message(void *ctx, struct local_conn *conn, struct span m)
{
	struct call *c = ctx;
	uint64_t received;

	ck_assert_uint_ge(m.len, 1);
	if (m.data[0] == CONTROL_ACK) {
		ck_assert_ptr_nonnull(c->files);
		ck_assert_int_eq(control_ack_decode(m, &received), 0);
		if (handover_send(c->files, conn, received) < 0)
			call_fail(c, -EIO, "the files cannot be sent to the daemon");
		return;
	}
	c->reply = mesh_grow(c->reply, c->len + m.len - 1, 1);
	memcpy(c->reply + c->len, m.data + 1, m.len - 1);
	c->len += m.len - 1;
	c->reply[c->len] = '\0';
	c->done |= m.data[0] == CONTROL_LAST;
}

static void on_closed(void *ctx, struct local_conn *conn)
{
	(void)conn;
	call_fail(ctx, -EPIPE, "the daemon has closed the local connection");
}

static bool call_done(void *ctx)
{
	return ((struct call *)ctx)->done;
}

static int call_send(struct local_conn *conn, const struct control_request *r, struct err *err)
{
	uint8_t request[CONTROL_REQUEST_MAX];
	ptrdiff_t len = control_request_encode(r, request, sizeof(request));
	int rc = local_check_listener(conn, CONTROL_SOCKET, CONTROL_USER, err);

	if (rc < 0)
		return rc;
	rc = len > 0 ? local_send(conn, request, (size_t)len) : (int)len;
	return rc < 0 ? err_set(err, rc, "the request cannot be sent to the daemon") : 0;
}

int mesh_try_call(struct mesh_node *n, const struct control_request *r, struct handover *files,
		  struct err *err, char **ret_reply)
{
	static const struct local_ops ops = { .message = on_message, .closed = on_closed };
	struct local_conn *conn = NULL;
	struct call c = { .files = files };
	int rc = local_connect(n->host, CONTROL_SOCKET, &ops, &c, err, &conn);

	if (rc == 0)
		rc = call_send(conn, r, err);
	if (rc == 0 && !world_run(n->mesh->w, CALL_TIME, call_done, &c))
		rc = err_set(err, -ETIMEDOUT, "the daemon does not answer");
	if (rc == 0 && c.err.code != 0) {
		*err = c.err;
		rc = c.err.code;
	}
	local_conn_close(conn);
	if (rc < 0)
		free(c.reply);
	else
		*ret_reply = c.reply;
	return rc;
}

static char *call(struct mesh_node *n, const struct control_request *r, struct handover *files)
{
	struct err err = { 0 };
	char *reply = NULL;

	if (mesh_try_call(n, r, files, &err, &reply) < 0) {
		world_dump(n->mesh->w);
		ck_abort_msg("%s: %s", n->name, err.text);
	}
	return reply;
}

char *mesh_control_request(struct mesh_node *n, const struct control_request *r)
{
	return call(n, r, NULL);
}

char *mesh_control(struct mesh_node *n, enum control_verb verb)
{
	struct control_request r = { .verb = verb };

	snprintf(r.cluster, sizeof(r.cluster), "%s", n->mesh->cluster);
	return mesh_control_request(n, &r);
}

char *mesh_hand_over(struct mesh_node *n, const char *cluster, struct handover *files)
{
	struct control_request r = handover_request(files, cluster);

	files->sent = 0;
	return call(n, &r, files);
}

void mesh_connect(struct mesh_node *n)
{
	struct handover files;
	struct err err = { 0 };
	char *reply;

	if (!n->daemon)
		mesh_daemon_start(n);
	SIM_CHECK_OK(n->mesh->w, handover_read(n->host, &n->store, n->mesh->cluster, &files, &err));
	reply = mesh_hand_over(n, n->mesh->cluster, &files);
	handover_free(&files);
	if (strcmp(reply, "{\"ok\":true}") != 0) {
		world_dump(n->mesh->w);
		ck_abort_msg("%s does not connect: %s", n->name, reply);
	}
	free(reply);
}

/* --- packets ---------------------------------------------------------------------------------- */

/* RFC 791: the sum over the header's 16-bit words. */
static uint16_t header_checksum(const uint8_t *ip)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < 20; i += 2)
		sum += load_be16(ip + i);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* A packet of protocol 253 (RFC 3692: for experiments) that says where it comes from and goes. */
static void ping_make(uint8_t *p, size_t len, const struct mesh_node *from,
		      const struct mesh_node *to, uint32_t seq)
{
	memset(p, 0, len);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	p[8] = 64;
	p[9] = 253;
	store_be32(p + 12, from->address);
	store_be32(p + 16, to->address);
	store_be16(p + 10, header_checksum(p));
	p[20] = (uint8_t)from->index;
	p[21] = (uint8_t)to->index;
	store_be32(p + 24, seq);
	for (size_t i = 28; i < len; i++)
		p[i] = (uint8_t)(seq * 7 + i);
}

void mesh_ping(struct mesh_node *from, struct mesh_node *to)
{
	struct mesh *m = from->mesh;
	uint8_t p[MESH_PING_MAX];
	int rc;

	ping_make(p, m->ping_len, from, to, ++m->ping_seq);
	rc = world_tun_inject(from->host, m->tun, p, m->ping_len);
	MESH_CHECK(m, rc == 0 || rc == -ENODEV);
	m->pings_sent[to->index][from->index]++;
}

static bool takes_part(const struct mesh_node *n)
{
	return n->daemon && n->address;
}

void mesh_ping_pairs(struct mesh *m)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		for (size_t k = 0; k < m->n_nodes; k++) {
			if (i != k && takes_part(&m->node[i]) && takes_part(&m->node[k]))
				mesh_ping(&m->node[i], &m->node[k]);
		}
	}
}

/* "Host unreachable" (RFC 792), from the node's own overlay, about a packet of its own. */
static bool is_unreachable(const struct mesh_node *n, const uint8_t *p, size_t len)
{
	return len == 56 && p[9] == 1 && load_be32(p + 16) == n->address && p[20] == 3 &&
	       load_be32(p + 40) == n->address && load_be32(p + 44) == load_be32(p + 12);
}

static void take_one(struct mesh_node *n, const uint8_t *p, size_t len)
{
	struct mesh *m = n->mesh;
	uint8_t want[MESH_PING_MAX];
	uint32_t seq, *newest;
	bool ours;

	if (is_unreachable(n, p, len)) {
		m->unreachable++;
		return;
	}
	ours = len >= MESH_PING_MIN && len <= sizeof(want) && p[20] < m->n_nodes;
	seq = ours ? load_be32(p + 24) : 0;
	if (ours)
		ping_make(want, len, &m->node[p[20]], n, seq);
	if (!ours || memcmp(p, want, len) != 0) {
		char hex[2 * MESH_PING_MIN + 1];

		world_dump(m->w);
		hex_encode(p, MIN(len, MESH_PING_MIN), hex);
		ck_abort_msg("out of the TUN of %s came %zu bytes: %s", n->name, len, hex);
	}
	newest = &m->newest[n->index][p[20]];
	m->doubled += seq == *newest;
	*newest = MAX(*newest, seq);
	m->pings_got[n->index][p[20]]++;
}

void mesh_take(struct mesh *m)
{
	uint8_t p[2048];
	size_t len;

	for (size_t i = 0; i < m->n_nodes; i++) {
		while (world_tun_take(m->node[i].host, m->tun, p, sizeof(p), &len) > 0)
			take_one(&m->node[i], p, len);
	}
}

/* The first pair between which nothing with a number above `since` has come through. */
static bool pair_apart(struct mesh *m, uint32_t since, size_t *ret_from, size_t *ret_to)
{
	for (size_t to = 0; to < m->n_nodes; to++) {
		for (size_t from = 0; from < m->n_nodes; from++) {
			if (to == from || !takes_part(&m->node[to]) ||
			    !takes_part(&m->node[from]) || m->newest[to][from] > since)
				continue;
			*ret_from = from;
			*ret_to = to;
			return true;
		}
	}
	return false;
}

uint32_t mesh_taken_from(struct mesh *m, const struct mesh_node *from)
{
	uint32_t sum = 0;

	mesh_take(m);
	for (unsigned i = 0; i < m->n_nodes; i++)
		sum += m->pings_got[i][from->index];
	return sum;
}

uint64_t mesh_last_taken(struct mesh_node *from, struct mesh_node *a, struct mesh_node *b,
			 uint64_t for_ns, uint64_t every)
{
	struct mesh *m = from->mesh;
	uint64_t until = world_now(m->w) + for_ns, last = 0;
	uint32_t taken = mesh_taken_from(m, from);

	while (world_now(m->w) < until) {
		mesh_ping(from, a);
		mesh_ping(from, b);
		sim_pass(m->w, every);
		uint32_t now = mesh_taken_from(m, from);

		if (now > taken)
			last = world_now(m->w);
		taken = now;
	}
	return last;
}

uint64_t mesh_reach(struct mesh *m, uint64_t within)
{
	uint64_t begin = world_now(m->w);
	uint32_t since = m->ping_seq;
	size_t from = 0, to = 0;

	while (pair_apart(m, since, &from, &to)) {
		if (world_now(m->w) - begin > within) {
			world_dump(m->w);
			ck_abort_msg("%s does not reach %s", m->node[from].name, m->node[to].name);
		}
		mesh_ping_pairs(m);
		sim_pass(m->w, 100 * MS);
		mesh_take(m);
	}
	return world_now(m->w) - begin;
}

static bool all_direct(void *mesh)
{
	struct mesh *m = mesh;

	for (size_t i = 0; i < m->n_nodes; i++) {
		for (size_t k = 0; k < m->n_nodes; k++) {
			if (i != k && takes_part(&m->node[i]) && takes_part(&m->node[k]) &&
			    mesh_peer(&m->node[i], &m->node[k]).path != PEER_PATH_DIRECT)
				return false;
		}
	}
	return true;
}

void mesh_direct(struct mesh *m, uint64_t within)
{
	mesh_until(m, within, all_direct, m);
	(void)mesh_reach(m, within);
}

static uint32_t pings_missing(const struct mesh *m)
{
	uint32_t missing = 0;

	for (size_t to = 0; to < m->n_nodes; to++) {
		for (size_t from = 0; from < m->n_nodes; from++)
			missing += m->pings_sent[to][from] - m->pings_got[to][from];
	}
	return missing;
}

void mesh_flow_begin(struct mesh *m)
{
	mesh_take(m);
	memset(m->pings_sent, 0, sizeof(m->pings_sent));
	memset(m->pings_got, 0, sizeof(m->pings_got));
}

void mesh_flow_run(struct mesh *m, uint64_t for_ns, unsigned rate)
{
	uint64_t end = world_now(m->w) + for_ns;

	while (world_now(m->w) < end) {
		mesh_ping_pairs(m);
		sim_pass(m->w, SECOND / rate);
		mesh_take(m);
	}
}

uint32_t mesh_flow_end(struct mesh *m)
{
	sim_pass(m->w, SECOND);
	mesh_take(m);
	return pings_missing(m);
}

uint32_t mesh_flow(struct mesh *m, uint64_t for_ns, unsigned rate)
{
	mesh_flow_begin(m);
	mesh_flow_run(m, for_ns, rate);
	return mesh_flow_end(m);
}

/* --- names ------------------------------------------------------------------------------------ */

static size_t query_make(uint8_t *q, const char *name)
{
	static const uint8_t header[12] = { 0xbe, 0xef, 1, 0, 0, 1 }; /* one question, RD */
	size_t at = sizeof(header);

	memcpy(q, header, sizeof(header));
	while (*name) {
		size_t n = strcspn(name, ".");

		q[at++] = (uint8_t)n;
		memcpy(q + at, name, n);
		at += n;
		name += n + (name[n] == '.');
	}
	q[at++] = 0;
	store_be16(q + at, 1);	   /* A */
	store_be16(q + at + 2, 1); /* IN */
	return at + 4;
}

static bool answered(void *ctx)
{
	return ((struct sim_sink *)ctx)->datagrams > 0;
}

int mesh_dns(struct mesh_node *n, const char *name, ip4 *ret, unsigned *ret_rcode)
{
	struct mesh *m = n->mesh;
	uint8_t query[512];
	size_t len = query_make(query, name);
	struct sim_sink sink;
	int answers;

	sim_sink_open(&sink, n->host, 0);
	sim_sink_send(&sink, addr_v4(n->address, 53), query, len);
	mesh_until(m, SECOND, answered, &sink);
	udp_close(sink.udp);
	MESH_CHECK(m, sink.last_len >= len && memcmp(sink.last, "\xbe\xef", 2) == 0);
	MESH_CHECK(m, memcmp(sink.last + 12, query + 12, len - 12) == 0);
	*ret_rcode = sink.last[3] & 15;
	answers = load_be16(sink.last + 6);
	if (answers > 0) { /* without an EDNS question the A record's address is the end of it */
		MESH_CHECK(m, load_be16(sink.last + sink.last_len - 6) == 4);
		*ret = load_be32(sink.last + sink.last_len - 4);
	}
	return answers;
}
