/* SPDX-License-Identifier: MIT */
/* The last datagrams and messages of a world as a sequence diagram. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/sim/sim.h"

#define ROWS_MAX 60
#define COLUMNS_MAX 6
#define COLUMN_WIDTH_MAX 26
#define COLUMNS_WIDTH 84 /* of all */
#define LINE_MAX_BYTES 256

struct row {
	uint64_t at;
	const struct machine *from, *to; /* an arrow; equal: a note at that machine */
	unsigned count;			 /* of equal arrows */
	size_t bytes;			 /* of all of them */
	char text[TRACE_MESSAGE_MAX + ADDR_TEXT_MAX];
};

struct diagram {
	struct row rows[ROWS_MAX]; /* a ring */
	size_t n_rows;
	const struct machine *columns[COLUMNS_MAX];
	size_t n_columns, width;
};

/* --- what happened ---------------------------------------------------------------------------- */

static struct row *add_row(struct diagram *d, uint64_t at, const struct machine *from,
			   const struct machine *to)
{
	struct row *r = &d->rows[d->n_rows++ % ROWS_MAX];

	*r = (struct row){ .at = at, .from = from, .to = to, .count = 1 };
	return r;
}

static void add_arrow(struct diagram *d, const struct trace_packet *t)
{
	struct row *last = d->n_rows ? &d->rows[(d->n_rows - 1) % ROWS_MAX] : NULL;

	if (last && !last->text[0] && last->from == t->from && last->to == t->machine) {
		last->count++;
		last->bytes += t->len;
		return;
	}
	add_row(d, t->at, t->from, t->machine)->bytes = t->len;
}

/* A datagram has a row when it arrives or is lost; that it was sent is told by these. */
static void add_packet(struct diagram *d, const struct trace_packet *t)
{
	char dst[ADDR_TEXT_MAX];
	struct row *r;

	if (strcmp(t->what, "sent") == 0 || strcmp(t->what, "to itself") == 0)
		return;
	if (strcmp(t->what, "received") == 0 && t->from != t->machine) {
		add_arrow(d, t);
		return;
	}
	r = add_row(d, t->at, t->machine, t->machine);
	snprintf(r->text, sizeof(r->text), "x %s: %zu bytes to %s", t->what, t->len,
		 addr_format(&t->dst, dst));
}

static void add_message(struct diagram *d, const struct trace_message *t)
{
	struct row *r = add_row(d, t->at, t->machine, t->machine);

	snprintf(r->text, sizeof(r->text), "* %s", t->text);
}

static void collect(struct diagram *d, const struct world *w)
{
	uint64_t m = w->n_messages > TRACE_MESSAGES ? w->n_messages - TRACE_MESSAGES : 0;
	uint64_t p = w->n_packets > TRACE_PACKETS ? w->n_packets - TRACE_PACKETS : 0;

	while (m < w->n_messages || p < w->n_packets) {
		const struct trace_message *message = &w->messages[m % TRACE_MESSAGES];
		const struct trace_packet *packet = &w->packets[p % TRACE_PACKETS];

		if (p == w->n_packets || (m < w->n_messages && message->order < packet->order)) {
			add_message(d, message);
			m++;
		} else {
			add_packet(d, packet);
			p++;
		}
	}
}

/* --- the drawing ------------------------------------------------------------------------------ */

static size_t column_of(const struct diagram *d, const struct machine *m)
{
	for (size_t i = 0; i < d->n_columns; i++)
		if (d->columns[i] == m)
			return i;
	return COLUMNS_MAX;
}

static void add_column(struct diagram *d, const struct machine *m)
{
	if (d->n_columns < COLUMNS_MAX && column_of(d, m) == COLUMNS_MAX)
		d->columns[d->n_columns++] = m;
}

static size_t middle(const struct diagram *d, size_t column)
{
	return column * d->width + d->width / 2;
}

static void lifelines(const struct diagram *d, char line[LINE_MAX_BYTES])
{
	memset(line, ' ', LINE_MAX_BYTES);
	for (size_t i = 0; i < d->n_columns; i++)
		line[middle(d, i)] = '|';
	line[middle(d, d->n_columns - 1) + 1] = '\0';
}

static void draw_arrow(const struct diagram *d, const struct row *r, char line[LINE_MAX_BYTES])
{
	size_t a = middle(d, column_of(d, r->from)), b = middle(d, column_of(d, r->to));
	size_t left = MIN(a, b) + 1, right = MAX(a, b) - 1, len;
	char label[32];

	if (r->count > 1)
		snprintf(label, sizeof(label), " %u: %zu bytes ", r->count, r->bytes);
	else
		snprintf(label, sizeof(label), " %zu bytes ", r->bytes);
	memset(line + left, '-', right - left + 1);
	line[a < b ? right : left] = a < b ? '>' : '<';
	len = MIN(strlen(label), right - left - 1);
	memcpy(line + (left + right + 1 - len) / 2, label, len);
}

/* The text may run over lifelines, and beyond the last one. */
static void draw_note(const struct diagram *d, const struct row *r, char line[LINE_MAX_BYTES])
{
	size_t at = middle(d, column_of(d, r->from)) + 2, end = strlen(line);
	size_t len = MIN(strlen(r->text), LINE_MAX_BYTES - 1 - at);

	if (at + len > end) {
		line[end] = ' ';
		line[at + len] = '\0';
	}
	memcpy(line + at, r->text, len);
}

static void draw_row(const struct diagram *d, const struct row *r, FILE *out)
{
	char line[LINE_MAX_BYTES];

	lifelines(d, line);
	fprintf(out, "%12.6f ", (double)(r->at - WORLD_START_NS) / 1e9);
	if (column_of(d, r->from) == COLUMNS_MAX || column_of(d, r->to) == COLUMNS_MAX) {
		fprintf(out, "%s (%s -> %s: %s %zu bytes)\n", line, r->from->name, r->to->name,
			r->text, r->bytes);
		return;
	}
	if (r->text[0])
		draw_note(d, r, line);
	else
		draw_arrow(d, r, line);
	fprintf(out, "%s\n", line);
}

void world_diagram(const struct world *w, FILE *out)
{
	struct diagram *d = sim_alloc(sizeof(*d));
	size_t first;

	collect(d, w);
	first = d->n_rows > ROWS_MAX ? d->n_rows - ROWS_MAX : 0;
	for (size_t i = first; i < d->n_rows; i++) {
		add_column(d, d->rows[i % ROWS_MAX].from);
		add_column(d, d->rows[i % ROWS_MAX].to);
	}
	if (d->n_columns > 0) {
		d->width = MIN(COLUMNS_WIDTH / d->n_columns, (size_t)COLUMN_WIDTH_MAX);
		fprintf(out, "%13s", "");
		for (size_t i = 0; i < d->n_columns; i++) {
			size_t len = MIN(strlen(d->columns[i]->name), d->width - 1);
			size_t left = (d->width - len) / 2;

			fprintf(out, "%*s%.*s%*s", (int)left, "", (int)len, d->columns[i]->name,
				(int)(d->width - left - len), "");
		}
		fputc('\n', out);
	}
	for (size_t i = first; i < d->n_rows; i++)
		draw_row(d, &d->rows[i % ROWS_MAX], out);
	free(d);
}
