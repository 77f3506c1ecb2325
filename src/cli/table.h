/* SPDX-License-Identifier: MIT */
/* Reading values out of the daemon's JSON, and putting them into words for people. */
#ifndef MLSH_CLI_TABLE_H
#define MLSH_CLI_TABLE_H

#include <json-c/json.h>

#include "base/table.h"

/* Prints in one line, and frees. */
void json_print(struct json_object *o);
/* A string member, "" if absent or null. */
const char *js(struct json_object *o, const char *key);
/*
 * Prints `head` and beside it a text, broken at OPTIONS_COLUMNS; further lines are indented as far
 * as the head is wide.
 */
void table_line(const char *head, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* Prints what this host itself uses of the overlay's addresses ("conflicts"), a line each. */
void table_conflicts(struct json_object *o);
/* "1.2 ms", "5 s", "3 h", "1.4 MB"; "-" or "never" for null. Into `out` (24 bytes), which is
 * returned. */
const char *table_ms(struct json_object *o, const char *key, char *out);
const char *table_age(struct json_object *o, const char *key, char *out);
const char *table_bytes(struct json_object *o, const char *key, char *out);

/* Numbers of bits: "0 3 17"; "-" for none of them, "?" for null. Returns `out` or a constant. */
#define TABLE_BITS_MAX (64 * 3 + 1)
const char *table_bits(struct json_object *o, const char *key, char out[TABLE_BITS_MAX]);
/* Has any object of the list such a bit? */
bool table_any_bits(struct json_object *list, const char *key);

/* What a NAT does, in words. */
void table_nat(struct json_object *nat, char *out, size_t cap);
/* What the gateway maps, in words. */
void table_mapping(struct json_object *mapping, char *out, size_t cap);
/* Prints each piece of advice beside a dash. */
void table_advice(struct json_object *list);

#endif
