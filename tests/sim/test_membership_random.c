/* SPDX-License-Identifier: MIT */
/*
 * Random schedules: machines sign entries of all types on heads old and new, bring them to a real
 * server, again and late, and show each other their logs; the server is killed in the middle of it
 * and put back to older copies of its database. Whatever happened, each log's roster is what its
 * entries say (log_oracle.h), a member that left never comes back, what was answered stays. Once
 * everybody has met, all logs are equal, or somebody holds proof that there are two.
 *
 *	make sim T=membership_random SEED=7
 */
#include "accept_kit.h"
#include "random_deeds.h"

#define SCHEDULES 6
#define STEPS 130
#define ROUNDS_MAX 12

static struct mark_value mark; /* of the copy */
static bool has_copy;
static unsigned ordered[ENTRY_TYPES], forks;

/* --- mishaps ---------------------------------------------------------------------------------- */

static void do_sync(void)
{
	random_sync_with_server(&deeds_log, deeds_any_machine());
}

static void do_gossip(void)
{
	random_gossip(&deeds_log, deeds_any_machine(), deeds_any_machine());
}

static void do_replay(void)
{
	if (deeds_n_pile > 0)
		deeds_submit(deeds_any_machine(),
			     &deeds_pile[random_pick(&deeds_log, deeds_n_pile)]);
}

static void do_restart(void)
{
	random_server_restart(&deeds_log);
}

static void do_copy(void)
{
	sig_crash(&deeds_log.g);
	sig_backup(&deeds_log.g, false);
	deeds_log.g.h = world_host_boot(deeds_log.g.h);
	ck_assert_int_eq(mark_file_get(deeds_log.g.h, deeds_log.g.cfg.db_path, &mark), 0);
	sig_open(&deeds_log.g);
	has_copy = true;
}

/* The database alone, which the server notices; or the whole machine, which it cannot. */
static void do_restore(void)
{
	bool snapshot = random_chance(&deeds_log, 40);

	if (!has_copy)
		return;
	sig_crash(&deeds_log.g);
	sig_backup(&deeds_log.g, true);
	deeds_log.g.h = world_host_boot(deeds_log.g.h);
	if (snapshot)
		ck_assert_int_eq(mark_file_put(deeds_log.g.h, deeds_log.g.cfg.db_path, &mark, NULL),
				 0);
	sig_open(&deeds_log.g);
	deeds_log.snapshots += snapshot;
	deeds_log.restores += !snapshot;
	memset(&deeds_answered, 0, sizeof(deeds_answered));
	if (!snapshot && random_chance(&deeds_log, 30))
		deeds_log.accepted += server_accept_any(deeds_log.g.h, deeds_log.g.cfg.db_path);
}

static void do_wait(void)
{
	sim_pass(deeds_log.g.w, random_pick(&deeds_log, 20 * 60) * NS_PER_S);
}

static const struct {
	void (*run)(void);
	unsigned weight;
} deeds[] = {
	{ do_sync, 8 },	     { do_gossip, 8 },	  { deeds_join, 16 },  { deeds_remove, 4 },
	{ deeds_leave, 1 },  { deeds_role, 10 },  { deeds_rename, 6 }, { deeds_rotate, 4 },
	{ deeds_cancel, 4 }, { deeds_signal, 3 }, { deeds_renew, 6 },  { deeds_recover, 2 },
	{ deeds_forget, 3 }, { do_replay, 6 },	  { do_restart, 2 },   { do_copy, 3 },
	{ do_restore, 1 },   { do_wait, 3 },
};

static void deed(void)
{
	unsigned all = 0, at;

	for (size_t i = 0; i < ARRAY_LEN(deeds); i++)
		all += deeds[i].weight;
	at = (unsigned)random_pick(&deeds_log, all);
	for (size_t i = 0; i < ARRAY_LEN(deeds); i++) {
		if (at < deeds[i].weight) {
			deeds[i].run();
			return;
		}
		at -= deeds[i].weight;
	}
}

/* --- what must hold --------------------------------------------------------------------------- */

/* What was answered is in the server's log, unless a recovery dropped it. */
static void answered_stays(void)
{
	const struct mlog *l = random_server_cluster(&deeds_log)->log;
	struct head h = { .seq = deeds_answered.seq };

	ck_assert_ptr_nonnull(l);
	oracle_check(l, NULL);
	memcpy(h.hash, deeds_answered.hash, HASH_LEN);
	if (deeds_answered.seq > 0 && mlog_generation(l) == deeds_answered.generation)
		ck_assert(mlog_has_head(l, &h));
}

static bool anybody_knows(void)
{
	bool knows = random_server_cluster(&deeds_log)->parted;

	for (size_t i = 0; i < MACHINES; i++)
		knows |= deeds_log.m[i].r && deeds_log.m[i].proof;
	return knows;
}

