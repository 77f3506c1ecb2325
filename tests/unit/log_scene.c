/* SPDX-License-Identifier: MIT */
/* The valid entry that a test alters, and how it is refused. */
#include "log_scene.h"

void scene_admit(struct scene *s)
{
	s->bytes = kit_admit(&s->k, &s->invite, 2);
	ck_assert_int_eq(entry_decode(kit_span(&s->bytes), &s->e, NULL), 0);
}

void scene_open(struct scene *s)
{
	s->k = kit_open();
	s->joiner = 2;
	kit_join(&s->k, 1);
	s->k.now_s += 100;
	s->invite = kit_invite(&s->k, 50);
	scene_admit(s);
}

void scene_close(struct scene *s)
{
	kit_close(&s->k);
}

void check_admit_(struct scene *s, int code, int reason, const char *file, int line)
{
	struct entry_bytes b = kit_forge(&s->k, &s->e, s->joiner, KIT_ONE_TIME + 50);

	kit_refused_(&s->k, kit_span(&b), code, reason, file, line);
	scene_admit(s);
}
