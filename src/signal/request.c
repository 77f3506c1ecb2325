/* SPDX-License-Identifier: AGPL-3.0-only */
/* Requests: their rate, the phases that allow them, and the functions that answer them. */
#include "signal/caller.h"

#include "proto/names.h"
#include "signal/writes.h"

#define RATE_REFUSALS_MAX 60 /* then the connection of a caller that does not wait is closed */

#define IN(phase) (1u << (phase))

struct request_rule {
	request_fn answer;
	unsigned phases;
	bool writes; /* writes to the database: answered together with others, see batch.c */
	int (*check)(struct caller *c, const struct signal_request *rq, struct err *err);
	/* Called after it has succeeded and was committed, before the reply is sent. */
	int (*accepted)(struct caller *c, struct signal_reply *reply, struct err *err);
};

/* docs/protocol/03-signal.md, "Messages". */
static const struct request_rule rules[SIGNAL_REQUEST_TYPES] = {
	[SIGNAL_HELLO] = { answer_hello, IN(CALLER_NEW) },
	[SIGNAL_SETUP_OFFER] = { answer_setup_offer, IN(CALLER_SETUP) },
	[SIGNAL_SETUP] = { answer_setup, IN(CALLER_SETUP), .writes = true, .check = check_setup },
	[SIGNAL_RECOVER] = { answer_recover,
			     IN(CALLER_GREETED) | IN(CALLER_FORMER) | IN(CALLER_SESSION),
			     .writes = true },
	[SIGNAL_LOG] = { answer_log, IN(CALLER_FORMER) | IN(CALLER_ADMITTED) | IN(CALLER_SESSION) },
	[SIGNAL_ADMIT] = { answer_admit, IN(CALLER_GREETED) | IN(CALLER_ADMITTED), .writes = true,
			   .accepted = admit_accepted },
	[SIGNAL_SESSION] = { answer_session, IN(CALLER_GREETED) | IN(CALLER_FORMER) },
	[SIGNAL_APPEND] = { answer_append, IN(CALLER_SESSION), .writes = true,
			    .accepted = append_accepted },
	[SIGNAL_PUSH] = { answer_push, IN(CALLER_GREETED) | IN(CALLER_FORMER) | IN(CALLER_SESSION),
			  .writes = true, .check = check_push },
	[SIGNAL_CANDIDATES] = { answer_candidates, IN(CALLER_SESSION) },
	[SIGNAL_SUBSCRIBE] = { answer_subscribe, IN(CALLER_SESSION) },
	[SIGNAL_RELAY_OPEN] = { answer_relay_open, IN(CALLER_SESSION) },
	[SIGNAL_IMPORT] = { answer_import, IN(CALLER_SETUP), .writes = true, .check = check_setup,
			    .accepted = import_accepted },
	[SIGNAL_ECHO] = { answer_echo, IN(CALLER_SESSION) },
	[SIGNAL_BEACON] = { answer_beacon, IN(CALLER_SESSION) },
};

/*
 * Returns true if the key, which the handshake has proved, is a member's of the cluster that the
 * caller has named or names now.
 */
static bool is_members(const struct caller *c, const struct signal_request *rq)
{
	const struct cluster *cluster = c->cluster;

	if (!cluster && rq->type == SIGNAL_HELLO)
		cluster = registry_find(c->server->registry, rq->cluster_id);
	return cluster && registry_member(cluster, c->key_sha256);
}

/*
 * A session pays for its own requests, an admitted node for fetching the log, and a caller with a
 * setup token for the log that it imports. A member without a session pays from a budget of its
 * own. Only strangers pay from the budget of their address, which others may share.
 */
static bool rate_allows(struct caller *c, const struct signal_request *rq)
{
	struct signal_server *s = c->server;
	uint64_t now = clock_now(s->host);

	if (c->phase == CALLER_SESSION || (c->phase == CALLER_ADMITTED && rq->type == SIGNAL_LOG) ||
	    (c->import && rq->type == SIGNAL_IMPORT))
		return bucket_take(&c->rate, 1, now);
	if (is_members(c, rq)) {
		if (!ratelimit_take_node(s->members, &c->key_node, now))
			return false;
		c->charged_node++;
		return true;
	}
	if (!ratelimit_take(s->sources, &c->remote, now))
		return false;
	c->charged++;
	return true;
}

static int request_in_rate(struct caller *c, const struct signal_request *rq,
			   struct signal_reply *reply, struct err *err)
{
	if (rate_allows(c, rq))
		return 0;
	c->server->stats.refused_rate++;
	c->rate_refusals++;
	reply->retry_after_s = c->phase == CALLER_SESSION ? 1 : ratelimit_retry_after_s();
	return refuse(err, -EAGAIN, REFUSAL_RATE, "Too many requests; wait a moment.");
}

static int phase_allows(const struct caller *c, enum signal_request_type type, struct err *err)
{
	if (rules[type].phases & IN(c->phase))
		return 0;
	return refuse(err, -EPERM, REFUSAL_NOT_ALLOWED,
		      "This request is not allowed at this point.");
}

static int request_allowed(struct caller *c, const struct signal_request *rq, struct err *err)
{
	const struct request_rule *rule = &rules[rq->type];
	int r = phase_allows(c, rq->type, err);

	return r == 0 && rule->check ? rule->check(c, rq, err) : r;
}

