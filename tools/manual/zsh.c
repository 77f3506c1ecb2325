/* SPDX-License-Identifier: MIT */
/* Completion for zsh: each command's options as arguments of _arguments. */
#include <string.h>

#include "manual.h"

#define BRIEF_MAX 200

/* Within single quotes, in brackets or before a colon. */
static void put_quoted(FILE *f, const char *text)
{
	for (; *text; text++) {
		if (strchr("[]:\\", *text))
			fputc('\\', f);
		fputs(*text == '\'' ? "'\\''" : (char[]){ *text, '\0' }, f);
	}
}

static void put_action(FILE *f, enum word_kind kind)
{
	if (kind == WORD_FILES)
		fputs("_files", f);
	else if (kind == WORD_NODE_LIST)
		fputs(" _sequence _mlsh_names nodes -", f);
	else if (*word_kind_name(kind))
		fprintf(f, " _mlsh_names %s",
			word_kind_name(kind)); /* the blank: called as it is */
}

static void put_value(FILE *f, const struct option_row *r)
{
	enum word_kind kind = word_of_value(r);
	char list[128];

	fputc(':', f);
	put_quoted(f, r->value);
	fputc(':', f);
	if (kind == WORD_LIST)
		fprintf(f, "(%s)", word_list(r, list, sizeof(list)));
	else
		put_action(f, kind);
}

static void put_option(FILE *f, const struct option_row *r)
{
	char brief[BRIEF_MAX];

	if (r->letter)
		fprintf(f, " \\\n\t\t'(-%c --%s)'{-%c%s,--%s%s}'[", r->letter, r->name, r->letter,
			r->value ? "+" : "", r->name, r->value ? "=" : "");
	else
		fprintf(f, " \\\n\t\t'--%s%s[", r->name, r->value ? "=" : "");
	put_quoted(f, word_brief(r->help, brief, sizeof(brief)));
	fputc(']', f);
	if (r->value)
		put_value(f, r);
	fputc('\'', f);
}

static void put_options(FILE *f, const struct options *o)
{
	for (size_t i = 0; o && i < OPTIONS_MAX && o->row[i].name; i++)
		put_option(f, &o->row[i]);
	fputs(" \\\n\t\t'(- *)'{-h,--help}'[print a short help]'", f);
}

static void put_command(FILE *f, const char *name, const struct options *o)
{
	bool repeats;
	enum word_kind kind = word_of_argument(o, 0, &repeats);

	fprintf(f, "\t%s)\n\t\t_arguments -S", name);
	put_options(f, o);
	if (kind != WORD_NONE) {
		fprintf(f, " \\\n\t\t'%s:%s:", repeats ? "*" : "1", word_kind_name(kind));
		put_action(f, kind);
		fputc('\'', f);
	}
	fputs(" ;;\n", f);
}

/* The commands with what they do, for a menu. */
static void put_menu(FILE *f, const struct completed *c)
{
	fputs("\tlocal -a commands=(\n", f);
	for (size_t i = 0; i < c->commands; i++) {
		fprintf(f, "\t\t'%s:", c->command[i].name);
		put_quoted(f, c->command[i].summary);
		fputs("'\n", f);
	}
	if (c->helps)
		fputs("\t\t'help:print the help of a command'\n", f);
	fputs("\t)\n", f);
}

static void put_commands(FILE *f, const struct completed *c)
{
	fputs(" \\\n\t\t'1:command:->command' '*::argument:->argument'\n"
	      "\tcase $state in\n"
	      "\tcommand) _describe -t commands command commands; return ;;\n"
	      "\targument) ;;\n"
	      "\t*) return ;;\n"
	      "\tesac\n"
	      "\tcase $words[1] in\n",
	      f);
	for (size_t i = 0; i < c->commands; i++)
		put_command(f, c->command[i].name, c->command[i].o);
	if (c->helps)
		fputs("\thelp) ((CURRENT == 2)) && _describe -t commands command commands ;;\n", f);
	fputs("\tesac\n", f);
}

static void put_program(FILE *f, const struct completed *c)
{
	if (c->commands)
		put_menu(f, c);
	fprintf(f, "\t_arguments -S%s", c->commands ? " -C" : "");
	if (!c->own)
		fputs(" \\\n\t\t'(- *)'{-V,--version}'[print the version]'", f);
	put_options(f, c->own);
	if (c->commands)
		put_commands(f, c);
	else
		fputc('\n', f);
}

void zsh_write(FILE *f, const char *templates, const struct completed *c)
{
	static const struct template_table tables[] = { { "ARGUMENTS", put_program } };

	template_write(f, templates, "completion.zsh.in", c, tables, 1);
}
