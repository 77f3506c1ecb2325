/* SPDX-License-Identifier: MIT */
/* What follows from answers and ends: of pending requests, of sessions, of two logs. */
#include "client/join_internal.h"
#include "client/session_rules.h"
#include "membership/search.h"
#include "log_kit.h"

/* --- pending requests ------------------------------------------------------------------------- */

START_TEST(verdict_forgets_what_was_refused)
{
	static const enum refusal looked_at[] = {
		REFUSAL_BAD_CODE,
		REFUSAL_USED_CODE,
		REFUSAL_EXPIRED_CODE,
		REFUSAL_SUBNET,
		REFUSAL_FULL,
		REFUSAL_BAD_ENTRY,
		REFUSAL_TAMPERED,
		REFUSAL_INVITE_EXPIRED,
		REFUSAL_INVITE_USED,
		REFUSAL_INVITE_CANCELLED,
		REFUSAL_NAME_TAKEN,
		REFUSAL_KEY_KNOWN,
		REFUSAL_SPONSOR_NOT_ADMIN,
		REFUSAL_SPONSOR_UNKNOWN,
		REFUSAL_STALE,
		REFUSAL_TOO_OLD,
		REFUSAL_LAST_ADMIN,
	};

	for (size_t i = 0; i < ARRAY_LEN(looked_at); i++) {
		ck_assert_int_eq(join_verdict(looked_at[i], false), JOIN_FORGET);
		ck_assert_int_eq(join_verdict(looked_at[i], true), JOIN_FORGET);
	}
}
END_TEST

/* Not looked at: it says nothing about what an earlier run may have achieved. */
START_TEST(verdict_keeps_what_was_not_looked_at)
{
	static const enum refusal early[] = {
		REFUSAL_MALFORMED,   REFUSAL_VERSION,	  REFUSAL_RATE,
		REFUSAL_NOT_ALLOWED, REFUSAL_UNSUPPORTED, REFUSAL_RESTORED,
	};

	for (size_t i = 0; i < ARRAY_LEN(early); i++) {
		ck_assert_int_eq(join_verdict(early[i], false), JOIN_FORGET);
		ck_assert_int_eq(join_verdict(early[i], true), JOIN_KEEP);
	}
}
END_TEST

START_TEST(verdict_keeps_what_is_unclear)
{
	ck_assert_int_eq(join_verdict(REFUSAL_INTERNAL, false), JOIN_KEEP);
	ck_assert_int_eq(join_verdict(REFUSAL_INTERNAL, true), JOIN_KEEP);
	for (int unknown = REFUSAL_AHEAD + 1; unknown < 100; unknown++) {
		ck_assert_int_eq(join_verdict((enum refusal)unknown, false), JOIN_KEEP);
		ck_assert_int_eq(join_verdict((enum refusal)unknown, true), JOIN_KEEP);
	}
}
END_TEST

/* --- sessions --------------------------------------------------------------------------------- */

static enum session_next after_close(uint64_t app_error, uint64_t *ret_wait)
{
	struct rpc_end end = { .closed_by_server = true, .app_error = app_error };

	*ret_wait = 0;
	return session_after_end(&end, ret_wait);
}

