/* SPDX-License-Identifier: MIT */
/*
 * Calls that fail on purpose. The linker sends the allocations of the whole program, libraries
 * included, and the calls of os/ to wrappers (wraps_faults in mk/variant.mk). They count the calls,
 * remember where they come from, and let one of them fail: once, or each time from then on.
 *
 * A call is told from others by its stack: the return addresses from the call outwards.
 */
#ifndef MLSH_TESTS_FAULTS_INJECT_H
#define MLSH_TESTS_FAULTS_INJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULT_FRAMES 48
#define FAULT_STACKS_MAX 32768

struct fault_stack {
	uint64_t hash;
	uint64_t first; /* the number of the first call with this stack, from 1 */
	uint64_t times;
	const char *what; /* "memory" or the name of the call: a literal */
	uint32_t depth;
	uintptr_t at[FAULT_FRAMES];
};

/* What a run writes down for the program that started it: in memory that both share. */
struct fault_record {
	size_t n, left_out; /* stacks, and those for which there was no room */
	struct fault_stack stack[FAULT_STACKS_MAX];
};

enum fault_mode { FAULT_RECORD, FAULT_ONCE, FAULT_FOREVER };

/* From now on: each stack is recorded, or the first call with this one fails. */
void fault_record(struct fault_record *record);
/* Only the first `frames` return addresses of the stack count. */
void fault_plan(enum fault_mode mode, const struct fault_stack *stack, unsigned frames);

/* Calls count and fail between these two only; what tests do for themselves stands outside. */
void fault_resume(void);
void fault_pause(void);

/* How many calls have failed. */
uint64_t fault_hits(void);

/* Is this call to fail? `caller` is its own return address. */
bool fault_here(const char *what, const void *caller);

#endif
