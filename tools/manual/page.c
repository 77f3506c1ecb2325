/* SPDX-License-Identifier: MIT */
/* One page: its source with what the tables know put in. */
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "signal/usage.h"

#include "manual.h"

#define TEXT_MAX 8192
#define KEYS_MAX 32
#define ROWS_MAX 1000
#define ROW_MAX 256

struct page {
	char row[ROWS_MAX][ROW_MAX]; /* of the source */
	size_t rows, at;	     /* the row that is looked at */
	FILE *out;
	const char *file;
	const struct page_subject *subject;
	char text[TEXT_MAX]; /* rows of text that are not printed yet */
	size_t len;
	bool literal; /* within an example */
	bool key_told[KEYS_MAX];
};

static _Noreturn void bad(const struct page *p, const char *why, const char *what)
{
	manual_die("docs/man/src/%s:%zu: %s: %s", p->file, p->at + 1, why, what);
}

static void read_source(struct page *p, const char *folder)
{
	FILE *f = manual_open(folder, p->file, "r");
	char row[ROW_MAX];

	while (fgets(row, sizeof(row), f)) {
		size_t len = strcspn(row, "\n");

		p->at = p->rows;
		if (!row[len] || p->rows == ROWS_MAX)
			bad(p, "too long, or without an end", row);
		row[len] = '\0';
		memcpy(p->row[p->rows++], row, len + 1);
	}
	fclose(f);
}

/* Does the row begin with the word? Returns what stands behind it and a blank, else NULL. */
static const char *behind(const char *row, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(row, word, n) != 0 || (row[n] && row[n] != ' '))
		return NULL;
	return row[n] ? row + n + 1 : row + n;
}

static void flush_text(struct page *p)
{
	if (p->len)
		roff_text(p->out, p->text);
	p->len = 0;
}

static void add_text(struct page *p, const char *text)
{
	size_t n = strlen(text);

	if (p->len + n + 2 > sizeof(p->text))
		bad(p, "the paragraph is too long", text);
	memcpy(p->text + p->len, text, n);
	memcpy(p->text + p->len + n, " ", 2);
	p->len += n + 1;
}

/* A row that a person wrote: a macro, or text. */
static void ordinary(struct page *p, const char *row)
{
	if (row[0] != '.' && !p->literal && *row) {
		add_text(p, row);
		return;
	}
	flush_text(p);
	if (behind(row, ".Bd"))
		p->literal = true;
	if (behind(row, ".Ed"))
		p->literal = false;
	fprintf(p->out, "%s\n", *row || p->literal ? row : ".Pp");
}

/* --- what the tables know --------------------------------------------------------------------- */

/* The options that a directive is about: the page's own, or those of a command of the program. */
static const struct options *options_of(const struct page *p, const char *command)
{
	if (!*command && p->subject->o)
		return p->subject->o;
	for (size_t i = 0; p->subject->has_commands && i < USAGE_COMMANDS; i++)
		if (strcmp(usage_commands[i].name, command) == 0)
			return usage_commands[i].options;
	bad(p, "no such command", command);
}

static void put_head(struct page *p, const char *summary)
{
	const struct page_subject *s = p->subject;

	fputs(".Dt ", p->out);
	for (const char *c = s->name; *c; c++)
		fputc(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c, p->out);
	fprintf(p->out, " %c\n.Os mlsh\n.Sh NAME\n.Nm %s\n.Nd %s\n", s->section, s->name,
		s->summary ? s->summary : summary);
}

static void put_synopsis(struct page *p, const char *command)
{
	roff_synopsis(p->out, options_of(p, command));
}

/* Each paragraph of --help is one here. */
static void put_about(struct page *p, const char *command)
{
	const char *about = options_of(p, command)->about;

	while (*about) {
		size_t len = strcspn(about, "\n");
		char paragraph[TEXT_MAX];

		snprintf(paragraph, sizeof(paragraph), "%.*s", (int)len, about);
		about += len + (about[len] == '\n');
		/* A page has a section of its own for it. */
		if (strncmp(paragraph, "Exit ", 5) == 0)
			continue;
		roff_text(p->out, paragraph);
		if (*about && strncmp(about, "Exit ", 5) != 0)
			fputs(".Pp\n", p->out);
	}
}

/* "how long it is good for" becomes a sentence. */
static void put_help(struct page *p, const char *help)
{
	static const char json_note[] = " (docs/json.md)";
	char text[TEXT_MAX];
	size_t n = (size_t)snprintf(text, sizeof(text), "%s", help);
	char *json = strstr(text, json_note);

	/* mlsh(1) tells where all JSON is described. */
	if (json && !json[sizeof(json_note) - 1]) {
		*json = '\0';
		n = strlen(text);
	}
	if (text[0] >= 'a' && text[0] <= 'z')
		text[0] = (char)(text[0] - 'a' + 'A');
	if (n && text[n - 1] != '.')
		snprintf(text + n, sizeof(text) - n, ".");
	roff_text(p->out, text);
}

/* The row of @end; the block begins behind the row `from`. */
static size_t block_end(const struct page *p, size_t from)
{
	for (size_t i = from + 1; i < p->rows; i++)
		if (behind(p->row[i], "@end"))
			return i;
	bad(p, "@end is missing", p->row[from]);
}

static bool is_option(const struct options *o, const char *name)
{
	for (size_t i = 0; i < OPTIONS_MAX && o->row[i].name; i++)
		if (strcmp(o->row[i].name, name) == 0)
			return true;
	return false;
}

