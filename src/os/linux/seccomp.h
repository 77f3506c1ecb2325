/* SPDX-License-Identifier: MIT */
/* The filter of system calls. */
#ifndef MLSH_OS_LINUX_SECCOMP_H
#define MLSH_OS_LINUX_SECCOMP_H

#include "os/privs.h"

/* From now on, for this process and its children, only what the role does. Needs no_new_privs. */
int seccomp_install(enum privs_role role) MUST_CHECK;

/* Adds what the role does to a filter of libseccomp, for all architectures that it is for. */
int seccomp_add_rules(void *filter, enum privs_role role) MUST_CHECK;

#endif
