/* SPDX-License-Identifier: MIT */
/*
 * Limits for each source of handshakes. Only proven sources (by a Retry's token or a label) get an
 * entry, so that nobody can fill the table with forged addresses.
 */
#include <stdlib.h>

#include "quic/socket.h"

#define SOURCES_MAX 4096
#define SOURCE_BURST_S 10 /* a burst is that many seconds' worth */

enum source_kind { SOURCE_ADDR4, SOURCE_PREFIX6, SOURCE_LABEL };

static void source_key(const struct addr *from, path_label label, uint8_t out[17])
{
	memset(out, 0, 17);
	if (label != 0) {
		out[0] = SOURCE_LABEL;
		store_be64(out + 1, label);
	} else if (addr_is_v4(from)) {
		out[0] = SOURCE_ADDR4;
		memcpy(out + 1, from->ip, 16);
	} else {
		out[0] = SOURCE_PREFIX6;
		memcpy(out + 1, from->ip, 8);
	}
}

bool source_is_label(const struct source *src)
{
	return src->key[0] == SOURCE_LABEL;
}

static void source_free(struct quic_socket *s, struct source *src)
{
	map_remove(s->sources, src->key);
	list_remove(&src->age);
	free(src);
}

/* Frees the least recently used source, if nothing depends on it. */
static bool source_make_room(struct quic_socket *s)
{
	list_for_each(it, &s->source_age) {
		struct source *src = list_entry(it, struct source, age);

		if (src->half_open == 0) {
			source_free(s, src);
			return true;
		}
	}
	return false;
}

/* `label` 0: the address is the source. Returns NULL if there is no room. */
struct source *source_get(struct quic_socket *s, const struct udp_rx *rx, path_label label,
			  uint64_t now)
{
	uint8_t key[17];
	struct source *src;

	source_key(&rx->from, label, key);
	src = map_get(s->sources, key);
	if (src) {
		list_remove(&src->age);
		list_append(&s->source_age, &src->age);
		return src;
	}
	if (map_count(s->sources) >= SOURCES_MAX && !source_make_room(s))
		return NULL;
	src = calloc(1, sizeof(*src));
	if (!src)
		return NULL;
	memcpy(src->key, key, sizeof(key));
	bucket_init(&src->accepts, s->cfg.accepts_per_s,
		    (uint64_t)s->cfg.accepts_per_s * SOURCE_BURST_S, now);
	if (map_put(s->sources, key, src) < 0) {
		free(src);
		return NULL;
	}
	list_append(&s->source_age, &src->age);
	return src;
}

void sources_free(struct quic_socket *s)
{
	list_for_each(it, &s->source_age)
		source_free(s, list_entry(it, struct source, age));
}
