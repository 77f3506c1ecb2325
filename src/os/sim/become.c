/* SPDX-License-Identifier: MIT */
/* A simulated machine has no processes. */
#include "os/become.h"

int become_program(struct host *h, const char *name, struct err *err)
{
	(void)h, (void)name;
	return err_set(err, -ENOSYS, "a simulated machine has no processes");
}
