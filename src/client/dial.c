/* SPDX-License-Identifier: MIT */
/* Resolves, tries the addresses staggered in time, and keeps the first that works. */
#include "client/dial.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/refuse.h"
#include "os/resolve.h"
#include "quic/profiles.h"

/* What is known of a failed attempt, the more telling ones last. */
enum blame { BLAME_NONE, BLAME_SILENT, BLAME_CLOSED, BLAME_TLS, BLAME_ALPN, BLAME_PIN };

struct attempt {
	struct dial *dial;
	struct addr to;
	struct quic_conn *conn;	/* NULL: not begun, or failed */
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
	struct resolve *resolve;	/* NULL once it has ended */
	struct timer *stagger, *deadline;
	struct attempt attempt[DIAL_ADDRS_MAX];
	size_t n, begun, running;
	struct err dns_err;		/* code 0: no failure */
	enum blame blame;
	struct addr blamed;
	char detail[160];		/* of the blame */
	uint8_t got_cert[HASH_LEN];
};

static void next_attempt(void *ctx);

static void dial_progress(struct dial *d, const char *what, const char *on)
{
	char line[HOST_TEXT_MAX + 64];

	if (!d->progress)
		return;
	snprintf(line, sizeof(line), "%s %s", what, on);
	d->progress(d->progress_ctx, line);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void stop_all(struct dial *d)
{
	resolve_cancel(d->resolve);
	d->resolve = NULL;
	for (size_t i = 0; i < d->begun; i++) {
		quic_conn_free(d->attempt[i].conn);
		d->attempt[i].conn = NULL;
	}
	d->running = 0;
	timer_set(d->stagger, TIME_NEVER);
	timer_set(d->deadline, TIME_NEVER);
}

static void list_tried(const struct dial *d, char *out, size_t cap)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < MIN(d->begun, (size_t)3); i++) {
		char text[ADDR_TEXT_MAX];
		int n = snprintf(out + len, cap - len, "%s%s", len ? ", " : "",
				 addr_format(&d->attempt[i].to, text));

		if (n < 0 || (size_t)n >= cap - len)
			return;
		len += (size_t)n;
	}
}

static void fail_pin(const struct dial *d, struct err *err)
{
	static const uint8_t unknown[HASH_LEN];
	char want[2 * HASH_LEN + 1], got[2 * HASH_LEN + 1], at[ADDR_TEXT_MAX];

	hex_encode(d->pin.by_cert ? d->pin.cert_sha256 : d->pin.key_sha256, HASH_LEN, want);
	hex_encode(d->got_cert, HASH_LEN, got);
	refuse_set(err, REFUSAL_FINGERPRINT,
		   "the server at %s is not the expected one; nothing was sent to it. Expected the "
		   "fingerprint %s, got %s. Compare with the server's own; if it was set up anew, "
		   "a new token or invite is needed, else somebody is in between.",
		   addr_format(&d->blamed, at), want,
		   memcmp(d->got_cert, unknown, HASH_LEN) == 0 ? "another one" : got);
}

static void fail_message(const struct dial *d, struct err *err)
{
	char tried[3 * ADDR_TEXT_MAX], at[ADDR_TEXT_MAX];

	list_tried(d, tried, sizeof(tried));
	addr_format(&d->blamed, at);
	if (d->blame == BLAME_PIN)
		fail_pin(d, err);
	else if (d->begun == 0)
		refuse_set(err, REFUSAL_UNREACHABLE, "can not reach the signal server %s: %s",
			   d->name, d->dns_err.code ? d->dns_err.text : "it has no address");
	else if (d->blame == BLAME_ALPN)
		refuse_set(err, REFUSAL_UNREACHABLE,
			   "what answers at %s (%s) is not a signal server of mlsh, or of another "
			   "version. Check the address and the port.", at, d->name);
	else if (d->blame == BLAME_TLS || d->blame == BLAME_CLOSED)
		refuse_set(err, REFUSAL_UNREACHABLE,
			   "the signal server %s (%s) ended the connection while it was being "
			   "made: %s. Are both sides of the same version of mlsh?", d->name, at,
			   d->detail);
	else
		refuse_set(err, REFUSAL_UNREACHABLE,
			   "no answer from the signal server %s (tried %s). Is it running, is the "
			   "address right, and do firewalls let UDP port %u through?",
			   d->name, tried, (unsigned)d->port);
}

