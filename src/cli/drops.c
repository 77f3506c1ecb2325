/* SPDX-License-Identifier: MIT */
/* Names of drops (docs/json.md) as phrases. */
#include "cli/drops.h"

#include <stdio.h>
#include <string.h>

#include "cli/table.h"

#define TEXT_MAX 512

/* `text` completes "12 packets ...". Without one the drop is ordinary: TCP slows down by it, it
 * follows a move or a restart, or the system sends such packets by every interface. */
static const struct drop_words {
	const char *name, *text;
} words[] = {
	{ "out_not_ip4", NULL },
	{ "out_header", "with an invalid IPv4 header from this machine" },
	{ "out_source", "that did not come from this node's own address" },
	{ "out_multicast", NULL },
	{ "out_no_member", "for addresses that no node has" },
	{ "out_no_tunnel", "for nodes without a tunnel" },
	{ "out_queue", NULL },
	{ "out_no_path", "while a tunnel had lost its path" },
	{ "out_socket_full", "by a full UDP socket" },
	{ "out_too_big", "larger than the path carries" },
	{ "in_short", "too short for IPv4" },
	{ "in_flags", "with unknown flags" },
	{ "in_not_ip4", "other than IPv4 from peers" },
	{ "in_header", "with an invalid IPv4 header from peers" },
	{ "in_source", "from peers under an address that is not theirs" },
	{ "in_destination", "from peers for another machine" },
	{ "in_fragment", "with an invalid fragment" },
	{ "in_too_big", "larger than a packet can be" },
	{ "in_early", NULL },
	{ "in_tun", "that this machine's interface did not take" },
	{ "in_replay", NULL },
	{ "in_forged", "damaged or forged on the way" },
	{ "in_unknown", NULL },
	{ "in_congested", NULL },
	{ "in_relay_malformed", "with an invalid relay frame" },
	{ "in_relay_unknown", NULL },
	{ "in_relay_forged", "with a relay frame that is not the server's" },
	{ "in_relay_replay", NULL },
};

/* A drop of a newer daemon is shown by its name. */
static const char *words_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return words[i].text;
	return name;
}

void drops_print(struct json_object *cluster)
{
	struct json_object *drops = json_object_object_get(cluster, "drops");
	char text[TEXT_MAX] = "";
	size_t at = 0;

	if (!drops)
		return;
	json_object_object_foreach(drops, key, value) {
		const char *what = words_of(key);
		long long n = json_object_get_int64(value);

		if (!what || n == 0 || at >= sizeof(text))
			continue;
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%lld packet%s %s",
				       at ? ", " : "", n, n == 1 ? "" : "s", what);
	}
	if (!at)
		return;
	table_line("  dropped   ", "%s", text);
}
