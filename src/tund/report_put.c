/* SPDX-License-Identifier: MIT */
/* Values as members of JSON objects, each kind in one form. */
#include "tund/report_put.h"

#include <stdio.h>
#include <stdlib.h>

void put_str(struct json_object *o, const char *key, const char *value)
{
	json_object_object_add(o, key, value ? json_object_new_string(value) : NULL);
}

void put_int(struct json_object *o, const char *key, uint64_t value)
{
	json_object_object_add(o, key, json_object_new_uint64(value));
}

void put_bool(struct json_object *o, const char *key, bool value)
{
	json_object_object_add(o, key, json_object_new_boolean(value));
}

void put_seconds(struct json_object *o, const char *key, uint64_t ns)
{
	char text[32];
	double s = (double)ns / 1e9;

	snprintf(text, sizeof(text), "%.3f", s);
	json_object_object_add(o, key, json_object_new_double_s(s, text));
}

void put_age(struct json_object *o, const char *key, uint64_t now, uint64_t then)
{
	if (then)
		put_seconds(o, key, now - MIN(then, now));
	else
		json_object_object_add(o, key, NULL);
}

void put_ms(struct json_object *o, const char *key, uint64_t ns)
{
	char text[32];

	if (!ns) {
		json_object_object_add(o, key, NULL);
		return;
	}
	snprintf(text, sizeof(text), "%.3f", (double)ns / 1e6);
	json_object_object_add(o, key, json_object_new_double_s((double)ns / 1e6, text));
}

void put_addr(struct json_object *o, const char *key, const struct addr *a)
{
	char text[ADDR_TEXT_MAX];

	put_str(o, key, addr_is_unset(a) ? NULL : addr_format(a, text));
}

void put_ip4(struct json_object *o, const char *key, ip4 ip)
{
	char text[IP4_TEXT_MAX];

	put_str(o, key, ip4_format(ip, text));
}

void put_bits(struct json_object *o, const char *key, bool known, uint64_t bits)
{
	struct json_object *list = known ? json_object_new_array() : NULL;

	for (int bit = 0; list && bit < 64; bit++) {
		if (bits >> bit & 1)
			json_object_array_add(list, json_object_new_int(bit));
	}
	json_object_object_add(o, key, list);
}

char *report_text(struct json_object *o)
{
	const char *s = json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN |
								  JSON_C_TO_STRING_NOSLASHESCAPE);
	char *copy = s ? strdup(s) : NULL;

	json_object_put(o);
	return copy;
}

const char *report_path_name(enum peer_path p)
{
	static const char *const names[] = { "none", "direct", "relay" };

	return names[p];
}
