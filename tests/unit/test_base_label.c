/* SPDX-License-Identifier: MIT */
/* Tests of base/label.h: names that DNS, resolvers and people can live with. */
#include "base/label.h"

#include "unit.h"

#define A60 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(labels_that_are_accepted)
{
	static const char *const good[] = {
		"a", "7", "nas", "nas-2", "a-b-c", "3d-printer", "a--b", A60 "aaa", "xn-a",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err err = { .code = 0 };

		ck_assert_msg(label_check("node name", good[i], &err) == 0, "%s", err.text);
		ck_assert(label_ok(span_str(good[i])));
	}
}
END_TEST

START_TEST(labels_that_are_refused)
{
	static const char *const bad[][2] = {
		{ "", "empty" },
		{ "-", "begins or ends" },
		{ "-a", "begins or ends" },
		{ "a-", "begins or ends" },
		{ "Nas", "lower case" },
		{ "nas.homelab", "a dot" },
		{ ".", "a dot" },
		{ "a b", "only the letters" },
		{ "a_b", "only the letters" },
		{ "a/b", "only the letters" },
		{ "*", "only the letters" },
		{ "caf\xc3\xa9", "only the letters" },
		{ "a\nb", "only the letters" },
		{ "a`", "only the letters" },
		{ "a{", "only the letters" },
		{ "a:", "only the letters" },
		{ "xn--caf-dma", "DNS reserves" },
		{ "ab--c", "DNS reserves" },
		{ A60 "aaaa", "longer than 63" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { .code = 0 };

		ck_assert_msg(label_check("node name", bad[i][0], &err) == -EINVAL,
			      "\"%s\" was accepted", bad[i][0]);
		ck_assert(!label_ok(span_str(bad[i][0])));
		ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "\"%s\" says: %s", bad[i][0],
			      err.text);
		ck_assert(strncmp(err.text, "node name ", 10) == 0);
		ck_assert_ptr_null(strchr(err.text, '\n'));
		ck_assert_int_eq(label_check("node name", bad[i][0], NULL), -EINVAL);
	}
	ck_assert(!label_ok(span_of("a\0b", 3)));
	ck_assert(!label_ok(span_of("ab\0", 3)));
	ck_assert(!label_ok(span_of(NULL, 0)));
}
END_TEST

START_TEST(cluster_names_that_are_accepted)
{
	static const char *const good[] = {
		"home",	  "lan",    "homelab", "internal", "lab",  "corp", "net", "dev",  "io",
		"locals", "onions", "test2",   "7of9",	   "0xyz", "e164", "x1",  "0x-1",
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct err err = { .code = 0 };

		ck_assert_msg(cluster_name_check(good[i], &err) == 0, "%s", err.text);
	}
}
END_TEST

