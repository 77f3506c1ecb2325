/* SPDX-License-Identifier: MIT */
/*
 * What must hold, said where it is relied upon. These are about faults of our own; what a stranger,
 * a file or the system does wrong is an error and is returned.
 *
 * DIE and UNREACHABLE are in every build. ASSERT is checked in the builds for debuggers,
 * sanitizers, fuzzers and coverage (MLSH_ASSERT); elsewhere its expression is compiled but not
 * evaluated, so the packet path may use it.
 */
#ifndef MLSH_BASE_ASSERT_H
#define MLSH_BASE_ASSERT_H

/* Prints "FILE:LINE: WHAT" to standard error and aborts. */
_Noreturn void die_at(const char *file, int line, const char *what);

/* Ends the process: going on would be worse (no memory for a hash, no randomness for a key). */
#define DIE(what) die_at(__FILE__, __LINE__, (what))

/* Behind a switch that handles each value of its enum and returns. */
#define UNREACHABLE() DIE("this line cannot be reached")

#ifdef MLSH_ASSERT
#define ASSERT(expr) ((expr) ? (void)0 : DIE("ASSERT(" #expr ") does not hold"))
#else
#define ASSERT(expr) ((void)sizeof((expr) ? 1 : 0))
#endif

#endif
