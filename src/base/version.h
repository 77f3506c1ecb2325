/* SPDX-License-Identifier: MIT */
/* The version of all programs. */
#ifndef MLSH_BASE_VERSION_H
#define MLSH_BASE_VERSION_H

#define MLSH_VERSION "0.1.0"

#endif
