/* SPDX-License-Identifier: MIT */
/* A process that prepares something, and then is another program. */
#ifndef MLSH_OS_BECOME_H
#define MLSH_OS_BECOME_H

#include "os/host.h"

/*
 * The program `name`, which lies in the folder of the running one, takes the place of this process,
 * under its process id and with its environment. What is left to do beside it goes on in a child:
 * returns 0 there. The child is killed when the program ends; when the child ends, nobody has to
 * wait for it. -errno with a message, in this process, if there is no such program. No watch or
 * timer may be on the loop of `h`.
 */
int become_program(struct host *h, const char *name, struct err *err) MUST_CHECK;

#endif
