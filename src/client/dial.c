/* SPDX-License-Identifier: MIT */
/* Resolves, tries the addresses staggered in time, and keeps the first that works. */
#include "client/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "client/refuse.h"
#include "os/resolve.h"
#include "quic/profiles.h"

/* What is known of a failed attempt, the more telling ones last. */
enum blame { BLAME_NONE, BLAME_SILENT, BLAME_CLOSED, BLAME_TLS, BLAME_ALPN, BLAME_PIN };

#define LOOK_FIRST (10 * NS_PER_MS)  /* the first datagram has been handed to the kernel */
#define LOOK_LATER (100 * NS_PER_MS) /* word from routers and hosts may have come */

struct attempt {
	struct dial *dial;
	struct addr to;
	uint64_t begun;
	/* the newest, and the one before it, of a slow path perhaps; NULL unless it is under way */
	struct quic_conn *conn[2];
	struct udp_refusal refused; /* by the kernel or the network; code 0 before that */
};

struct dial {
	struct host *host;
	struct quic_socket *socket;
	char name[HOST_TEXT_MAX + 1];
	uint16_t port;
	struct quic_pin pin;
	dial_fn fn;
	void (*progress)(void *ctx, const char *line);
	void (*resolved)(void *ctx, const struct addr *addrs, size_t n);
	void *ctx, *progress_ctx, *resolved_ctx;
	struct resolve *resolve; /* NULL once it has ended */
	struct timer *stagger, *deadline, *look, *again;
	bool named_by_server;
	uint64_t gap; /* between connections to the same address; 0: one only */
	struct attempt attempt[DIAL_ADDRS_MAX];
	size_t n, begun, running;
	struct err dns_err; /* code 0 without a failure */
	enum blame blame;
	struct addr blamed;
	char detail[160];      /* of the blame */
	uint8_t got[HASH_LEN]; /* of what is pinned, as the blamed server showed it */
};

static void next_attempt(void *ctx);
static void attempt_over(struct dial *d);

