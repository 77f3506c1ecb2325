/* SPDX-License-Identifier: MIT */
/* Whose code an address is in, and its name for people, from the program's debugging data. */
#ifndef MLSH_TESTS_FAULTS_PLACES_H
#define MLSH_TESTS_FAULTS_PLACES_H

#include "inject.h"

#define PLACE_NAME_MAX 600

enum place_owner {
	PLACE_LIBRARY, /* without debugging data: third parties, the C library */
	PLACE_PRODUCT, /* src/ but for src/os/sim */
	PLACE_TEST     /* tests/ and src/os/sim: stands for the system and for people */
};

/* Looks up all addresses of a record that are not known yet. Fails the program if it cannot. */
void places_learn(const struct fault_record *r);
enum place_owner place_owner(uintptr_t at);
const char *place_name(uintptr_t at); /* "function (file:line)" */
/* Forgets all. */
void places_free(void);

/*
 * How many of a stack's frames tell the place of a call: up to the second one of the product.
 * Returns 0 for a call that tests or the simulated system make: it does not fail.
 */
unsigned place_frames(const struct fault_stack *s);
/* A number for the place: a hash of these frames, never 0. */
uint64_t place_key(const struct fault_stack *s);
/* "memory at f (file:line) < g (file:line)". */
void place_describe(const struct fault_stack *s, char *out, size_t cap);

#endif
