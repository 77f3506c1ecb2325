/* SPDX-License-Identifier: MIT */
/* The part of a completion that a person wrote, with tables put in. */
#include <string.h>

#include "manual.h"

#define ROW_MAX 256

/* "_mlsh_signal": of the shell's functions for "mlsh-signal". */
static void put_name(FILE *f, const char *program)
{
	fputc('_', f);
	for (; *program; program++)
		fputc(*program == '-' ? '_' : *program, f);
}

static void put_row(FILE *f, const char *row, const struct completed *c)
{
	const char *at;

	while ((at = strstr(row, "@NAME@")) || (at = strstr(row, "@PROGRAM@"))) {
		bool name = at[1] == 'N';

		fwrite(row, 1, (size_t)(at - row), f);
		if (name)
			put_name(f, c->program);
		else
			fputs(c->program, f);
		row = at + strlen(name ? "@NAME@" : "@PROGRAM@");
	}
	fputs(row, f);
}

void template_write(FILE *f, const char *folder, const char *name, const struct completed *c,
		    const struct template_table *tables, size_t n)
{
	FILE *in = manual_open(folder, name, "r");
	char row[ROW_MAX], wanted[32];

	while (fgets(row, sizeof(row), in)) {
		size_t i = 0;

		for (; i < n; i++) {
			snprintf(wanted, sizeof(wanted), "@%s@\n", tables[i].name);
			if (strcmp(row, wanted) == 0)
				break;
		}
		if (i < n)
			tables[i].put(f, c);
		else
			put_row(f, row, c);
	}
	fclose(in);
}
