/* SPDX-License-Identifier: MIT */
/* Values out of the daemon's JSON, in words. */
#include "cli/table.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/options.h"

#define CELL 24
#define LINE_TEXT_MAX 1024

void json_print(struct json_object *o)
{
	printf("%s\n", json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								 JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(o);
}

const char *js(struct json_object *o, const char *key)
{
	const char *s = o ? json_object_get_string(json_object_object_get(o, key)) : NULL;

	return s ? s : "";
}

void table_line(const char *head, const char *fmt, ...)
{
	char text[LINE_TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fputs(head, stdout);
	options_wrap(stdout, text, strlen(head), strlen(head));
	putchar('\n');
}

void table_conflicts(struct json_object *o)
{
	struct json_object *list = json_object_object_get(o, "conflicts");
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++)
		table_line("  warning   ", "%s",
			   json_object_get_string(json_object_array_get_idx(list, i)));
}

const char *table_ms(struct json_object *o, const char *key, char *out)
{
	struct json_object *v = o ? json_object_object_get(o, key) : NULL;

	if (!v)
		return strcpy(out, "-");
	double ms = json_object_get_double(v);
	snprintf(out, CELL, ms < 10 ? "%.2f ms" : "%.0f ms", ms);
	return out;
}

const char *table_age(struct json_object *o, const char *key, char *out)
{
	struct json_object *v = o ? json_object_object_get(o, key) : NULL;

	if (!v)
		return strcpy(out, "never");
	double s = json_object_get_double(v);
	if (s < 120)
		snprintf(out, CELL, s < 10 ? "%.1f s" : "%.0f s", s);
	else if (s < 7200)
		snprintf(out, CELL, "%.0f min", s / 60);
	else if (s < 172800)
		snprintf(out, CELL, "%.0f h", s / 3600);
	else
		snprintf(out, CELL, "%.0f d", s / 86400);
	return out;
}

const char *table_bytes(struct json_object *o, const char *key, char *out)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double v = o ? json_object_get_double(json_object_object_get(o, key)) : 0;
	size_t u = 0;

	for (; v >= 1000 && u + 1 < ARRAY_LEN(units); u++)
		v /= 1000;
	snprintf(out, CELL, u && v < 10 ? "%.1f %s" : "%.0f %s", v, units[u]);
	return out;
}

void table_nat(struct json_object *nat, char *out, size_t cap)
{
	static const struct {
		const char *mapping, *words;
	} mappings[] = {
		{ "none", "no NAT on the way to the server" },
		{ "independent", "the same port for every destination" },
		{ "dependent", "another port for each destination" },
		{ "mapped", "the gateway maps a port" },
	};
	const char *filtering = js(nat, "filtering");
	const char *words = "unknown";

	for (size_t i = 0; i < ARRAY_LEN(mappings); i++) {
		if (strcmp(js(nat, "mapping"), mappings[i].mapping) == 0)
			words = mappings[i].words;
	}
	snprintf(out, cap, "%s%s", words,
		 strcmp(filtering, "port") == 0	  ? "; lets in packets only from addresses that it "
						    "sent to before"
		 : strcmp(filtering, "open") == 0 ? "; lets in other ports, too"
						  : "");
}

void table_mapping(struct json_object *mapping, char *out, size_t cap)
{
	const char *state = js(mapping, "state"), *detail = js(mapping, "detail");

	if (strcmp(state, "mapped") == 0)
		snprintf(out, cap, "%s, by the gateway %s (%s)", js(mapping, "external"),
			 js(mapping, "gateway"), js(mapping, "method"));
	else if (strcmp(state, "unneeded") == 0)
		snprintf(out, cap, "not asked for: no gateway, or a public address");
	else if (*js(mapping, "gateway"))
		snprintf(out, cap, "the gateway %s %s%s%s%s", js(mapping, "gateway"),
			 strcmp(state, "asking") == 0 ? "is being asked for a port"
						      : "does not map a port to this machine",
			 *detail ? " (" : "", detail, *detail ? ")" : "");
	else
		snprintf(out, cap, "%s", state);
}

void table_advice(struct json_object *list)
{
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++)
		table_line("  - ", "%s",
			   json_object_get_string(json_object_array_get_idx(list, i)));
}

const char *table_bits(struct json_object *o, const char *key, char out[TABLE_BITS_MAX])
{
	struct json_object *list = json_object_object_get(o, key);
	size_t n = list ? json_object_array_length(list) : 0, len = 0;

	if (!list)
		return "?";
	for (size_t i = 0; i < n && i < 64; i++) {
		unsigned bit = (unsigned)json_object_get_int(json_object_array_get_idx(list, i));

		len += (size_t)snprintf(out + len, TABLE_BITS_MAX - len, "%s%u", i ? " " : "",
					bit % 64);
	}
	return len ? out : "-";
}

bool table_any_bits(struct json_object *list, const char *key)
{
	for (size_t i = 0; i < json_object_array_length(list); i++) {
		struct json_object *bits =
			json_object_object_get(json_object_array_get_idx(list, i), key);

		if (bits && json_object_array_length(bits) > 0)
			return true;
	}
	return false;
}
