/* SPDX-License-Identifier: MIT */
/* The URL that carries an invite (docs/protocol/02-membership-log.md, "Invite"). */
#ifndef MLSH_MEMBERSHIP_INVITE_URL_H
#define MLSH_MEMBERSHIP_INVITE_URL_H

#include "membership/invite.h"

/* All of it is secret until used. */
struct invite_url {
	char host[HOST_TEXT_MAX + 1]; /* without brackets, as hostport_parse returns it */
	uint16_t port;
	uint8_t signal_key[HASH_LEN];
	uint8_t invite_bytes[INVITE_MAX_BYTES];
	size_t invite_len;
	uint8_t invite_sig[SIG_LEN];
	uint8_t one_time[SIGN_SEED_LEN];
	struct invite invite;
};

/* `out` should hold INVITE_URL_MAX bytes; the caller wipes it. -ENOSPC. */
int invite_url_format(const struct invite_url *u, char *out, size_t cap, struct err *err)
	MUST_CHECK;
/*
 * Form, and that the parts agree (fingerprint, one-time key): -EBADMSG, REFUSAL_TAMPERED if not.
 * The sponsor's signature can only be checked with the log. -EPROTONOSUPPORT for a later
 * version.
 */
int invite_url_parse(const char *text, struct invite_url *ret, struct err *err) MUST_CHECK;
void invite_url_wipe(struct invite_url *u);

#endif
