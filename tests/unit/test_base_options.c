/* SPDX-License-Identifier: MIT */
/* Command lines as tables: what is taken, what is complained of, what --help looks like. */
#include "unit.h"

#include <stdlib.h>

#include "base/options.h"

enum { COUNT, UNTIL, WAIT, JSON };

static const struct options ping = {
	.program = "mlsh ping",
	.usage = "<node> [options]",
	.about = "Says whether a node answers, by which path and how soon; a line of more than "
		 "eighty columns is broken.\nA second paragraph.",
	.missing = "which node?",
	.min_args = 1,
	.max_args = 1,
	.row = { [COUNT] = { "count", 'c', "N", "how many times" },
		 [UNTIL] = { "until-direct", 0, NULL, "stop at the first direct answer" },
		 [WAIT] = { "wait", 0, "SECS",
			    "a long text that has to be broken because it goes on and on until "
			    "it is longer than a line" },
		 [JSON] = { "json", 0, NULL, "print JSON" } },
};

/* Splits `line` at blanks and parses it. */
static int parse(const char *line, struct options_given *g, struct err *err)
{
	static char words[200];
	char *argv[12] = { (char *)"ping" };
	int argc = 1;

	snprintf(words, sizeof(words), "%s", line);
	for (char *w = strtok(words, " "); w && argc < 11; w = strtok(NULL, " "))
		argv[argc++] = w;
	argv[argc] = NULL;
	*err = (struct err){ 0 };
	return options_parse(&ping, argc, argv, g, err);
}

START_TEST(options_and_arguments_in_any_order)
{
	static const char *const lines[] = {
		"nas -c 3 --json",    "--json nas --count=3", "-c3 --json -- nas",
		"--count 3 --js nas", "-c 9 nas --json -c3",
	};

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct options_given g;
		struct err err;

		ck_assert_msg(parse(lines[i], &g, &err) == 0, "%s: %s", lines[i], err.text);
		ck_assert_uint_eq(g.n_args, 1);
		ck_assert_str_eq(g.arg[0], "nas");
		ck_assert_str_eq(g.value[COUNT], "3");
		ck_assert_str_eq(g.value[JSON], "");
		ck_assert_ptr_null(g.value[UNTIL]);
		ck_assert(!g.help);
	}
}
END_TEST

START_TEST(help_is_taken_beside_mistakes)
{
	static const char *const lines[] = { "--help", "-h", "nas -h", "--json --help a b c" };

	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		struct options_given g;
		struct err err;

		ck_assert_int_eq(parse(lines[i], &g, &err), 0);
		ck_assert(g.help);
	}
}
END_TEST

START_TEST(each_mistake_has_one_complaint)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "", "which node?" },
		{ "nas laptop", "unexpected argument 'laptop'" },
		{ "nas --jsno", "unknown option '--jsno': did you mean '--json'?" },
		{ "nas --untildirect", "unknown option '--untildirect': did you mean "
				       "'--until-direct'?" },
		{ "nas --frobnicate", "unknown option '--frobnicate'" },
		{ "nas --frobnicate=3", "unknown option '--frobnicate'" },
		{ "nas -x", "unknown option '-x'" },
		{ "nas -c", "the option '-c' needs a value: N" },
		{ "nas --wait", "the option '--wait' needs a value: SECS" },
		{ "nas --json=yes", "the option '--json' takes no value" },
		{ "nas --help=yes", "the option '--help' takes no value" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct options_given g;
		struct err err;

		ck_assert_int_eq(parse(cases[i].line, &g, &err), -EINVAL);
		ck_assert_str_eq(err.text, cases[i].text);
	}
}
END_TEST

START_TEST(near_words_are_found_and_far_ones_are_not)
{
	static const char *const words[] = { "setup", "connect", "status", NULL, "adopt" };
	static const struct {
		const char *wrong, *meant;
	} cases[] = {
		{ "conect", "connect" },
		{ "conncet", "connect" },
		{ "statsu", "status" },
		{ "stats", "status" },
		{ "adpot", "adopt" },
		{ "stop", NULL },
		{ "x", NULL },
		{ "", NULL },
		{ "a-word-that-is-longer-than-any-command-there-is", NULL },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = options_near(cases[i].wrong, words, ARRAY_LEN(words),
					       sizeof(words[0]));

		ck_assert_pstr_eq(got, cases[i].meant);
	}
}
END_TEST

static char *printed(void (*print)(FILE *f))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	print(f);
	fclose(f);
	return text;
}

static void print_help(FILE *f)
{
	options_help(&ping, f);
}

START_TEST(help_fits_eighty_columns)
{
	char *text = printed(print_help);

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");

		ck_assert_msg(len <= OPTIONS_COLUMNS, "%.*s", (int)len, line);
		ck_assert_msg(!len || line[len - 1] != ' ', "a blank ends: %.*s", (int)len, line);
		line += len + (line[len] == '\n');
	}
	ck_assert_ptr_eq(strstr(text, "Usage: mlsh ping <node> [options]\n\nSays "), text);
	ck_assert_ptr_nonnull(strstr(text, "broken.\nA second"));
	ck_assert_ptr_nonnull(strstr(text, "\n  -c, --count N   how many times\n"));
	ck_assert_ptr_nonnull(strstr(text,
				     "\n  --until-direct  stop at the first direct answer\n"));
	ck_assert_ptr_nonnull(strstr(text, "\n  -h, --help      print this help\n"
					   "\nThe manual: man mlsh-ping\n"));
	free(text);
}
END_TEST

static void print_long_words(FILE *f)
{
	options_wrap(f,
		     "mlsh: see "
		     "https://example.org/a/very/long/address/that/does/not/fit/into/one/line/"
		     "at/all/anyway for more",
		     0, 2);
}

START_TEST(a_long_word_stays_whole)
{
	char *text = printed(print_long_words);

	ck_assert_str_eq(text,
			 "mlsh: see\n  "
			 "https://example.org/a/very/long/address/that/does/not/fit/into/one/line/"
			 "at/all/anyway\n  for more");
	free(text);
}
END_TEST

UNIT_MAIN("base/options", options_and_arguments_in_any_order, help_is_taken_beside_mistakes,
	  each_mistake_has_one_complaint, near_words_are_found_and_far_ones_are_not,
	  help_fits_eighty_columns, a_long_word_stays_whole)
