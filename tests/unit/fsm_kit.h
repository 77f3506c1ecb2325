/* SPDX-License-Identifier: MIT */
/*
 * What holds for every lifecycle (base/fsm.h), whatever it is about: each cell was thought of, each
 * state can be reached, and no event and no effect is without use.
 */
#ifndef MLSH_TESTS_FSM_KIT_H
#define MLSH_TESTS_FSM_KIT_H

#include "base/fsm.h"

/* Says what is wrong with the table, in a buffer of its own. Returns NULL if nothing is. */
const char *fsm_fault(const struct fsm *f);

#endif
