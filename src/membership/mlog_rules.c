/* SPDX-License-Identifier: MIT */
/* The rules of the log: may this entry be the next one? Changes nothing. */
#include <inttypes.h>
#include <time.h>

#include "membership/internal.h"

/* "2026-11-22 16:40 UTC" */
#define TIME_TEXT_MAX 32
static const char *time_format(uint64_t time_s, char out[TIME_TEXT_MAX])
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(out, TIME_TEXT_MAX, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		strcpy(out, "an unknown time");
	return out;
}

static int bad_signature(struct err *err, const char *whose)
{
	return refuse(err, -EKEYREJECTED, REFUSAL_TAMPERED,
		      "the log entry was altered or forged: the signature of %s does not fit",
		      whose);
}

/* --- chain ---------------------------------------------------------------------------------- */

/* The hash that an entry with this number must name as the one before. */
static const uint8_t *hash_before(const struct mlog *l, uint64_t seq)
{
	return seq == 0 ? zero_hash : l->slots[seq - 1].hash;
}

static int check_chain(const struct mlog *l, const struct entry *e, struct err *err)
{
	if (e->seq < l->n_slots) {
		if (memcmp(e->hash, l->slots[e->seq].hash, HASH_LEN) == 0)
			return refuse(err, -EEXIST, REFUSAL_STALE,
				      "entry %" PRIu64 " is in the log already", e->seq);
		if (memcmp(e->prev, hash_before(l, e->seq), HASH_LEN) == 0 && e->seq > 0)
			return refuse(err, -ESTALE, REFUSAL_STALE,
				      "another entry took place %" PRIu64 " in the log first: "
				      "fetch the log and try again",
				      e->seq);
	}
	if (e->seq != l->n_slots || memcmp(e->prev, hash_before(l, e->seq), HASH_LEN) != 0)
		return refuse(err, -EBADMSG, REFUSAL_UNKNOWN_HEAD,
			      "entry %" PRIu64 " does not follow the %zu entries that are known: "
			      "it is of another cluster, or of a log that is older, newer or "
			      "forked",
			      e->seq, l->n_slots);
	if (l->n_slots >= LOG_MAX_ENTRIES)
		return refuse(err, -ENOSPC, REFUSAL_FULL, "the membership log is full (%d entries)",
			      LOG_MAX_ENTRIES);
	if (e->time_s < mlog_last_time_s(l))
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
			      "the time of the log entry lies before that of the entry before it: "
			      "check the clock of the machine that made it");
	return 0;
}

/* --- invites -------------------------------------------------------------------------------- */

static int check_cluster(const struct mlog *l, const struct invite *inv, struct err *err)
{
	if (l->n_slots == 0)
		return refuse(err, -EACCES, REFUSAL_CLUSTER_UNKNOWN, "the log is empty");
	if (memcmp(inv->cluster_id, mlog_cluster_id(l), HASH_LEN) != 0 ||
	    strcmp(inv->cluster_name, l->genesis.name) != 0)
		return refuse(err, -EACCES, REFUSAL_WRONG_CLUSTER,
			      "the invite is for another cluster (\"%s\"): ask an admin of \"%s\" "
			      "for an invite",
			      inv->cluster_name, l->genesis.name);
	return 0;
}

