/* SPDX-License-Identifier: MIT */
/* The rules of genesis, invites and admits; rules.c has all others, and what they share. */
#include <inttypes.h>

#include "membership/rules.h"
#include "membership/words.h"

/* --- invites -------------------------------------------------------------------------------- */

static int check_cluster(const struct mlog *l, const struct invite *inv, struct err *err)
{
	if (l->s.n_slots == 0)
		return refuse(err, -EACCES, REFUSAL_CLUSTER_UNKNOWN, "the log is empty");
	if (memcmp(inv->cluster_id, mlog_cluster_id(l), HASH_LEN) != 0 ||
	    strcmp(inv->cluster_name, l->s.genesis.name) != 0)
		return refuse(err, -EACCES, REFUSAL_WRONG_CLUSTER,
			      "the invite is for another cluster (\"%s\"): ask an admin of \"%s\" "
			      "for an invite",
			      inv->cluster_name, l->s.genesis.name);
	return 0;
}

/* What an invite from before a change of its sponsor is worth: nothing. */
static int sponsor_changed(const struct member *sponsor, const char *how, struct err *err)
{
	return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
		      "the invite is void, because its sponsor \"%s\" %s since it was made: ask "
		      "for a new invite",
		      sponsor->name, how);
}

/* The sponsor, its signature and its right; the head that the invite builds on. */
static int check_sponsor(const struct mlog *l, const struct invite *inv, struct span bytes,
			 const uint8_t sig[SIG_LEN], bool trusted, struct err *err)
{
	const struct member *sponsor = roster_by_id(l->roster, &inv->sponsor, ROSTER_ALL);
	const char *name;

	if (!sponsor)
		return refuse(err, -EACCES, REFUSAL_SPONSOR_UNKNOWN,
			      "the invite was made by a node that is not in cluster \"%s\": ask "
			      "one of its admins for a new invite",
			      l->s.genesis.name);
	name = sponsor->name;
	if (!member_is_current(sponsor))
		return refuse(
			err, -EACCES, REFUSAL_SPONSOR_REMOVED,
			"the invite was made by \"%s\", which is no longer in cluster \"%s\": "
			"ask one of its admins for a new invite",
			name, l->s.genesis.name);
	if (sponsor->key_seq > inv->head.seq && mlog_has_head(l, &inv->head) &&
	    sponsor->joined_seq != sponsor->key_seq)
		return sponsor_changed(sponsor, "has a new key", err);
	if (!trusted && key_verify(sponsor->key, SIGN_INVITE, inv->cluster_id, bytes, sig) < 0)
		return refuse(err, -EKEYREJECTED, REFUSAL_TAMPERED,
			      "the invite was altered or forged: the signature of its sponsor "
			      "\"%s\" does not fit. Copy it again as a whole, or ask \"%s\" for a "
			      "new invite.",
			      name, name);
	if (sponsor->role != ROLE_ADMIN)
		return refuse(err, -EACCES, REFUSAL_SPONSOR_NOT_ADMIN,
			      "the invite was made by \"%s\", which is not an admin of cluster "
			      "\"%s\": ask an admin for a new invite",
			      name, l->s.genesis.name);
	if (!mlog_has_head(l, &inv->head))
		return refuse(err, -EACCES, REFUSAL_UNKNOWN_HEAD,
			      "the invite was made on a log that has a record %" PRIu64 " which is "
			      "not in this one: the signaling server holds an old or forked log. "
			      "Tell \"%s\", who made the invite.",
			      inv->head.seq, name);
	if (sponsor->joined_seq > inv->head.seq)
		return refuse(err, -EACCES, REFUSAL_SPONSOR_UNKNOWN,
			      "the invite is older than its sponsor \"%s\": ask for a new invite",
			      name);
	if (sponsor->role_seq > inv->head.seq)
		return sponsor_changed(sponsor, "has become an admin again", err);
	return rule_base_generation(l, &inv->head, err);
}

/* An invite pins the server at which it was made to be used. */
static int check_server(const struct mlog *l, const struct invite *inv, const char *sponsor,
			struct err *err)
{
	if (l->s.epochs[l->s.n_epochs - 1].by <= inv->head.seq)
		return 0;
	return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
		      "the invite is void, because cluster \"%s\" has moved to the server %s since "
		      "it was made: ask \"%s\" for a new invite",
		      l->s.genesis.name, mlog_server(l)->host, sponsor);
}

/*
 * Not used, not past its time, not cancelled, for the server in force; in this order: the most
 * telling reason.
 */
static int check_open(const struct mlog *l, const struct invite *inv, uint64_t now_s,
		      struct err *err)
{
	const struct member *sponsor = roster_by_id(l->roster, &inv->sponsor, ROSTER_ALL);
	const struct member *user = mlog_invite_redeemer(l, inv->nonce);
	char text[WORDS_TIME_MAX];

