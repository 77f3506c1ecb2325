/* SPDX-License-Identifier: MIT */
/*
 * The first node of a new cluster: offer (subnet and address) -> genesis, recovery code shown,
 * pending -> setup -> done. An unfinished earlier run begins with its own genesis.
 */
#include <stdio.h>

#include "client/join_internal.h"
#include "client/refuse.h"
#include "crypto/hash.h"
#include "identity/codes.h"
#include "identity/identity.h"
#include "os/netconf.h"

static bool subnet_equal(struct prefix4 a, struct prefix4 b)
{
	return a.net == b.net && a.bits == b.bits;
}

/* Before the token is spent: with such a subnet only single members could be routed here. */
static int check_asked(struct host *h, struct prefix4 p, struct err *err)
{
	char what[64], subnet[PREFIX4_TEXT_MAX];
	int r = netconf_conflict(h, p, what);

	if (r <= 0)
		return 0; /* what cannot be told now, connect will say */
	return refuse(err, 0, REFUSAL_SUBNET,
		      "the subnet %s overlaps what this host uses itself "
		      "(%s). Choose another one; the token was not used",
		      prefix4_format(p, subnet), what);
}

/* --- choosing a subnet ----------------------------------------------------------------------- */

#define SUBNETS_TRIED_MAX 32

/* Second bytes of 10.x.0.0/16 that much software takes: not even where it is not running now. */
static bool is_common(uint8_t second)
{
	/* OpenVPN, Kubernetes and its networks, Podman, LXD, MicroK8s */
	static const uint8_t common[] = { 0, 1, 8, 10, 42, 43, 88, 96, 152, 188, 233, 244 };

	return memchr(common, second, sizeof(common)) != NULL;
}

/* A /16 of 10.0.0.0/8 or, where all of that is in use, a /24 of 192.168.0.0/16, at random. */
static struct prefix4 subnet_guess(struct join *j)
{
	uint8_t r[2];

	do
		random_fill(j->host, r, sizeof(r));
	while (is_common(r[0]));
	if (j->subnets_tried <= SUBNETS_TRIED_MAX / 2)
		return (struct prefix4){ 0x0a000000u | (ip4)r[0] << 16, 16 };
	return (struct prefix4){ 0xc0a80000u | (ip4)r[1] << 8, 24 };
}

/* Finds a subnet that the host does not use. Returns false if it uses all that were tried. */
static bool subnet_choose(struct join *j)
{
	char what[NETUSE_WHAT_MAX];

	while (j->subnets_tried++ < SUBNETS_TRIED_MAX) {
		struct prefix4 p = subnet_guess(j);

		if (netconf_conflict(j->host, p, what) != 0)
			continue;
		j->setup.subnet = p;
		return true;
	}
	return false;
}

static void subnet_ask(struct join *j);

/*
 * Nobody asked for a subnet, and the one that the server offers collides with what this host uses:
 * another one is asked for. Returns 1 then, 0 if the offer will do, and an error if no other subnet
 * is free.
 */
static int subnet_replace(struct join *j, struct prefix4 offered, struct err *err)
{
	char what[NETUSE_WHAT_MAX], from[PREFIX4_TEXT_MAX], to[PREFIX4_TEXT_MAX];

	if (j->setup.has_subnet || netconf_conflict(j->host, offered, what) <= 0)
		return 0;
	prefix4_format(offered, from);
	if (!subnet_choose(j))
		return refuse(err, 0, REFUSAL_SUBNET,
			      "the server's subnet %s overlaps what this "
			      "host uses itself (%s), and none of %d others is free. Choose "
			      "one with --subnet; the token was not used",
			      from, what, SUBNETS_TRIED_MAX);
	j->subnet_chosen = j->setup.has_subnet = true;
	snprintf(j->subnet_why, sizeof(j->subnet_why),
		 "the server's %s overlaps what this machine uses itself (%s)", from, what);
	join_progress(j, "%s; taking %s", j->subnet_why, prefix4_format(j->setup.subnet, to));
	subnet_ask(j);
	return 1;
}

/* Connect would refuse an address that the host, or one of its gateways, has. */
static int check_address(struct host *h, ip4 ip, struct err *err)
{
	char what[64], text[IP4_TEXT_MAX];

	if (netconf_address_used(h, ip, 0, true, what) <= 0)
		return 0;
	return refuse(err, 0, REFUSAL_SUBNET,
		      "the first address of the subnet, %s, is %s "
		      "already. Choose another range with --subnet; the token was not used",
		      ip4_format(ip, text), what);
}

