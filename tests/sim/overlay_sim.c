/* SPDX-License-Identifier: MIT */
/* A fleet of overlays on simulated hosts. */
#include "overlay_sim.h"

void fleet_tell(struct fleet_node *about, struct fleet_node *to)
{
	struct wire_candidates c;
	const struct member *m = roster_by_id(mlog_roster(to->log), &about->self->id,
					      ROSTER_CURRENT);

	if (!to->o || !about->o || !m || to == about)
		return;
	overlay_candidates_get(about->o, &c);
	overlay_presence(to->o, m, true, &c);
}

void fleet_announce(struct fleet_node *about)
{
	struct fleet *m = about->fleet;

	for (size_t i = 0; i < m->n && !m->server_down; i++)
		fleet_tell(about, &m->node[i]);
}

static void fleet_log_grew(void *ctx)
{
	((struct fleet_node *)ctx)->grew++;
}

static void fleet_fork(void *ctx, const struct log_proof *proof, const struct member *from)
{
	struct fleet_node *n = ctx;

	ck_assert_ptr_nonnull(from);
	ck_assert(span_equal(proof->ours, mlog_record(n->log, proof->seq)));
	ck_assert_uint_gt(proof->n_shown, 0);
	n->forks++;
	n->fork_seq = proof->seq;
}

static void fleet_candidates(void *ctx, const struct wire_candidates *c)
{
	struct fleet_node *n = ctx;

	ck_assert_uint_le(c->n, CANDIDATES_MAX);
	if (n->o)
		fleet_announce(n);
}

static const struct addr *fleet_relay_server(void *ctx)
{
	return &((struct fleet_node *)ctx)->fleet->server;
}

static void fleet_peer_changed(void *ctx, const struct member *m)
{
	ck_assert_ptr_nonnull(m);
	((struct fleet_node *)ctx)->changes++;
}

static void fleet_device_changed(void *ctx)
{
	((struct fleet_node *)ctx)->devices++;
}

static void fleet_network_state(void *ctx)
{
	((struct fleet_node *)ctx)->states++;
}

static void fleet_membership(void *ctx, bool in)
{
	struct fleet_node *n = ctx;

	n->outs += !in;
	n->ins += in;
}

static bool fleet_denied(void *ctx, const struct member *m);

static enum removal_shown fleet_removal(void *ctx, const struct member *from, struct span entry)
{
	struct fleet_node *n = ctx;

	(void)from;
	(void)entry;
	n->shown++;
	if (n->judges == REMOVAL_TAKEN)
		overlay_removal(n->o); /* it is shown to others */
	return n->judges;
}

static uint64_t fleet_latest_s(void *ctx)
{
	struct fleet_node *n = ctx;

	return n->latest_s > 0 ? n->latest_s : UINT64_MAX;
}

static void fleet_held(void *ctx, const struct mlog_held *held, const struct member *from)
{
	ck_assert(held->seq > 0 && from);
	((struct fleet_node *)ctx)->held++;
}

/* It holds none. */
static struct span fleet_removal_next(void *ctx, uint64_t *serial)
{
	(void)ctx;
	(void)serial;
	return span_of(NULL, 0);
}

static const struct overlay_ops fleet_ops = {
	.log_grew = fleet_log_grew,
	.fork = fleet_fork,
	.candidates = fleet_candidates,
	.relay_server = fleet_relay_server,
	.peer_changed = fleet_peer_changed,
	.network_state = fleet_network_state,
	.device_changed = fleet_device_changed,
	.membership = fleet_membership,
	.denied = fleet_denied,
	.removal = fleet_removal,
	.removal_next = fleet_removal_next,
	.latest_s = fleet_latest_s,
	.held = fleet_held,
};

static bool fleet_denied(void *ctx, const struct member *m)
{
	struct fleet_node *n = ctx;

	for (size_t i = 0; i < n->fleet->n; i++)
		if (n->denies[i] && node_id_equal(&n->fleet->node[i].self->id, &m->id))
			return true;
	return false;
}

struct mlog *fleet_copy_log(const struct mlog *from, size_t records)
{
	return kit_copy(from, records);
}

void fleet_learn(struct fleet_node *n, const struct mlog *from, uint64_t seq)
{
	struct span record = mlog_record(from, seq);
	struct mlog_take take;

	mlog_take(n->log, &record, 1, &take);
	ck_assert_msg(take.result == TAKEN && take.added == 1, "%s", take.why.text);
	mlog_commit(n->log);
}

void fleet_start(struct fleet_node *n)
{
	struct overlay_config cfg = {
		.identity = n->id, .log = n->log, .self = n->self, .ops = &fleet_ops, .ctx = n
	};
	struct err err = { .code = 0 };
	struct overlay *o = NULL;
	int rc = overlay_new(n->h, &cfg, n->warning, &err, &o);

	ck_assert_msg(rc == 0, "%s", err.text);
	n->o = o;
	for (size_t i = 0; i < n->fleet->n && !n->fleet->server_down; i++)
		fleet_tell(&n->fleet->node[i], n);
	fleet_announce(n);
}

void fleet_stop(struct fleet_node *n)
{
	overlay_free(n->o);
	n->o = NULL;
}

