/* SPDX-License-Identifier: MIT */
/* Makes a signed invite out of a node's own files. */
#include "client/invite_new.h"

#include <stdio.h>

#include "client/govern.h"
#include "client/refuse.h"
#include "identity/identity.h"
#include "membership/invite_url.h"

static int check_sponsor(const struct invite_params *p, struct node_id *ret, struct err *err)
{
	const struct member *self = roster_by_key_sha256(mlog_roster(p->log),
							 identity_key_sha256(p->identity),
							 ROSTER_CURRENT);

	if (!self)
		return refuse(err, 0, REFUSAL_NOT_MEMBER,
			      "this machine is not a member of %s by its copy of the log",
			      p->cluster->cluster);
	*ret = self->id;
	if (self->role == ROLE_ADMIN)
		return 0;
	return govern_only_admins(p->log, self, "invite", REFUSAL_SPONSOR_NOT_ADMIN, err);
}

static int check_params(const struct invite_params *p, const char *node_name, struct err *err)
{
	int r;

	if (p->ttl_s < INVITE_TTL_MIN_S || p->ttl_s > INVITE_TTL_MAX_S)
		return err_set(err, -EINVAL,
			       "an invite lasts %d second to %d days, not %llu "
			       "seconds",
			       INVITE_TTL_MIN_S, INVITE_TTL_MAX_S / 86400,
			       (unsigned long long)p->ttl_s);
	if (!node_name[0])
		return 0;
	r = label_check("node name", node_name, err);
	if (r < 0)
		return r;
	if (mlog_name_taken(p->log, node_name))
		return refuse(err, 0, REFUSAL_NAME_TAKEN,
			      "the name %s is or was a node's of %s. Choose another name.",
			      node_name, p->cluster->cluster);
	return 0;
}

/* The new node takes the place of a member. */
static int set_replaced(const struct invite_params *p, struct invite *inv, struct err *err)
{
	struct govern g = { .log = p->log };
	const struct member *m;
	int rc = govern_find(&g, p->replace, &m, err);

	if (rc < 0)
		return rc;
	if (node_id_equal(&m->id, &inv->sponsor))
		return err_set(err, -EINVAL,
			       "%s is this machine itself, which would lose its place: let "
			       "another admin make the invite",
			       m->name);
	inv->replaces = true;
	inv->replace = m->id;
	snprintf(inv->node_name, sizeof(inv->node_name), "%s", m->name);
	return 0;
}

int invite_new(struct host *h, const struct invite_params *p, struct err *err,
	       struct invite_url *ret)
{
	const char *node_name = p->node_name ? p->node_name : "";
	struct invite_url u = { .port = p->cluster->signal_port };
	struct invite *inv = &u.invite;
	int r = check_sponsor(p, &inv->sponsor, err);

	if (r < 0 || (r = check_params(p, node_name, err)) < 0)
		return r;
	snprintf(u.host, sizeof(u.host), "%s", p->cluster->signal_host);
	memcpy(u.signal_key, p->cluster->signal_key, HASH_LEN);
	random_fill(h, u.one_time, sizeof(u.one_time));
	memcpy(inv->cluster_id, p->cluster->cluster_id, HASH_LEN);
	snprintf(inv->cluster_name, sizeof(inv->cluster_name), "%s", p->cluster->cluster);
	inv->role = p->role;
	/* Never before the head that it names, even if our clock is behind. */
	inv->issued = MAX(p->now_s, mlog_last_time_s(p->log));
	inv->expiry = inv->issued + p->ttl_s;
	random_fill(h, inv->nonce, sizeof(inv->nonce));
	inv->head = mlog_head(p->log);
	memcpy(inv->signal_key, u.signal_key, HASH_LEN);
	snprintf(inv->node_name, sizeof(inv->node_name), "%s", node_name);
	if (p->replace && (r = set_replaced(p, inv, err)) < 0) {
		invite_url_wipe(&u);
		return r;
	}
	r = seed_public(u.one_time, inv->key);
	if (r < 0)
		err_set(err, r, "cannot make the invite's one-time key");
	else
		r = invite_make(inv, identity_signer(p->identity), u.invite_bytes, &u.invite_len,
				u.invite_sig, err);
	if (r == 0)
		*ret = u;
	invite_url_wipe(&u);
	return r;
}
