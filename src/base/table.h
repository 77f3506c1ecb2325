/* SPDX-License-Identifier: MIT */
/* Tables for people: columns as wide as their widest cell. They abort where memory runs out. */
#ifndef MLSH_BASE_TABLE_H
#define MLSH_BASE_TABLE_H

#include "base/bytes.h"

#define TABLE_COLUMNS_MAX 12

struct table {
	size_t indent, columns, cells, cap;
	size_t width[TABLE_COLUMNS_MAX];
	char **cell; /* rows one after another; a note stands in a row of its own */
};

void table_init(struct table *t, size_t indent, const char *const *head, size_t columns);
void table_cell(struct table *t, const char *text);
/* A text below the last row, not in columns. */
void table_note(struct table *t, const char *text);
void table_print(struct table *t); /* and frees */

#endif
