/* SPDX-License-Identifier: MIT */
/* The cluster file: comes back as it was written, and every fault is named with its line. */
#include "client/cluster_file.h"

#include "unit.h"

static struct cluster_file example(void)
{
	struct cluster_file f = {
		.cluster = "homelab",
		.node_name = "nas",
		.address = 0x64400001,
		.subnet = { 0x64400000, 10 },
		.signal_host = "signal.example.org",
		.signal_port = 4433,
	};

	memset(f.cluster_id, 0x11, HASH_LEN);
	memset(f.node_id.bytes, 0x22, NODE_ID_LEN);
	memset(f.signal_cert, 0x33, HASH_LEN);
	memset(f.signal_key, 0x44, HASH_LEN);
	memset(f.node_token, 0xfe, HASH_LEN);
	return f;
}

static size_t encode(const struct cluster_file *f, char out[4096])
{
	size_t len = 0;

	ck_assert_int_eq(cluster_file_encode(f, out, 4096, &len), 0);
	ck_assert_uint_eq(strlen(out), len);
	return len;
}

static void check_back(const struct cluster_file *f)
{
	char text[4096], again[4096];
	struct cluster_file back = { .signal_port = 1 };
	struct err err = { 0 };
	size_t len = encode(f, text);
	int r = cluster_file_decode(span_of(text, len), "x.toml", &back, &err);

	ck_assert_msg(r == 0, "%s", err.text);
	encode(&back, again);
	ck_assert_str_eq(text, again);
	ck_assert_str_eq(back.cluster, f->cluster);
	ck_assert_str_eq(back.signal_host, f->signal_host);
	ck_assert_mem_eq(back.node_token, f->node_token, HASH_LEN);
	ck_assert_mem_eq(back.node_id.bytes, f->node_id.bytes, NODE_ID_LEN);
	ck_assert_uint_eq(back.address, f->address);
	ck_assert_uint_eq(back.signal_port, f->signal_port);
}

START_TEST(comes_back)
{
	struct cluster_file f = example();

	check_back(&f);
	strcpy(f.signal_host, "192.0.2.7");
	f.signal_port = 65535;
	check_back(&f);
	strcpy(f.signal_host, "2001:db8::7");
	check_back(&f);
	memset(f.cluster, 'c', LABEL_MAX);
	memset(f.node_name, '7', LABEL_MAX);
	check_back(&f);
}
END_TEST

START_TEST(does_not_overflow)
{
	struct cluster_file f = example();
	char text[4096], small[4096];
	size_t len = encode(&f, text), got = 7;

	for (size_t cap = 0; cap <= len; cap++) {
		memset(small, 'x', sizeof(small));
		ck_assert_int_eq(cluster_file_encode(&f, small, cap, &got), -ENOSPC);
		ck_assert_uint_eq(got, 7);
		for (size_t i = cap; i < sizeof(small); i++)
			ck_assert_int_eq(small[i], 'x');
	}
	ck_assert_int_eq(cluster_file_encode(&f, small, len + 1, &got), 0);
}
END_TEST

/* The text is refused, `ret` is not touched, and the message has all of these pieces. */
static void check_refused(const char *text, size_t len, const char *piece, const char *piece2)
{
	struct cluster_file f = { .signal_port = 77 };
	struct err err = { 0 };
	int r = cluster_file_decode(span_of(text, len), "x.toml", &f, &err);

	ck_assert_msg(r < 0, "accepted: %.*s", (int)len, text);
	ck_assert_int_eq(err.code, r);
	ck_assert_ptr_nonnull(strstr(err.text, "x.toml"));
	ck_assert_msg(strstr(err.text, piece) != NULL, "%s: no \"%s\"", err.text, piece);
	ck_assert_msg(strstr(err.text, piece2) != NULL, "%s: no \"%s\"", err.text, piece2);
	ck_assert_uint_eq(f.signal_port, 77);
}

/* The example with the value of a key replaced; NULL: without the line. */
static size_t with(const char *table, const char *key, const char *value, char out[8192])
{
	struct cluster_file f = example();
	char text[4096], head[64], line[64], *at, *end;

	encode(&f, text);
	snprintf(head, sizeof(head), "[%s]\n", table);
	at = table[0] ? strstr(text, head) : text;
	ck_assert_ptr_nonnull(at);
	snprintf(line, sizeof(line), "\n%s = ", key);
	at = strstr(at, line);
	ck_assert_ptr_nonnull(at);
	at++;
	end = strchr(at, '\n');
	if (value)
		return (size_t)snprintf(out, 8192, "%.*s%s = %s%s", (int)(at - text), text, key,
					value, end);
	return (size_t)snprintf(out, 8192, "%.*s%s", (int)(at - text), text, end + 1);
}

