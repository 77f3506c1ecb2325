/* SPDX-License-Identifier: MIT */
/* The version of all programs. tools/version prints it, and tools/version tag checks a tag. */
#ifndef MLSH_BASE_VERSION_H
#define MLSH_BASE_VERSION_H

#define MLSH_VERSION "0.1.0"

/* Returns "0.1.0 (commit 0123456789ab)", or the version alone where no commit is known. */
const char *version_text(void);

#endif
