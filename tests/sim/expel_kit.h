/* SPDX-License-Identifier: MIT */
/* A fleet whose members leave: the roster is changed as the log changes it. */
#ifndef MLSH_TESTS_EXPEL_KIT_H
#define MLSH_TESTS_EXPEL_KIT_H

#include "overlay_sim.h"

#define WITHOUT_END (30 * NS_PER_S) /* as long as anything is tried again */

const struct member *expel_member_at(const struct fleet_node *at, const struct fleet_node *of);

/* `at` learns that `gone` was removed. */
void expel_removed(struct fleet_node *at, const struct fleet_node *gone);

void expel_joined_again(struct fleet_node *at, const struct fleet_node *back);
size_t expel_peers_of(const struct fleet_node *n);

/* Nothing of `gone` is left at `at` but what the roster remembers. */
void expel_check_gone(struct fleet_node *at, const struct fleet_node *gone);

/* The ICMP error that tells a program that nobody is there. */
bool expel_took_unreachable(struct fleet_node *n);

/* Both ways, from now on and for long. */
void expel_check_silence(struct fleet *m, struct fleet_node *at, struct fleet_node *gone);

#endif
