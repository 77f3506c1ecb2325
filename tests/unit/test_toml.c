/* SPDX-License-Identifier: MIT */
/* TOML files: values, and messages that name file, line and key. */
#include "base/toml.h"

#include "unit.h"

static struct toml_doc *parse(const char *text)
{
	struct toml_doc *d = NULL;
	struct err err = { 0 };

	ck_assert_msg(toml_parse(span_str(text), "test.toml", &err, &d) == 0, "%s", err.text);
	return d;
}

START_TEST(toml_reads_values_of_tables)
{
	struct toml_doc *d = parse("name = \"nas\"\n[quic]\nbind = \"[::]:4433\"\nport = 4433\n");
	char text[16];
	uint64_t n;

	ck_assert_int_eq(toml_get_text(d, "name", text, sizeof(text), NULL), 0);
	ck_assert_str_eq(text, "nas");
	ck_assert_int_eq(toml_get_text(d, "quic.bind", text, sizeof(text), NULL), 0);
	ck_assert_str_eq(text, "[::]:4433");
	ck_assert_int_eq(toml_get_uint(d, "quic.port", 65535, &n, NULL), 0);
	ck_assert_uint_eq(n, 4433);
	ck_assert_uint_eq(toml_line(d, "quic.bind"), 3);
	ck_assert_uint_eq(toml_line(d, "quic"), 0);
	ck_assert(!toml_has(d, "bind"));
	toml_free(d);
}
END_TEST

START_TEST(toml_messages_name_file_line_and_key)
{
	struct toml_doc *d = parse("\n[quic]\nbind = 7\nport = -1\nlong = \"123456789\"\n"
				   "nul = \"a\\u0000b\"\n");
	char text[8] = "kept";
	uint64_t n = 5;
	struct err err;

	ck_assert_int_eq(toml_get_text(d, "quic.bind", text, sizeof(text), &err), -EINVAL);
	ck_assert_str_eq(err.text, "test.toml:3: quic.bind: must be a text in quotes.");
	ck_assert_int_eq(toml_get_uint(d, "quic.port", 10, &n, &err), -EINVAL);
	ck_assert_str_eq(err.text, "test.toml:4: quic.port: must be from 0 to 10.");
	ck_assert_int_eq(toml_get_text(d, "quic.long", text, sizeof(text), &err), -EINVAL);
	ck_assert_str_eq(err.text, "test.toml:5: quic.long: longer than 7 bytes.");
	ck_assert_int_eq(toml_get_text(d, "quic.nul", text, sizeof(text), &err), -EINVAL);
	ck_assert_int_eq(toml_get_text(d, "quic.none", text, sizeof(text), &err), -ENOENT);
	ck_assert_str_eq(err.text, "test.toml: the key quic.none is missing.");
	ck_assert_str_eq(text, "kept");
	ck_assert_uint_eq(n, 5);
	toml_free(d);
}
END_TEST

START_TEST(toml_refuses_broken_text_with_its_line)
{
	static const char *const broken[] = {
		"a = 1\nb = \n",       "a = 1\na = 2\n", "a = \"open\n",
		"a = 1\n[a]\nb = 1\n", "x y\n",		 "a = \"\xff\"\n",
	};
	struct toml_doc *d = NULL;
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(broken); i++) {
		ck_assert_int_eq(toml_parse(span_str(broken[i]), "f", &err, &d), -EINVAL);
		ck_assert_msg(strncmp(err.text, "f:", 2) == 0, "%s", err.text);
		ck_assert_ptr_null(d);
	}
	ck_assert_int_eq(toml_parse(span_str("a = 1\nb = \n"), "f", &err, &d), -EINVAL);
	ck_assert_msg(strncmp(err.text, "f:2:", 4) == 0, "%s", err.text);
}
END_TEST

START_TEST(toml_bounds_what_it_reads)
{
	static char big[TOML_TEXT_MAX + 1];
	struct toml_doc *d = NULL;

	memset(big, '\n', sizeof(big));
	ck_assert_int_eq(toml_parse(span_of(big, sizeof(big)), "f", NULL, &d), -EFBIG);
	ck_assert_int_eq(toml_parse(span_of(big, sizeof(big) - 1), "f", NULL, &d), 0);
	toml_free(d);
	d = NULL;
	/* a.a.a.a... = 1: as deep as is allowed, and one more */
	for (size_t i = 0; i <= TOML_DOTS_MAX; i++)
		memcpy(big + 2 * i, "a.", 2);
	memcpy(big + 2 * TOML_DOTS_MAX, "a=1", 3);
	ck_assert_int_eq(toml_parse(span_of(big, 2 * TOML_DOTS_MAX + 3), "f", NULL, &d), 0);
	toml_free(d);
	d = NULL;
	memcpy(big + 2 * TOML_DOTS_MAX, "a.a=1", 5);
	ck_assert_int_eq(toml_parse(span_of(big, 2 * TOML_DOTS_MAX + 5), "f", NULL, &d), -EINVAL);
	ck_assert_ptr_null(d);
}
END_TEST

START_TEST(toml_finds_unknown_keys)
{
	static const char *const known[] = { "quic.bind", "name", NULL };
	struct toml_doc *d = parse("name = 1\n[quic]\nbind = 1\n[quic2]\n[other]\nkey = 1\n");
	struct err err;

	ck_assert_int_eq(toml_check_keys(d, known, &err), -EINVAL);
	ck_assert_str_eq(err.text, "test.toml:4: quic2: unknown key.");
	toml_free(d);

	d = parse("\"quic.bind\" = 1\n");
	ck_assert_int_eq(toml_check_keys(d, known, &err), -EINVAL);
	toml_free(d);

	d = parse("[quic]\n");
	ck_assert_int_eq(toml_check_keys(d, known, &err), 0);
	toml_free(d);
}
END_TEST

START_TEST(toml_names_the_first_unknown_key)
{
	struct toml_doc *d = parse("z = 1\na = 2\n[t]\nb = 3\n");
	static const char *const names[] = { "z", "a", "t.b" };
	const char *known[ARRAY_LEN(names) + 1] = { NULL };
	struct err err;

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ck_assert_int_eq(toml_check_keys(d, known, &err), -EINVAL);
		ck_assert_msg(strstr(err.text, names[i]) != NULL, "%s", err.text);
		known[i] = names[i];
	}
	ck_assert_int_eq(toml_check_keys(d, known, &err), 0);
	toml_free(d);
}
END_TEST

START_TEST(toml_quotes_what_it_reads_back)
{
	const char *text = "a\"b\\c\n\x7f\xc3\xa4";
	char quoted[64], line[80], back[32];
	struct toml_doc *d;

	ck_assert_int_gt(toml_quote(text, quoted, sizeof(quoted)), 0);
	snprintf(line, sizeof(line), "k = %s\n", quoted);
	d = parse(line);
	ck_assert_int_eq(toml_get_text(d, "k", back, sizeof(back), NULL), 0);
	ck_assert_str_eq(back, text);
	toml_free(d);
	ck_assert_int_eq(toml_quote("abc", quoted, 5), -ENOSPC);
	ck_assert_int_eq(toml_quote("abc", quoted, 6), 5);
}
END_TEST

UNIT_MAIN("base/toml", toml_reads_values_of_tables, toml_messages_name_file_line_and_key,
	  toml_refuses_broken_text_with_its_line, toml_bounds_what_it_reads,
	  toml_finds_unknown_keys, toml_names_the_first_unknown_key, toml_quotes_what_it_reads_back)
