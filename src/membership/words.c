/* SPDX-License-Identifier: MIT */
/* Entries of the log as sentences. */
#include "membership/words.h"

#include <stdio.h>
#include <time.h>

static const char *time_text(uint64_t time_s, const char *form, const char *unknown,
			     char ret[WORDS_TIME_MAX])
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, WORDS_TIME_MAX, form, &tm) == 0)
		snprintf(ret, WORDS_TIME_MAX, "%s", unknown);
	return ret;
}

const char *words_time(uint64_t time_s, char ret[WORDS_TIME_MAX])
{
	return time_text(time_s, "%Y-%m-%d %H:%M", "-", ret);
}

const char *words_time_utc(uint64_t time_s, char ret[WORDS_TIME_MAX])
{
	return time_text(time_s, "%Y-%m-%d %H:%M UTC", "an unknown time", ret);
}

/* A member's name, or a former member's; its id if it is not known. */
static const char *name_of(const struct mlog *l, const struct node_id *id,
			   char unknown[NODE_ID_TEXT_MAX])
{
	const struct member *m = roster_by_id(mlog_roster(l), id, ROSTER_ALL);

	return m ? m->name : node_id_format(id, unknown);
}

static void genesis_words(const struct genesis *g, char ret[WORDS_TEXT_MAX])
{
	char ip[IP4_TEXT_MAX], subnet[PREFIX4_TEXT_MAX];

	snprintf(ret, WORDS_TEXT_MAX,
		 "%s set the cluster %s up as its first admin, at %s of %s, "
		 "with the signal server %s, port %u",
		 g->node_name, g->name, ip4_format(g->address, ip),
		 prefix4_format(g->subnet, subnet), g->server.host, (unsigned)g->server.port);
}

static void admit_words(const struct mlog *l, const struct record *r, const struct admit *a,
			char ret[WORDS_TEXT_MAX])
{
	const struct invite *inv = &a->invite_decoded;
	char ip[IP4_TEXT_MAX], id[NODE_ID_TEXT_MAX], old[NODE_ID_TEXT_MAX];
	const char *role = inv->role == ROLE_ADMIN ? " to become an admin" : "";

	if (inv->replaces)
		snprintf(ret, WORDS_TEXT_MAX, "a new node replaced %s, invited by %s%s",
			 name_of(l, &inv->replace, old), name_of(l, &inv->sponsor, id), role);
	else
		snprintf(ret, WORDS_TEXT_MAX, "%s joined at %s, invited by %s%s", a->node_name,
			 ip4_format(r->order.address, ip), name_of(l, &inv->sponsor, id), role);
}

static void cancel_words(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	char hex[2 * HASH_LEN + 1], id[NODE_ID_TEXT_MAX];
	bool invite = e->cancel.what == CANCEL_INVITE;

	if (invite)
		hex_encode(e->cancel.nonce, NONCE_LEN, hex);
	else
		hex_encode(e->cancel.hash, HASH_LEN, hex);
	snprintf(ret, WORDS_TEXT_MAX, "%s cancelled the %s %.8s", name_of(l, &e->author, id),
		 invite ? "invite" : "removal", hex);
}

/* "a, b and 3 others" */
static void list_words(const struct mlog *l, const struct id_list *ids, char *out, size_t cap)
{
	char id[NODE_ID_TEXT_MAX];
	size_t shown = ids->n > 5 ? 4 : ids->n, len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < shown && len < cap; i++)
		len += (size_t)snprintf(out + len, cap - len, "%s%s",
					i == 0				    ? ""
					: i + 1 == shown && shown == ids->n ? " and "
									    : ", ",
					name_of(l, &ids->id[i], id));
	if (shown < ids->n && len < cap)
		snprintf(out + len, cap - len, " and %zu others", ids->n - shown);
}

static void remove_words(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	char id[NODE_ID_TEXT_MAX], names[WORDS_TEXT_MAX / 4];

	list_words(l, &e->remove, names, sizeof(names));
	if (e->remove.n == 1 && node_id_equal(&e->remove.id[0], &e->author))
		snprintf(ret, WORDS_TEXT_MAX, "%s left the cluster", names);
	else
		snprintf(ret, WORDS_TEXT_MAX, "%s removed %s", name_of(l, &e->author, id), names);
}

