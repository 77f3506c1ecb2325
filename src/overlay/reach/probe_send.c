/* SPDX-License-Identifier: MIT */
/* Probe frames on their way out: whether they may, and directly or over the relay's channel. */
#include "crypto/hash.h"
#include "overlay/reach/prober.h"

static void send_frame(struct prober *pr, const struct probe *f, bool relay, const struct addr *to,
		       uint8_t hops)
{
	const struct probe_way *way = &pr->around->way;
	struct relay_path *channel = pr->dest->relay;
	uint8_t buf[RELAY_OVERHEAD + PROBE_MAX];
	uint8_t *at = buf + RELAY_OVERHEAD;
	ptrdiff_t n = probe_encode(f, pr->key_out, hmac_sha256, at, PROBE_MAX);

	if (n < 0 || (relay && !channel->on))
		return;
	if (!relay) {
		way->direct(way->ctx, to, at, (size_t)n, hops);
		return;
	}
	relay_path_wrap(channel, buf, (size_t)n);
	way->direct(way->ctx, &channel->server, buf, RELAY_OVERHEAD + (size_t)n, 0);
}

static uint64_t ping(struct prober *pr, struct path *path, bool urgent, uint8_t hops, uint64_t now)
{
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN, .counter = pr->counter++ };

	memcpy(f.tag, pr->tag, sizeof(f.tag));
	random_fill(pr->around->h, &f.nonce, sizeof(f.nonce));
	f.flags = (path->proven ? PROBE_PROVEN : 0) | (urgent ? PROBE_URGENT : 0);
	path_pinged(path, f.nonce, now);
	if (!path->proven && path->kind != PATH_RELAY && !hops)
		pr->strange_at = now;
	send_frame(pr, &f, path->kind == PATH_RELAY, &path->to, hops);
	return f.nonce;
}

uint64_t prober_ping(struct prober *pr, struct path *path, bool urgent, uint64_t now)
{
	return ping(pr, path, urgent, 0, now);
}

void prober_open_nat(struct prober *pr, struct path *path, uint64_t now)
{
	ping(pr, path, false, pr->hops, now);
}

void prober_ping_sized(struct prober *pr, const struct path *path, uint64_t nonce, size_t len)
{
	struct probe f = {
		.type = PROBE_PING, .nonce = nonce, .len = len, .counter = pr->counter++
	};

	memcpy(f.tag, pr->tag, sizeof(f.tag));
	f.flags = path->proven ? PROBE_PROVEN : 0;
	send_frame(pr, &f, path->kind == PATH_RELAY, &path->to, 0);
}

void prober_pong(struct prober *pr, const struct path *path, const struct probe *to_ping,
		 const struct addr *from)
{
	struct probe f = { .type = PROBE_PONG, .nonce = to_ping->nonce };
	bool relay = path && path->kind == PATH_RELAY;

	memcpy(f.tag, pr->tag, sizeof(f.tag));
	f.flags = path && path->proven ? PROBE_PROVEN : 0;
	if (!relay)
		f.observed = *from;
	send_frame(pr, &f, relay, from, 0);
}

/*
 * However often members change what they name, and however many of them name it, nobody is flooded.
 * `guesses`: the budget for pings to addresses that have never answered, if `to` is such a one.
 */
static bool may_ping(struct prober *pr, struct bucket *guesses, const struct addr *to, uint64_t now)
{
	struct surroundings *s = pr->around;
	struct reach_budgets *b = pr->budgets;

	if (guesses &&
	    (!bucket_has(guesses, 1, now) || !meter_has(&s->unproven, to, PROBE_PING_MIN, now)))
		return false;
	if (!bucket_has(&b->punches, 1, now) || !bucket_take(&s->pings, 1, now))
		return false;
	(void)bucket_take(&b->punches, 1, now);
	return !guesses ||
	       (bucket_take(guesses, 1, now) && meter_take(&s->unproven, to, PROBE_PING_MIN, now));
}

bool prober_may_ping(struct prober *pr, const struct path *path, uint64_t now)
{
	bool guess = path->pongs == 0 && path->kind != PATH_RELAY;

	return may_ping(pr, guess ? &pr->budgets->guesses : NULL, &path->to, now);
}

bool prober_guess(struct prober *pr, const struct addr *to, uint64_t now)
{
	struct path none = { .kind = PATH_PUBLIC, .to = *to };

	if (!may_ping(pr, &pr->budgets->ports, to, now))
		return false;
	prober_ping(pr, &none, false, now);
	return true;
}