void fleet_restart(struct fleet_node *n)
{
	struct overlay *old = n->o;

	n->o = NULL;
	world_host_crash(n->h);
	overlay_free(old);
	n->h = world_host_boot(n->h);
	fleet_start(n);
}

void fleet_init(struct fleet *m, size_t n)
{
	memset(m, 0, sizeof(*m));
	m->server = FLEET_SERVER;
	m->w = sim_new();
	world_seed_tls(m->w);
	ck_assert_int_eq(crypto_init(NULL), 0);
	m->kit = kit_open();
	m->n = n;
	for (unsigned i = 1; i < n; i++)
		kit_join(&m->kit, i);
	for (unsigned i = 0; i < n; i++) {
		struct fleet_node *x = &m->node[i];
		struct node_id id;
		char name[16];

		snprintf(name, sizeof(name), "node%u", i);
		x->fleet = m;
		x->h = world_host(m->w, name, IP(192, 0, 2, 10 + i));
		x->id = kit_identity(i);
		x->log = fleet_copy_log(m->kit.log, mlog_count(m->kit.log));
		id = identity_node_id(x->id);
		x->self = roster_by_id(mlog_roster(x->log), &id, ROSTER_CURRENT);
		ck_assert_ptr_nonnull(x->self);
	}
}

void fleet_new(struct fleet *m, size_t n)
{
	fleet_init(m, n);
	for (size_t i = 0; i < n; i++)
		fleet_start(&m->node[i]);
}

void fleet_free(struct fleet *m)
{
	for (size_t i = 0; i < m->n; i++) {
		fleet_stop(&m->node[i]);
		mlog_free(m->node[i].log);
		identity_free(m->node[i].id);
	}
	kit_close(&m->kit);
	world_free(m->w);
}

/* --- looking --- */

struct peer_status fleet_peer(const struct fleet_node *a, const struct fleet_node *b)
{
	struct peer_status s;
	const struct member *m = roster_by_id(mlog_roster(a->log), &b->self->id, ROSTER_CURRENT);

	ck_assert(m && overlay_peer_status(a->o, m, &s));
	return s;
}

bool fleet_linked(const struct fleet_node *a, const struct fleet_node *b)
{
	return a->o && b->o && fleet_peer(a, b).state == PEER_UP &&
	       fleet_peer(b, a).state == PEER_UP;
}

bool fleet_all_up(void *ctx)
{
	struct fleet *m = ctx;

	for (size_t a = 0; a < m->n; a++) {
		for (size_t b = 0; b < a; b++) {
			if (!fleet_linked(&m->node[a], &m->node[b]))
				return false;
		}
	}
	return true;
}

void fleet_wait_up(struct fleet *m, uint64_t ns)
{
	SIM_CHECK(m->w, world_run(m->w, ns, fleet_all_up, m));
}

uint64_t fleet_drops(const struct fleet_node *n, enum overlay_drop d)
{
	struct overlay_status s;

	overlay_status_get(n->o, &s);
	return s.drops[d];
}

uint64_t fleet_all_drops(const struct fleet_node *n)
{
	uint64_t sum = 0;

	for (int d = 0; d < DROP_COUNT; d++)
		sum += fleet_drops(n, (enum overlay_drop)d);
	return sum;
}

/* --- packets --- */

uint8_t fleet_byte(unsigned seed, size_t i)
{
	return (uint8_t)(seed * 7 + i * 13 + (i >> 8));
}

void fleet_udp(uint8_t *p, size_t len, ip4 src, ip4 dst, unsigned seed)
{
	memset(p, 0, 28);
	p[0] = 0x45;
	store_be16(p + 2, (uint16_t)len);
	store_be16(p + 4, (uint16_t)seed);
	p[8] = 64;
	p[9] = IPPROTO_UDP4;
	store_be32(p + 12, src);
	store_be32(p + 16, dst);
	packet_ip_checksum(p, 20);
	store_be16(p + 20, 5000);
	store_be16(p + 22, 6000);
	store_be16(p + 24, (uint16_t)(len - 20));
	for (size_t i = 28; i < len; i++)
		p[i] = fleet_byte(seed, i);
	store_be16(p + 26, packet_pseudo_sum(p, IPPROTO_UDP4, len - 20));
	packet_complete_checksum(p, len, 20, 6);
}

void fleet_send(struct fleet_node *from, const struct fleet_node *to, size_t len, unsigned seed)
{
	uint8_t p[2000];

	fleet_udp(p, len, from->self->address, to->self->address, seed);
	ck_assert_int_eq(world_tun_inject(from->h, 0, p, len), 0);
}

bool fleet_received(const struct fleet_node *from, struct fleet_node *to, size_t len, unsigned seed)
{
	uint8_t want[2000], got[2000];
	size_t n = 0;

	if (world_tun_take(to->h, 0, got, sizeof(got), &n) == 0)
		return false;
	fleet_udp(want, len, from->self->address, to->self->address, seed);
	ck_assert_uint_eq(n, len);
	ck_assert_mem_eq(got, want, len);
	return true;
}

bool fleet_tun_silent(struct fleet_node *n)
{
	uint8_t got[2000];
	size_t len;

	return world_tun_take(n->h, 0, got, sizeof(got), &len) == 0;
}