static void about(const struct mlog *l, const struct entry *e, const char *did,
		  const struct node_id *whom, const char *more, char ret[WORDS_TEXT_MAX])
{
	char id[NODE_ID_TEXT_MAX], other[NODE_ID_TEXT_MAX];

	snprintf(ret, WORDS_TEXT_MAX, "%s %s %s%s", name_of(l, &e->author, id), did,
		 name_of(l, whom, other), more);
}

static void rename_words(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	char more[LABEL_MAX + 8];

	snprintf(more, sizeof(more), " %s", e->rename.name);
	about(l, e, "named", &e->rename.id, more, ret);
}

static void recover_words(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	const struct recover *c = &e->recover;
	char admins[WORDS_TEXT_MAX / 4], removed[WORDS_TEXT_MAX / 4];

	list_words(l, &c->admins, admins, sizeof(admins));
	list_words(l, &c->removed, removed, sizeof(removed));
	snprintf(ret, WORDS_TEXT_MAX,
		 "the recovery code took the cluster back to record %llu; admin: %s%s%s%s%s",
		 (unsigned long long)e->base.seq, admins, c->removed.n > 0 ? "; removed: " : "",
		 removed, c->has_server ? "; new signal server: " : "",
		 c->has_server ? c->server.host : "");
}

static void other_words(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	char id[NODE_ID_TEXT_MAX], second[NODE_ID_TEXT_MAX];
	const char *author = name_of(l, &e->author, id);

	if (e->type == ENTRY_ROTATE)
		snprintf(ret, WORDS_TEXT_MAX, "%s changed its key", author);
	else if (e->type == ENTRY_SIGNAL)
		snprintf(ret, WORDS_TEXT_MAX,
			 "%s moved the cluster to the signal server %s, port %u", author,
			 e->signal.host, (unsigned)e->signal.port);
	else if (e->type == ENTRY_RENEW && e->renew.by_code)
		snprintf(ret, WORDS_TEXT_MAX, "the recovery code was replaced, by itself");
	else if (e->type == ENTRY_RENEW)
		snprintf(ret, WORDS_TEXT_MAX, "%s and %s replaced the recovery code", author,
			 name_of(l, &e->renew.second, second));
	else
		snprintf(ret, WORDS_TEXT_MAX,
			 "%s did something that this version does not know (type %u)", author,
			 e->type);
}

void words_entry(const struct mlog *l, const struct record *r, const struct entry *e,
		 char ret[WORDS_TEXT_MAX])
{
	switch (e->type) {
	case ENTRY_GENESIS:
		genesis_words(&e->genesis, ret);
		return;
	case ENTRY_ADMIT:
		admit_words(l, r, &e->admit, ret);
		return;
	case ENTRY_CANCEL:
		cancel_words(l, e, ret);
		return;
	case ENTRY_REMOVE:
		remove_words(l, e, ret);
		return;
	case ENTRY_PROMOTE:
		about(l, e, "made", &e->promote.id, " an admin", ret);
		return;
	case ENTRY_DEMOTE:
		about(l, e, "made", &e->demote.id, " a plain node", ret);
		return;
	case ENTRY_RENAME:
		rename_words(l, e, ret);
		return;
	case ENTRY_RECOVER:
		recover_words(l, e, ret);
		return;
	default: /* unknown ones, too */
		other_words(l, e, ret);
		return;
	}
}

void words_record(const struct mlog *l, const struct record *r, const struct entry *e,
		  struct record_words *ret)
{
	const struct member *author = roster_by_id(mlog_roster(l), &e->author, ROSTER_ALL);

	ret->time_s = r->genesis ? e->time_s : r->order.time_s;
	ret->author = author ? author->name : NULL;
	words_entry(l, r, e, ret->text);
	hex_encode(r->hash, HASH_LEN, ret->hash);
}
