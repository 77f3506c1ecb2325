/* SPDX-License-Identifier: MIT */
/* Questions to a roster that only tests ask. */
#ifndef MLSH_TESTS_ROSTER_KIT_H
#define MLSH_TESTS_ROSTER_KIT_H

#include "membership/roster.h"

/* The member with that index, former members included; NULL past the end. */
const struct member *roster_at(const struct roster *r, size_t index);

/* The highest address that was ever given; 0: the roster is empty. */
ip4 roster_highest_address(const struct roster *r);

#endif
