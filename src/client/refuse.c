/* SPDX-License-Identifier: MIT */
/* Reasons of refusals put into words, in one table. */
#include "client/refuse.h"

#include <stdio.h>

static const struct {
	enum refusal reason;
	const char *words;
	bool complete; /* the server's own sentence adds nothing */
} table[] = {
	{ REFUSAL_MALFORMED,
	  "it could not read our request. Are both sides of the same version of mlsh?" },
	{ REFUSAL_VERSION,
	  "it speaks another version of the protocol. Upgrade mlsh here, or mlsh-signal there." },
	{ REFUSAL_RATE, "too many requests came from this address. Try again later." },
	{ REFUSAL_INTERNAL, "it had an internal error. See its log, then try again." },
	{ REFUSAL_NOT_ALLOWED, "this node is not allowed to do this." },
	{ REFUSAL_BAD_CODE,
	  "the setup token is not known there. Check that it was copied whole, or make a new one "
	  "on the server with 'mlsh-signal token'.",
	  true },
	{ REFUSAL_USED_CODE,
	  "the setup token was used already. Make a new one on the server with "
	  "'mlsh-signal token'.",
	  true },
	{ REFUSAL_EXPIRED_CODE,
	  "the setup token has expired. Make a new one on the server with 'mlsh-signal token'.",
	  true },
	{ REFUSAL_CLUSTER_UNKNOWN,
	  "the cluster is not known there. Was the server installed again with a new database, or "
	  "is it another server?" },
	{ REFUSAL_STALE, "the cluster changed at the same moment. Try again." },
	{ REFUSAL_SUBNET,
	  "the subnet cannot be used: it overlaps another cluster's or is not permitted. Choose "
	  "another one with --subnet." },
	{ REFUSAL_FULL,
	  "there is no room left (addresses, members or clusters). A cluster in a larger subnet "
	  "helps if it is the addresses." },
	{ REFUSAL_BAD_ENTRY, "the entry breaks a rule of the membership log." },
	{ REFUSAL_TAMPERED,
	  "the invite was altered or damaged: a signature does not fit. Copy the whole URL again, "
	  "or ask for a new invite." },
	{ REFUSAL_WRONG_CLUSTER, "the invite belongs to another cluster. Ask for a new one." },
	{ REFUSAL_SPONSOR_UNKNOWN,
	  "the node that made the invite is not a member of the cluster. Ask an admin for a new "
	  "one." },
	{ REFUSAL_SPONSOR_REMOVED,
	  "the node that made the invite was removed from the cluster. Ask another admin for a "
	  "new one." },
	{ REFUSAL_SPONSOR_NOT_ADMIN,
	  "the node that made the invite is not an admin of the cluster, and only admins can "
	  "invite. Ask an admin for a new one." },
	{ REFUSAL_INVITE_EXPIRED, "the invite has expired. Ask for a new one." },
	{ REFUSAL_INVITE_USED,
	  "each invite admits one machine, and this one was used. Ask for a new one, and tell its "
	  "sponsor if it was not you who used it." },
	{ REFUSAL_INVITE_CANCELLED, "the invite was cancelled. Ask for a new one." },
	{ REFUSAL_NAME_TAKEN,
	  "the node name is taken in this cluster (a name is never given again). Choose another "
	  "one with --name. If it was this machine's, ask an admin for an invite that `mlsh invite "
	  "--replace` made with that name." },
	{ REFUSAL_NAME_BAD,
	  "the node name cannot be used with this invite. Leave --name out, or give the one that "
	  "the invite was made for." },
	{ REFUSAL_KEY_KNOWN,
	  "this machine's key is or was in the cluster already, and a key joins only once. Run the "
	  "same command again: it makes a new key." },
	{ REFUSAL_NOT_MEMBER,
	  "it says that this node is not a member of the cluster, and shows no record of that." },
	{ REFUSAL_BAD_TOKEN,
	  "it does not accept this node's token. Was the server installed again, or its "
	  "database lost? If a recovery went back behind this node's last `mlsh rotate`, `mlsh "
	  "connect` puts the earlier key in place." },
	{ REFUSAL_UNKNOWN_HEAD,
	  "the membership log is stale or forked: it lacks an entry that is known to exist. Was "
	  "the server restored from an old copy? Let another node connect first, then try again." },
	{ REFUSAL_UNSUPPORTED,
	  "it does not know this request: it is older than this mlsh. Upgrade mlsh-signal there." },
	{ REFUSAL_LAST_ADMIN,
	  "the cluster would be left without an admin. Promote another node first." },
	{ REFUSAL_TOO_OLD,
	  "the entry's time is not near the server's. Check the clocks, then try again." },
	{ REFUSAL_RECOVERY_CODE,
	  "the recovery code is not the one in force. Check that it was copied whole." },
	{ REFUSAL_SUPERSEDED,
	  "a later attempt of this recovery is in the log. It stands; this one is void." },
	{ REFUSAL_AHEAD,
	  "it is dated ahead of the server's clock. Check the clocks, then try again." },
	{ REFUSAL_RESTORED,
	  "it was restored from a backup and waits for an admin of this cluster to connect. Run "
	  "'mlsh connect' on an admin's machine, then try again.",
	  true },
	{ REFUSAL_MOVED_AWAY,
	  "it does not serve this cluster any more, or not yet. Ask an admin of the cluster for a "
	  "new invite; `mlsh move --follow` brings a node that nobody told to the new server." },
	{ REFUSAL_UNREACHABLE,
	  "the signal server cannot be reached. Is it running, is the address right, and is UDP "
	  "let through?" },
	{ REFUSAL_FINGERPRINT,
	  "the server's certificate is not the expected one. Nothing was sent to it." },
	{ REFUSAL_TIMEOUT, "there was no answer in time. Try again." },
	{ REFUSAL_FORK, "two valid membership logs exist: the signal server has signed both." },
	{ REFUSAL_BUSY, "it is busy, and asks to be called again later." },
	{ REFUSAL_MOVED,
	  "it says that it has moved to a place that this node does not follow it to." },
};