static bool equal_logs(void)
{
	struct head first = mlog_head(random_server_cluster(&deeds_log)->log);

	for (size_t i = 0; i < MACHINES; i++) {
		struct head h;

		if (!deeds_log.m[i].r || !deeds_log.m[i].r->log)
			continue;
		h = mlog_head(deeds_log.m[i].r->log);
		if (h.seq != first.seq || memcmp(h.hash, first.hash, HASH_LEN) != 0)
			return false;
	}
	return true;
}

/* For whoever has to find out why. */
static void show_log(const char *whose, const struct mlog *l)
{
	struct record r;
	struct entry e;

	fprintf(stderr, "%s:", whose);
	for (uint64_t seq = 0; mlog_get(l, seq, &r, &e) == 0; seq++)
		fprintf(stderr, " %llu %s %02x%02x", (unsigned long long)r.order.generation,
			entry_type_name(e.type), r.hash[0], r.hash[1]);
	fprintf(stderr, "\n");
}

static void show_logs(void)
{
	show_log("server", random_server_cluster(&deeds_log)->log);
	for (size_t i = 0; i < MACHINES; i++)
		if (deeds_log.m[i].r && deeds_log.m[i].r->log)
			show_log(deeds_log.m[i].name, deeds_log.m[i].r->log);
}

/* Everybody meets everybody, and nothing gets lost any more. */
static void meet(void)
{
	unsigned round;

	deeds_log.lose_percent = 0;
	for (round = 0; round < ROUNDS_MAX && (round == 0 || !equal_logs()); round++) {
		for (size_t i = 0; i < MACHINES; i++) {
			random_sync_with_server(&deeds_log, &deeds_log.m[i]);
			sim_pass(deeds_log.g.w, 5 * NS_PER_S);
			for (size_t k = 0; k < MACHINES; k++)
				random_gossip(&deeds_log, &deeds_log.m[i], &deeds_log.m[k]);
		}
	}
	if (equal_logs())
		return;
	forks++;
	if (!anybody_knows()) {
		world_dump(deeds_log.g.w);
		show_logs();
		ck_abort_msg("two logs, and nobody holds proof");
	}
}

static void count_types(void)
{
	static struct oracle o; /* large */

	oracle_check(random_server_cluster(&deeds_log)->log, &o);
	for (size_t i = 0; i < ENTRY_TYPES; i++)
		ordered[i] += o.seen[i];
}

static void begin(uint64_t seed)
{
	memset(&deeds_log, 0, sizeof(deeds_log));
	deeds_n_pile = deeds_n_invites = deeds_n_codes = 0;
	deeds_recovery.len = 0;
	has_copy = false;
	memset(&deeds_answered, 0, sizeof(deeds_answered));
	sig_start(&deeds_log.g);
	deeds_log.rng = (struct unit_rng){ seed };
	deeds_log.m[0].r = raw_new(&deeds_log.g);
	raw_setup(deeds_log.m[0].r, deeds_log.g.code, "homelab", NULL);
	deeds_log.m[0].id = identity_node_id(deeds_log.m[0].r->id);
	snprintf(deeds_log.m[0].name, sizeof(deeds_log.m[0].name), "nas");
	memcpy(deeds_codes[deeds_n_codes++], deeds_log.m[0].r->code, SIGN_SEED_LEN);
}

static void end(void)
{
	for (size_t i = 0; i < MACHINES; i++) {
		random_machine_free(&deeds_log.m[i]);
	}
	sig_stop(&deeds_log.g);
}

START_TEST(logs_become_one_or_there_is_proof)
{
	uint64_t seed = (sim_seed() + 1) * 1000;

	for (unsigned n = 0; n < SCHEDULES; n++) {
		begin(seed + n);
		deeds_log.lose_percent = 8;
		for (deeds_log.step = 1; deeds_log.step <= STEPS; deeds_log.step++) {
			deed();
			sim_pass(deeds_log.g.w, (1 + random_pick(&deeds_log, 20)) * NS_PER_S);
			answered_stays();
			for (size_t i = 0; i < MACHINES; i++)
				random_follow_key(&deeds_log.m[i]);
		}
		meet();
		count_types();
		end();
	}
	/* Which of them happen depends on much; these do with any seed. */
	ck_assert_uint_gt(ordered[ENTRY_ADMIT], 10);
	ck_assert_uint_gt(ordered[ENTRY_REMOVE], 0);
	ck_assert_uint_gt(ordered[ENTRY_RECOVER], 0);
	for (size_t i = 1; i < ENTRY_TYPES; i++)
		printf("%s%s %u", i > 1 ? ", " : "", entry_type_name((unsigned)i), ordered[i]);
	printf("; %u of %d schedules end with two logs\n", forks, SCHEDULES);
}
END_TEST

UNIT_MAIN("membership/random", logs_become_one_or_there_is_proof)
