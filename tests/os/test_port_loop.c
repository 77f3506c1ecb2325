/* SPDX-License-Identifier: MIT */
/* What os/host.h and os/loop.h promise: time, timers, deferred calls, signals. */
#include <signal.h>

#include "os/loop.h"
#include "port_kit.h"

struct mark {
	struct host *host;
	char *text; /* what all marks of a test write to */
	char letter;
	uint64_t at;
	struct timer *timer, *victim;
	struct deferred *deferred;
	unsigned times, again;
};

static char text[64];

static void note(struct mark *m)
{
	size_t len = strlen(text);

	ck_assert_uint_lt(len, sizeof(text) - 1);
	text[len] = m->letter;
	text[len + 1] = '\0';
	m->at = clock_now(m->host);
	m->times++;
}

static void fire(void *ctx)
{
	note(ctx);
}

static bool has_letters(void *ctx)
{
	return strlen(text) >= *(size_t *)ctx;
}

static void wait_for(size_t letters)
{
	port_wait(has_letters, &letters, "timers");
}

static struct mark mark_new(struct host *h, char letter, loop_fn fn, struct mark *self)
{
	struct mark m = { .host = h, .letter = letter };

	m.timer = timer_new(h, fn, self);
	ck_assert_ptr_nonnull(m.timer);
	ck_assert(!timer_is_set(m.timer));
	return m;
}

START_TEST(timers_fire_in_the_order_of_time_then_of_setting)
{
	struct host *h = port_begin();
	static const uint64_t at_ms[] = { 30, 10, 20, 10, 20, 10 };
	struct mark m[ARRAY_LEN(at_ms)];
	uint64_t start = clock_refresh(h);

	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		m[i] = mark_new(h, (char)('a' + i), fire, &m[i]);
		timer_set(m[i].timer, start + at_ms[i] * NS_PER_MS);
		ck_assert(timer_is_set(m[i].timer));
	}
	timer_set(m[3].timer, TIME_NEVER);
	ck_assert(!timer_is_set(m[3].timer));
	timer_set(m[1].timer, start + 10 * NS_PER_MS); /* now set after f */
	wait_for(5);
	ck_assert_str_eq(text, "fbcea");
	for (size_t i = 0; i < ARRAY_LEN(m); i++) {
		ck_assert(!timer_is_set(m[i].timer)); /* one-shot */
		if (i != 3)
			ck_assert_uint_ge(m[i].at, start + at_ms[i] * NS_PER_MS);
		timer_free(m[i].timer);
	}
	timer_free(NULL);
	port_end();
}
END_TEST

START_TEST(a_delay_without_end_never_comes)
{
	struct host *h = port_begin();
	struct mark m = mark_new(h, 'x', fire, &m);

	timer_set_in(m.timer, TIME_NEVER - 1);
	timer_set_in(m.timer, TIME_NEVER);
	port_pass(5 * NS_PER_MS);
	ck_assert_str_eq(text, "");
	timer_free(m.timer);
	port_end();
}
END_TEST

/* Sets itself into the past so often. */
static void hurry(void *ctx)
{
	struct mark *m = ctx;

	note(m);
	if (m->again) {
		m->again--;
		timer_set(m->timer, 1);
		ck_assert(timer_is_set(m->timer));
	}
}

START_TEST(a_time_in_the_past_comes_in_the_next_turn)
{
	struct host *h = port_begin();
	struct mark fast = mark_new(h, 'f', hurry, &fast);
	struct mark slow = mark_new(h, 's', fire, &slow);
	uint64_t start = clock_refresh(h);

	fast.again = 3;
	timer_set(fast.timer, 1);
	ck_assert_str_eq(text, ""); /* not from within timer_set */
	timer_set(slow.timer, start);
	wait_for(5);
	ck_assert_str_eq(text, "fsfff"); /* the others that are due have their turn */
	timer_free(fast.timer);
	timer_free(slow.timer);
	port_end();
}
END_TEST

static void free_both(void *ctx)
{
	struct mark *m = ctx;

	note(m);
	timer_free(m->victim);
	timer_free(m->timer);
	m->timer = m->victim = NULL;
}

