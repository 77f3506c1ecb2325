/* SPDX-License-Identifier: MIT */
/* Invites: what a sponsor signs (docs/protocol/02-membership-log.md, "Invite"). */
#ifndef MLSH_MEMBERSHIP_INVITE_H
#define MLSH_MEMBERSHIP_INVITE_H

#include "base/addr.h"
#include "base/label.h"
#include "crypto/sign.h"
#include "proto/limits.h"

enum member_role { ROLE_NODE = 0, ROLE_ADMIN = 1 };

#define NONCE_LEN 16
#define LOG_TIME_MAX_S 253402300799u /* end of the year 9999 */

/* The last record of a log. */
struct head {
	uint64_t seq;
	uint8_t hash[HASH_LEN];
};

struct invite {
	uint8_t cluster_id[HASH_LEN];
	char cluster_name[LABEL_MAX + 1];
	struct node_id sponsor;
	enum member_role role;
	uint64_t issued, expiry; /* seconds since 1970 */
	uint8_t nonce[NONCE_LEN];
	struct head head; /* that the sponsor knew */
	uint8_t signal_key[HASH_LEN];
	char node_name[LABEL_MAX + 1]; /* "": any */
	bool replaces;
	struct node_id replace; /* the member whose name and address the new node takes over */
	uint8_t key[KEY_LEN];	/* public half of the one-time key */
};

/*
 * Encodes and signs. `ret` gets the invite's bytes, their number goes to *ret_len. -EINVAL when it
 * would not be well-formed. `sponsor` holds the key in force of the member that the invite names.
 */
int invite_make(const struct invite *inv, const struct signer *sponsor,
		uint8_t ret[INVITE_MAX_BYTES], size_t *ret_len, uint8_t ret_sig[SIG_LEN],
		struct err *err) MUST_CHECK;
/* Form only. -EBADMSG (REFUSAL_TAMPERED), -EPROTONOSUPPORT for a later version or a flag. */
int invite_decode(struct span bytes, struct invite *ret, struct err *err) MUST_CHECK;

#endif