/* Prints what the source says of an option beside its help. */
static void put_also(struct page *p, const char *option, size_t from, size_t end)
{
	bool here = false;

	for (size_t i = from + 1; i < end; i++) {
		const char *named = behind(p->row[i], "@also");

		if (named)
			here = strcmp(named, option) == 0;
		else if (here)
			ordinary(p, p->row[i]);
	}
	flush_text(p);
}

static void put_options(struct page *p, const char *command)
{
	const struct options *o = options_of(p, command);
	size_t from = p->at, end = block_end(p, from);

	for (p->at++; p->at < end; p->at++) {
		const char *named = behind(p->row[p->at], "@also");

		if (named && !is_option(o, named))
			bad(p, "no such option", named);
	}
	if (*command && !o->row[0].name)
		return;
	fputs(".Bl -tag -width Ds\n", p->out);
	for (size_t i = 0; i < OPTIONS_MAX && o->row[i].name; i++) {
		fputs(".It ", p->out);
		roff_option(p->out, &o->row[i]);
		fputc('\n', p->out);
		put_help(p, o->row[i].help);
		put_also(p, o->row[i].name, from, end);
	}
	/* That each command of another program has it is said once. */
	if (!*command)
		fputs(".It Fl h , Fl -help\nPrint a short help.\n", p->out);
	fputs(".El\n", p->out);
}

static void put_commands(struct page *p, const char *argument)
{
	(void)argument;
	for (size_t g = 0; g < COMMAND_GROUPS; g++) {
		fprintf(p->out, ".Ss %s\n.Bl -tag -width Ds -compact\n", command_groups[g].title);
		for (size_t i = 0; command_groups[g].command[i]; i++) {
			fprintf(p->out, ".It Xr mlsh-%s 1\n", command_groups[g].command[i]->name);
			put_help(p, command_groups[g].command[i]->summary);
		}
		fputs(".El\n", p->out);
	}
}

/* What the exit codes of mlsh mean, if the page does not say more. */
static const char *exit_meaning(const struct page *p, int code)
{
	switch (code) {
	case EXIT_OK:
		return "Done.";
	case EXIT_FAILED:
		return "It was refused or failed, and the message says why. A name, token or "
		       "invite that is not valid belongs here, and output that could not be "
		       "written.";
	case EXIT_USAGE:
		return "The command line is wrong.";
	case EXIT_NOT_YET:
		return "Not connected within the time.";
	case EXIT_NO_DAEMON:
		return "The daemon mlshtund is not running.";
	case EXIT_UNREACHABLE:
		return "The signal server cannot be reached.";
	default:
		bad(p, "no such exit code", p->row[p->at]);
	}
}

/* Rows "N" or "N what it means here", up to @end. */
static void put_exit(struct page *p, const char *argument)
{
	size_t end = block_end(p, p->at);

	(void)argument;
	fputs(".Bl -tag -width Ds\n", p->out);
	for (p->at++; p->at < end; p->at++) {
		char *rest;
		long code = strtol(p->row[p->at], &rest, 10);

		if (rest == p->row[p->at])
			bad(p, "a number is missing", p->row[p->at]);
		fprintf(p->out, ".It %ld\n", code);
		roff_text(p->out, *rest ? rest + 1 : exit_meaning(p, (int)code));
	}
	fputs(".El\n", p->out);
}

/* --- keys of a file --------------------------------------------------------------------------- */

static void put_key(struct page *p, const char *key)
{
	const char *const *keys = p->subject->keys;

	for (size_t i = 0; keys && keys[i]; i++) {
		if (strcmp(keys[i], key) != 0)
			continue;
		p->key_told[i] = true;
		fprintf(p->out, ".It Va %s\n", key);
		return;
	}
	bad(p, "no such key", key);
}

static void check_keys(struct page *p)
{
	const char *const *keys = p->subject->keys;

	for (size_t i = 0; keys && keys[i]; i++)
		if (!p->key_told[i])
			bad(p, "nothing is said of the key", keys[i]);
}

/* --- the page --------------------------------------------------------------------------------- */

static void directive(struct page *p)
{
	static const struct {
		const char *word;
		void (*put)(struct page *p, const char *argument);
	} directives[] = {
		{ "@head", put_head },	     { "@synopsis", put_synopsis }, { "@about", put_about },
		{ "@options", put_options }, { "@commands", put_commands }, { "@exit", put_exit },
		{ "@key", put_key },
	};

	for (size_t i = 0; i < ARRAY_LEN(directives); i++) {
		const char *argument = behind(p->row[p->at], directives[i].word);

		if (argument) {
			directives[i].put(p, argument);
			return;
		}
	}
	bad(p, "unknown directive", p->row[p->at]);
}

static void put_page(struct page *p)
{
	fprintf(p->out,
		".\\\" SPDX-License-Identifier: MIT\n"
		".\\\" Made by `make manual` from docs/man/src/%s: edit that.\n",
		p->file);
	for (p->at = 0; p->at < p->rows; p->at++) {
		const char *row = p->row[p->at];

		if (row[0] == '@' && !p->literal) {
			flush_text(p);
			directive(p);
		} else if (strncmp(row, ".\\\"", 3) != 0) {
			ordinary(p, row);
		}
	}
	flush_text(p);
	check_keys(p);
}

void page_write(const char *source_folder, const char *page_folder, const struct page_subject *s)
{
	char source[64], name[64];
	struct page *p = calloc(1, sizeof(*p));

	if (!p)
		manual_die("no memory");
	snprintf(source, sizeof(source), "%s.%c.mdoc", s->name, s->section);
	snprintf(name, sizeof(name), "%s.%c", s->name, s->section);
	p->file = source;
	p->subject = s;
	read_source(p, source_folder);
	p->out = manual_open(page_folder, name, "w");
	put_page(p);
	manual_close(p->out, name);
	free(p);
}
