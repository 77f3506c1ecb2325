/* SPDX-License-Identifier: MIT */
/* Long work in slices, each job in its turn. */
#include "tund/slices.h"

#define PAUSE (2 * NS_PER_MS)

static void on_turn(void *ctx)
{
	struct slices *s = ctx;
	struct slice_job *job;

	if (list_empty(&s->jobs))
		return;
	job = list_entry(s->jobs.next, struct slice_job, link);
	list_remove(&job->link);
	list_append(&s->jobs, &job->link);
	job->fn(job->ctx);
	if (!list_empty(&s->jobs))
		timer_set_in(s->timer, PAUSE);
}

int slices_init(struct slices *s, struct host *h)
{
	list_init(&s->jobs);
	s->timer = timer_new(h, on_turn, s);
	return s->timer ? 0 : -ENOMEM;
}

void slices_end(struct slices *s)
{
	timer_free(s->timer);
	s->timer = NULL;
}

void slices_add(struct slices *s, struct slice_job *job)
{
	if (job->link.next)
		return;
	list_append(&s->jobs, &job->link);
	if (!timer_is_set(s->timer))
		timer_set_in(s->timer, PAUSE);
}

void slices_remove(struct slice_job *job)
{
	list_remove(&job->link);
}