START_TEST(a_callback_may_free_its_timer_and_another_that_is_due)
{
	struct host *h = port_begin();
	struct mark killer = mark_new(h, 'k', free_both, &killer);
	struct mark victim = mark_new(h, 'v', fire, &victim);
	struct mark last = mark_new(h, 'l', fire, &last);
	uint64_t at = clock_refresh(h) + NS_PER_MS;

	killer.victim = victim.timer;
	timer_set(killer.timer, at);
	timer_set(victim.timer, at);
	timer_set(last.timer, at + NS_PER_MS);
	wait_for(2);
	ck_assert_str_eq(text, "kl");
	timer_free(last.timer);
	port_end();
}
END_TEST

static void call_deferred(void *ctx)
{
	struct mark *m = ctx;

	deferred_call(m->deferred);
	deferred_call(m->deferred);
	m->letter = '(';
	note(m);
	m->letter = 'd';
}

START_TEST(a_deferred_call_runs_once_after_the_callback)
{
	struct host *h = port_begin();
	struct mark m = mark_new(h, 'd', call_deferred, &m);
	struct mark other = mark_new(h, 't', fire, &other);
	uint64_t at = clock_refresh(h) + NS_PER_MS;

	m.deferred = deferred_new(h, fire, &m);
	timer_set(m.timer, at);
	timer_set(other.timer, at);
	wait_for(3);
	ck_assert_str_eq(text, "(dt");
	deferred_call(m.deferred);
	deferred_free(m.deferred); /* pending: never runs */
	deferred_free(NULL);
	port_pass(NS_PER_MS);
	ck_assert_str_eq(text, "(dt");
	timer_free(m.timer);
	timer_free(other.timer);
	port_end();
}
END_TEST

static void defer_again(void *ctx)
{
	struct mark *m = ctx;

	note(m);
	if (m->again) {
		m->again--;
		deferred_call(m->deferred);
	}
}

static void free_deferred(void *ctx)
{
	struct mark *m = ctx;

	note(m);
	deferred_free(m->deferred);
	m->deferred = NULL;
}

START_TEST(a_deferred_call_may_call_or_free_itself)
{
	struct host *h = port_begin();
	struct mark m = { .host = h, .letter = 'a', .again = 2 };
	struct mark f = { .host = h, .letter = 'f' };

	m.deferred = deferred_new(h, defer_again, &m);
	f.deferred = deferred_new(h, free_deferred, &f);
	deferred_call(m.deferred);
	deferred_call(f.deferred);
	ck_assert_str_eq(text, "");
	wait_for(4);
	ck_assert_str_eq(text, "afaa"); /* behind those that were called before */
	deferred_free(m.deferred);
	port_end();
}
END_TEST

static void stop(void *ctx)
{
	struct mark *m = ctx;

	note(m);
	loop_stop(m->host);
}

START_TEST(the_loop_runs_until_it_is_stopped)
{
	struct host *h = port_begin();
	struct mark m = mark_new(h, 's', stop, &m), later = mark_new(h, 'l', fire, &later);
	uint64_t start = clock_refresh(h);

	timer_set(m.timer, start + NS_PER_MS);
	timer_set(later.timer, start + 3600 * NS_PER_S);
	PORT_OK(loop_run(h));
	ck_assert_str_eq(text, "s");
	timer_set_in(m.timer, NS_PER_MS);
	PORT_OK(loop_run(h)); /* once more */
	ck_assert_str_eq(text, "ss");
	loop_stop(h); /* before it runs: it does not even begin */
	timer_set(later.timer, 1);
	PORT_OK(loop_run(h));
	ck_assert_str_eq(text, "ss");
	timer_free(m.timer);
	timer_free(later.timer);
	port_end();
}
END_TEST

static void look_twice(void *ctx)
{
	struct mark *m = ctx;
	uint64_t now = clock_now(m->host);

	ck_assert_uint_eq(clock_now(m->host), now);
	ck_assert_uint_ge(clock_refresh(m->host), now);
	note(m);
}

