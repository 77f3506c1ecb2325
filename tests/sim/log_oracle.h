/* SPDX-License-Identifier: MIT */
/*
 * What follows from a log's entries, computed a second time, plainly: who is a member or an admin,
 * under which name, address and key; and that none of those was ever given to another. It knows of
 * rights only that an admin's entry is by an admin.
 */
#ifndef MLSH_TESTS_LOG_ORACLE_H
#define MLSH_TESTS_LOG_ORACLE_H

#include "membership/mlog.h"
#include "sim.h"

#define ORACLE_MAX 256

struct oracle_member {
	struct node_id id;
	uint8_t key[KEY_LEN];
	char name[LABEL_MAX + 1];
	ip4 address;
	bool current, admin;
};

struct oracle {
	struct oracle_member member[ORACLE_MAX];
	uint8_t key[ORACLE_MAX][KEY_LEN];
	struct {
		char text[LABEL_MAX + 1];
		struct node_id owner; /* zeros: reserved */
	} name[ORACLE_MAX];
	ip4 address[ORACLE_MAX];
	size_t n_members, n_keys, n_names, n_addresses;
	unsigned seen[ENTRY_TYPES];
};

/* The log's roster is what its entries say. *ret, for who wants it: what was computed. */
void oracle_check(const struct mlog *l, struct oracle *ret);

#endif
