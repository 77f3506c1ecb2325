/* SPDX-License-Identifier: MIT */
/* Command lines: parsing by getopt, --help, and proposals for misspelled words. */
#include "base/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#define NAME_COLUMN 2
#define HELP_COLUMN_MAX 28
#define WORD_MAX 32
#define ROW_HELP 256 /* getopt's value for --help: above every row's number */

/* --- text ------------------------------------------------------------------------------------- */

/* Columns of a piece of UTF-8 text: continuation bytes take none. */
static size_t columns(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += ((unsigned char)s[i] & 0xc0) != 0x80;
	return n;
}

void options_wrap(FILE *f, const char *text, size_t at, size_t indent)
{
	bool first = true; /* in its line */

	while (*text) {
		size_t len = strcspn(text, " \n"), width = columns(text, len);

		if (!first && at + 1 + width > OPTIONS_COLUMNS) {
			fprintf(f, "\n%*s", (int)indent, "");
			at = indent;
			first = true;
		}
		if (!first && len) {
			fputc(' ', f);
			at++;
		}
		fwrite(text, 1, len, f);
		at += width;
		first = first && len == 0;
		text += len;
		if (*text == '\n') {
			fprintf(f, "\n%*s", text[1] ? (int)indent : 0, "");
			at = indent;
			first = true;
		}
		text += *text != '\0';
	}
}

/* --- misspelled words ------------------------------------------------------------------------- */

static size_t min3(size_t a, size_t b, size_t c)
{
	a = a < b ? a : b;
	return a < c ? a : c;
}

