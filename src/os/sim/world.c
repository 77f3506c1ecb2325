/* SPDX-License-Identifier: MIT */
/* The world itself: beginning and end, the passing of time, what is kept of what happened. */
#include <stdio.h>

#include "os/sim/sim.h"

#include "base/assert.h"

#define FNV_BASIS 0xcbf29ce484222325
#define FNV_PRIME 0x100000001b3

void *sim_alloc(size_t len)
{
	void *p = calloc(1, MAX(len, 1));

	if (!p)
		DIE("no memory");
	return p;
}

void *sim_copy(const void *data, size_t len)
{
	void *p = sim_alloc(len);

	if (len > 0)
		memcpy(p, data, len);
	return p;
}

void *sim_array_add(void *array_ptr, size_t *n, size_t entry_len)
{
	void **array = array_ptr;
	char *grown = realloc(*array, (*n + 1) * entry_len);

	if (!grown)
		DIE("no memory");
	*array = grown;
	memset(grown + *n * entry_len, 0, entry_len);
	return grown + (*n)++ * entry_len;
}

void sim_array_del(void *array, size_t *n, size_t entry_len, size_t at)
{
	char *entry = (char *)array + at * entry_len;

	memmove(entry, entry + entry_len, (--*n - at) * entry_len);
}

static int log_level_wanted(void)
{
	const char *text = getenv("MLSH_SIM_LOG");
	enum log_level level;

	if (!text || log_level_parse(text, &level) < 0)
		return -1;
	return (int)level;
}

struct world *world_new(uint64_t seed)
{
	struct world *w = sim_alloc(sizeof(*w));

	w->seed = seed;
	w->now = WORLD_START_NS;
	w->digest = FNV_BASIS;
	w->log_level = log_level_wanted();
	w->lines = sim_alloc(TRACE_LINES * sizeof(*w->lines));
	w->packets = sim_alloc(TRACE_PACKETS * sizeof(*w->packets));
	w->messages = sim_alloc(TRACE_MESSAGES * sizeof(*w->messages));
	rng_seed(&w->rng, seed, "network");
	list_init(&w->deferred);
	list_init(&w->hosts);
	list_init(&w->machines);
	list_init(&w->nets);
	list_init(&w->names);
	w->public_net = world_net(w, NULL, NULL, NULL);
	w->public_hops = PUBLIC_HOPS;
	w->nowhere = machine_new(w, w->public_net, "nowhere");
	return w;
}

/* Datagrams on their way are the only events that belong to the world itself. */
static void packets_drop(struct world *w)
{
	size_t kept = 0;

	for (size_t slot = 1; slot <= w->heap_len; slot++) {
		struct event *e = w->heap[slot];

		e->slot = 0;
		if (e->owner)
			continue;
		w->heap[++kept] = e;
	}
	w->heap_len = 0;
	for (size_t slot = 1; slot <= kept; slot++)
		net_packet_drop(w->heap[slot]);
}

void world_free(struct world *w)
{
	if (!w)
		return;
	packets_drop(w);
	list_for_each(it, &w->machines)
		machine_free(list_entry(it, struct machine, in_world));
	hosts_free(w);
	nets_free(w);
	names_free(w);
	free(w->heap);
	free(w->lines);
	free(w->messages);
	free(w->packets);
	free(w);
}

uint64_t world_now(const struct world *w)
{
	return w->now;
}

uint64_t world_seed(const struct world *w)
{
	return w->seed;
}

bool world_run(struct world *w, uint64_t for_ns, bool (*done)(void *ctx), void *ctx)
{
	uint64_t until = w->now + for_ns;

	deferred_run(w);
	for (;;) {
		if (done && done(ctx))
			return true;
		if (!event_run_one(w, until))
			break;
		deferred_run(w);
	}
	w->now = until;
	w->instant_events = 0;
	return !done;
}

/* FNV-1a's steps on words instead of bytes, with the high half folded in: bytes are too slow. */
void world_digest_u64(struct world *w, uint64_t v)
{
	uint64_t d = (w->digest ^ v) * FNV_PRIME;

	w->digest = d ^ d >> 32;
}

void world_digest_add(struct world *w, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (; len >= 8; p += 8, len -= 8)
		world_digest_u64(w, load_be64(p));
	for (size_t i = 0; i < len; i++)
		world_digest_u64(w, p[i]);
}

uint64_t world_digest(const struct world *w)
{
	return w->digest;
}

void world_die(const struct world *w, const char *fmt, ...)
{
	va_list ap;

	world_dump(w);
	fputs("world: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	abort();
}
