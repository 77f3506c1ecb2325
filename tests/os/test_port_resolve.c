/* SPDX-License-Identifier: MIT */
/* What os/resolve.h and os/manager.h promise, as far as no server is needed for it. */
#include "os/manager.h"
#include "os/resolve.h"
#include "port_kit.h"

static struct host *h;
static struct resolve *under_way;

static struct answer {
	struct addr addrs[RESOLVE_MAX];
	size_t n;
	unsigned times;
	char why[sizeof(((struct err *)0)->text)];
	bool cancel;
} answer;

static void on_answer(void *ctx, const struct err *err, const struct addr *addrs, size_t n)
{
	struct answer *a = ctx;

	a->times++;
	ck_assert_int_eq(err == NULL, n > 0);
	if (err)
		snprintf(a->why, sizeof(a->why), "%s", err->text);
	ck_assert_uint_le(n, RESOLVE_MAX);
	for (size_t i = 0; i < n; i++)
		a->addrs[i] = addrs[i];
	a->n = n;
	if (a->cancel)
		resolve_cancel(under_way);
}

static bool is_answered(void *ctx)
{
	return ((struct answer *)ctx)->times > 0;
}

static void ask(const char *name, uint64_t timeout)
{
	answer = (struct answer){ .cancel = answer.cancel };
	PORT_OK(resolve_start(h, name, 4433, timeout, on_answer, &answer, NULL, &under_way));
	ck_assert_uint_eq(answer.times, 0); /* never from within the call */
	port_wait(is_answered, &answer, name);
}

START_TEST(a_literal_is_its_own_address)
{
	static const char *const literals[] = { "192.0.2.7", "2001:db8::7" };

	h = port_begin();
	for (size_t i = 0; i < ARRAY_LEN(literals); i++) {
		char text[ADDR_TEXT_MAX];

		ask(literals[i], 10 * NS_PER_S);
		ck_assert_uint_eq(answer.n, 1);
		ck_assert_uint_eq(answer.addrs[0].port, 4433);
		ck_assert_ptr_nonnull(strstr(addr_format(&answer.addrs[0], text), literals[i]));
	}
	port_pass(NS_PER_MS);
	ck_assert_uint_eq(answer.times, 1);
	port_end();
}
END_TEST

START_TEST(an_unknown_name_is_an_error_that_names_it)
{
	h = port_begin();
	ask("no-such-name.invalid", 300 * NS_PER_MS);
	ck_assert_uint_eq(answer.n, 0);
	ck_assert_ptr_nonnull(strstr(answer.why, "no-such-name.invalid"));
	port_end();
}
END_TEST

START_TEST(a_cancelled_question_is_not_answered)
{
	h = port_begin();
	PORT_OK(resolve_start(h, "192.0.2.7", 1, NS_PER_S, on_answer, &answer, NULL, &under_way));
	resolve_cancel(under_way);
	resolve_cancel(NULL);
	port_pass(50 * NS_PER_MS);
	ck_assert_uint_eq(answer.times, 0);
	answer.cancel = true; /* from within the callback it does no harm */
	ask("192.0.2.7", NS_PER_S);
	ck_assert_uint_eq(answer.n, 1);
	port_end();
}
END_TEST

static void no_status(void *ctx, char out[MANAGER_STATUS_MAX])
{
	(void)ctx, (void)out;
	ck_abort_msg("nobody asks for the status");
}

START_TEST(without_a_manager_nothing_is_told)
{
	h = port_begin();
	struct manager *m = manager_new(h, no_status, NULL);
	ck_assert_ptr_null(m);
	manager_starting(m);
	manager_ready(m);
	manager_touch(m);
	manager_reloading(m);
	port_pass(NS_PER_MS);
	manager_stopping(m);
	manager_free(m);
	port_end();
}
END_TEST

UNIT_MAIN("port/resolve", a_literal_is_its_own_address, an_unknown_name_is_an_error_that_names_it,
	  a_cancelled_question_is_not_answered, without_a_manager_nothing_is_told)