static const struct {
	const char *table, *key;
} keys[] = {
	{ "", "version" },    { "cluster", "name" }, { "cluster", "id" },   { "cluster", "subnet" },
	{ "node", "name" },   { "node", "id" },	     { "node", "address" }, { "node", "token" },
	{ "signal", "host" }, { "signal", "port" },  { "signal", "cert" },  { "signal", "key" },
};

START_TEST(missing_keys_are_named)
{
	char text[8192];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t len = with(keys[i].table, keys[i].key, NULL, text);

		check_refused(text, len, keys[i].key, "missing");
	}
}
END_TEST

START_TEST(values_of_another_type_are_refused)
{
	char text[8192];

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		size_t len = with(keys[i].table, keys[i].key, "[1, 2]", text);

		check_refused(text, len, keys[i].key, "");
		len = with(keys[i].table, keys[i].key, "true", text);
		check_refused(text, len, keys[i].key, "");
	}
}
END_TEST

START_TEST(bad_values_are_refused)
{
	static const struct {
		const char *table, *key, *value;
	} bad[] = {
		{ "", "version", "0" },
		{ "", "version", "2" },
		{ "", "version", "-1" },
		{ "cluster", "name", "\"\"" },
		{ "cluster", "name", "\"Homelab\"" },
		{ "cluster", "name", "\"../x\"" },
		{ "cluster", "name", "\"a\\nb\"" },
		{ "cluster", "name", "\"a.b\"" },
		{ "cluster", "name",
		  "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"" },
		{ "cluster", "id", "\"11\"" },
		{ "cluster", "id", "\"zz\"" },
		{ "cluster", "subnet", "\"100.64.0.0\"" },
		{ "cluster", "subnet", "\"100.64.0.1/10\"" },
		{ "cluster", "subnet", "\"8.8.0.0/16\"" },
		{ "node", "name", "\"n\\u0000s\"" },
		{ "node", "id", "\"2222222222222222222222222222222\"" },
		{ "node", "id", "\"2222222222222222222222222222222G\"" },
		{ "node", "address", "\"100.64.0\"" },
		{ "node", "address", "\"192.168.0.1\"" },
		{ "node", "address", "\"100.64.0.0\"" },
		{ "node", "address", "\"100.127.255.255\"" },
		{ "node", "token", "\"\"" },
		{ "signal", "host", "\"\"" },
		{ "signal", "host", "\"a b\"" },
		{ "signal", "host", "\"host:99\"" },
		{ "signal", "host", "\"-x\\\" \\\"\"" },
		{ "signal", "port", "0" },
		{ "signal", "port", "65536" },
		{ "signal", "port", "-1" },
		{ "signal", "port", "\"4433\"" },
	};
	char text[8192];

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		size_t len = with(bad[i].table, bad[i].key, bad[i].value, text);

		check_refused(text, len, bad[i].key, "");
	}
}
END_TEST

START_TEST(unknown_keys_and_garbage_are_refused)
{
	struct cluster_file f = example();
	char text[8192];
	static char big[CLUSTER_FILE_MAX + 2];
	size_t len = encode(&f, text);

	check_refused("version = 2\nother = \"things\"\n", 29, "version", "newer");
	check_refused("", 0, "version", "missing");
	check_refused("= = =", 5, "1", "");
	snprintf(text + len, sizeof(text) - len, "colour = \"red\"\n");
	check_refused(text, strlen(text), "signal.colour", "unknown");
	encode(&f, text);
	snprintf(text + len, sizeof(text) - len, "port = 1\n");
	check_refused(text, strlen(text), "port", "");
	encode(&f, text);
	text[3] = (char)0xc3;
	text[4] = (char)0xa4;
	check_refused(text, len, "x.toml:1:", "ASCII");
	check_refused("\n\n3= \xef\xbb\xaf", 8, "x.toml:3:", "ASCII");
	memset(big, '#', sizeof(big) - 1);
	check_refused(big, sizeof(big) - 1, "larger", "");
}
END_TEST

UNIT_MAIN("client/cluster_file", comes_back, does_not_overflow, missing_keys_are_named,
	  values_of_another_type_are_refused, bad_values_are_refused,
	  unknown_keys_and_garbage_are_refused)