/* The sponsor, its signature and its right; the head that the invite builds on. */
static int check_sponsor(const struct mlog *l, const struct invite *inv, struct span bytes,
			 const uint8_t sig[SIG_LEN], struct err *err)
{
	const struct member *sponsor = roster_by_id(l->roster, &inv->sponsor, ROSTER_CURRENT);

	if (!sponsor)
		return refuse(err, -EACCES, REFUSAL_SPONSOR_UNKNOWN,
			      "the invite was made by a node that is not in cluster \"%s\": ask "
			      "one of its admins for a new invite",
			      l->genesis.name);
	if (key_verify(sponsor->key, SIGN_INVITE, inv->cluster_id, bytes, sig) < 0)
		return refuse(err, -EKEYREJECTED, REFUSAL_TAMPERED,
			      "the invite was altered or forged: the signature of its sponsor "
			      "\"%s\" does not fit. Copy it again as a whole, or ask \"%s\" for a "
			      "new invite.",
			      sponsor->name, sponsor->name);
	if (sponsor->role != ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_SPONSOR_NOT_ADMIN,
			      "the invite was made by \"%s\", which is not an admin of cluster "
			      "\"%s\": ask an admin for a new invite",
			      sponsor->name, l->genesis.name);
	if (!mlog_has_head(l, &inv->head))
		return refuse(err, -EACCES, REFUSAL_UNKNOWN_HEAD,
			      "the invite was made on a log that has an entry %" PRIu64 " which is "
			      "not in this one: the signaling server holds an old or forked log. "
			      "Tell \"%s\", who made the invite.",
			      inv->head.seq, sponsor->name);
	if (sponsor->joined_seq > inv->head.seq)
		return refuse(err, -EACCES, REFUSAL_SPONSOR_UNKNOWN,
			      "the invite is older than its sponsor \"%s\": ask for a new invite",
			      sponsor->name);
	if (inv->issued < l->slots[inv->head.seq].time_s)
		return refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
			      "the invite is dated before the log that it was made on: check the "
			      "clock of \"%s\" and make a new one there",
			      sponsor->name);
	return 0;
}

/* Not used, not past its time, not cancelled, in this order: the most telling reason. */
static int check_open(const struct mlog *l, const struct invite *inv, uint64_t now_s,
		      struct err *err)
{
	const struct member *sponsor = roster_by_id(l->roster, &inv->sponsor, ROSTER_ALL);
	const struct member *user = mlog_invite_redeemer(l, inv->nonce);
	char text[TIME_TEXT_MAX];

	if (user)
		return refuse(err, -EACCES, REFUSAL_INVITE_USED,
			      "the invite was used already, by \"%s\" at %s: ask \"%s\" for a new "
			      "invite",
			      user->name, time_format(user->joined_s, text), sponsor->name);
	if (now_s > inv->expiry)
		return refuse(err, -ETIME, REFUSAL_INVITE_EXPIRED,
			      "the invite expired at %s: ask \"%s\" for a new invite",
			      time_format(inv->expiry, text), sponsor->name);
	if (mlog_invite_used(l, inv->nonce))
		return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
			      "the invite was cancelled: ask \"%s\" for a new invite",
			      sponsor->name);
	return 0;
}

static int check_invite(const struct mlog *l, const struct invite *inv, struct span bytes,
			const uint8_t sig[SIG_LEN], uint64_t now_s, struct err *err)
{
	int r = check_cluster(l, inv, err);

	if (r == 0)
		r = check_sponsor(l, inv, bytes, sig, err);
	return r < 0 ? r : check_open(l, inv, now_s, err);
}

int mlog_check_invite(const struct mlog *l, struct span invite, const uint8_t sig[SIG_LEN],
		      uint64_t now_s, struct invite *ret, struct err *err)
{
	struct invite inv;
	int r = invite_decode(invite, &inv, err);

	if (r == 0)
		r = check_invite(l, &inv, invite, sig, now_s, err);
	if (r == 0)
		*ret = inv;
	return r;
}

/* --- the types ------------------------------------------------------------------------------ */

static int check_author(const struct entry *e, const uint8_t key[KEY_LEN], struct err *err)
{
	struct node_id id = key_node_id(key);

	if (node_id_equal(&id, &e->author))
		return 0;
	return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
		      "the author of the log entry is not the owner of the key in it");
}

static int verify_genesis(const struct entry *e, struct err *err)
{
	const uint8_t *key = e->genesis.key;
	int r = check_author(e, key, err);

	if (r < 0)
		return r;
	if (key_verify(key, SIGN_GENESIS, zero_hash, e->payload, e->sig[0]) < 0)
		return bad_signature(err, "the first admin");
	return 0;
}