START_TEST(cluster_names_that_are_refused)
{
	static const char *const bad[][2] = {
		{ "localhost", "RFC 6761" },
		{ "invalid", "RFC 6761" },
		{ "test", "RFC 6761" },
		{ "example", "RFC 6761" },
		{ "local", "RFC 6762" },
		{ "onion", "RFC 7686" },
		{ "arpa", "RFC 3172" },
		{ "alt", "RFC 9476" },
		{ "LOCAL", "lower case" },
		{ "home.arpa", "a dot" },
		{ "", "empty" },
		{ "1", "IPv4" },
		{ "0", "IPv4" },
		{ "192", "IPv4" },
		{ "00000000000000000001", "IPv4" },
		{ "0x", "IPv4" },
		{ "0x7f", "IPv4" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct err err = { .code = 0 };

		ck_assert_msg(cluster_name_check(bad[i][0], &err) == -EINVAL, "\"%s\" was accepted",
			      bad[i][0]);
		ck_assert_msg(strstr(err.text, bad[i][1]) != NULL, "\"%s\" says: %s", bad[i][0],
			      err.text);
		ck_assert(strncmp(err.text, "cluster name ", 13) == 0);
		ck_assert_int_eq(cluster_name_check(bad[i][0], NULL), -EINVAL);
	}
}
END_TEST

START_TEST(public_domains)
{
	static const char *const public[] = {
		"com",	"net",	"org",	   "edu",    "gov",  "mil",   "int",
		"info", "biz",	"dev",	   "app",    "page", "cloud", "online",
		"xyz",	"zone", "academy", "io",     "de",   "uk",    "zz",
		"box",	"aaa",	"goog",	   "amazon", "icu",  "mov",   "zuerich",
	};
	static const char *const not[] = {
		"",	    "a",    "a1",   "1a",   "home",	"lan",	   "homelab",
		"internal", "lab",  "corp", "mail", "intranet", "private", "mesh",
		"coms",	    "co-m", "com.", "COM",  "nets",	"family2",
	};

	for (size_t i = 0; i < ARRAY_LEN(public); i++)
		ck_assert_msg(cluster_name_is_public_tld(public[i]), "%s", public[i]);
	for (size_t i = 0; i < ARRAY_LEN(not); i++)
		ck_assert_msg(!cluster_name_is_public_tld(not[i]), "%s", not[i]);
}
END_TEST

START_TEST(zones_of_local_networks)
{
	ck_assert(cluster_name_is_of_lans("lan") && cluster_name_is_of_lans("internal"));
	ck_assert(!cluster_name_is_of_lans("homelab") && !cluster_name_is_of_lans("lans"));
	ck_assert(!cluster_name_is_of_lans("") && !cluster_name_is_of_lans("box"));
}
END_TEST

START_TEST(hostnames_become_labels)
{
	static const char *const names[][2] = {
		{ "Philippe's MacBook.local", "philippe-s-macbook" },
		{ "nas", "nas" },
		{ "NAS.homelab.", "nas" },
		{ "web_server_01", "web-server-01" },
		{ "", "node" },
		{ ".", "node" },
		{ ".local", "node" },
		{ "---", "node" },
		{ "\xe6\x97\xa5\xe6\x9c\xac", "node" },
		{ "-a-", "a" },
		{ "  a  b  ", "a-b" },
		{ "ab--cd", "ab-cd" },
		{ "xn--caf-dma", "xn-caf-dma" },
		{ "caf\xc3\xa9", "caf" },
		{ "caf\xc3\xa9"
		  "2",
		  "caf-2" },
		{ "Philippe\xe2\x80\x99s iMac", "philippe-s-imac" },
		{ "a\nb", "a-b" },
		{ A60 "aaaaa", A60 "aaa" },
		{ A60 "aa bcd", A60 "aa" },
	};
	char out[LABEL_MAX + 1];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		label_from_hostname(names[i][0], out);
		ck_assert_str_eq(out, names[i][1]);
	}
}
END_TEST

START_TEST(any_hostname_becomes_a_label)
{
	struct unit_rng rng = unit_rng_new("any_hostname_becomes_a_label");
	static const char likely[] = "aZ9-_ .'\xc3";

	for (int round = 0; round < 20000; round++) {
		char name[100], out[LABEL_MAX + 1], again[LABEL_MAX + 1];
		size_t len = unit_random_below(&rng, sizeof(name));

		for (size_t i = 0; i < len; i++)
			name[i] = round % 2 ? likely[unit_random_below(&rng, sizeof(likely) - 1)]
					    : (char)(1 + unit_random_below(&rng, 255));
		name[len] = '\0';
		label_from_hostname(name, out);
		ck_assert_msg(label_ok(span_str(out)), "\"%s\" from \"%s\"", out, name);
		label_from_hostname(out, again);
		ck_assert_str_eq(again, out);
	}
}
END_TEST

UNIT_MAIN("base/label", labels_that_are_accepted, labels_that_are_refused,
	  cluster_names_that_are_accepted, cluster_names_that_are_refused, public_domains,
	  zones_of_local_networks, hostnames_become_labels, any_hostname_becomes_a_label)
