/* SPDX-License-Identifier: MIT */
/*
 * What a peer shows of its membership log (docs/protocol/04-peer.md), and what it asks for: judged
 * here, answered by log_send.c.
 */
#include "overlay/peering/peering.h"
#include "overlay/peering/peer.h"
#include "overlay/peering/peer_log.h"

#define REOPEN_GAP (60 * NS_PER_S)

/* Everything before `next`, which we have as well. */
static void they_have(struct link *l, uint64_t next)
{
	if (l->their_next == UINT64_MAX || l->their_next < next)
		l->their_next = next;
}

void peer_log_requested(struct link *l, const struct peer_message *m)
{
	const struct mlog *log = l->peer->g->log;
	uint64_t from = MIN(m->first, mlog_generation_start(log, m->generation));

	if (log_send_page(l, from) < 0) {
		link_malformed(l, "asks for more of the log than it reads");
		return;
	}
	they_have(l, from + l->peer->g->message.entries.n);
}

/* Nothing is taken from its log any more; the tunnel stays. */
static void stop_log(struct link *l, const char *why)
{
	struct peer *p = l->peer;

	l->log_stopped = true;
	log_limited(host_log(p->g->h), &p->log_limit, clock_now(p->g->h), LOG_LEVEL_WARN,
		    "records of %s are not taken: %s", p->member->name, why);
}

/* Their record `seq` does not follow ours: where do the two logs part? */
void peer_log_search(struct link *l, uint64_t seq)
{
	if (!log_search_parted(&l->search, seq))
		stop_log(l, "they do not follow each other");
	else if (!l->asked)
		peer_log_ask(l, log_search_next(&l->search));
}

/* What was shown proves that two logs exist, whoever shows it. */
static void on_proof(struct link *l, const struct mlog_take *take, const struct wire_entries *e)
{
	struct peering *g = l->peer->g;
	struct log_proof proof = mlog_proof(g->log, take, e->item, e->n);

	l->log_stopped = true;
	g->ops->fork(g->ctx, &proof, l->peer->member);
}

/* Judges records that came from `first` on. Returns false if no more of them is to be looked at. */
static bool on_taken(struct link *l, const struct mlog_take *take, const struct wire_entries *e)
{
	switch (take->result) {
	case TAKEN:
		return true;
	case TAKEN_OLD:
		control_push(l);
		return false;
	case TAKEN_GAP:
		if (!l->asked)
			peer_log_ask(l, take->ask_from);
		return false;
	case TAKEN_PARTED:
		peer_log_search(l, take->seq);
		return false;
	case TAKEN_LIE:
	case TAKEN_CODE_MISUSED:
		on_proof(l, take, e);
		return false;
	case TAKEN_UPGRADE:
		stop_log(l, "this version of mlsh does not know one of them: upgrade it");
		return false;
	case TAKEN_NO_MEMORY:
		stop_log(l, take->why.text);
		return false;
	case TAKEN_UNPROVEN:
	case TAKEN_INVALID:
		break;
	}
	link_malformed(l, "its log is not valid");
	return false;
}

/* The last of the records is in our log, and so is all before it. */
static void note_theirs(struct link *l, const struct wire_entries *e)
{
	struct record last;

	if (record_decode(e->item[e->n - 1], &last, NULL) < 0)
		return;
	l->their_generation = MAX(l->their_generation, last.order.generation);
	they_have(l, last.order.seq + 1);
}

/* All that they showed is ours. What else is there? */
static void ask_on(struct link *l)
{
	if (!l->search.on)
		peer_log_ask(l, l->their_next);
	else if (log_search_same(&l->search, l->their_next - 1))
		peer_log_ask(l, log_search_next(&l->search));
	else
		stop_log(l, "they do not follow each other");
}

/* A removal that is refused costs a signature: a peer may show few of them. */
static bool may_show_removal(struct peer *p)
{
	return p->g->ops->removal && bucket_has(&p->removals, 1, clock_now(p->g->h));
}

static enum removal_shown removal_shown(struct peer *p, struct span entry)
{
	struct peering *g = p->g;
	enum removal_shown shown = g->ops->removal(g->ctx, p->member, entry);

	if (shown != REMOVAL_TAKEN)
		(void)bucket_take(&p->removals, 1, clock_now(g->h));
	return shown;
}

/* Those among the records from `seq` on: at most as many as a node holds. */
static size_t removals_from(const struct wire_entries *e, uint64_t seq, struct span *ret)
{
	size_t n = 0;

	for (size_t i = 0; i < e->n && n < DENIALS_MAX; i++)
		n += removal_of_record(e->item[i], seq, &ret[n]);
	return n;
}

/*
 * Some of what they showed is dated too far ahead. The owner asks for it again, later. Removals
 * among it count at once, as those do that nobody has ordered. The link may be gone afterwards.
 */
static void on_held(struct link *l, const struct mlog_held *held, const struct wire_entries *e)
{
	struct peering *g = l->peer->g;
	struct span removal[DENIALS_MAX]; /* what is sent meanwhile overwrites `e` */
	size_t n = removals_from(e, held->seq, removal);

	l->search.on = false;
	if (g->ops->held)
		g->ops->held(g->ctx, held, l->peer->member);
	for (size_t i = 0; i < n && l->conn && may_show_removal(l->peer); i++)
		(void)removal_shown(l->peer, removal[i]);
}

static bool has_later_recovery(const struct link *l, const struct wire_entries *e)
{
	struct record last;

	return e->n > 0 && record_decode(e->item[e->n - 1], &last, NULL) == 0 &&
	       last.order.generation > mlog_generation(l->peer->g->log);
}

/*
 * A recovery that we lack ends what the two logs differed in, also where that was a proof. But any
 * record can claim to stand behind one: a member that shows the same lie with such a record behind
 * it has it judged again. So a claim is looked at once in a while.
 */
static void reopen_log(struct link *l, const struct wire_entries *e)
{
	uint64_t now = clock_now(l->peer->g->h);

	if (!l->log_stopped || now < l->reopen_at || !has_later_recovery(l, e))
		return;
	l->reopen_at = now + REOPEN_GAP;
	l->log_stopped = l->search.on = false;
}

/* Returns false if they have brought nothing that our log lacked. The link may be gone then. */
bool peer_log_shown(struct link *l, const struct wire_entries *e, bool solicited)
{
	struct peering *g = l->peer->g;
	struct mlog_take take;
	bool grew;

	l->asked &= !solicited;
	reopen_log(l, e);
	if (l->log_stopped || e->n == 0)
		return false;
	mlog_take_until(g->log, e->item, e->n,
			g->ops->latest_s ? g->ops->latest_s(g->ctx) : UINT64_MAX, &take);
	mlog_commit(g->log);
	grew = take.added > 0 || take.reorganised;
	l->search.on &= !take.reorganised;
	if (on_taken(l, &take, e) && take.held.seq == 0) {
		note_theirs(l, e);
		if ((solicited || grew) && !l->asked)
			ask_on(l);
	}
	if (take.held.seq > 0)
		on_held(l, &take.held, e);
	if (grew)
		g->log_learnt(g);
	return grew;
}

/* The link may be gone afterwards: what the removal says may be about this very peer. */
void peer_log_removal(struct link *l, struct span entry)
{
	struct peering *g = l->peer->g;

	if (!may_show_removal(l->peer) || removal_shown(l->peer, entry) != REMOVAL_LACKING)
		return;
	if (l->conn && !l->asked && !l->log_stopped)
		peer_log_ask(l, mlog_count(g->log));
}