const char *refuse_words(enum refusal reason)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].reason == reason)
			return table[i].words;
	}
	return "it gave a reason that this version of mlsh does not know. Upgrade mlsh.";
}

static bool is_complete(enum refusal reason)
{
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		if (table[i].reason == reason)
			return table[i].complete;
	}
	return false;
}

enum refuse_answer refuse_answer(enum refusal reason)
{
	switch (reason) {
	case REFUSAL_MALFORMED:
	case REFUSAL_VERSION:
	case REFUSAL_RATE:
	case REFUSAL_NOT_ALLOWED:
	case REFUSAL_UNSUPPORTED:
	case REFUSAL_RESTORED:
		return REFUSE_NOT_LOOKED_AT;
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
		return REFUSE_LOOKED_AT;
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
	return REFUSE_UNCLEAR; /* also for a reason that only a later server knows */
}

int refuse_by_server(struct err *err, enum refusal reason, const char *server, struct span text,
		     uint32_t retry_after_s)
{
	char when[48] = "", said[160] = "";

	if (retry_after_s)
		snprintf(when, sizeof(when), " Again in %u s.", (unsigned)retry_after_s);
	if (text.len && !is_complete(reason))
		snprintf(said, sizeof(said), " (The server says: \"%.*s\")",
			 (int)MIN(text.len, (size_t)120), (const char *)text.data);
	return refuse(err, 0, reason, "%s refused: %s%s%s", server, refuse_words(reason), when,
		      said);
}

/* --- what the kernel refuses to send ---------------------------------------------------------- */

bool refuse_is_final(int code)
{
	switch (-code) {
	case EPERM:
	case EACCES:
	case EMSGSIZE:
	case EINVAL:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENETDOWN:
	case ENODEV:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		return true;
	default: /* no memory or buffers: the next datagram may leave */
		return false;
	}
}

int refuse_code_local(int code)
{
	return code == -EHOSTUNREACH ? -ENETUNREACH : code;
}

bool refuse_is_local(const struct err *err)
{
	/* -ETIMEDOUT: nobody answered, and no send failed. */
	return err->reason == REFUSAL_UNREACHABLE && err->code != 0 && err->code != -ETIMEDOUT &&
	       err->code != refusal_code(REFUSAL_UNREACHABLE);
}

void refuse_words_local(int code, const struct addr *to, char *out, size_t cap)
{
	const char *family = addr_is_v4(to) ? "IPv4" : "IPv6";

	switch (-code) {
	case EPERM:
		snprintf(out, cap,
			 "a firewall on this machine, or the kill switch of a VPN, "
			 "drops it (%s). Let UDP port %u out.",
			 strerror(-code), (unsigned)to->port);
		break;
	case EACCES:
		snprintf(out, cap,
			 "a rule of this machine's routing prohibits it (%s). See `ip "
			 "route` and `ip rule`.",
			 strerror(-code));
		break;
	case EINVAL:
		snprintf(out, cap,
			 "a route of this machine discards it (blackhole). See `ip "
			 "route` and `ip rule`.");
		break;
	case EMSGSIZE:
		snprintf(out, cap,
			 "the network interface carries less than the %u bytes that "
			 "mlsh needs in one datagram. Raise its MTU to 1280 or more.",
			 (unsigned)UDP_REFUSED_BYTES);
		break;
	case ENETDOWN:
	case ENODEV:
		snprintf(out, cap, "the network interface is down.");
		break;
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
		snprintf(out, cap,
			 "no %s address of this machine can be used for it. Has this "
			 "network %s?",
			 family, family);
		break;
	default:
		snprintf(out, cap,
			 "there is no route to that %s address. Is the network up, and "
			 "has it %s?",
			 family, family);
	}
}

void refuse_words_network(const struct udp_refusal *why, char *out, size_t cap)
{
	char who[ADDR_TEXT_MAX];

	if (addr_is_unset(&why->by))
		snprintf(who, sizeof(who), "Somebody on the way");
	else
		addr_format_ip(&why->by, who);
	snprintf(out, cap, " %s says: %s.", who,
		 why->code == -ECONNREFUSED ? "nothing listens there, or it is not let through"
					    : strerror(-why->code));
}
