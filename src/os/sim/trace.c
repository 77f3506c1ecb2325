/* SPDX-License-Identifier: MIT */
/* What happened last in a world, kept to be shown when a test fails. */
#include "os/sim/sim.h"

#include <stdio.h>

static uint64_t order(const struct world *w)
{
	return w->n_lines + w->n_packets + w->n_messages;
}

void world_trace(struct world *w, const char *fmt, ...)
{
	struct trace_line *t = &w->lines[w->n_lines++ % TRACE_LINES];
	va_list ap;

	t->at = w->now;
	t->order = order(w);
	va_start(ap, fmt);
	if (vsnprintf(t->text, sizeof(t->text), fmt, ap) < 0)
		t->text[0] = '\0';
	va_end(ap);
}

void world_trace_packet(struct world *w, const struct machine *from, const struct machine *m,
			const char *what, const struct packet *p)
{
	struct trace_packet *t = &w->packets[w->n_packets++ % TRACE_PACKETS];

	*t = (struct trace_packet){ .at = w->now,
				    .order = order(w),
				    .from = from ? from : m,
				    .machine = m,
				    .what = what,
				    .src = p->src,
				    .dst = p->dst,
				    .len = p->len };
	world_digest_u64(w, w->now);
	world_digest_add(w, p->src.ip, sizeof(p->src.ip));
	world_digest_add(w, p->dst.ip, sizeof(p->dst.ip));
	world_digest_u64(w, (uint64_t)p->src.port << 32 | (uint64_t)p->dst.port << 16 | p->ecn);
	world_digest_add(w, p->data, p->len);
}

void world_trace_message(struct world *w, const struct machine *m, const char *text)
{
	struct trace_message *t = &w->messages[w->n_messages++ % TRACE_MESSAGES];

	t->at = w->now;
	t->order = order(w);
	t->machine = m;
	snprintf(t->text, sizeof(t->text), "%s", text);
}

static double seconds(uint64_t at)
{
	return (double)(at - WORLD_START_NS) / 1e9;
}

static void dump_packet(const struct trace_packet *t)
{
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

	fprintf(stderr, "%12.6f %s: %s -> %s, %zu bytes: %s\n", seconds(t->at), t->machine->name,
		addr_format(&t->src, src), addr_format(&t->dst, dst), t->len, t->what);
}

void world_dump(const struct world *w)
{
	uint64_t line = w->n_lines > TRACE_LINES ? w->n_lines - TRACE_LINES : 0;
	uint64_t packet = w->n_packets > TRACE_PACKETS ? w->n_packets - TRACE_PACKETS : 0;

	while (line < w->n_lines || packet < w->n_packets) {
		const struct trace_line *l = &w->lines[line % TRACE_LINES];
		const struct trace_packet *p = &w->packets[packet % TRACE_PACKETS];

		if (packet == w->n_packets || (line < w->n_lines && l->order < p->order)) {
			fprintf(stderr, "%12.6f %s\n", seconds(l->at), l->text);
			line++;
		} else {
			dump_packet(p);
			packet++;
		}
	}
	fputc('\n', stderr);
	world_diagram(w, stderr);
	fprintf(stderr, "world: seed %llu, time %.6f s, digest %016llx; last events above\n",
		(unsigned long long)w->seed, seconds(w->now), (unsigned long long)w->digest);
}