static void dial_progress(struct dial *d, const char *what, const char *on)
{
	char line[HOST_TEXT_MAX + 64];

	if (!d->progress)
		return;
	snprintf(line, sizeof(line), "%s %s", what, on);
	d->progress(d->progress_ctx, line);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void attempt_stop(struct attempt *a)
{
	for (size_t k = 0; k < ARRAY_LEN(a->conn); k++) {
		quic_conn_free(a->conn[k]);
		a->conn[k] = NULL;
	}
}

/* Did the kernel refuse to send there? */
static bool is_refused(const struct attempt *a)
{
	return a->refused.code != 0 && !a->refused.by_network;
}

static void stop_all(struct dial *d)
{
	resolve_cancel(d->resolve);
	d->resolve = NULL;
	for (size_t i = 0; i < d->begun; i++)
		attempt_stop(&d->attempt[i]);
	d->running = 0;
	timer_set(d->stagger, TIME_NEVER);
	timer_set(d->deadline, TIME_NEVER);
	timer_set(d->look, TIME_NEVER);
	timer_set(d->again, TIME_NEVER);
}

/* The addresses that something was sent to. */
static void list_tried(const struct dial *d, char *out, size_t cap)
{
	size_t len = 0, listed = 0;

	out[0] = '\0';
	for (size_t i = 0; i < d->begun && listed < 3; i++) {
		char text[ADDR_TEXT_MAX];
		int n;

		if (is_refused(&d->attempt[i]))
			continue;
		n = snprintf(out + len, cap - len, "%s%s", len ? ", " : "",
			     addr_format(&d->attempt[i].to, text));
		if (n < 0 || (size_t)n >= cap - len)
			return;
		len += (size_t)n;
		listed++;
	}
}

static void fail_pin(const struct dial *d, struct err *err)
{
	static const uint8_t unknown[HASH_LEN];
	char want[2 * HASH_LEN + 1], got[2 * HASH_LEN + 1], at[ADDR_TEXT_MAX];

	hex_encode(d->pin.by_cert ? d->pin.cert_sha256 : d->pin.key_sha256, HASH_LEN, want);
	hex_encode(d->got, HASH_LEN, got);
	refuse(err, 0, REFUSAL_FINGERPRINT,
	       "the server at %s is not the expected one; nothing was sent to it. Expected the "
	       "fingerprint %s, got %s. Compare with the server's own; if it was installed "
	       "again, get a new token or invite from it; if not, somebody is in between.",
	       addr_format(&d->blamed, at), want,
	       memcmp(d->got, unknown, HASH_LEN) == 0 ? "another one" : got);
}

/* The attempt whose refusal says most: a missing route for one family is nothing unusual. */
static const struct attempt *most_telling(const struct dial *d, bool by_network)
{
	const struct attempt *best = NULL;

	for (size_t i = 0; i < d->begun; i++) {
		const struct attempt *a = &d->attempt[i];

		if (a->refused.code == 0 || a->refused.by_network != by_network)
			continue;
		if (!best || best->refused.code == -ENETUNREACH)
			best = a;
	}
	return best;
}

/* The kernel refused all addresses: nobody else is to blame. */
static void fail_refused(const struct dial *d, const struct attempt *a, struct err *err)
{
	char words[320], at[ADDR_TEXT_MAX];

	refuse_words_local(a->refused.code, &a->to, words, sizeof(words));
	refuse(err, 0, REFUSAL_UNREACHABLE,
	       "this machine cannot send to the signal server %s (%s): %s", d->name,
	       addr_format(&a->to, at), words);
	err->code = refuse_code_local(a->refused.code);
}

static void fail_silent(const struct dial *d, struct err *err)
{
	const struct attempt *hint = most_telling(d, true);
	char tried[3 * ADDR_TEXT_MAX], said[160] = "";

	list_tried(d, tried, sizeof(tried));
	if (hint)
		refuse_words_network(&hint->refused, said, sizeof(said));
	refuse(err, 0, REFUSAL_UNREACHABLE,
	       "no answer from the signal server %s (tried %s).%s Is it running, is the "
	       "address right, and do firewalls let UDP port %u through?",
	       d->name, tried, said, (unsigned)d->port);
	if (err)
		err->code = -ETIMEDOUT;
}

static void fail_message(const struct dial *d, struct err *err)
{
	const struct attempt *refused = most_telling(d, false);
	char tried[3 * ADDR_TEXT_MAX], at[ADDR_TEXT_MAX];

	list_tried(d, tried, sizeof(tried));
	addr_format(&d->blamed, at);
	if (d->blame == BLAME_PIN)
		fail_pin(d, err);
	else if (d->begun == 0)
		refuse(err, 0, REFUSAL_UNREACHABLE, "cannot reach the signal server %s: %s",
		       d->name, d->dns_err.code ? d->dns_err.text : "it has no address");
	else if (d->blame == BLAME_ALPN)
		refuse(err, 0, REFUSAL_UNREACHABLE,
		       "what answers at %s (%s) is not a signal server of mlsh, or of another "
		       "version. Check the address and the port.",
		       at, d->name);
	else if (d->blame == BLAME_TLS || d->blame == BLAME_CLOSED)
		refuse(err, 0, REFUSAL_UNREACHABLE,
		       "the signal server %s (%s) ended the connection while it was being "
		       "made: %s. Are both sides of the same version of mlsh?",
		       d->name, at, d->detail);
	else if (refused && *tried == '\0')
		fail_refused(d, refused, err);
	else
		fail_silent(d, err);
}

static void dial_fail(struct dial *d)
{
	struct err err = { 0 };

	stop_all(d);
	fail_message(d, &err);
	d->fn(d->ctx, &err, NULL, NULL);
}

static void dial_succeed(struct dial *d, struct attempt *a, size_t k)
{
	struct quic_conn *conn = a->conn[k];
	struct addr to = a->to;

	a->conn[k] = NULL;
	stop_all(d);
	d->fn(d->ctx, NULL, conn, &to);
}

/* Fails when nothing is left that could still succeed. The dial may be gone afterwards. */
static void check_exhausted(struct dial *d)
{
	if (d->running == 0 && d->begun == d->n && !d->resolve)
		dial_fail(d);
}

/* --- attempts --------------------------------------------------------------------------------- */

static enum blame blame_of(const struct quic_event *ev)
{
	switch (ev->reason) {
	case QUIC_CLOSE_PIN:
		return BLAME_PIN;
	case QUIC_CLOSE_TLS:
		return ev->error == 120 ? BLAME_ALPN : BLAME_TLS; /* no_application_protocol */
	case QUIC_CLOSE_REMOTE_APP:
	case QUIC_CLOSE_REMOTE:
		return BLAME_CLOSED;
	case QUIC_CLOSE_LOCAL:
	case QUIC_CLOSE_TIMEOUT:
	case QUIC_CLOSE_HANDSHAKE_TIMEOUT:
	case QUIC_CLOSE_PROTOCOL:
	case QUIC_CLOSE_RESET:
	case QUIC_CLOSE_INTERNAL:
		return BLAME_SILENT;
	}
	UNREACHABLE();
}

static void note_blame(struct dial *d, const struct attempt *a, const struct quic_conn *conn,
		       const struct quic_event *ev)
{
	enum blame blame = blame_of(ev);
	const uint8_t *got;

	if (blame <= d->blame)
		return;
	d->blame = blame;
	d->blamed = a->to;
	snprintf(d->detail, sizeof(d->detail), "%s (error %llu)",
		 ev->detail[0] ? ev->detail : "no reason given", (unsigned long long)ev->error);
	if (blame != BLAME_PIN)
		return;
	got = d->pin.by_cert ? quic_conn_peer_cert_sha256(conn) : quic_conn_peer_key_sha256(conn);
	if (got)
		memcpy(d->got, got, HASH_LEN);
}

static void on_attempt(void *ctx, struct quic_conn *conn, const struct quic_event *ev)
{
	struct attempt *a = ctx;
	struct dial *d = a->dial;
	size_t k = conn == a->conn[1];

	if (ev->type == QUIC_CONNECTED) {
		dial_succeed(d, a, k);
		return;
	}
	if (ev->type != QUIC_CLOSED)
		return;
	note_blame(d, a, conn, ev);
	quic_conn_free(conn);
	a->conn[k] = NULL;
	if (!a->conn[1 - k])
		attempt_over(d);
}

static const struct quic_conn_ops attempt_ops = { .event = on_attempt };

static bool attempt_connect(struct dial *d, struct attempt *a)
{
	struct err ignored = { 0 };

	a->begun = clock_now(d->host);
	if (quic_connect(d->socket, &signal_profile, &d->pin, 0, &a->to, &attempt_ops, a, &ignored,
			 &a->conn[0]) == 0)
		return true;
	a->conn[0] = NULL;
	snprintf(d->detail, sizeof(d->detail), "%.150s", ignored.text);
	return false;
}

/* An attempt has come to nothing. The dial may be gone afterwards. */
static void attempt_over(struct dial *d)
{
	d->running--;
	if (d->begun < d->n)
		next_attempt(d);
	else
		check_exhausted(d);
}

/* Begins with the next address, and sets the time for the one after it. */
static void next_attempt(void *ctx)
{
	struct dial *d = ctx;

	while (d->begun < d->n) {
		struct attempt *a = &d->attempt[d->begun++];
		char text[ADDR_TEXT_MAX];

		if (!attempt_connect(d, a))
			continue;
		d->running++;
		timer_set_in(d->stagger, DIAL_STAGGER);
		timer_set_in(d->look, LOOK_FIRST);
		dial_progress(d, "connecting to", addr_format(&a->to, text));
		return;
	}
	check_exhausted(d);
}

/*
 * Has the kernel or the network refused what was sent? The kernel's word is final: nobody else can
 * answer. The dial may be gone afterwards; true then, too.
 */
static bool look_at(struct dial *d, struct attempt *a)
{
	if ((!a->conn[0] && !a->conn[1]) ||
	    !quic_socket_refused(d->socket, &a->to, a->begun, &a->refused) || !is_refused(a))
		return false;
	if (!refuse_is_final(a->refused.code)) {
		a->refused.code = 0;
		return false;
	}
	attempt_stop(a);
	attempt_over(d);
	return true;
}

static void on_look(void *ctx)
{
	struct dial *d = ctx;

	timer_set_in(d->look, LOOK_LATER);
	for (size_t i = 0; i < d->begun; i++) {
		if (look_at(d, &d->attempt[i]))
			return;
	}
}

/*
 * QUIC repeats the first packets ever more rarely. So that a server that comes up meanwhile is
 * found, another connection begins; the one before stays, since the path may just be slow.
 */
static void on_again(void *ctx)
{
	struct dial *d = ctx;

	timer_set_in(d->again, d->gap);
	for (size_t i = 0; i < d->begun; i++) {
		struct attempt *a = &d->attempt[i];

		if (!a->conn[0])
			continue;
		quic_conn_free(a->conn[1]);
		a->conn[1] = a->conn[0];
		(void)!attempt_connect(d, a);
	}
}

/* --- addresses -------------------------------------------------------------------------------- */

static void add_address(struct dial *d, const struct addr *to)
{
	if (d->named_by_server && !addr_is_candidate_ok(to))
		return;
	for (size_t i = 0; i < d->n; i++) {
		if (addr_equal(&d->attempt[i].to, to))
			return;
	}
	if (d->n == DIAL_ADDRS_MAX)
		return;
	d->attempt[d->n++] = (struct attempt){ .dial = d, .to = *to };
}

static void on_resolved(void *ctx, const struct err *err, const struct addr *addrs, size_t n)
{
	struct dial *d = ctx;

	d->resolve = NULL;
	if (err)
		d->dns_err = *err;
	for (size_t i = 0; !err && i < n; i++)
		add_address(d, &addrs[i]);
	if (!err && d->resolved)
		d->resolved(d->resolved_ctx, addrs, n);
	if (d->running > 0)
		timer_set_in(d->stagger, 0);
	else
		next_attempt(d);
}

static void on_stagger(void *ctx)
{
	struct dial *d = ctx;

	if (d->begun < d->n)
		next_attempt(d);
}

static void on_deadline(void *ctx)
{
	dial_fail(ctx);
}

int dial_start(struct host *h, const struct dial_params *p, dial_fn fn, void *ctx, struct err *err,
	       struct dial **ret)
{
	struct dial *d = calloc(1, sizeof(*d));
	int r = -ENOMEM;

	if (!d)
		return err_set(err, r, "out of memory");
	d->host = h;
	d->socket = p->socket;
	snprintf(d->name, sizeof(d->name), "%s", p->host);
	d->port = p->port;
	d->pin = p->pin;
	d->gap = p->again;
	d->named_by_server = p->named_by_server;
	d->fn = fn;
	d->progress = p->progress;
	d->progress_ctx = p->progress_ctx;
	d->resolved = p->resolved;
	d->resolved_ctx = p->resolved_ctx;
	d->ctx = ctx;
	d->stagger = timer_new(h, on_stagger, d);
	d->deadline = timer_new(h, on_deadline, d);
	d->look = timer_new(h, on_look, d);
	d->again = timer_new(h, on_again, d);
	if (!d->stagger || !d->deadline || !d->look || !d->again) {
		err_set(err, r, "out of memory");
		goto fail;
	}
	r = resolve_start(h, d->name, d->port, p->dns_timeout, on_resolved, d, err, &d->resolve);
	if (r < 0)
		goto fail;
	timer_set_in(d->deadline, p->timeout);
	if (d->gap)
		timer_set_in(d->again, d->gap);
	if (!addr_is_unset(&p->last_good)) {
		add_address(d, &p->last_good);
		timer_set_in(d->stagger, 0);
	} else {
		dial_progress(d, "resolving", d->name);
	}
	*ret = d;
	return 0;
fail:
	dial_free(d);
	return r;
}

void dial_free(struct dial *d)
{
	if (!d)
		return;
	if (d->stagger && d->deadline && d->look && d->again)
		stop_all(d);
	timer_free(d->stagger);
	timer_free(d->deadline);
	timer_free(d->look);
	timer_free(d->again);
	free(d);
}
