/* SPDX-License-Identifier: AGPL-3.0-only */
/*
 * How much each sender may send over the relay, and how it is told. There is no fixed rate unless
 * the operator sets one. When the server cannot carry all (its socket takes no more, or packets
 * wait in it all the time), it shares out what it did carry: among the clusters, and in each among
 * its members.
 *
 * Senders are told their rate and keep to it by themselves, in whole batches (overlay/pace.c). The
 * server only drops frames of senders that do not keep to it, or do not know it yet.
 */
#include "signal/caller.h"
#include "signal/relay_internal.h"

#define BURST_PART 4		     /* of a second's bytes may come at once */
#define BURST_MIN (256u << 10)	     /* a few joined sends, whatever the rate */
#define TELL_EVERY (250 * NS_PER_MS) /* a frame with the rate may be lost */
#define TELL_SOON (50 * NS_PER_MS)   /* when the rate has changed */
#define CARRY_MIN (128u << 10)	     /* bytes a second that any server can carry */
#define CARRY_GROWTH 64		     /* part of the limit that it grows by in a turn */
#define CARRY_GROWTH_SOON 8	     /* the same, when everything has passed for */
#define CARRY_CLEAR_TURNS 10
#define CARRY_BACK 16	    /* part of the rate that the limit stays below when not all passed */
#define CARRY_BACK_QUEUED 4 /* the same, when much waits in the socket */
#define CARRY_FADES 8	    /* of the rate is forgotten in a turn */
#define CARRY_IDLE_TURNS 20
#define FULL_RECEIVES_MIN 8 /* in a turn, each of which left something behind */
#define ROOM_PART 10	    /* of a second's bytes may wait in the socket */
#define ROOM_MIN (128u << 10)
#define ROOM_START (512u << 10) /* while the line is not known */
#define ROOM_MAX (4u << 20)

/* --- what there is ---------------------------------------------------------------------------- */