int request_accepted(struct caller *c, enum signal_request_type type, struct signal_reply *reply,
		     struct err *err)
{
	return rules[type].accepted ? rules[type].accepted(c, reply, err) : 0;
}

int request_run(struct caller *c, const struct signal_request *rq, struct signal_reply *reply,
		struct err *err)
{
	/* checked again: the caller may have gone on while the request waited for the database */
	int r = phase_allows(c, rq->type, err);

	return r < 0 ? r : rules[rq->type].answer(c, rq, reply, err);
}

/* Returns at most REFUSAL_TEXT_MAX bytes, cut between characters. */
static struct span refusal_text(const char *text)
{
	size_t len = strlen(text);

	if (len > REFUSAL_TEXT_MAX) {
		len = REFUSAL_TEXT_MAX;
		while (len > 0 && ((uint8_t)text[len] & 0xc0) == 0x80)
			len--;
	}
	return span_of(text, len);
}

static void request_reply(struct caller *c, int64_t stream, enum signal_request_type type,
			  const struct signal_reply *reply)
{
	struct signal_server *s = c->server;
	ptrdiff_t len = signal_reply_encode(type, reply, s->message, sizeof(s->message));

	if (len < 0)
		caller_close(c, SIGNAL_CLOSE_LIMIT, "a reply is too long");
	else if (quic_stream_write(c->quic, stream, s->message, (size_t)len, true) < 0)
		caller_close(c, SIGNAL_CLOSE_SLOW, "replies are not fetched");
	/* a node token or a relay's key stands at the beginning */
	secret_wipe(s->message, sizeof(reply->node_token) + 16);
}

/* It is no event for the operator that a node asked for a peer a moment before that was online. */
static enum log_level refusal_level(enum signal_request_type type, enum refusal why)
{
	if (why == REFUSAL_INTERNAL)
		return LOG_LEVEL_WARN; /* the fault is the server's */
	return type == SIGNAL_RELAY_OPEN && why == REFUSAL_NOT_MEMBER ? LOG_LEVEL_DEBUG
								      : LOG_LEVEL_INFO;
}

void request_answered(struct caller *c, int64_t stream, enum signal_request_type type, int result,
		      struct signal_reply *reply, const struct err *err)
{
	struct signal_server *s = c->server;

	if (result < 0) {
		char from[ADDR_TEXT_MAX];

		s->stats.refused++;
		reply->refusal = err->reason ? (enum refusal)err->reason : REFUSAL_BAD_ENTRY;
		reply->text = refusal_text(err->text);
		log_limited(host_log(s->host), &s->stranger_lines, clock_now(s->host),
			    refusal_level(type, reply->refusal), "%s: request %s refused: %s",
			    addr_format(&c->remote, from), signal_request_name(type),
			    refusal_name((int)reply->refusal));
	}
	caller_trace(c, "<-", signal_request_name(type),
		     reply->refusal ? refusal_name((int)reply->refusal) : "accepted");
	if (!c->closing)
		request_reply(c, stream, type, reply);
	if (c->rate_refusals > RATE_REFUSALS_MAX)
		caller_close(c, SIGNAL_CLOSE_LIMIT, "too many requests");
	else if (c->in_vain) /* each time costs the server much */
		caller_close(c, SIGNAL_CLOSE_MALFORMED, "a recovery that breaks a rule");
	secret_wipe(reply->node_token, sizeof(reply->node_token));
	secret_wipe(&reply->relay, sizeof(reply->relay));
}

/*
 * Refuses the hello of a later version (`code` -EPROTONOSUPPORT) or a request that this version
 * does not know (-ENOSYS), in words that the caller can act on. The connection goes on.
 */
static int request_of_the_future(struct caller *c, int code, struct signal_request *rq,
				 struct signal_reply *reply, struct err *err)
{
	int r;

	*rq = (struct signal_request){ .type = code == -ENOSYS ? 0 : SIGNAL_HELLO };
	if (code != -ENOSYS)
		return refuse(err, code, REFUSAL_VERSION,
			      "This server speaks version %d of the protocol: upgrade one side.",
			      SIGNAL_VERSION);
	r = request_in_rate(c, rq, reply, err);
	return r < 0 ? r
		     : refuse(err, code, REFUSAL_UNSUPPORTED,
			      "This server is too old for that request.");
}

void request_handle(struct caller *c, int64_t stream, struct span message)
{
	struct signal_server *s = c->server;
	struct signal_request rq;
	struct signal_reply reply = { 0 };
	struct err err = { 0 };
	int r = signal_request_decode(message, &rq);

	if (r == -EBADMSG) {
		s->stats.malformed++;
		caller_close(c, SIGNAL_CLOSE_MALFORMED, "malformed request");
		return;
	}
	s->stats.requests++;
	if (r < 0)
		r = request_of_the_future(c, r, &rq, &reply, &err);
	else
		r = request_in_rate(c, &rq, &reply, &err);
	if (r == 0)
		r = request_allowed(c, &rq, &err);
	if (r == 0 && rules[rq.type].writes) {
		r = write_later(c, stream, rq.type, message, &err);
		if (r == 0)
			return;
	} else if (r == 0) {
		r = request_run(c, &rq, &reply, &err);
	}
	request_answered(c, stream, rq.type, r, &reply, &err);
}
