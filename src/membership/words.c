/* SPDX-License-Identifier: MIT */
/* Entries of the log as sentences. */
#include "membership/words.h"

#include <stdio.h>
#include <time.h>

const char *words_type(enum entry_type type)
{
	switch (type) {
	case ENTRY_GENESIS:
		return "genesis";
	case ENTRY_ADMIT:
		return "admit";
	case ENTRY_CANCEL:
		return "cancel";
	}
	return "unknown";
}

const char *words_time(uint64_t time_s, char ret[WORDS_TIME_MAX])
{
	time_t t = (time_t)time_s;
	struct tm tm;

	if (!gmtime_r(&t, &tm) || strftime(ret, WORDS_TIME_MAX, "%Y-%m-%d %H:%M", &tm) == 0)
		strcpy(ret, "-");
	return ret;
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
		 prefix4_format(g->subnet, subnet), g->signal_host, (unsigned)g->signal_port);
}

static void admit_words(const struct mlog *l, const struct admit *a, char ret[WORDS_TEXT_MAX])
{
	char ip[IP4_TEXT_MAX], id[NODE_ID_TEXT_MAX];

	snprintf(ret, WORDS_TEXT_MAX, "%s joined at %s, invited by %s%s", a->node_name,
		 ip4_format(a->address, ip), name_of(l, &a->invite_decoded.sponsor, id),
		 a->invite_decoded.role == ROLE_ADMIN ? " to become an admin" : "");
}

static void cancel_words(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	char nonce[2 * NONCE_LEN + 1], id[NODE_ID_TEXT_MAX];

	hex_encode(e->cancel.nonce, NONCE_LEN, nonce);
	snprintf(ret, WORDS_TEXT_MAX, "%s cancelled the invite %.8s", name_of(l, &e->author, id),
		 nonce);
}

void words_entry(const struct mlog *l, const struct entry *e, char ret[WORDS_TEXT_MAX])
{
	switch (e->type) {
	case ENTRY_GENESIS:
		genesis_words(&e->genesis, ret);
		return;
	case ENTRY_ADMIT:
		admit_words(l, &e->admit, ret);
		return;
	case ENTRY_CANCEL:
		cancel_words(l, e, ret);
		return;
	}
	snprintf(ret, WORDS_TEXT_MAX, "an entry of a type that this version does not know");
}
