/* SPDX-License-Identifier: MIT */
/* The reasons of refusals: their names, their codes, and the one function that sets one. */
#include "proto/refusal.h"

#include <stdbool.h>

static const struct {
	const char *name;
	int code;
} reasons[] = {
	[REFUSAL_NONE] = { "none", -EPROTO },
	[REFUSAL_MALFORMED] = { "malformed", -EBADMSG },
	[REFUSAL_VERSION] = { "version", -EPROTONOSUPPORT },
	[REFUSAL_RATE] = { "rate", -EBUSY },
	[REFUSAL_INTERNAL] = { "internal", -EIO },
	[REFUSAL_NOT_ALLOWED] = { "not-allowed", -EACCES },
	[REFUSAL_BAD_CODE] = { "bad-code", -EACCES },
	[REFUSAL_USED_CODE] = { "used-code", -EACCES },
	[REFUSAL_EXPIRED_CODE] = { "expired-code", -ETIME },
	[REFUSAL_CLUSTER_UNKNOWN] = { "cluster-unknown", -ENOENT },
	[REFUSAL_STALE] = { "stale", -ESTALE },
	[REFUSAL_SUBNET] = { "subnet", -EADDRNOTAVAIL },
	[REFUSAL_FULL] = { "full", -ENOSPC },
	[REFUSAL_BAD_ENTRY] = { "bad-entry", -EBADMSG },
	[REFUSAL_TAMPERED] = { "tampered", -EKEYREJECTED },
	[REFUSAL_WRONG_CLUSTER] = { "wrong-cluster", -EINVAL },
	[REFUSAL_SPONSOR_UNKNOWN] = { "sponsor-unknown", -EACCES },
	[REFUSAL_SPONSOR_REMOVED] = { "sponsor-removed", -EACCES },
	[REFUSAL_SPONSOR_NOT_ADMIN] = { "sponsor-not-admin", -EACCES },
	[REFUSAL_INVITE_EXPIRED] = { "invite-expired", -ETIME },
	[REFUSAL_INVITE_USED] = { "invite-used", -EACCES },
	[REFUSAL_INVITE_CANCELLED] = { "invite-cancelled", -EACCES },
	[REFUSAL_NAME_TAKEN] = { "name-taken", -EEXIST },
	[REFUSAL_NAME_BAD] = { "name-bad", -EINVAL },
	[REFUSAL_KEY_KNOWN] = { "key-known", -EEXIST },
	[REFUSAL_NOT_MEMBER] = { "not-member", -EACCES },
	[REFUSAL_BAD_TOKEN] = { "bad-token", -EACCES },
	[REFUSAL_UNKNOWN_HEAD] = { "unknown-head", -ESTALE },
	[REFUSAL_UNSUPPORTED] = { "unsupported", -EOPNOTSUPP },
	[REFUSAL_LAST_ADMIN] = { "last-admin", -EACCES },
	[REFUSAL_TOO_OLD] = { "too-old", -ETIME },
	[REFUSAL_RECOVERY_CODE] = { "recovery-code", -EACCES },
	[REFUSAL_SUPERSEDED] = { "recovery-superseded", -ESTALE },
	[REFUSAL_AHEAD] = { "ahead", -ETIME },
	[REFUSAL_RESTORED] = { "restored", -EBUSY },
	[REFUSAL_MOVED_AWAY] = { "moved-away", -EREMCHG },
	[REFUSAL_UNREACHABLE] = { "unreachable", -EHOSTUNREACH },
	[REFUSAL_FINGERPRINT] = { "fingerprint", -EKEYREJECTED },
	[REFUSAL_TIMEOUT] = { "timeout", -ETIMEDOUT },
	[REFUSAL_FORK] = { "fork", -EUCLEAN },
	[REFUSAL_BUSY] = { "busy", -EBUSY },
	[REFUSAL_MOVED] = { "moved", -EREMCHG },
};

static bool is_known(int reason)
{
	return reason >= 0 && (size_t)reason < ARRAY_LEN(reasons) && reasons[reason].name;
}

const char *refusal_name(int reason)
{
	return is_known(reason) ? reasons[reason].name : "unknown";
}

int refusal_code(enum refusal reason)
{
	return is_known((int)reason) ? reasons[reason].code : -EPROTO;
}

int refuse(struct err *err, int code, enum refusal reason, const char *fmt, ...)
{
	va_list ap;

	if (code == 0)
		code = refusal_code(reason);
	va_start(ap, fmt);
	err_set_va(err, code, (int)reason, fmt, ap);
	va_end(ap);
	return code;
}

void refusal_make_public(struct err *err)
{
	if (err->reason == REFUSAL_NONE || err->reason >= REFUSAL_UNREACHABLE)
		err->reason = REFUSAL_BAD_ENTRY;
}
