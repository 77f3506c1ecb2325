/* SPDX-License-Identifier: MIT */
/* A simulated machine has no processes. */
#include "os/split.h"

int split_fork(struct host *h, struct err *err, struct split **ret)
{
	(void)h, (void)ret;
	return err_set(err, -ENOSYS, "a simulated machine has no processes");
}

void split_free(struct split *s)
{
	(void)s;
}

int split_end_together(struct split *s)
{
	(void)s;
	return -ENOSYS;
}

int split_ask(struct split *s, struct span request, struct err *err)
{
	(void)s, (void)request;
	return err_set(err, -ENOSYS, "a simulated machine has no processes");
}

int split_keep(struct split *s, size_t max, int (*fn)(void *ctx, struct span request, struct err *),
	       void *ctx)
{
	(void)s, (void)max, (void)fn, (void)ctx;
	return 1;
}
