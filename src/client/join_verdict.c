/* SPDX-License-Identifier: MIT */
/* What an answer to a pending request means for it. */
#include "client/join_internal.h"

#include "base/assert.h"

/* Does the answer tell that the request was looked at? Then it was not carried out, ever. */
enum answer { ANSWER_LOOKED_AT, ANSWER_NOT_LOOKED_AT, ANSWER_UNCLEAR };

static enum answer answer_of(enum refusal reason)
{
	switch (reason) {
	case REFUSAL_MALFORMED:
	case REFUSAL_VERSION:
	case REFUSAL_RATE:
	case REFUSAL_NOT_ALLOWED:
	case REFUSAL_UNSUPPORTED:
	case REFUSAL_RESTORED:
		return ANSWER_NOT_LOOKED_AT;
	case REFUSAL_BAD_CODE:
	case REFUSAL_USED_CODE:
	case REFUSAL_EXPIRED_CODE:
	case REFUSAL_CLUSTER_UNKNOWN:
	case REFUSAL_SUBNET:
	case REFUSAL_FULL:
	case REFUSAL_BAD_ENTRY:
	case REFUSAL_TAMPERED:
	case REFUSAL_WRONG_CLUSTER:
	case REFUSAL_SPONSOR_UNKNOWN:
	case REFUSAL_SPONSOR_REMOVED:
	case REFUSAL_SPONSOR_NOT_ADMIN:
	case REFUSAL_INVITE_EXPIRED:
	case REFUSAL_INVITE_USED:
	case REFUSAL_INVITE_CANCELLED:
	case REFUSAL_NAME_TAKEN:
	case REFUSAL_NAME_BAD:
	case REFUSAL_KEY_KNOWN:
	case REFUSAL_NOT_MEMBER:
	case REFUSAL_UNKNOWN_HEAD:
	case REFUSAL_STALE:
	case REFUSAL_TOO_OLD:
	case REFUSAL_LAST_ADMIN:
	case REFUSAL_RECOVERY_CODE:
	case REFUSAL_MOVED_AWAY:
	case REFUSAL_SUPERSEDED:
	case REFUSAL_AHEAD:
		return ANSWER_LOOKED_AT;
	case REFUSAL_NONE:
	case REFUSAL_INTERNAL: /* in the middle of it */
	case REFUSAL_BAD_TOKEN:
	case REFUSAL_UNREACHABLE:
	case REFUSAL_FINGERPRINT:
	case REFUSAL_TIMEOUT:
	case REFUSAL_FORK:
	case REFUSAL_BUSY:
	case REFUSAL_MOVED:
		break;
	}
	return ANSWER_UNCLEAR; /* also for a reason that only a later server knows */
}

enum join_verdict join_verdict(enum refusal reason, bool sent_before)
{
	switch (answer_of(reason)) {
	case ANSWER_LOOKED_AT:
		return JOIN_FORGET;
	case ANSWER_NOT_LOOKED_AT:
		return sent_before ? JOIN_KEEP : JOIN_FORGET;
	case ANSWER_UNCLEAR:
		return JOIN_KEEP;
	}
	UNREACHABLE();
}
