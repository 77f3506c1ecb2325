/* SPDX-License-Identifier: MIT */
/* The line "dropped" of `mlsh status`. */
#include "unit.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/drops.h"
#include "overlay/overlay.h"

/* What drops_print prints. */
static char *printed(struct json_object *drops)
{
	struct json_object *cluster = json_object_new_object();
	char path[] = "/tmp/mlsh-drops-XXXXXX", *text = calloc(1, 8192);
	int fd = mkstemp(path), out = dup(STDOUT_FILENO);

	ck_assert_int_ge(fd, 0);
	unlink(path);
	json_object_object_add(cluster, "drops", drops);
	fflush(stdout);
	dup2(fd, STDOUT_FILENO);
	drops_print(cluster);
	fflush(stdout);
	dup2(out, STDOUT_FILENO);
	close(out);
	ck_assert_int_ge(pread(fd, text, 8191, 0), 0);
	close(fd);
	json_object_put(cluster);
	return text;
}

START_TEST(each_drop_has_words_or_is_ordinary)
{
	for (int d = 0; d < DROP_COUNT; d++) {
		const char *name = overlay_drop_name((enum overlay_drop)d);
		struct json_object *drops = json_object_new_object();
		char *text;

		json_object_object_add(drops, name, json_object_new_int(3));
		text = printed(drops);
		ck_assert_msg(!strstr(text, name), "%s has no words", name);
		ck_assert(text[0] == '\0' || strncmp(text, "  dropped   3 packets ", 22) == 0);
		free(text);
	}
}
END_TEST

START_TEST(a_healthy_node_shows_no_line)
{
	struct json_object *drops = json_object_new_object();
	char *text;

	json_object_object_add(drops, "out_queue", json_object_new_int(43));
	json_object_object_add(drops, "out_not_ip4", json_object_new_int(7));
	json_object_object_add(drops, "out_multicast", json_object_new_int(3));
	json_object_object_add(drops, "in_forged", json_object_new_int(0));
	text = printed(drops);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

START_TEST(several_are_one_sentence)
{
	struct json_object *drops = json_object_new_object();
	char *text;

	json_object_object_add(drops, "out_no_member", json_object_new_int(1));
	json_object_object_add(drops, "out_queue", json_object_new_int(43));
	json_object_object_add(drops, "in_forged", json_object_new_int(2));
	json_object_object_add(drops, "in_of_later", json_object_new_int(5));
	text = printed(drops);
	ck_assert_str_eq(text, "  dropped   1 packet for addresses that no node has, 2 packets "
			       "damaged or forged\n            on the way, 5 packets "
			       "in_of_later\n");
	free(text);
}
END_TEST

UNIT_MAIN("cli/drops", each_drop_has_words_or_is_ordinary, a_healthy_node_shows_no_line,
	  several_are_one_sentence)