/* What the server offers must be permitted, whatever it says. */
static int check_offer(const struct join *j, const struct signal_reply *offer, struct err *err)
{
	char subnet[PREFIX4_TEXT_MAX], address[IP4_TEXT_MAX];
	int r = overlay_subnet_check(offer->subnet, err);

	prefix4_format(offer->subnet, subnet);
	if (r < 0) {
		err_prefix(err, "the signal server offers the subnet %s", subnet);
		return r;
	}
	if (j->setup.has_subnet && !subnet_equal(offer->subnet, j->setup.subnet))
		return refuse(err, 0, REFUSAL_SUBNET,
			      "the signal server offers %s in place of the subnet that was "
			      "asked for",
			      subnet);
	if (offer->address < prefix4_first(offer->subnet) ||
	    offer->address > prefix4_last(offer->subnet))
		return refuse(err, 0, REFUSAL_FULL,
			      "the signal server offers the address %s, "
			      "which is not a host address of %s",
			      ip4_format(offer->address, address), subnet);
	return check_address(j->host, offer->address, err);
}

/* Makes the recovery code and shows it. Nothing keeps it. */
static int make_code(struct join *j, const uint8_t random[32], uint8_t ret_key[KEY_LEN],
		     struct err *err)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	int r = recovery_code_new(j->host, random, code, ret_key);
	bool shown;

	if (r < 0)
		return err_set(err, r, "cannot make a recovery code");
	shown = j->show_code(j->ctx, code);
	secret_wipe(code, sizeof(code));
	return shown ? 0
		     : err_set(err, -EIO,
			       "the recovery code could not be printed; nothing was sent, and the "
			       "token was not used");
}

static int make_genesis(struct join *j, const struct signal_reply *offer, struct err *err)
{
	struct pending *p = &j->pending;
	struct genesis g = { .subnet = offer->subnet, .address = offer->address };
	const struct rpc *rpc = visit_rpc(j->visit);
	uint8_t recovery_key[KEY_LEN];
	int r;

	*p = (struct pending){ .kind = PENDING_SETUP, .port = j->port };
	random_fill(j->host, g.random, sizeof(g.random));
	r = make_code(j, g.random, recovery_key, err);
	if (r < 0)
		return r;
	snprintf(p->cluster, sizeof(p->cluster), "%s", j->cluster_name);
	snprintf(p->node_name, sizeof(p->node_name), "%s", j->node_name);
	snprintf(p->host, sizeof(p->host), "%s", j->server);
	snprintf(p->code, sizeof(p->code), "%s", j->code);
	memcpy(p->signal_pin, j->signal_pin, HASH_LEN);

	snprintf(g.name, sizeof(g.name), "%s", j->cluster_name);
	snprintf(g.node_name, sizeof(g.node_name), "%s", j->node_name);
	snprintf(g.server.host, sizeof(g.server.host), "%s", j->server);
	g.server.port = j->port;
	memcpy(g.key, identity_key(j->identity), KEY_LEN);
	memcpy(g.server.cert, rpc_server_cert_sha256(rpc), HASH_LEN);
	memcpy(g.server.key, rpc_server_key_sha256(rpc), HASH_LEN);
	memcpy(g.server.order_key, offer->order_key, KEY_LEN);
	sha256(span_of(recovery_key, KEY_LEN), g.recovery);
	return genesis_make(&g, join_time_s(j), identity_signer(j->identity), &p->entry, err);
}

static void on_offer(void *ctx, const struct signal_reply *reply)
{
	struct join *j = ctx;
	struct err err = { 0 };

	/* Another cluster of the server may have the subnet that we chose. */
	if (reply->refusal == REFUSAL_SUBNET && j->subnet_chosen && subnet_choose(j)) {
		subnet_ask(j);
		return;
	}
	if (join_wait_asked(j, reply))
		return;
	if (reply->refusal != REFUSAL_NONE) {
		join_refused(j, reply);
		return;
	}
	int r = subnet_replace(j, reply->subnet, &err);
	if (r > 0)
		return;
	if (r < 0 || check_offer(j, reply, &err) < 0 || make_genesis(j, reply, &err) < 0) {
		join_fail(j, &err);
		return;
	}
	join_send_new(j);
}

