/* SPDX-License-Identifier: MIT */
/*
 * The compiler sets local variables to zero that the program does not initialise
 * (-ftrivial-auto-var-init=zero): what an earlier call left on the stack is not in them.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "unit.h"

#define DIRT_BYTES 4096

/* The compiler must believe that the bytes are read and written here. */
#define TOUCH(p) __asm__ volatile("" : : "r"(p) : "memory")

struct mixed {
	char c;
	uint64_t n;
	uint8_t bytes[256];
};

static __attribute__((noinline)) void dirty_stack(void)
{
	uint8_t dirt[DIRT_BYTES];
	memset(dirt, 0xa5, sizeof(dirt));
	TOUCH(dirt);
}

static __attribute__((noinline)) bool array_is_zero(void)
{
	uint8_t bytes[DIRT_BYTES / 2];
	TOUCH(bytes);
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

static __attribute__((noinline)) bool struct_is_zero(void)
{
	struct mixed mixed;
	TOUCH(&mixed);
	if (mixed.c != 0 || mixed.n != 0)
		return false;
	for (size_t i = 0; i < sizeof(mixed.bytes); i++)
		if (mixed.bytes[i] != 0)
			return false;
	return true;
}

START_TEST(uninitialised_variables_are_zero)
{
	dirty_stack();
	ck_assert(array_is_zero());
	dirty_stack();
	ck_assert(struct_is_zero());
}
END_TEST

UNIT_MAIN("base/zero", uninitialised_variables_are_zero)
