/* SPDX-License-Identifier: AGPL-3.0-only */
/* Opens, finds and closes channels. relay_forward.c has the frames that travel on them. */
#include "signal/relay.h"

#include <stdlib.h>

#include "signal/caller.h"
#include "signal/relay_internal.h"

#define REPORT_EVERY (60 * NS_PER_S)

struct relay *relay_new(const uint8_t map_seed[16], uint64_t node_rate, uint64_t cluster_rate)
{
	struct relay *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	relay_rate_init(r, node_rate, cluster_rate);
	r->ends = map_new(map_seed, RELAY_CHANNEL_LEN, 2 * RELAY_CHANNELS_MAX);
	if (!r->ends) {
		free(r);
		return NULL;
	}
	return r;
}

static void channel_free(struct channel *ch)
{
	secret_wipe(ch, sizeof(*ch));
	free(ch);
}

void relay_free(struct relay *r)
{
	void *value;

	if (!r)
		return;
	for (size_t pos = 0; map_next(r->ends, &pos, &value);) {
		struct channel_end *e = value;
		struct channel *ch = e->channel;

		map_remove(r->ends, e->end.channel);
		if (--ch->linked == 0)
			channel_free(ch);
	}
	map_free(r->ends);
	free(r);
}

void relay_begin(struct relay *r, struct caller *c)
{
	list_init(&c->relay_ends);
	relay_rate_begin(r, c, clock_now(c->server->host));
}

/* --- opening ---------------------------------------------------------------------------------- */

static struct channel_end *end_towards(const struct caller *c, const struct caller *other)
{
	list_for_each(it, &c->relay_ends) {
		struct channel_end *e = list_entry(it, struct channel_end, in_caller);

		if (end_other(e)->caller == other)
			return e;
	}
	return NULL;
}

static void end_unlink(struct relay *r, struct channel_end *e)
{
	list_remove(&e->in_caller);
	e->caller->n_relay_ends--;
	map_remove(r->ends, e->end.channel);
	e->channel->linked--;
}

static void channel_close(struct relay *r, struct channel *ch)
{
	while (ch->linked > 0)
		end_unlink(r, &ch->end[ch->linked - 1]);
	channel_free(ch);
}

static bool is_used_up(const struct channel_end *e)
{
	return MAX(e->window.highest, end_other(e)->window.highest) >=
	       RELAY_RENEW_AT - RELAY_RENEW_EARLY;
}

/*
 * Makes one end of a channel, with a new id and key, and puts it into its caller's list. -ENOSPC,
 * -ENOMEM.
 */
static int end_link(struct relay *r, struct channel *ch, size_t i, struct caller *c)
{
	struct channel_end *e = &ch->end[i];
	struct host *h = c->server->host;
	int code;

	e->channel = ch;
	e->caller = c;
	random_fill(h, e->end.key, sizeof(e->end.key));
	do {
		random_fill(h, e->end.channel, sizeof(e->end.channel));
		code = map_put(r->ends, e->end.channel, e);
	} while (code == -EEXIST);
	if (code < 0)
		return code;
	list_append(&c->relay_ends, &e->in_caller);
	c->n_relay_ends++;
	ch->linked++;
	return 0;
}

static int channel_new(struct relay *r, struct caller *a, struct caller *b,
		       struct channel_end **ret, struct err *err)
{
	struct channel *ch;
	int code;

	if (a->n_relay_ends >= RELAY_CHANNELS_PER_SESSION)
		return refuse(err, -ENOSPC, REFUSAL_FULL, "This node has too many relay channels.");
	if (b->n_relay_ends >= RELAY_CHANNELS_PER_SESSION)
		return refuse(err, -ENOSPC, REFUSAL_FULL, "That node has too many relay channels.");
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return refuse(err, -ENOMEM, REFUSAL_INTERNAL, "The server is out of memory.");
	code = end_link(r, ch, 0, a);
	if (code == 0)
		code = end_link(r, ch, 1, b);
	if (code < 0) {
		channel_close(r, ch);
		return refuse(err, -ENOSPC, REFUSAL_FULL,
			      "The server has too many relay channels.");
	}
	r->stats.opened++;
	*ret = &ch->end[0];
	return 0;
}

int relay_open(struct relay *r, struct caller *c, struct caller *other, struct relay_end *ret,
	       struct err *err)
{
	struct channel_end *e = end_towards(c, other);
	int code;

	if (e && is_used_up(e)) {
		channel_close(r, e->channel);
		e = NULL;
	}
	if (!e) {
		code = channel_new(r, c, other, &e, err);
		if (code < 0)
			return code;
	}
	*ret = e->end;
	events_relay(other, &c->node, &end_other(e)->end);
	return 0;
}

void relay_tell_all(struct caller *c)
{
	for (struct list *it = c->relay_ends.next; it != &c->relay_ends; it = it->next) {
		struct channel_end *e = list_entry(it, struct channel_end, in_caller);

		events_relay(c, &end_other(e)->caller->node, &e->end);
	}
}

/* --- closing ---------------------------------------------------------------------------------- */

void relay_close_all(struct relay *r, struct caller *c)
{
	if (!c->relay_ends.next)
		return;
	while (!list_empty(&c->relay_ends)) {
		struct channel_end *e = list_entry(c->relay_ends.next, struct channel_end,
						   in_caller);
		struct caller *other = end_other(e)->caller;
		uint8_t channel[RELAY_CHANNEL_LEN];

		memcpy(channel, end_other(e)->end.channel, sizeof(channel));
		channel_close(r, e->channel);
		events_relay_closed(other, &c->node, channel);
	}
}

/* --- counters --------------------------------------------------------------------------------- */

struct relay_stats relay_stats_get(const struct relay *r)
{
	struct relay_stats st = r->stats;

	st.channels = map_count(r->ends) / 2;
	return st;
}

void relay_report(struct relay *r, struct log *log, uint64_t now)
{
	struct relay_stats st = relay_stats_get(r);

	if (now < r->next_report || memcmp(&st, &r->reported, sizeof(st)) == 0)
		return;
	r->next_report = now + REPORT_EVERY;
	r->reported = st;
	log_debug(log,
		  "relay: %llu channels; %llu frames and %llu bytes forwarded; dropped: %llu "
		  "malformed, %llu unknown, %llu source, %llu mac, %llu replay, %llu node rate, "
		  "%llu cluster rate, %llu share, %llu full",
		  (unsigned long long)st.channels, (unsigned long long)st.forwarded,
		  (unsigned long long)st.forwarded_bytes, (unsigned long long)st.dropped_malformed,
		  (unsigned long long)st.dropped_unknown, (unsigned long long)st.dropped_source,
		  (unsigned long long)st.dropped_mac, (unsigned long long)st.dropped_replay,
		  (unsigned long long)st.dropped_node_rate,
		  (unsigned long long)st.dropped_cluster_rate, (unsigned long long)st.dropped_share,
		  (unsigned long long)st.dropped_full);
}
