/* SPDX-License-Identifier: MIT */
/* What meshes go through while their calls fail. */
#include "play.h"

static bool two_members(struct play *p)
{
	return play_server(p) && play_member(p, p->nas) && play_member(p, p->laptop);
}

static bool join(struct play *p)
{
	return two_members(p) && play_reach(p, 2 * MINUTE);
}

const struct scene scenes[] = {
	{ "join", 2, join },
};
const size_t n_scenes = sizeof(scenes) / sizeof(scenes[0]);
