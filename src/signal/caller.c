/* SPDX-License-Identifier: AGPL-3.0-only */
/* One connection: whose it is, how it is closed, what is logged of its messages. */
#include "signal/caller.h"

#include "identity/token.h"
#include "signal/writes.h"

#define TRACE_BURST 200 /* lines about messages, then one a period */
#define TRACE_PERIOD (5 * NS_PER_MS)

void caller_token(const struct caller *c, uint8_t ret[HASH_LEN])
{
	node_token(c->server->keys.tokens, c->cluster->id, &c->node, ret);
}

bool caller_token_ok(const struct caller *c, const uint8_t token[HASH_LEN])
{
	uint8_t want[HASH_LEN];
	const struct member *m;
	bool ok;

	caller_token(c, want);
	ok = secret_equal(want, token, sizeof(want));
	secret_wipe(want, sizeof(want));
	m = ok ? NULL : registry_member(c->cluster, c->key_sha256);
	return ok || (m && registry_is_foreign(c->server->registry, c->cluster, m));
}

/* The look-up by key finds former keys, too: the member may have a new one. */
void caller_identify(struct caller *c, const struct mlog *log)
{
	const struct member *m = roster_by_key_sha256(mlog_roster(log), c->key_sha256, ROSTER_ALL);

	c->node = m ? m->id : c->key_node;
}

void caller_close(struct caller *c, enum signal_close why, const char *phrase)
{
	struct signal_server *s = c->server;

	if (c->closing)
		return;
	c->closing = true;
	writes_forget(c);
	list_append(&s->closed, &c->in_closed);
	deferred_call(s->end_closed);
	quic_conn_close(c->quic, why, phrase);
}

void caller_trace(struct caller *c, const char *way, const char *what, const char *result)
{
	struct signal_server *s = c->server;
	char from[ADDR_TEXT_MAX];

	if (host_log(s->host)->level < LOG_LEVEL_TRACE)
		return;
	s->trace_lines.burst = TRACE_BURST;
	s->trace_lines.period_ns = TRACE_PERIOD;
	log_limited(host_log(s->host), &s->trace_lines, clock_now(s->host), LOG_LEVEL_TRACE,
		    "%s: %s %s: %s", addr_format(&c->remote, from), way, what, result);
}
