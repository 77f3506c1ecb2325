/* SPDX-License-Identifier: MIT */
/*
 * Recovery codes through records that somebody shows: which code is in force where, and do the
 * records lead to a recovery that counts (docs/protocol/02-membership-log.md, "Taking records").
 */
#include <inttypes.h>

#include "crypto/hash.h"
#include "membership/take_internal.h"

bool take_is_signed(const struct mlog *l, const struct entry *e, const uint8_t key[KEY_LEN])
{
	return key_verify(key, SIGN_ENTRY, mlog_cluster_id(l), e->payload, e->sig[0]) == 0;
}

/* The recovery code in force, and how many were used before it. */
struct code_use {
	uint8_t code[HASH_LEN];
	uint64_t used;
};

/* What our log says about it behind record `seq`. */
static struct code_use code_behind(const struct mlog *l, uint64_t seq)
{
	const struct past_code *past = l->s.past_codes;
	struct code_use u = { .used = 0 };

	memcpy(u.code, l->s.recovery, HASH_LEN);
	for (size_t i = 0; i < l->s.n_past_codes; i++) {
		if (past[i].by > seq) {
			memcpy(u.code, past[i].hash, HASH_LEN);
			break;
		}
		u.used += i == 0 || past[i].by != past[i - 1].by;
	}
	return u;
}

/* Is the recovery, with the attempts that it supersedes, by this code? */
static bool recover_is_by(const struct mlog *l, const struct entry *e, const uint8_t code[HASH_LEN])
{
	struct entry earlier;
	uint8_t hash[HASH_LEN];

	if (entry_superseded(e, &earlier) == 0)
		return recover_is_by(l, &earlier, code) && take_is_signed(l, e, e->recover.key);
	sha256(span_of(e->recover.key, KEY_LEN), hash);
	return memcmp(hash, code, HASH_LEN) == 0 && take_is_signed(l, e, e->recover.key);
}

int recover_check_code(const struct mlog *l, const struct entry *e, struct err *err)
{
	struct code_use u = code_behind(l, e->base.seq);

	if (!recover_is_by(l, e, u.code))
		return refuse(err, -EACCES, REFUSAL_RECOVERY_CODE,
			      "the recovery code is not the one of cluster \"%s\" that is in force",
			      l->s.genesis.name);
	if (!mlog_counts_more(l, e, u.used + 1))
		return refuse(err, -EACCES, REFUSAL_RECOVERY_CODE,
			      "the recovery goes back behind record %" PRIu64
			      ", which replaced the recovery code: use the code that is in force",
			      l->s.code_seq);
	return 0;
}

/* --- renewals --------------------------------------------------------------------------------- */

static const struct member *admin_now(const struct mlog *l, const struct node_id *id)
{
	const struct member *m = roster_by_id(l->roster, id, ROSTER_CURRENT);

	return m && m->role == ROLE_ADMIN ? m : NULL;
}

/* Are both admins by our log, as it is now? Others do not count, whatever they once were. */
static bool is_by_two_admins(const struct mlog *l, const struct entry *e)
{
	const struct member *a = admin_now(l, &e->author), *b = admin_now(l, &e->renew.second);

	return a && b && a != b && take_is_signed(l, e, a->key) &&
	       key_verify(b->key, SIGN_CONSENT, mlog_cluster_id(l), e->payload, e->sig[1]) == 0;
}

/*
 * May the server's receipt say that two others were admins? Behind our head we do not know yet who
 * is one. Beside records of ours only if those have a recovery, which can be by the code that was
 * renewed; else the server would bring back former admins that our log has removed.
 */
static bool may_be_unknown(const struct taking *t)
{
	uint64_t seq = t->shown[t->first].record.order.seq;

	return seq == t->l->s.n_slots || t->l->s.slots[seq - 1].generation < mlog_generation(t->l);
}

/* By the code in force, or by two admins. */
static bool renew_is_by(struct taking *t, size_t i, const struct entry *e,
			const uint8_t code[HASH_LEN])
{
	uint8_t hash[HASH_LEN];

	if (e->renew.by_code) {
		sha256(span_of(e->renew.key, KEY_LEN), hash);
		return memcmp(hash, code, HASH_LEN) == 0 && take_is_signed(t->l, e, e->renew.key);
	}
	return is_by_two_admins(t->l, e) ||
	       (may_be_unknown(t) && take_verify_receipts(t) && take_is_vouched(t, i));
}

/* --- recoveries ------------------------------------------------------------------------------- */

bool take_leads_to_recovery(struct taking *t)
{
	const struct mlog *l = t->l;
	struct code_use u = code_behind(l, t->shown[t->first].record.order.seq - 1);
	bool leads = false;
	struct entry e;

	for (t->by_code = t->first; t->by_code < t->n; t->by_code++) {
		struct span bytes = t->shown[t->by_code].record.entry;
		unsigned type = entry_peek(bytes);

		if (type != ENTRY_RECOVER && type != ENTRY_RENEW)
			continue;
		if (entry_decode(bytes, &e, NULL) < 0)
			break;
		u.used++;
		if (type == ENTRY_RENEW ? !renew_is_by(t, t->by_code, &e, u.code)
					: !recover_is_by(l, &e, u.code))
			break;
		leads |= type == ENTRY_RECOVER && mlog_counts_more(l, &e, u.used);
		memcpy(u.code, type == ENTRY_RENEW ? e.renew.next : e.recover.next, HASH_LEN);
	}
	return leads;
}