static void subnet_ask(struct join *j)
{
	struct signal_request m = {
		.type = SIGNAL_SETUP_OFFER,
		.code = span_str(j->code),
		.has_subnet = j->setup.has_subnet,
		.subnet = j->setup.subnet,
	};

	join_request(j, &m, on_offer);
}

static void setup_ready(struct join *j)
{
	if (j->has_pending)
		join_send_pending(j);
	else
		subnet_ask(j);
}

static int found_log(struct join *j, struct err *err)
{
	uint8_t seed[16];
	int r;

	random_fill(j->host, seed, sizeof(seed));
	mlog_free(j->log);
	j->log = mlog_new(seed);
	if (!j->log)
		return err_set(err, -ENOMEM, "out of memory");
	r = mlog_found(j->log, span_of(j->pending.entry.data, j->pending.entry.len), err);
	if (r == 0)
		mlog_commit(j->log);
	return r;
}

static void setup_accepted(struct join *j)
{
	struct cluster_file *f = &j->cluster_file;
	const struct genesis *g;
	struct record record;
	struct entry e;
	struct err err = { 0 };

	if (found_log(j, &err) < 0) {
		join_fail(j, &err);
		return;
	}
	g = mlog_genesis(j->log);
	if (mlog_get(j->log, 0, &record, &e) == 0)
		j->result.signed_s = e.time_s;
	snprintf(f->cluster, sizeof(f->cluster), "%s", g->name);
	memcpy(f->cluster_id, mlog_cluster_id(j->log), HASH_LEN);
	snprintf(f->node_name, sizeof(f->node_name), "%s", g->node_name);
	f->node_id = identity_node_id(j->identity);
	f->address = g->address;
	f->subnet = g->subnet;
	snprintf(f->signal_host, sizeof(f->signal_host), "%s", g->server.host);
	f->signal_port = g->server.port;
	memcpy(f->signal_cert, g->server.cert, HASH_LEN);
	memcpy(f->signal_key, g->server.key, HASH_LEN);
	if (j->subnet_chosen) {
		char text[PREFIX4_TEXT_MAX];

		snprintf(j->result.note, sizeof(j->result.note),
			 "The cluster has addresses of %s: %s.", prefix4_format(f->subnet, text),
			 j->subnet_why);
	}
	join_succeed(j);
}

/* With another token than the earlier run's a new cluster can still be made. */
static bool setup_go_on(const struct join *j)
{
	return strcmp(j->pending.code, j->code) != 0;
}

static const struct join_kind setup_kind = {
	.pending = PENDING_SETUP,
	.ready = setup_ready,
	.accepted = setup_accepted,
	.go_on = setup_go_on,
};

int setup_start(struct host *h, const struct store *s, const struct setup_params *p,
		setup_code_fn show, join_fn fn, join_progress_fn progress, void *ctx,
		struct err *err, struct join **ret)
{
	struct join *j;
	int r = join_new(h, s, &setup_kind, p->cluster, p->node_name, err, &j);

	if (r < 0)
		return r;
	j->show_code = show;
	j->fn = fn;
	j->progress = progress;
	j->ctx = ctx;
	snprintf(j->server, sizeof(j->server), "%s", p->host);
	j->port = p->port;
	snprintf(j->code, sizeof(j->code), "%s", p->code);
	memcpy(j->signal_pin, p->signal_cert, HASH_LEN);
	j->setup.has_subnet = p->has_subnet;
	j->setup.subnet = p->subnet;
	if (j->has_pending && memcmp(j->pending.signal_pin, p->signal_cert, HASH_LEN) != 0)
		r = err_set(err, -EEXIST,
			    "an earlier 'mlsh setup' of %s with another signal "
			    "server (%s) is unfinished: run that again to complete it, or `mlsh "
			    "forget %s` to begin again.",
			    p->cluster, j->pending.host, p->cluster);
	if (r == 0 && p->has_subnet && !j->has_pending)
		r = check_asked(h, p->subnet, err);
	if (r == 0)
		r = join_connect(j, err);
	if (r < 0) {
		join_free(j);
		return r;
	}
	*ret = j;
	return 0;
}