static void dial_fail(struct dial *d)
{
	struct err err = { 0 };

	stop_all(d);
	fail_message(d, &err);
	d->fn(d->ctx, &err, NULL, NULL);
}

static void dial_succeed(struct dial *d, struct attempt *a)
{
	struct quic_conn *conn = a->conn;
	struct addr to = a->to;

	a->conn = NULL;
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
	default:
		return BLAME_SILENT;
	}
}

static void note_blame(struct dial *d, const struct attempt *a, const struct quic_event *ev)
{
	enum blame blame = blame_of(ev);
	const uint8_t *cert;

	if (blame <= d->blame)
		return;
	d->blame = blame;
	d->blamed = a->to;
	snprintf(d->detail, sizeof(d->detail), "%s (error %llu)",
		 ev->detail[0] ? ev->detail : "no reason given", (unsigned long long)ev->error);
	cert = blame == BLAME_PIN ? quic_conn_peer_cert_sha256(a->conn) : NULL;
	if (cert)
		memcpy(d->got_cert, cert, HASH_LEN);
}

static void on_attempt(void *ctx, struct quic_conn *conn, const struct quic_event *ev)
{
	struct attempt *a = ctx;
	struct dial *d = a->dial;

	(void)conn;
	if (ev->type == QUIC_CONNECTED) {
		dial_succeed(d, a);
		return;
	}
	if (ev->type != QUIC_CLOSED)
		return;
	note_blame(d, a, ev);
	quic_conn_free(a->conn);
	a->conn = NULL;
	d->running--;
	if (d->begun < d->n)
		next_attempt(d);
	else
		check_exhausted(d);
}

static const struct quic_conn_ops attempt_ops = { .event = on_attempt };

/* Begins with the next address, and sets the time for the one after it. */
static void next_attempt(void *ctx)
{
	struct dial *d = ctx;
	struct err ignored = { 0 };

	while (d->begun < d->n) {
		struct attempt *a = &d->attempt[d->begun++];
		char text[ADDR_TEXT_MAX];
		int r = quic_connect(d->socket, &signal_profile, &d->pin, 0, &a->to, &attempt_ops,
				     a, &ignored, &a->conn);

		if (r < 0) {
			a->conn = NULL;
			snprintf(d->detail, sizeof(d->detail), "%.150s", ignored.text);
			continue;
		}
		d->running++;
		timer_set_in(d->stagger, DIAL_STAGGER);
		dial_progress(d, "connecting to", addr_format(&a->to, text));
		return;
	}
	check_exhausted(d);
}

/* --- addresses -------------------------------------------------------------------------------- */

static void add_address(struct dial *d, const struct addr *to)
{
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
	d->fn = fn;
	d->progress = p->progress;
	d->progress_ctx = p->progress_ctx;
	d->resolved = p->resolved;
	d->resolved_ctx = p->resolved_ctx;
	d->ctx = ctx;
	d->stagger = timer_new(h, on_stagger, d);
	d->deadline = timer_new(h, on_deadline, d);
	if (!d->stagger || !d->deadline) {
		err_set(err, r, "out of memory");
		goto fail;
	}
	r = resolve_start(h, d->name, d->port, p->dns_timeout, on_resolved, d, err, &d->resolve);
	if (r < 0)
		goto fail;
	timer_set_in(d->deadline, p->timeout);
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
	if (d->stagger && d->deadline)
		stop_all(d);
	timer_free(d->stagger);
	timer_free(d->deadline);
	free(d);
}
