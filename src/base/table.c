/* SPDX-License-Identifier: MIT */
/* Columns as wide as their widest cell. */
#include "base/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/options.h"

static void table_push(struct table *t, char *text)
{
	if (!text)
		DIE("no memory");
	if (t->cells == t->cap) {
		t->cap = MAX(t->cap * 2, (size_t)64);
		t->cell = realloc(t->cell, t->cap * sizeof(*t->cell));
		if (!t->cell)
			DIE("no memory");
	}
	t->cell[t->cells++] = text;
}

void table_init(struct table *t, size_t indent, const char *const *head, size_t columns)
{
	*t = (struct table){ .indent = indent, .columns = columns };
	for (size_t i = 0; i < columns; i++)
		table_cell(t, head[i]);
}

void table_cell(struct table *t, const char *text)
{
	size_t column = t->cells % t->columns;

	t->width[column] = MAX(t->width[column], strlen(text));
	table_push(t, strdup(text));
}

/* A note is a row whose first cell begins with a newline; the rest of the row is empty. */
void table_note(struct table *t, const char *text)
{
	char *line = NULL;

	if (asprintf(&line, "\n%s", text) < 0)
		DIE("no memory");
	table_push(t, line);
	for (size_t i = 1; i < t->columns; i++)
		table_push(t, strdup(""));
}

void table_print(struct table *t)
{
	for (size_t i = 0; i < t->cells; i += t->columns) {
		bool note = t->cell[i][0] == '\n';
		size_t indent = t->indent + (note ? 2 : 0);

		printf("%*s", (int)indent, "");
		if (note)
			options_wrap(stdout, t->cell[i] + 1, indent, indent);
		else
			for (size_t c = 0; c < t->columns; c++)
				printf(c + 1 < t->columns ? "%-*s  " : "%.*s",
				       c + 1 < t->columns ? (int)t->width[c] : 256, t->cell[i + c]);
		putchar('\n');
		for (size_t c = 0; c < t->columns; c++)
			free(t->cell[i + c]);
	}
	free(t->cell);
}
