/* SPDX-License-Identifier: MIT */
/*
 * The version with the commit, which mk/programs.mk defines. This object is in no archive: at each
 * commit the three programs are linked again, and no test.
 */
#include "base/version.h"

#ifndef MLSH_COMMIT
#define MLSH_COMMIT ""
#endif

const char *version_text(void)
{
	return sizeof(MLSH_COMMIT) > 1 ? MLSH_VERSION " (commit " MLSH_COMMIT ")" : MLSH_VERSION;
}