	if (user)
		return refuse(err, -EACCES, REFUSAL_INVITE_USED,
			      "the invite was used already, by \"%s\" at %s: ask \"%s\" for a new "
			      "invite",
			      user->name, words_time_utc(user->joined_s, text), sponsor->name);
	if (now_s > inv->expiry)
		return refuse(err, -ETIME, REFUSAL_INVITE_EXPIRED,
			      "the invite expired at %s: ask \"%s\" for a new invite",
			      words_time_utc(inv->expiry, text), sponsor->name);
	if (mlog_invite_used(l, inv->nonce))
		return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
			      "the invite was cancelled: ask \"%s\" for a new invite",
			      sponsor->name);
	return check_server(l, inv, sponsor->name, err);
}

int rule_invite(const struct mlog *l, const struct invite *inv, struct span bytes,
		const uint8_t sig[SIG_LEN], uint64_t now_s, bool trusted, struct err *err)
{
	int r = check_cluster(l, inv, err);

	if (r == 0)
		r = check_sponsor(l, inv, bytes, sig, trusted, err);
	return r < 0 ? r : check_open(l, inv, now_s, err);
}

bool mlog_invite_stands(const struct mlog *l, const struct invite *inv, uint64_t now_s)
{
	struct err err;

	return check_sponsor(l, inv, (struct span){ 0 }, NULL, true, &err) == 0 &&
	       check_open(l, inv, now_s, &err) == 0;
}

/* --- genesis, admit ------------------------------------------------------------------------- */

int verify_genesis(const struct mlog *l, const struct placed *p, struct err *err)
{
	const uint8_t *key = p->entry->genesis.key;
	int r = rule_own_key(p->entry, key, err);

	return r < 0 ? r : rule_sig(l, p, 0, key, "the first admin", err);
}

/* ADMIT: a new node under a new name at a new address. */
static int check_newcomer(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct admit *a = &p->entry->admit;
	const char *given = a->invite_decoded.node_name;
	const struct prefix4 subnet = l->s.genesis.subnet;
	ip4 address = p->order->address;
	char ip[IP4_TEXT_MAX];
	int r;

	if (given[0] && strcmp(given, a->node_name) != 0)
		return refuse(err, -EACCES, REFUSAL_NAME_BAD,
			      "the invite is for a node named \"%s\", not \"%s\"", given,
			      a->node_name);
	r = rule_name_free(l, a->node_name, NULL, err);
	if (r < 0)
		return r;
	if (address < prefix4_first(subnet) || address > prefix4_last(subnet))
		return refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
			      "the address %s is not one for nodes of cluster \"%s\"",
			      ip4_format(address, ip), l->s.genesis.name);
	if (mlog_address_taken(l, address))
		return refuse(err, -EACCES, REFUSAL_BAD_ENTRY,
			      "the address %s was given before in cluster \"%s\"",
			      ip4_format(address, ip), l->s.genesis.name);
	return 0;
}

/* REPLACE: the new node takes the place of a member. */
static int check_replacement(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct invite *inv = &p->entry->admit.invite_decoded;
	const struct member *old = roster_by_id(l->roster, &inv->replace, ROSTER_ALL);

	if (!old)
		return rule_not_member(l, &inv->replace, "the node to be replaced", err);
	if (roster_by_address(l->roster, old->address, ROSTER_ALL) != old)
		return refuse(err, -EACCES, REFUSAL_STALE,
			      "\"%s\" was replaced already: ask for a new invite", old->name);
	if (!member_is_current(old) && old->left_seq > inv->head.seq)
		return refuse(err, -EACCES, REFUSAL_INVITE_CANCELLED,
			      "\"%s\", which the invite replaces, has left cluster \"%s\" since it "
			      "was made: ask for a new invite",
			      old->name, l->s.genesis.name);
	if (p->order->address != 0)
		return refuse(err, -EBADMSG, REFUSAL_BAD_ENTRY,
			      "a node that replaces another gets no new address");
	if (!member_is_current(old) || old->role != ROLE_ADMIN)
		return 0;
	return rule_admin_remains(l, 1, err);
}

/* Does somebody leave as the new node joins? */
static bool replaces_current(const struct mlog *l, const struct invite *inv)
{
	return inv->replaces && roster_by_id(l->roster, &inv->replace, ROSTER_CURRENT);
}

int verify_admit(const struct mlog *l, const struct placed *p, struct err *err)
{
	const struct admit *a = &p->entry->admit;
	const struct invite *inv = &a->invite_decoded;
	int r = rule_own_key(p->entry, a->key, err);

	if (r == 0)
		r = rule_invite(l, inv, a->invite, a->invite_sig, p->order->time_s, p->trusted,
				err);
	if (r < 0)
		return r;
	if (roster_count(l->roster, ROSTER_CURRENT) >= MEMBERS_MAX && !replaces_current(l, inv))
		return refuse(err, -ENOSPC, REFUSAL_FULL, "cluster \"%s\" is full (%d nodes)",
			      l->s.genesis.name, MEMBERS_MAX);
	r = rule_new_key(l, a->key, err);
	if (r == 0)
		r = inv->replaces ? check_replacement(l, p, err) : check_newcomer(l, p, err);
	if (r == 0)
		r = rule_sig(l, p, 0, a->key, "the joining node", err);
	return r < 0 ? r : rule_sig(l, p, 1, inv->key, "the invite's one-time key", err);
}
