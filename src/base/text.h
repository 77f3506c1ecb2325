/* SPDX-License-Identifier: MIT */
/*
 * Text that may hold bytes chosen by a remote machine, made safe to show on a terminal or in a log.
 */
#ifndef MLSH_BASE_TEXT_H
#define MLSH_BASE_TEXT_H

/*
 * Replaces, byte for byte, what must not reach a terminal by '?': control characters (C0, DEL, C1),
 * line and paragraph separators, bidirectional overrides, and whatever is not UTF-8. The length
 * does not change.
 */
void text_make_printable(char *s);

#endif
