/* SPDX-License-Identifier: MIT */
/* The packets that a node dropped, in words. */
#ifndef MLSH_CLI_DROPS_H
#define MLSH_CLI_DROPS_H

#include <json-c/json.h>

/*
 * Prints the line "dropped" of `mlsh status` from the member "drops" of a cluster's JSON; nothing
 * if no drop is worth a person's attention. The JSON has them all.
 */
void drops_print(struct json_object *cluster);

#endif