/* Insertions, deletions, changes and swaps of neighbours between two words of up to WORD_MAX. */
static size_t distance(const char *a, const char *b)
{
	size_t la = strlen(a), lb = strlen(b), d[WORD_MAX + 1][WORD_MAX + 1];

	if (la > WORD_MAX || lb > WORD_MAX)
		return SIZE_MAX;
	for (size_t i = 0; i <= la; i++)
		d[i][0] = i;
	for (size_t j = 0; j <= lb; j++)
		d[0][j] = j;
	for (size_t i = 1; i <= la; i++) {
		for (size_t j = 1; j <= lb; j++) {
			d[i][j] = min3(d[i - 1][j] + 1, d[i][j - 1] + 1,
				       d[i - 1][j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				d[i][j] = min3(d[i][j], d[i - 2][j - 2] + 1, SIZE_MAX);
		}
	}
	return d[la][lb];
}

const char *options_near(const char *wrong, const void *list, size_t n, size_t stride)
{
	const char *best = NULL;
	size_t least = SIZE_MAX;

	for (size_t i = 0; i < n; i++) {
		const char *word = *(const char *const *)((const char *)list + i * stride);
		size_t apart = word ? distance(wrong, word) : SIZE_MAX;

		/* one slip in a short word, two in a longer one */
		if (word && apart < least && apart <= (strlen(word) < 6 ? 1 : 2)) {
			least = apart;
			best = word;
		}
	}
	return best;
}

/* --- parsing ---------------------------------------------------------------------------------- */

static size_t row_count(const struct options *o)
{
	size_t n = 0;

	while (n < OPTIONS_MAX && o->row[n].name)
		n++;
	return n;
}

struct getopt_tables {
	struct option longs[OPTIONS_MAX + 2];
	char shorts[3 + 2 * OPTIONS_MAX];
};

static void make_tables(const struct options *o, struct getopt_tables *t)
{
	size_t n = row_count(o), at = 0;

	*t = (struct getopt_tables){ .shorts = "" };
	t->shorts[at++] = ':'; /* a missing value is told apart */
	t->shorts[at++] = 'h';
	for (size_t i = 0; i < n; i++) {
		const struct option_row *r = &o->row[i];

		t->longs[i] = (struct option){ r->name, r->value ? required_argument : no_argument,
					       NULL, ROW_HELP + 1 + (int)i };
		if (r->letter)
			t->shorts[at++] = r->letter;
		if (r->letter && r->value)
			t->shorts[at++] = ':';
	}
	t->longs[n] = (struct option){ "help", no_argument, NULL, ROW_HELP };
}

/* The row of what getopt returned or left in optopt; -1 for unknown options. */
static int row_of(const struct options *o, int c)
{
	if (c > ROW_HELP)
		return c - ROW_HELP - 1;
	for (size_t i = 0; c && i < row_count(o); i++)
		if (o->row[i].letter == c)
			return (int)i;
	return -1;
}

static int unknown_option(const struct options *o, const char *given, struct err *err)
{
	char name[WORD_MAX + 1];
	const char *meant;

	if (optopt > 0 && optopt < ROW_HELP)
		return err_set(err, -EINVAL, "unknown option '-%c'", optopt);
	if (row_of(o, optopt) >= 0 || optopt == ROW_HELP) /* --switch=value */
		return err_set(err, -EINVAL, "the option '--%s' takes no value",
			       optopt == ROW_HELP ? "help" : o->row[row_of(o, optopt)].name);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(given + 2, "="), given + 2);
	for (size_t i = 0; i < row_count(o); i++)
		if (strncmp(o->row[i].name, name, strlen(name)) == 0)
			return err_set(err, -EINVAL, "'--%s' is short for more than one option",
				       name);
	meant = options_near(name, o->row, row_count(o), sizeof(o->row[0]));
	return err_set(err, -EINVAL, "unknown option '--%s'%s%s%s", name,
		       meant ? ": did you mean '--" : "", meant ? meant : "", meant ? "'?" : "");
}

static int take_args(const struct options *o, int argc, char **argv, struct options_given *ret,
		     struct err *err)
{
	size_t n = (size_t)(argc - optind);

	if (n < o->min_args)
		return err_set(err, -EINVAL, "%s", o->missing);
	if (n > o->max_args)
		return err_set(err, -EINVAL, "unexpected argument '%.40s'",
			       argv[(size_t)optind + o->max_args]);
	for (ret->n_args = 0; ret->n_args < n; ret->n_args++)
		ret->arg[ret->n_args] = argv[(size_t)optind + ret->n_args];
	return 0;
}

int options_parse(const struct options *o, int argc, char **argv, struct options_given *ret,
		  struct err *err)
{
	struct getopt_tables t;
	int c;

	make_tables(o, &t);
	*ret = (struct options_given){ .help = false };
	opterr = 0;
	optind = 0; /* GNU: begin again, whatever was parsed before */
	while ((c = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
		int row = row_of(o, c);

		if (c == 'h' || c == ROW_HELP) {
			ret->help = true;
			return 0;
		}
		if (c == ':')
			return err_set(err, -EINVAL, "the option '%s' needs a value: %s",
				       argv[optind - 1], o->row[row_of(o, optopt)].value);
		if (row < 0)
			return unknown_option(o, argv[optind - 1], err);
		ret->value[row] = o->row[row].value ? optarg : "";
	}
	return take_args(o, argc, argv, ret, err);
}

/* --- help ------------------------------------------------------------------------------------- */

/* "-c, --count N" */
static int format_name(const struct option_row *r, char *out, size_t cap)
{
	char letter[5] = "";

	if (r->letter)
		snprintf(letter, sizeof(letter), "-%c, ", r->letter);
	return snprintf(out, cap, "%s--%s%s%s", letter, r->name, r->value ? " " : "",
			r->value ? r->value : "");
}

/* Where the descriptions begin: beside the longest name that leaves them room. */
static size_t help_column(const struct options *o)
{
	size_t column = NAME_COLUMN + strlen("-h, --help") + 2;
	char name[80];

	for (size_t i = 0; i < row_count(o); i++) {
		size_t end = NAME_COLUMN + (size_t)format_name(&o->row[i], name, sizeof(name)) + 2;

		if (end > column && end <= HELP_COLUMN_MAX)
			column = end;
	}
	return column;
}

static void help_row(FILE *f, const char *name, const char *help, size_t column)
{
	size_t end = NAME_COLUMN + strlen(name);

	fprintf(f, "%*s%s", NAME_COLUMN, "", name);
	if (end + 2 > column)
		fprintf(f, "\n%*s", (int)column, "");
	else
		fprintf(f, "%*s", (int)(column - end), "");
	options_wrap(f, help, column, column);
	fputc('\n', f);
}

/* Each command of mlsh has a page; the commands of another program are in that program's. */
static void help_manual(const struct options *o, FILE *f)
{
	bool own = strncmp(o->program, "mlsh ", 5) == 0;

	fprintf(f, "\nThe manual: man %.*s%s%s\n", (int)strcspn(o->program, " "), o->program,
		own ? "-" : "", own ? o->program + 5 : "");
}

void options_help(const struct options *o, FILE *f)
{
	size_t column = help_column(o);
	char name[80];

	fprintf(f, "Usage: %s", o->program);
	if (*o->usage) {
		size_t begin = strlen("Usage: ") + strlen(o->program) + 1;

		fputc(' ', f);
		options_wrap(f, o->usage, begin, begin);
	}
	fputs("\n\n", f);
	options_wrap(f, o->about, 0, 0);
	fputs("\n\n", f);
	for (size_t i = 0; i < row_count(o); i++) {
		format_name(&o->row[i], name, sizeof(name));
		help_row(f, name, o->row[i].help, column);
	}
	help_row(f, "-h, --help", "print this help", column);
	if (o->more)
		fputs(o->more, f);
	help_manual(o, f);
}
