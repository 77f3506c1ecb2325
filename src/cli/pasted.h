/* SPDX-License-Identifier: MIT */
/* Secrets that people paste: what a mail, a chat or a shell put around them is left out. */
#ifndef MLSH_CLI_PASTED_H
#define MLSH_CLI_PASTED_H

#include "base/bytes.h"

/*
 * Reduces pasted text to the secret in it, in place; "" if nothing is left. An invite URL is found
 * within a whole line ("mlsh adopt mlsh://..."). Otherwise blanks, quotes, angle brackets,
 * invisible characters and escape sequences at both ends are left out.
 */
void pasted_clean(char *text);

/*
 * Returns true if `line` can be the next piece of an invite URL that was broken into lines: it is
 * not empty, and it holds only characters of base64url.
 */
bool pasted_continues(const char *line);

#endif
