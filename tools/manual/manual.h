/* SPDX-License-Identifier: MIT */
/*
 * Writes the man pages and the completions of shells from the tables of options, which the programs
 * parse their command lines by.
 */
#ifndef MLSH_MANUAL_H
#define MLSH_MANUAL_H

#include "base/options.h"

/* Ends the program with a complaint. */
_Noreturn void manual_die(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Opens a file of a folder; ends the program if it cannot be opened. */
FILE *manual_open(const char *folder, const char *name, const char *mode);
/* Ends the program if anything that was printed to the file was lost. */
void manual_close(FILE *f, const char *name);

/* --- roff.c --- */

/*
 * Prints text as mdoc: a sentence begins a line, `words` in backquotes and --options are bold.
 * Inside backquotes a hyphen is a minus, so that a reader can copy it.
 */
void roff_text(FILE *f, const char *text);
/* Prints a command line as in a synopsis: "<cluster>" and "CLUSTER" are arguments. */
void roff_synopsis(FILE *f, const struct options *o);
/* Prints what an option is called, as the head of an item of a list. */
void roff_option(FILE *f, const struct option_row *r);

/* --- page.c --- */

/* What a page is about. */
struct page_subject {
	const char *name;	 /* "mlsh-invite" */
	char section;		 /* '1' */
	const char *summary;	 /* NULL: the page says it behind @head */
	const struct options *o; /* NULL: a page of no command */
	bool has_commands;	 /* other commands' options may be asked for by name */
	const char *const *keys; /* of the file that it describes; NULL: of none */
};

/*
 * Writes a page from its source, which is mdoc with two additions: text is printed by roff_text,
 * and lines that begin with @ ask for what the tables know (docs/man/src/README.md).
 */
void page_write(const char *source_folder, const char *page_folder, const struct page_subject *s);

/* --- words.c: what completes a value or an argument --- */

enum word_kind {
	WORD_NONE, /* nothing that is known */
	WORD_LIST, /* one of a few words: word_list */
	WORD_FILES,
	WORD_CLUSTERS, /* these three are asked from mlsh */
	WORD_NODES,
	WORD_INVITES,
	WORD_NODE_LIST /* nodes, joined by commas */
};

enum word_kind word_of_value(const struct option_row *r);
/* The words of a WORD_LIST, with blanks between them. */
const char *word_list(const struct option_row *r, char *out, size_t cap);
/* Of the i-th argument. `ret_repeats`: and of all that follow. */
enum word_kind word_of_argument(const struct options *o, size_t i, bool *ret_repeats);
/* "clusters", "nodes", "invites", "node-list" or "files"; "" for the others. */
const char *word_kind_name(enum word_kind kind);
/* The first part of a description, short enough for a list beside others. */
const char *word_brief(const char *help, char *out, size_t cap);

/* --- bash.c, zsh.c, fish.c --- */

/* One program, with its commands if it has any. */
struct completed {
	const char *program;
	const struct options *own; /* options without a command; NULL: --help and --version */
	struct {
		const char *name, *summary;
		const struct options *o;
	} command[40];
	size_t commands;
	bool helps; /* has a command `help`, which takes the name of another one */
};

/* Each reads its template from the folder `templates`. */
void bash_write(FILE *f, const char *templates, const struct completed *c);
void zsh_write(FILE *f, const char *templates, const struct completed *c);
void fish_write(FILE *f, const char *templates, const struct completed *c);

/* --- template.c --- */

/* What stands in the place of a line "@NAME@". */
struct template_table {
	const char *name;
	void (*put)(FILE *f, const struct completed *c);
};

void template_write(FILE *f, const char *folder, const char *name, const struct completed *c,
		    const struct template_table *tables, size_t n);

#endif
