/* SPDX-License-Identifier: MIT */
/* Text and command lines as mdoc. */
#include <ctype.h>
#include <string.h>

#include "manual.h"

#define LINE_MAX_COLUMNS 78

/* --- text ------------------------------------------------------------------------------------- */

struct text_line {
	char text[512];
	size_t len;
	bool bold; /* between backquotes */
};

static void put(struct text_line *l, const char *s)
{
	size_t n = strlen(s);

	if (l->len + n >= sizeof(l->text))
		manual_die("a word is too long: %.60s", l->text);
	memcpy(l->text + l->len, s, n + 1);
	l->len += n;
}

static void put_char(struct text_line *l, char c)
{
	char one[2] = { c, '\0' };

	if (c == '\\')
		put(l, "\\e");
	else if (c == '-' && l->bold)
		put(l, "\\-");
	else
		put(l, one);
}

static bool ends_option(char c)
{
	return !isalnum((unsigned char)c) && c != '-';
}

/* One word with its markup. */
static void put_word(struct text_line *l, const char *word, size_t len)
{
	bool option = !l->bold && len > 3 && strncmp(word, "--", 2) == 0;

	/* names are not hyphenated, and nor is what stands in backquotes */
	if (l->bold || strncmp(word, "mlsh", 4) == 0)
		put(l, "\\%");
	for (size_t i = 0; i < len; i++) {
		if (option && i == 0) {
			put(l, "\\fB\\%");
			l->bold = true;
		}
		if (option && l->bold && ends_option(word[i])) {
			put(l, "\\fR");
			l->bold = option = false;
		}
		if (word[i] == '`') {
			/* never broken: a reader may copy it */
			put(l, l->bold ? "\\fR" : "\\fB\\%");
			l->bold = !l->bold;
		} else {
			put_char(l, word[i]);
		}
	}
	if (option && l->bold) {
		put(l, "\\fR");
		l->bold = false;
	}
}

static void end_line(FILE *f, struct text_line *l)
{
	if (l->len == 0)
		return;
	/* Such a line would be taken for a macro. */
	if (l->text[0] == '.' || l->text[0] == '\'')
		fputs("\\&", f);
	fprintf(f, "%s\n", l->text);
	l->len = 0;
	l->text[0] = '\0';
}

/* Does the word end a sentence, if another word follows? */
static bool ends_sentence(const char *word, size_t len)
{
	while (len > 1 && strchr("`)\"'", word[len - 1]))
		len--;
	return len > 1 && strchr(".?!", word[len - 1]) && strncmp(word, "e.g.", 4) != 0;
}

void roff_text(FILE *f, const char *text)
{
	struct text_line l = { .len = 0 };

	while (*(text += strspn(text, " \n"))) {
		size_t len = strcspn(text, " \n");
		struct text_line word = { .bold = l.bold };

		put_word(&word, text, len);
		if (l.len && l.len + 1 + word.len > LINE_MAX_COLUMNS)
			end_line(f, &l);
		if (l.len)
			put(&l, " ");
		put(&l, word.text);
		l.bold = word.bold;
		if (ends_sentence(text, len) && !l.bold)
			end_line(f, &l);
		text += len;
	}
	if (l.bold)
		manual_die("a backquote is missing: %s", l.text);
	end_line(f, &l);
}

/* --- command lines ---------------------------------------------------------------------------- */

void roff_option(FILE *f, const struct option_row *r)
{
	if (r->letter)
		fprintf(f, "Fl %c , ", r->letter);
	fprintf(f, "Fl -%s", r->name);
	if (r->value)
		fprintf(f, " Ar %s", r->value);
}

/* The end of the word at p: its brackets are closed, and a blank or the end follows. */
static const char *word_end(const char *p)
{
	int depth = 0;

	for (; *p && (depth > 0 || *p != ' '); p++)
		depth += *p == '[' ? 1 : *p == ']' ? -1 : 0;
	return p;
}

/* "--name" and "<name>" as macros. */
static void word_macro(FILE *f, const char *p, const char *end)
{
	if (*p == '-') {
		fprintf(f, "Fl %.*s", (int)(end - p - 1), p + 1);
		return;
	}
	fputs("Ar ", f);
	for (; p < end; p++)
		if (*p != '<' && *p != '>')
			fputc(*p, f);
}

/* "[--name <name>]", a macro's line. */
static void optional_words(FILE *f, const char *p, const char *to)
{
	fputs(".Op", f);
	while (p < to) {
		const char *end = word_end(p);

		end = end < to ? end : to;
		fputc(' ', f);
		word_macro(f, p, end);
		p = end + strspn(end, " ");
	}
	fputc('\n', f);
}

/* Is the option in the line that a person wrote? */
static bool is_in(const char *usage, const char *option)
{
	char name[40];
	const char *at;

	snprintf(name, sizeof(name), "--%s", option);
	at = strstr(usage, name);
	return at && ends_option(at[strlen(name)]);
}

/* What "[options]" stands for. */
static void synopsis_options(FILE *f, const struct options *o)
{
	for (size_t i = 0; i < OPTIONS_MAX && o->row[i].name; i++) {
		if (is_in(o->usage, o->row[i].name))
			continue;
		fputs(".Op ", f);
		if (o->row[i].letter)
			fprintf(f, "Fl %c | ", o->row[i].letter);
		fprintf(f, "Fl -%s%s%s\n", o->row[i].name, o->row[i].value ? " Ar " : "",
			o->row[i].value ? o->row[i].value : "");
	}
}

/* One of the lines that "|" separates: a word of the usage on a line each. */
static void synopsis_line(FILE *f, const struct options *o, const char *p, const char *to)
{
	fprintf(f, ".Nm %s\n", o->program);
	while (p < to) {
		const char *end = word_end(p);

		if (strncmp(p, "[options]", 9) == 0) {
			synopsis_options(f, o);
		} else if (*p == '[' && end[-1] == ']') {
			optional_words(f, p + 1, end - 1);
		} else if (*p == '>') {
			fputs(">\n", f);
		} else {
			fputc('.', f);
			word_macro(f, p, end);
			fputc('\n', f);
		}
		p = end + strspn(end, " ");
	}
}

void roff_synopsis(FILE *f, const struct options *o)
{
	const char *p = o->usage;

	for (;;) {
		const char *bar = strstr(p, " | ");

		synopsis_line(f, o, p, bar ? bar : p + strlen(p));
		if (!bar)
			return;
		p = bar + 3;
	}
}
