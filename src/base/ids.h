/* SPDX-License-Identifier: MIT */
/* The identifiers that all layers name: hashes and node ids, as bytes. */
#ifndef MLSH_BASE_IDS_H
#define MLSH_BASE_IDS_H

#include "base/bytes.h"

#define HASH_LEN 32    /* SHA-256 */
#define NODE_ID_LEN 16 /* first half of the SHA-256 of the SubjectPublicKeyInfo */

struct node_id {
	uint8_t bytes[NODE_ID_LEN];
};

#endif
