/* SPDX-License-Identifier: MIT */
/* Completion for bash: the tables of its template. */
#include <string.h>

#include "manual.h"

static void put_options(FILE *f, const struct options *o, const char *otherwise)
{
	fputs("options='", f);
	for (size_t i = 0; o && i < OPTIONS_MAX && o->row[i].name; i++)
		fprintf(f, "--%s ", o->row[i].name);
	fprintf(f, "%s--help'", o ? "" : otherwise);
}

static void put_command(FILE *f, const char *name, const struct options *o)
{
	bool repeats = false;
	enum word_kind kind = word_of_argument(o, 0, &repeats);

	fprintf(f, "\t%s)\n\t\t", name);
	put_options(f, o, "");
	if (kind != WORD_NONE)
		fprintf(f, " %s=%s", repeats ? "further" : "argument", word_kind_name(kind));
	fputs(" ;;\n", f);
}

static void put_names(FILE *f, const struct completed *c)
{
	for (size_t i = 0; i < c->commands; i++)
		fprintf(f, "%s%s", i ? " " : "", c->command[i].name);
}

static void put_words(FILE *f, const struct completed *c)
{
	fputs("\t'')\n\t\t", f);
	put_options(f, c->own, "--version ");
	if (c->commands) {
		fputs("\n\t\tcommands='", f);
		put_names(f, c);
		fprintf(f, "%s'\n\t\t;;\n", c->helps ? " help" : "");
	} else {
		fputs(" ;;\n", f);
	}
	for (size_t i = 0; i < c->commands; i++)
		put_command(f, c->command[i].name, c->command[i].o);
	if (c->helps) {
		fputs("\thelp) argument='=", f);
		put_names(f, c);
		fputs("' ;;\n", f);
	}
}

static void put_values(FILE *f, const char *command, const struct options *o)
{
	char list[128];

	for (size_t i = 0; o && i < OPTIONS_MAX && o->row[i].name; i++) {
		const struct option_row *r = &o->row[i];
		enum word_kind kind = word_of_value(r);

		if (!r->value)
			continue;
		fprintf(f, "\t%s:--%s", command, r->name);
		if (r->letter)
			fprintf(f, " | %s:-%c", command, r->letter);
		if (kind == WORD_LIST)
			fprintf(f, ") kind='=%s' ;;\n", word_list(r, list, sizeof(list)));
		else
			fprintf(f, ") kind='%s' ;;\n", word_kind_name(kind));
	}
}

static void put_all_values(FILE *f, const struct completed *c)
{
	put_values(f, "", c->own);
	for (size_t i = 0; i < c->commands; i++)
		put_values(f, c->command[i].name, c->command[i].o);
}

void bash_write(FILE *f, const char *templates, const struct completed *c)
{
	static const struct template_table tables[] = { { "WORDS", put_words },
							{ "VALUES", put_all_values } };

	template_write(f, templates, "completion.bash.in", c, tables, 2);
}