static uint64_t lower(uint64_t a, uint64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Returns the rate of all members of the cluster together; 0 for no limit. */
static uint64_t rate_of_cluster(const struct relay *r)
{
	uint64_t limit = r->carry.limit;

	return lower(r->cluster_rate, limit ? shares_of(&r->shares, limit) : 0);
}

/* Returns the member's part of that rate; 0 for no limit. */
static uint64_t share_of(const struct relay *r, const struct caller *c)
{
	uint64_t all = rate_of_cluster(r);

	return all ? MAX(shares_of(&c->cluster->relay_shares, all), 1u) : 0;
}

static void rate_init(struct bucket *b, uint64_t rate, uint64_t now)
{
	bucket_init(b, rate, MAX(rate / BURST_PART, BURST_MIN), now);
}

void relay_rate_init(struct relay *r, uint64_t node_rate, uint64_t cluster_rate)
{
	r->node_rate = node_rate;
	r->cluster_rate = cluster_rate;
	r->carry.room = ROOM_START;
}

void relay_rate_begin(const struct relay *r, struct caller *c, uint64_t now)
{
	rate_init(&c->relay_rate, r->node_rate, now);
	bucket_init(&c->relay_share, r->cluster_rate, BURST_MIN / 4, now);
	if (c->cluster->relay_rate.burst == 0)
		rate_init(&c->cluster->relay_rate, r->cluster_rate, now);
}

/* --- what is taken ---------------------------------------------------------------------------- */

void relay_rate_count(struct relay *r, struct caller *c, size_t bytes, uint64_t now)
{
	uint64_t all = rate_of_cluster(r);

	if (r->carry.limit)
		shares_count(&r->shares, &c->cluster->relay_use, bytes, r->carry.limit, now);
	if (all)
		shares_count(&c->cluster->relay_shares, &c->relay_use, bytes, all, now);
}

/*
 * While half of the cluster's burst is left, the first sender to come gets it. After that all
 * senders get equal parts, so that a loud one does not silence the others.
 */
static bool cluster_allows(struct caller *c, size_t bytes, bool in_share, uint64_t now)
{
	struct bucket *all = &c->cluster->relay_rate;

	return (in_share || all->level_x1e9 / NS_PER_S >= all->burst / 2) &&
	       bucket_take(all, bytes, now);
}

enum relay_verdict relay_rate_verdict(struct relay *r, struct caller *c, size_t bytes, uint64_t now)
{
	bool in_share = true;

	if (r->node_rate && !bucket_take(&c->relay_rate, bytes, now))
		return RELAY_OVER_NODE;
	if (r->cluster_rate || r->carry.limit) {
		c->relay_share.rate_per_s = share_of(r, c);
		in_share = bucket_take(&c->relay_share, bytes, now);
	}
	if (r->carry.limit && !in_share)
		return RELAY_OVER_SHARE;
	if (r->cluster_rate && !cluster_allows(c, bytes, in_share, now))
		return RELAY_OVER_CLUSTER;
	return RELAY_PASSES;
}

/* --- what the server can carry ---------------------------------------------------------------- */

/*
 * The kernel would let megabytes wait for a slow line. For seconds, answers to all nodes would
 * wait, too, and tunnels would count as dead. A line that was never full may hold more at first.
 */
size_t relay_rate_room(const struct relay *r, size_t queued)
{
	return queued < r->carry.room ? r->carry.room - queued : 0;
}

static uint64_t room_of(const struct relay *r)
{
	return MIN(MAX(r->carry.rate / ROOM_PART, ROOM_MIN), ROOM_MAX);
}

/* Shares out what was carried, and less than that while more than half of what may wait does. */
static void carry_less(struct relay *r, uint64_t queued)
{
	uint64_t room = room_of(r), rate = r->carry.rate;

	rate -= rate / (queued > room / 2 ? CARRY_BACK_QUEUED : CARRY_BACK);
	r->carry.limit = MAX(rate, CARRY_MIN);
	/* senders of little must not lose anything until the rest has left */
	r->carry.room = MAX(room, queued);
	r->carry.idle = r->carry.clear = 0;
}

static void carry_more(struct relay *r, uint64_t rate)
{
	uint64_t limit = r->carry.limit;
	unsigned growth = r->carry.clear++ < CARRY_CLEAR_TURNS ? CARRY_GROWTH : CARRY_GROWTH_SOON;

	r->carry.idle = rate < limit / 2 ? r->carry.idle + 1 : 0;
	r->carry.limit = r->carry.idle < CARRY_IDLE_TURNS ? limit + limit / growth : 0;
}

/* `queued` bytes wait in the socket now. */
static void turn_end(struct relay *r, uint64_t queued)
{
	uint64_t gone = r->carry.bytes + r->carry.queued;
	uint64_t rate = (gone - MIN(gone, queued)) * (NS_PER_S / SHARES_TURN);
	bool behind = r->carry.receives >= FULL_RECEIVES_MIN && r->carry.full == r->carry.receives;

	r->carry.rate = MAX(rate, r->carry.rate - r->carry.rate / CARRY_FADES);
	r->carry.room = MAX(r->carry.room, room_of(r));
	if (r->carry.blocked || behind || (r->carry.limit && queued > room_of(r) / 2))
		carry_less(r, queued);
	else if (r->carry.limit)
		carry_more(r, rate);
}

void relay_rate_batch(struct relay *r, const struct relay_batch *b, uint64_t now)
{
	uint64_t turn = 1 + now / SHARES_TURN;

	if (r->carry.turn != turn) {
		uint64_t queued = b->queued - MIN(b->queued, b->bytes);

		if (r->carry.turn + 1 == turn)
			turn_end(r, queued);
		else
			r->carry.limit = 0; /* nobody sent for a while */
		r->carry.turn = turn;
		r->carry.bytes = 0;
		r->carry.queued = queued;
		r->carry.receives = r->carry.full = 0;
		r->carry.blocked = false;
	}
	r->carry.bytes += b->bytes;
	r->carry.receives++;
	r->carry.full += b->known == UDP_BATCH_MAX;
	r->carry.blocked = r->carry.blocked || b->blocked;
}

/* --- telling ---------------------------------------------------------------------------------- */

static bool is_news(const struct caller *c, uint64_t rate, uint64_t now)
{
	uint64_t told = c->relay_told;

	if (rate == 0 && told == 0)
		return false;
	if (now - c->relay_told_at >= TELL_EVERY)
		return true;
	return now - c->relay_told_at >= TELL_SOON &&
	       (rate == 0 || told == 0 || rate < told - told / 8 || rate > told + told / 8);
}

void relay_rate_tell(struct relay *r, struct quic_socket *socket, struct channel_end *e,
		     uint64_t now)
{
	struct caller *c = e->caller;
	uint64_t rate = lower(r->node_rate, share_of(r, c));
	uint8_t word[RELAY_RATE_LEN];
	struct quic_endpoint to;
	struct udp_tx tx = { .data = word, .len = sizeof(word), .segment = sizeof(word) };

	if (!is_news(c, rate, now) || e->rates_told == UINT32_MAX ||
	    !quic_conn_remote_endpoint(c->quic, &to))
		return;
	relay_rate_put(&e->end, e->rates_told++, rate, word);
	tx.to = to.to;
	tx.local = to.local;
	if (quic_socket_send_runs(socket, &tx, 1) == 0)
		return; /* the socket is full: tried again with the next run */
	c->relay_told = rate;
	c->relay_told_at = now;
}