START_TEST(the_clock_goes_on_between_turns)
{
	struct host *h = port_begin();
	struct mark m = mark_new(h, 'x', look_twice, &m);
	uint64_t start = clock_refresh(h);
	int64_t wall = clock_wall_s(h);

	timer_set_in(m.timer, 5 * NS_PER_MS);
	wait_for(1);
	ck_assert_uint_ge(m.at, start + 5 * NS_PER_MS);
	ck_assert_int_gt(wall, 1700000000);
	ck_assert_int_ge(clock_wall_s(h), wall);
	timer_free(m.timer);
	port_end();
}
END_TEST

START_TEST(randomness_fills_and_keeps_its_bounds)
{
	struct host *h = port_begin();
	uint8_t bytes[256] = { 0 };
	unsigned seen[7] = { 0 };

	random_fill(h, bytes, 0);
	ck_assert_uint_eq(bytes[0], 0);
	random_fill(h, bytes, 128);
	for (size_t i = 128; i < sizeof(bytes); i++)
		ck_assert_uint_eq(bytes[i], 0);
	ck_assert(memcmp(bytes, bytes + 64, 64) != 0);
	for (int i = 0; i < 700; i++)
		seen[random_below(h, 7)]++;
	for (size_t i = 0; i < ARRAY_LEN(seen); i++)
		ck_assert_uint_gt(seen[i], 30);
	ck_assert_uint_eq(random_below(h, 1), 0);
	ck_assert_uint_ne(random_u64(h), random_u64(h));
	port_end();
}
END_TEST

START_TEST(the_name_of_the_machine_fits_or_is_refused)
{
	struct host *h = port_begin();
	char name[256] = "", small[1];

	PORT_OK(host_name(h, name, sizeof(name)));
	ck_assert_uint_gt(strlen(name), 0);
	ck_assert_int_eq(host_name(h, small, sizeof(small)), -ENOSPC);
	ck_assert_int_eq(host_name(h, small, 0), -ENOSPC);
	ck_assert_int_eq(host_name(h, name, strlen(name)), -ENOSPC);
	port_end();
}
END_TEST

START_TEST(a_signal_is_told_in_the_loop)
{
	struct host *h = port_begin();
	struct mark hup = { .host = h, .letter = 'h' }, term = { .host = h, .letter = 't' };
	struct signal_watch *w[] = { signal_watch_new(h, SIGHUP, fire, &hup),
				     signal_watch_new(h, SIGTERM, fire, &term) };

	ck_assert(w[0] && w[1]);
	port_signal(h, SIGHUP);
	ck_assert_str_eq(text, "");
	wait_for(1);
	ck_assert_str_eq(text, "h");
	port_signal(h, SIGTERM);
	wait_for(2);
	ck_assert_str_eq(text, "ht");
	signal_watch_free(w[0]);
	signal_watch_free(w[1]);
	signal_watch_free(NULL);
	port_end();
}
END_TEST

/* A process that is ending already is not ended again, in the middle of it. */
START_TEST(a_signal_that_was_not_told_ends_with_its_watch)
{
	struct host *h = port_begin();
	struct mark term = { .host = h, .letter = 't' };
	struct signal_watch *w = signal_watch_new(h, SIGTERM, fire, &term);

	ck_assert_ptr_nonnull(w);
	port_signal(h, SIGTERM);
	signal_watch_free(w);
	ck_assert_str_eq(text, "");
	w = signal_watch_new(h, SIGTERM, fire, &term);
	port_signal(h, SIGTERM);
	wait_for(1);
	ck_assert_str_eq(text, "t");
	signal_watch_free(w);
	port_end();
}
END_TEST

UNIT_MAIN("port/loop", timers_fire_in_the_order_of_time_then_of_setting,
	  a_delay_without_end_never_comes, a_time_in_the_past_comes_in_the_next_turn,
	  a_callback_may_free_its_timer_and_another_that_is_due,
	  a_deferred_call_runs_once_after_the_callback, a_deferred_call_may_call_or_free_itself,
	  the_loop_runs_until_it_is_stopped, the_clock_goes_on_between_turns,
	  randomness_fills_and_keeps_its_bounds, the_name_of_the_machine_fits_or_is_refused,
	  a_signal_is_told_in_the_loop, a_signal_that_was_not_told_ends_with_its_watch)
