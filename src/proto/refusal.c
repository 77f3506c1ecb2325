/* SPDX-License-Identifier: MIT */
/* Names of refusals, for machines. */
#include "proto/refusal.h"

#include "base/macros.h"

static const char *const names[] = {
	[REFUSAL_NONE] = "none",
	[REFUSAL_MALFORMED] = "malformed",
	[REFUSAL_VERSION] = "version",
	[REFUSAL_RATE] = "rate",
	[REFUSAL_INTERNAL] = "internal",
	[REFUSAL_NOT_ALLOWED] = "not-allowed",
	[REFUSAL_BAD_CODE] = "bad-code",
	[REFUSAL_USED_CODE] = "used-code",
	[REFUSAL_EXPIRED_CODE] = "expired-code",
	[REFUSAL_CLUSTER_UNKNOWN] = "cluster-unknown",
	[REFUSAL_STALE] = "stale",
	[REFUSAL_SUBNET] = "subnet",
	[REFUSAL_FULL] = "full",
	[REFUSAL_BAD_ENTRY] = "bad-entry",
	[REFUSAL_TAMPERED] = "tampered",
	[REFUSAL_WRONG_CLUSTER] = "wrong-cluster",
	[REFUSAL_SPONSOR_UNKNOWN] = "sponsor-unknown",
	[REFUSAL_SPONSOR_REMOVED] = "sponsor-removed",
	[REFUSAL_SPONSOR_NOT_ADMIN] = "sponsor-not-admin",
	[REFUSAL_INVITE_EXPIRED] = "invite-expired",
	[REFUSAL_INVITE_USED] = "invite-used",
	[REFUSAL_INVITE_CANCELLED] = "invite-cancelled",
	[REFUSAL_NAME_TAKEN] = "name-taken",
	[REFUSAL_NAME_BAD] = "name-bad",
	[REFUSAL_KEY_KNOWN] = "key-known",
	[REFUSAL_NOT_MEMBER] = "not-member",
	[REFUSAL_BAD_TOKEN] = "bad-token",
	[REFUSAL_UNKNOWN_HEAD] = "unknown-head",
	[REFUSAL_UNSUPPORTED] = "unsupported",
	[REFUSAL_LAST_ADMIN] = "last-admin",
	[REFUSAL_TOO_OLD] = "too-old",
	[REFUSAL_RECOVERY_CODE] = "recovery-code",
	[REFUSAL_SUPERSEDED] = "recovery-superseded",
	[REFUSAL_AHEAD] = "ahead",
	[REFUSAL_RESTORED] = "restored",
	[REFUSAL_MOVED_AWAY] = "moved-away",
	[REFUSAL_UNREACHABLE] = "unreachable",
	[REFUSAL_FINGERPRINT] = "fingerprint",
	[REFUSAL_TIMEOUT] = "timeout",
	[REFUSAL_FORK] = "fork",
	[REFUSAL_BUSY] = "busy",
	[REFUSAL_MOVED] = "moved",
};

const char *refusal_name(int reason)
{
	if (reason < 0 || (size_t)reason >= ARRAY_LEN(names) || !names[reason])
		return "unknown";
	return names[reason];
}
