/* SPDX-License-Identifier: MIT */
/* Landlock: the parts of the file system that a role may still reach (Linux 5.13 and later). */
#ifndef MLSH_OS_LINUX_LANDLOCK_H
#define MLSH_OS_LINUX_LANDLOCK_H

#include "os/privs.h"

/*
 * Confines the process for good to `paths` and to what the libraries of the role read. Needs
 * no_new_privs. Returns the version of Landlock in force; 0 if the kernel has none, does not let
 * this process use it, or `paths` is NULL; a negative errno if the kernel refused the rules.
 */
int landlock_confine(enum privs_role role, const struct privs_paths *paths) MUST_CHECK;

#endif
