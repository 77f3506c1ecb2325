/* SPDX-License-Identifier: MIT */
/* Completion for fish: a line for each command, option and argument. */
#include <string.h>

#include "manual.h"

#define BRIEF_MAX 200

static void put_quoted(FILE *f, const char *text)
{
	fputc('\'', f);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
	fputc('\'', f);
}

/* Functions that were made from the program's name begin with this. */
static void put_name(FILE *f, const struct completed *c)
{
	fputs("__", f);
	for (const char *p = c->program; *p; p++)
		fputc(*p == '-' ? '_' : *p, f);
}

/* "complete -c PROGRAM -n '__PROGRAM_at COMMAND'" */
static void put_begin(FILE *f, const struct completed *c, const char *when, const char *command)
{
	fprintf(f, "complete -c %s -n '", c->program);
	put_name(f, c);
	fprintf(f, "_%s %s'", when, *command ? command : "\"\"");
}

static void put_kind(FILE *f, const struct completed *c, enum word_kind kind)
{
	if (kind == WORD_FILES) {
		fputs(" -F", f);
	} else if (*word_kind_name(kind)) {
		fputs(" -a '(", f);
		put_name(f, c);
		fprintf(f, "_names %s)'", word_kind_name(kind));
	}
}

static void put_option(FILE *f, const struct completed *c, const char *command,
		       const struct option_row *r)
{
	char brief[BRIEF_MAX], list[128];
	enum word_kind kind = word_of_value(r);

	put_begin(f, c, "at", command);
	if (r->letter)
		fprintf(f, " -s %c", r->letter);
	fprintf(f, " -l %s", r->name);
	if (r->value)
		fputs(kind == WORD_FILES ? " -r" : " -x", f);
	if (kind == WORD_LIST)
		fprintf(f, " -a '%s'", word_list(r, list, sizeof(list)));
	else
		put_kind(f, c, kind);
	fputs(" -d ", f);
	put_quoted(f, word_brief(r->help, brief, sizeof(brief)));
	fputc('\n', f);
}

static void put_command(FILE *f, const struct completed *c, const char *command,
			const struct options *o)
{
	bool repeats = false;
	enum word_kind kind = o ? word_of_argument(o, 0, &repeats) : WORD_NONE;

	for (size_t i = 0; o && i < OPTIONS_MAX && o->row[i].name; i++)
		put_option(f, c, command, &o->row[i]);
	put_begin(f, c, "at", command);
	fputs(" -s h -l help -d 'print a short help'\n", f);
	if (kind == WORD_NONE)
		return;
	put_begin(f, c, repeats ? "at" : "first", command);
	put_kind(f, c, kind);
	fputc('\n', f);
}

static void put_program(FILE *f, const struct completed *c)
{
	if (!c->own) {
		put_begin(f, c, "at", "");
		fputs(" -s V -l version -d 'print the version'\n", f);
	}
	put_command(f, c, "", c->own);
	for (size_t i = 0; i < c->commands; i++) {
		put_begin(f, c, "at", "");
		fprintf(f, " -a %s -d ", c->command[i].name);
		put_quoted(f, c->command[i].summary);
		fputc('\n', f);
		if (c->helps) {
			put_begin(f, c, "first", "help");
			fprintf(f, " -a %s -d ", c->command[i].name);
			put_quoted(f, c->command[i].summary);
			fputc('\n', f);
		}
	}
	if (c->helps) {
		put_begin(f, c, "at", "");
		fputs(" -a help -d 'print the help of a command'\n", f);
	}
	for (size_t i = 0; i < c->commands; i++)
		put_command(f, c, c->command[i].name, c->command[i].o);
}

static void put_valued(FILE *f, const char *command, const struct options *o)
{
	for (size_t i = 0; o && i < OPTIONS_MAX && o->row[i].name; i++) {
		if (!o->row[i].value)
			continue;
		fprintf(f, " '%s:--%s'", command, o->row[i].name);
		if (o->row[i].letter)
			fprintf(f, " '%s:-%c'", command, o->row[i].letter);
	}
}

/* One case for all of them. */
static void put_values(FILE *f, const struct completed *c)
{
	fputs("        case", f);
	put_valued(f, "", c->own);
	for (size_t i = 0; i < c->commands; i++)
		put_valued(f, c->command[i].name, c->command[i].o);
	fputc('\n', f);
}

void fish_write(FILE *f, const char *templates, const struct completed *c)
{
	static const struct template_table tables[] = { { "TABLES", put_program },
							{ "VALUES", put_values } };

	template_write(f, templates, "completion.fish.in", c, tables, ARRAY_LEN(tables));
}
