/* SPDX-License-Identifier: MIT */
/*
 * A hundred machines behind one address run `mlsh adopt` at the same moment: all are members within
 * seconds, whatever the server allows one source at once.
 */
#include "client_kit.h"

#define CROWD 100
#define CROWD_WITHIN (20 * NS_PER_S)

static struct kit_node crowd[CROWD];

static bool all_ended(void *ctx)
{
	(void)ctx;
	for (size_t i = 0; i < CROWD; i++)
		if (!crowd[i].join_ended)
			return false;
	return true;
}

/* A machine of its own, as far as its files go, on the address of the others. */
static void crowd_start(struct kit *k, struct host *h, struct kit_node *nas, size_t i)
{
	struct kit_node *n = &crowd[i];
	struct invite_url url = kit_invite_url(nas);
	char home[32], name[16];

	snprintf(home, sizeof(home), "/home/user%zu", i);
	snprintf(name, sizeof(name), "node%zu", i);
	*n = (struct kit_node){ .kit = k, .host = h, .name = home };
	SIM_CHECK_OK(k->w, store_open(NULL, home, NULL, &n->store));
	kit_join_begin(n);
	SIM_CHECK_OK(k->w, adopt_start(h, &n->store, &url, name, kit_on_join, kit_on_progress, n,
				       &n->join_err, &n->join));
}

START_TEST(a_hundred_join_at_once)
{
	struct kit k;
	struct kit_node *nas;
	bool given[CROWD + 3] = { false };
	struct host *h;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	kit_setup(nas);
	KIT_JOINED(nas);
	h = world_host(k.w, "crowd", IP(203, 0, 113, 7));
	for (size_t i = 0; i < CROWD; i++)
		crowd_start(&k, h, nas, i);
	SIM_CHECK(k.w, world_run(k.w, CROWD_WITHIN, all_ended, NULL));
	for (size_t i = 0; i < CROWD; i++) {
		struct kit_node *n = &crowd[i];
		size_t at = n->result.cluster.address - IP(100, 64, 0, 0);

		ck_assert_msg(n->joined, "%zu: %s", i, n->join_err.text);
		ck_assert(at >= 2 && at < ARRAY_LEN(given) && !given[at]);
		given[at] = true;
		join_free(n->join);
	}
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/crowd", a_hundred_join_at_once)