/* Who joins: a new key under a new name at a new address. */
static int check_joiner(const struct mlog *l, const struct entry *e, struct err *err)
{
	const struct admit *a = &e->admit;
	const struct member *known = roster_by_id(l->roster, &e->author, ROSTER_ALL);
	const char *given = a->invite_decoded.node_name;
	char ip[IP4_TEXT_MAX];

	if (roster_count(l->roster, ROSTER_CURRENT) >= MEMBERS_MAX)
		return refuse(err, -ENOSPC, REFUSAL_FULL, "cluster \"%s\" is full (%d nodes)",
			      l->genesis.name, MEMBERS_MAX);
	if (known)
		return refuse(err, -EACCES, REFUSAL_KEY_KNOWN,
			      "this node's key is in cluster \"%s\" already, as \"%s\"",
			      l->genesis.name, known->name);
	if (given[0] && strcmp(given, a->node_name) != 0)
		return refuse(err, -EACCES, REFUSAL_NAME_BAD,
			      "the invite is for a node named \"%s\", not \"%s\"", given,
			      a->node_name);
	if (roster_by_name(l->roster, span_str(a->node_name), ROSTER_ALL))
		return refuse(err, -EACCES, REFUSAL_NAME_TAKEN,
			      "the name \"%s\" is taken in cluster \"%s\": choose another with "
			      "--name",
			      a->node_name, l->genesis.name);
	if (a->address < prefix4_first(l->genesis.subnet) ||
	    a->address > prefix4_last(l->genesis.subnet))
		return refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
			      "the address %s is not one for nodes of cluster \"%s\"",
			      ip4_format(a->address, ip), l->genesis.name);
	if (a->address <= roster_highest_address(l->roster))
		return refuse(err, -EACCES, REFUSAL_STALE,
			      "the address %s is not above all that were given before: fetch the "
			      "log and try again",
			      ip4_format(a->address, ip));
	return 0;
}

static int verify_admit(const struct mlog *l, const struct entry *e, struct err *err)
{
	const struct admit *a = &e->admit;
	const uint8_t *cluster_id = mlog_cluster_id(l);
	int r = check_author(e, a->key, err);

	if (r == 0)
		r = check_invite(l, &a->invite_decoded, a->invite, a->invite_sig, e->time_s, err);
	if (r == 0)
		r = check_joiner(l, e, err);
	if (r < 0)
		return r;
	if (key_verify(a->key, SIGN_ADMIT, cluster_id, e->payload, e->sig[0]) < 0)
		return bad_signature(err, "the joining node");
	if (key_verify(a->invite_decoded.key, SIGN_ADMIT, cluster_id, e->payload, e->sig[1]) < 0)
		return bad_signature(err, "the invite's one-time key");
	return 0;
}

static int verify_cancel(const struct mlog *l, const struct entry *e, struct err *err)
{
	const struct member *author = roster_by_id(l->roster, &e->author, ROSTER_CURRENT);

	if (!author)
		return refuse(err, -EACCES, REFUSAL_NOT_MEMBER,
			      "a node that is not in cluster \"%s\" wants to cancel an invite",
			      l->genesis.name);
	if (key_verify(author->key, SIGN_CANCEL, mlog_cluster_id(l), e->payload, e->sig[0]) < 0)
		return bad_signature(err, author->name);
	if (author->role != ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_NOT_ALLOWED,
			      "\"%s\" is no admin and cannot cancel invites", author->name);
	if (mlog_invite_redeemer(l, e->cancel.nonce))
		return refuse(err, -EACCES, REFUSAL_INVITE_USED,
			      "the invite cannot be cancelled: it was used by \"%s\"",
			      mlog_invite_redeemer(l, e->cancel.nonce)->name);
	if (mlog_invite_used(l, e->cancel.nonce))
		return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
			      "the invite was cancelled already");
	return 0;
}

int mlog_verify_next(const struct mlog *l, const struct entry *e, struct err *err)
{
	int r = check_chain(l, e, err);

	if (r < 0)
		return r;
	switch (e->type) {
	case ENTRY_GENESIS:
		return verify_genesis(e, err);
	case ENTRY_ADMIT:
		return verify_admit(l, e, err);
	case ENTRY_CANCEL:
		return verify_cancel(l, e, err);
	}
	return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION, "upgrade mlsh on this machine");
}