/* The server's word for a removal proves nothing: it is asked again, slowly. */
START_TEST(removal_by_word_only_waits)
{
	uint64_t wait;

	ck_assert_int_eq(after_close(SIGNAL_CLOSE_REMOVED, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_ge(wait, 30 * NS_PER_S);
	ck_assert_int_eq(session_after_refusal(REFUSAL_NOT_MEMBER, 0, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_ge(wait, 30 * NS_PER_S);
}
END_TEST

START_TEST(replaced_session_waits)
{
	uint64_t wait;

	ck_assert_int_eq(after_close(SIGNAL_CLOSE_REPLACED, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_ge(wait, 30 * NS_PER_S);
}
END_TEST

START_TEST(shutdown_and_silence_are_tried_again_soon)
{
	struct rpc_end silent = { .err.reason = REFUSAL_TIMEOUT };
	uint64_t wait;

	ck_assert_int_eq(after_close(SIGNAL_CLOSE_SHUTDOWN, &wait), SESSION_NEXT_BACKOFF);
	ck_assert_int_eq(session_after_end(&silent, &wait), SESSION_NEXT_BACKOFF);
	silent.err.reason = REFUSAL_UNREACHABLE;
	ck_assert_int_eq(session_after_end(&silent, &wait), SESSION_NEXT_BACKOFF);
}
END_TEST

/* The session that gave a connection up knows how long to wait, whatever the reason. */
START_TEST(what_was_given_up_waits_as_was_asked)
{
	struct rpc_end end = { .given_up = true, .err.reason = REFUSAL_FINGERPRINT };
	uint64_t wait = 1;

	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_eq(wait, 0);
	end.wait = 7 * NS_PER_S;
	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_eq(wait, 7 * NS_PER_S);
	end.wait = TIME_NEVER;
	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_BACKOFF);
}
END_TEST

START_TEST(a_foreign_server_is_left_alone)
{
	struct rpc_end end = { .err.reason = REFUSAL_FINGERPRINT };
	uint64_t wait = 0;

	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_ge(wait, 30 * NS_PER_S);
}
END_TEST

START_TEST(retry_after_is_honoured_within_bounds)
{
	struct rpc_end end = { .refused = true, .err.reason = REFUSAL_RATE, .retry_after_s = 17 };
	uint64_t wait = 0;

	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_eq(wait, 17 * NS_PER_S);
	end.retry_after_s = UINT32_MAX;
	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_eq(wait, SESSION_RETRY_AFTER_MAX_S * NS_PER_S);
	end.retry_after_s = 0;
	ck_assert_int_eq(session_after_end(&end, &wait), SESSION_NEXT_WAIT);
	ck_assert_uint_ge(wait, NS_PER_S);
	/* Any refusal may carry one. */
	for (int reason = 1; reason < 40; reason++) {
		if (session_after_refusal((enum refusal)reason, 60, &wait) == SESSION_NEXT_WAIT)
			ck_assert_uint_ge(wait, 60 * NS_PER_S);
	}
}
END_TEST

/* --- logs ------------------------------------------------------------------------------------- */

static struct wire_head head_of(const struct mlog *l)
{
	struct head h = mlog_head(l);
	struct wire_head w = { .generation = mlog_generation(l), .seq = h.seq };

	memcpy(w.hash, h.hash, HASH_LEN);
	return w;
}

START_TEST(plans_for_two_logs)
{
	struct kit k = kit_open();
	struct wire_head genesis = head_of(k.log), ours, other;
	uint64_t from = 99;

	kit_join(&k, 1);
	kit_join(&k, 2);
	ours = head_of(k.log);
	ck_assert_int_eq(session_plan(k.log, &ours, &from), SESSION_LOGS_EQUAL);
	ck_assert_int_eq(session_plan(k.log, &genesis, &from), SESSION_PUSH);
	ck_assert_uint_eq(from, 1);
	ck_assert_int_eq(session_plan(k.log, NULL, &from), SESSION_PUSH);
	ck_assert_uint_eq(from, 0);
	other = ours;
	other.seq++;
	ck_assert_int_eq(session_plan(k.log, &other, &from), SESSION_FETCH);
	other.seq = UINT64_MAX;
	ck_assert_int_eq(session_plan(k.log, &other, &from), SESSION_FETCH);
	for (uint64_t seq = 0; seq < 3; seq++) {
		other = ours;
		other.seq = seq;
		other.hash[0] ^= 1;
		ck_assert_int_eq(session_plan(k.log, &other, &from), SESSION_FORKED);
	}
	/* The right hash in the wrong place. */
	other = ours;
	other.seq = 1;
	ck_assert_int_eq(session_plan(k.log, &other, &from), SESSION_FORKED);
	kit_close(&k);
}
END_TEST

/* Of two logs of different generations the one that was recovered later is the news. */
START_TEST(plans_after_a_recovery)
{
	struct kit k = kit_open(), before;
	struct wire_head genesis = head_of(k.log), old, recovered, more;
	struct entry_bytes recovery;
	struct entry e;
	struct head base;
	uint64_t from = 99;

	kit_join(&k, 1);
	base = mlog_head(k.log);
	kit_join(&k, 2);
	kit_join(&k, 3);
	old = head_of(k.log);
	before = k;
	before.log = kit_copy(k.log, mlog_count(k.log));
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 0);
	e.base = base;
	recovery = kit_sign(&k, &e, KIT_CODE, 0);
	kit_append(&k, &recovery);
	ck_assert_uint_eq(mlog_count(k.log), 3);
	recovered = head_of(k.log);
	/* They have records that the recovery dropped, and more of them than we have. */
	ck_assert_int_eq(session_plan(k.log, &old, &from), SESSION_PUSH);
	ck_assert_uint_eq(from, 2);
	ck_assert_int_eq(session_plan(k.log, &genesis, &from), SESSION_PUSH);
	ck_assert_uint_eq(from, 1);
	ck_assert_int_eq(session_plan(k.log, &recovered, &from), SESSION_LOGS_EQUAL);
	/* And the other way round. */
	ck_assert_int_eq(session_plan(before.log, &recovered, &from), SESSION_FETCH);
	more = recovered;
	more.seq = 1;
	ck_assert_int_eq(session_plan(before.log, &more, &from), SESSION_FETCH);
	mlog_free(before.log);
	kit_close(&k);
}
END_TEST

/* --- where two logs part ---------------------------------------------------------------------- */

/* Pages of `page` records; ours and theirs are the same up to `same`, theirs has `n` records. */
static unsigned search(uint64_t same, uint64_t n, uint64_t page)
{
	struct log_search s = { .on = false };
	unsigned asked = 0;

	ck_assert(log_search_parted(&s, n));
	for (;;) {
		uint64_t at = log_search_next(&s), last = at + page - 1;

		ck_assert_uint_lt(++asked, 64);
		ck_assert(at > s.ours && at < s.theirs);
		if (at <= same + 1 && last > same)
			return asked; /* the page that mlog_take judges */
		ck_assert(at > same ? log_search_parted(&s, at) : log_search_same(&s, last));
	}
}

START_TEST(the_parting_is_found_by_halves)
{
	for (uint64_t n = 2; n < 200; n++)
		for (uint64_t same = 0; same + 1 < n; same++)
			ck_assert_uint_le(search(same, n, 1), 9);
	ck_assert_uint_le(search(40000, 65536, 60), 17);
	ck_assert_uint_le(search(0, 65536, 60), 17);
	ck_assert_uint_le(search(65534, 65536, 60), 17);
}
END_TEST

/* A peer that contradicts what it showed before is not asked forever. */
START_TEST(a_search_that_makes_no_progress_ends)
{
	struct log_search s = { .on = false };

	ck_assert(log_search_parted(&s, 100));
	ck_assert(!log_search_parted(&s, 100));
	ck_assert(log_search_same(&s, 60));
	ck_assert(!log_search_same(&s, 60));
	ck_assert(!log_search_same(&s, 100));
	s = (struct log_search){ .on = false };
	ck_assert(!log_search_parted(&s, 1));
}
END_TEST

UNIT_MAIN("client/rules", verdict_forgets_what_was_refused, verdict_keeps_what_was_not_looked_at,
	  verdict_keeps_what_is_unclear, removal_by_word_only_waits, replaced_session_waits,
	  shutdown_and_silence_are_tried_again_soon, what_was_given_up_waits_as_was_asked,
	  a_foreign_server_is_left_alone, retry_after_is_honoured_within_bounds, plans_for_two_logs,
	  plans_after_a_recovery, the_parting_is_found_by_halves,
	  a_search_that_makes_no_progress_ends)
