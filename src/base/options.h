/* SPDX-License-Identifier: MIT */
/*
 * The command line of a program or a command as a table: it is parsed, and its --help is printed,
 * from one description. Every command has --help (-h), which the table does not list.
 */
#ifndef MLSH_BASE_OPTIONS_H
#define MLSH_BASE_OPTIONS_H

#include <stdbool.h>
#include <stdio.h>

#include "base/err.h"

#define OPTIONS_MAX 16
#define OPTIONS_ARGS_MAX 200 /* as many nodes as `mlsh remove` takes at once */
#define OPTIONS_COLUMNS 80   /* --help and complaints fit a terminal of this width */

struct option_row {
	const char *name;  /* the long form, without its dashes */
	char letter;	   /* the short form; 0 if it has only the long one */
	const char *value; /* what --help calls the value; NULL: a switch */
	const char *help;
};

struct options {
	const char *program; /* as a person types it: "mlsh setup" */
	const char *usage;   /* what follows that on the first line of --help */
	const char *about;   /* paragraphs of --help; '\n' ends one */
	const char *missing; /* the complaint about too few arguments */
	unsigned min_args, max_args;
	struct option_row row[OPTIONS_MAX]; /* ends with a row without a name */
	const char *more;		    /* the end of --help, printed as it is; may be NULL */
};

struct options_given {
	/* The option of the same row: NULL if absent, "" for a switch. The last one counts. */
	const char *value[OPTIONS_MAX];
	const char *arg[OPTIONS_ARGS_MAX];
	size_t n_args;
	bool help;
};

/*
 * Reads argv[1] to argv[argc - 1]. The strings of `ret` point into argv. With --help the rest is
 * not checked. -EINVAL with one complaint, which proposes the option that was probably meant.
 */
int options_parse(const struct options *o, int argc, char **argv, struct options_given *ret,
		  struct err *err) MUST_CHECK;

/* Prints --help, no line wider than OPTIONS_COLUMNS. */
void options_help(const struct options *o, FILE *f);

/*
 * Returns the word of the list (`n` of them, `stride` bytes apart, each a struct that begins with
 * a `const char *`; NULL pointers are passed over) that `wrong` is probably a misspelling of; NULL
 * if none is near.
 */
const char *options_near(const char *wrong, const void *list, size_t n, size_t stride);

/*
 * Prints a paragraph in lines of at most OPTIONS_COLUMNS columns, broken at blanks. The cursor is
 * at column `at`; further lines begin with `indent` blanks. A word that is longer than a line
 * (a URL, a path) stays whole.
 */
void options_wrap(FILE *f, const char *text, size_t at, size_t indent);

#endif
