/* SPDX-License-Identifier: MIT */
/* Probe frames on their way out: whether they may, and directly or over the relay's channel. */
#include "crypto/hash.h"
#include "overlay/reach/reach.h"

static void send_frame(struct reach *r, const struct probe *f, bool relay, const struct addr *to,
		       uint8_t hops)
{
	const struct probe_way *way = &r->around->way;
	struct relay_path *channel = r->dest->relay;
	uint8_t buf[RELAY_OVERHEAD + PROBE_MAX];
	uint8_t *at = buf + RELAY_OVERHEAD;
	ptrdiff_t n = probe_encode(f, r->key_out, hmac_sha256, at, PROBE_MAX);

	if (n < 0 || (relay && !channel->on))
		return;
	if (!relay) {
		way->direct(way->ctx, to, at, (size_t)n, hops);
		return;
	}
	relay_path_wrap(channel, buf, (size_t)n);
	way->direct(way->ctx, &channel->server, buf, RELAY_OVERHEAD + (size_t)n, 0);
}

static uint64_t ping(struct reach *r, struct path *path, bool urgent, uint8_t hops, uint64_t now)
{
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN, .counter = r->counter++ };

	memcpy(f.tag, r->tag, sizeof(f.tag));
	random_fill(r->around->h, &f.nonce, sizeof(f.nonce));
	f.flags = (path->proven ? PROBE_PROVEN : 0) | (urgent ? PROBE_URGENT : 0);
	path_pinged(path, f.nonce, now);
	if (!path->proven && path->kind != PATH_RELAY && !hops)
		r->strange_at = now;
	send_frame(r, &f, path->kind == PATH_RELAY, &path->to, hops);
	return f.nonce;
}

uint64_t reach_ping(struct reach *r, struct path *path, bool urgent, uint64_t now)
{
	return ping(r, path, urgent, 0, now);
}

void reach_open_nat(struct reach *r, struct path *path, uint64_t now)
{
	ping(r, path, false, r->hops, now);
}

void reach_ping_sized(struct reach *r, const struct path *path, uint64_t nonce, size_t len)
{
	struct probe f = {
		.type = PROBE_PING, .nonce = nonce, .len = len, .counter = r->counter++
	};

	memcpy(f.tag, r->tag, sizeof(f.tag));
	f.flags = path->proven ? PROBE_PROVEN : 0;
	send_frame(r, &f, path->kind == PATH_RELAY, &path->to, 0);
}

void reach_pong(struct reach *r, const struct path *path, const struct probe *to_ping,
		const struct addr *from)
{
	struct probe f = { .type = PROBE_PONG, .nonce = to_ping->nonce };
	bool relay = path && path->kind == PATH_RELAY;

	memcpy(f.tag, r->tag, sizeof(f.tag));
	f.flags = path && path->proven ? PROBE_PROVEN : 0;
	if (!relay)
		f.observed = *from;
	send_frame(r, &f, relay, from, 0);
}

/*
 * However often members change what they name, and however many of them name it, nobody is flooded.
 * `guesses`: the budget for pings to addresses that have never answered, if `to` is such a one.
 */
static bool may_ping(struct reach *r, struct bucket *guesses, const struct addr *to, uint64_t now)
{
	struct surroundings *s = r->around;
	struct reach_budgets *b = r->budgets;

	if (guesses &&
	    (!bucket_has(guesses, 1, now) || !meter_has(&s->unproven, to, PROBE_PING_MIN, now)))
		return false;
	if (!bucket_has(&b->punches, 1, now) || !bucket_take(&s->pings, 1, now))
		return false;
	(void)bucket_take(&b->punches, 1, now);
	return !guesses ||
	       (bucket_take(guesses, 1, now) && meter_take(&s->unproven, to, PROBE_PING_MIN, now));
}

bool reach_may_ping(struct reach *r, const struct path *path, uint64_t now)
{
	bool guess = path->pongs == 0 && path->kind != PATH_RELAY;

	return may_ping(r, guess ? &r->budgets->guesses : NULL, &path->to, now);
}

bool reach_guess(struct reach *r, const struct addr *to, uint64_t now)
{
	struct path none = { .kind = PATH_PUBLIC, .to = *to };

	if (!may_ping(r, &r->budgets->ports, to, now))
		return false;
	reach_ping(r, &none, false, now);
	return true;
}
