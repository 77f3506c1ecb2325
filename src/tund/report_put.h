/* SPDX-License-Identifier: MIT */
/* For the files that make reports. With them the only user of json-c in the daemon. */
#ifndef MLSH_TUND_REPORT_PUT_H
#define MLSH_TUND_REPORT_PUT_H

#include <json-c/json.h>

#include "tund/report.h"

void put_str(struct json_object *o, const char *key, const char *value); /* NULL: null */
void put_int(struct json_object *o, const char *key, uint64_t value);
void put_bool(struct json_object *o, const char *key, bool value);
void put_seconds(struct json_object *o, const char *key, uint64_t ns); /* with milliseconds */
/* Seconds since `then`, with milliseconds; null for never. */
void put_age(struct json_object *o, const char *key, uint64_t now, uint64_t then);
void put_ms(struct json_object *o, const char *key, uint64_t ns);	     /* 0: null */
void put_addr(struct json_object *o, const char *key, const struct addr *a); /* unset: null */
void put_ip4(struct json_object *o, const char *key, ip4 ip);
/* The numbers of the bits that are set, as an array; null if they are not known. */
void put_bits(struct json_object *o, const char *key, bool known, uint64_t bits);
const char *report_path_name(enum peer_path p);
/* What this host itself uses of the overlay's addresses: an array of sentences. */
struct json_object *report_conflicts(const struct tunnel *t);
/* What the gateway maps to us. */
struct json_object *report_mapping(const struct tunnel *t);
/* The whole as text, and the object is freed. */
char *report_text(struct json_object *o);

#endif
