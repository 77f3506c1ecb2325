/* SPDX-License-Identifier: MIT */
/* Mappings of the gateway: when to ask, whom to believe. */
#include "overlay/reach/mapper.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/udp.h"
#include "overlay/reach/candidate.h"
#include "overlay/reach/igd.h"
#include "proto/portmap.h"

#define LIFETIME_S 7200		 /* asked for: RFC 6886 section 3.3 recommends it */
#define LIFETIME_MAX_S 86400	 /* believed */
#define RENEW_MIN (4 * NS_PER_S) /* RFC 6887 section 11.2.1 */
#define RENEW_RETRY_MIN (10 * NS_PER_S)
#define CHECK_PERIOD (60 * NS_PER_S)	   /* between looks at the gateway's epoch */
#define UPNP_CHECK_PERIOD (600 * NS_PER_S) /* it has none: the mapping is asked for again */
#define SENDS 3				   /* of one question, then it is given up */
#define ANSWER_TIME (250 * NS_PER_MS)	   /* for the first one; doubled for the next ones */
#define AGAIN_MIN (300 * NS_PER_S)	   /* after everything was refused; doubled */
#define AGAIN_MAX (3600 * NS_PER_S)
#define DOUBT_GAP (30 * NS_PER_S)
#define RECEIVES 8 /* in one turn of the loop */

/* A question under way. */
struct question {
	bool on;
	bool only_epoch; /* else a mapping is wanted */
	bool doubtful;	 /* the mapping there is counts no more without an answer */
	enum mapper_method method;
	enum portmap_op op; /* NAT-PMP asks for the address, then for the port */
	unsigned sent;
	uint64_t at;	      /* of the next send, or of giving up */
	struct addr external; /* NAT-PMP: the address, as far as it is known */
};

struct mapping {
	bool on;
	enum mapper_method method;
	struct addr external;
	uint64_t expires, renew_at;
};

struct mapper {
	struct host *host;
	struct mapper_config cfg;
	struct igd *igd; /* UPnP's part */
	struct udp *udp; /* NULL until there is a gateway to ask */
	struct timer *timer;
	struct gateway gateway; /* ip 0 if unknown */
	enum mapper_state state;
	struct question q;
	struct mapping mapping;
	uint8_t nonce[PORTMAP_NONCE_LEN]; /* of this gateway's mapping, RFC 6887 section 11.2 */
	struct portmap_epoch epoch;
	uint64_t look_at; /* for the gateway; TIME_NEVER */
	uint64_t check_at, again_at, doubted_at;
	unsigned failures;
	char detail[sizeof(((struct mapper_status *)NULL)->detail)];
};

static void schedule(struct mapper *m)
{
	uint64_t at = m->look_at;

	if (m->mapping.on)
		at = MIN(at, m->mapping.expires);
	if (m->q.on)
		at = MIN(at, m->q.at);
	else if (m->mapping.on)
		at = MIN(at, MIN(m->mapping.renew_at, m->check_at));
	else if (m->state == MAPPER_NONE)
		at = MIN(at, m->again_at);
	timer_set(m->timer, at);
}

/* --- asking ---------------------------------------------------------------------------------- */

static void send_request(struct mapper *m, enum mapper_method method, enum portmap_op op,
			 uint32_t lifetime_s)
{
	struct portmap_request q = {
		.version = method == MAPPER_PCP ? PORTMAP_PCP : PORTMAP_NATPMP,
		.op = op,
		.client = addr_v4(m->gateway.source, 0),
	};
	uint8_t buf[PORTMAP_REQUEST_MAX];
	ptrdiff_t len;

	if (op == PORTMAP_MAP) {
		q.lifetime_s = lifetime_s;
		q.internal_port = m->cfg.port;
		memcpy(q.nonce, m->nonce, sizeof(q.nonce));
		/* RFC 6887 section 11.2: suggest what there was; 15.1: nothing, to end it */
		if (lifetime_s && m->mapping.on)
			q.external = m->mapping.external;
		else if (lifetime_s)
			q.external.port = m->cfg.port;
	}
	len = portmap_request_encode(&q, buf, sizeof(buf));
	if (len < 0)
		return;
	struct udp_tx tx = { .data = buf,
			     .len = (size_t)len,
			     .segment = (size_t)len,
			     .to = addr_v4(m->gateway.ip, PORTMAP_PORT),
			     .local = addr_v4(m->gateway.source, 0) };
	/* A full socket loses it like the network does. */
	if (udp_send(m->udp, &tx, 1) < 1)
		udp_forget(m->udp);
}

static void question_send(struct mapper *m)
{
	m->q.at = clock_now(m->host) + (ANSWER_TIME << m->q.sent);
	m->q.sent++;
	send_request(m, m->q.method, m->q.op, LIFETIME_S);
}

static void question_put(struct mapper *m, enum mapper_method method, enum portmap_op op)
{
	m->q.on = true;
	m->q.method = method;
	m->q.op = op;
	m->q.sent = 0;
	question_send(m);
}

/* Asks for a mapping, or to go on with the one there is. */
static void ask(struct mapper *m, enum mapper_method method)
{
	m->q = (struct question){ .only_epoch = false };
	if (method == MAPPER_UPNP) { /* has its own times */
		m->q = (struct question){ .on = true, .method = method, .at = TIME_NEVER };
		igd_ask(m->igd, &m->gateway,
			m->mapping.on ? m->mapping.external.port : m->cfg.port);
		return;
	}
	question_put(m, method, method == MAPPER_PCP ? PORTMAP_MAP : PORTMAP_ASK);
}

/* The same for one that the gateway may not know any more. */
static void ask_doubtful(struct mapper *m)
{
	ask(m, m->mapping.method);
	m->q.doubtful = true;
}

static void ask_epoch(struct mapper *m)
{
	if (m->mapping.method == MAPPER_UPNP) {
		ask_doubtful(m);
		return;
	}
	m->q = (struct question){ .only_epoch = true };
	question_put(m, m->mapping.method, PORTMAP_ASK);
}

static void begin(struct mapper *m)
{
	m->state = MAPPER_ASKING;
	m->detail[0] = '\0';
	ask(m, MAPPER_PCP);
}

/* Forgets the mapping; true: there was one. */
static bool mapping_end(struct mapper *m)
{
	bool on = m->mapping.on;

	m->mapping = (struct mapping){ .on = false };
	return on;
}

/* --- outcomes -------------------------------------------------------------------------------- */

static void give_up(struct mapper *m)
{
	uint64_t wait = MIN(AGAIN_MIN << MIN(m->failures, 8u), AGAIN_MAX);

	m->failures++;
	m->state = MAPPER_NONE;
	m->again_at = clock_now(m->host) + wait + random_below(m->host, wait / 4);
	log_debug(host_log(m->host), "no port mapping from the gateway: %s", m->detail);
}

/* The question was refused (why) or not answered (NULL). */
static void question_failed(struct mapper *m, const char *why)
{
	struct question q = m->q;
	uint64_t now = clock_now(m->host);

	m->q.on = false;
	if (q.only_epoch) {
		m->check_at = now + CHECK_PERIOD;
		return;
	}
	/* What a gateway says tells more than the silence about another protocol. */
	if (why || !m->detail[0])
		snprintf(m->detail, sizeof(m->detail), "%s: %s", mapper_method_name(q.method),
			 why ? why : "no answer");
	if (m->mapping.on && q.doubtful) {
		mapping_end(m);
		begin(m);
		m->cfg.changed(m->cfg.ctx);
		return;
	}
	if (m->mapping.on) {
		m->mapping.renew_at = now + MAX((m->mapping.expires - now) / 2, RENEW_RETRY_MIN);
		return;
	}
	if (q.method + 1 < MAPPER_METHODS)
		ask(m, q.method + 1);
	else
		give_up(m);
}

static void mapped(struct mapper *m, const struct addr *external, uint32_t lifetime_s)
{
	uint64_t now = clock_now(m->host), life = MIN(lifetime_s, LIFETIME_MAX_S) * NS_PER_S;
	bool renewed = !m->mapping.on || !addr_equal(&m->mapping.external, external);
	char text[ADDR_TEXT_MAX];

	m->mapping = (struct mapping){ .on = true,
				       .method = m->q.method,
				       .external = *external,
				       .expires = now + life,
				       .renew_at = now + MAX(life / 2, RENEW_MIN) };
	m->q.on = false;
	m->state = MAPPER_MAPPED;
	m->failures = 0;
	m->detail[0] = '\0';
	if (m->mapping.method != MAPPER_UPNP)
		igd_unwanted(m->igd, external->port);
	m->check_at = now + (m->mapping.method == MAPPER_UPNP ? UPNP_CHECK_PERIOD : CHECK_PERIOD);
	if (!renewed)
		return;
	log_debug(host_log(m->host), "the gateway maps %s to this node (%s)",
		  addr_format(external, text), mapper_method_name(m->mapping.method));
	m->cfg.changed(m->cfg.ctx);
}

/* --- answers --------------------------------------------------------------------------------- */

/* Is it about what was asked? Anything else may be somebody else's, or forged. */
static bool answers_question(const struct mapper *m, const struct portmap_answer *a)
{
	const struct question *q = &m->q;

	if (!q->on || q->method == MAPPER_UPNP)
		return false;
	if (q->method == MAPPER_PCP && a->version == PORTMAP_NATPMP)
		return a->result == PORTMAP_UNSUPP_VERSION; /* RFC 6887 appendix A */
	if (a->version != (q->method == MAPPER_PCP ? PORTMAP_PCP : PORTMAP_NATPMP) ||
	    a->op != q->op)
		return false;
	if (a->op != PORTMAP_MAP || (a->version == PORTMAP_NATPMP && a->result))
		return true;
	return a->internal_port == m->cfg.port &&
	       (a->version == PORTMAP_NATPMP || secret_equal(a->nonce, m->nonce, sizeof(m->nonce)));
}

static void take_mapping(struct mapper *m, const struct portmap_answer *a)
{
	struct addr external = a->external;

	if (a->version == PORTMAP_NATPMP) {
		external = m->q.external;
		external.port = a->external.port;
	}
	if (a->lifetime_s > 0 && candidate_ok(&external, m->cfg.overlay)) {
		mapped(m, &external, a->lifetime_s);
		return;
	}
	if (a->lifetime_s > 0) /* of no use to us: others may have the port */
		send_request(m, m->q.method, PORTMAP_MAP, 0);
	question_failed(m, "an address that cannot be used");
}

static void take_answer(struct mapper *m, const struct portmap_answer *a)
{
	bool lost;

	if (!answers_question(m, a))
		return;
	if (a->result == PORTMAP_UNSUPP_VERSION) {
		question_failed(m, m->q.method == MAPPER_PCP ? NULL : "version not supported");
		return;
	}
	lost = portmap_epoch_lost(&m->epoch, a->epoch_s, clock_now(m->host));
	if (m->q.only_epoch) { /* refused or not, the epoch is there */
		m->q.on = false;
		m->check_at = clock_now(m->host) + CHECK_PERIOD;
		if (lost)
			ask_doubtful(m);
	} else if (a->result != PORTMAP_SUCCESS) {
		question_failed(m, portmap_result_name(a->version, a->result));
	} else if (a->op == PORTMAP_MAP) {
		take_mapping(m, a);
	} else {
		m->q.external = a->external;
		question_put(m, MAPPER_NATPMP, PORTMAP_MAP);
	}
}

static void on_igd(void *ctx, const struct addr *external, uint32_t lifetime_s, const char *why)
{
	struct mapper *m = ctx;

	if (!m->q.on || m->q.method != MAPPER_UPNP)
		return;
	if (external && candidate_ok(external, m->cfg.overlay)) {
		mapped(m, external, lifetime_s);
	} else {
		question_failed(m, external ? "an address that cannot be used" : why);
		if (!m->mapping.on)
			igd_unwanted(m->igd, 0);
	}
	schedule(m);
}

static void on_readable(void *ctx)
{
	struct mapper *m = ctx;
	struct addr gateway = addr_v4(m->gateway.ip, PORTMAP_PORT);
	struct udp_rx rx[RECEIVES];
	size_t n = udp_recv(m->udp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n; i++) {
		struct portmap_answer a;

		/* Of a joined run the first is enough: one question, one answer. */
		if (m->gateway.ip && addr_same_ip(&rx[i].from, &gateway) &&
		    rx[i].from.port == gateway.port &&
		    portmap_answer_decode(span_of(rx[i].data, rx[i].segment), &a) == 0)
			take_answer(m, &a);
	}
	schedule(m);
}

/* --- the gateway ----------------------------------------------------------------------------- */

static bool open_udp(struct mapper *m)
{
	struct udp_config cfg = { .bind = { .port = 0 } };
	struct err err = { 0 };

	if (m->udp || udp_open(m->host, &cfg, on_readable, m, &err, &m->udp) == 0)
		return true;
	snprintf(m->detail, sizeof(m->detail), "%.90s", err.text);
	return false;
}

/* Everything about the former gateway is void. */
static void gateway_set(struct mapper *m, const struct gateway *g)
{
	bool had = mapping_end(m);

	m->gateway = *g;
	m->q.on = false;
	igd_forget(m->igd);
	m->epoch.known = false;
	m->failures = 0;
	m->detail[0] = '\0';
	random_fill(m->host, m->nonce, sizeof(m->nonce));
	if (had)
		m->cfg.changed(m->cfg.ctx);
}

static void look(struct mapper *m)
{
	struct gateway g = { .ip = 0 };
	struct addr source;

	m->look_at = TIME_NEVER;
	if (netconf_gateway(m->host, &g) < 0)
		g.ip = 0;
	source = addr_v4(g.source, 0);
	if (!g.ip || !addr_is_private(&source)) {
		if (m->gateway.ip)
			gateway_set(m, &(struct gateway){ .ip = 0 });
		m->state = MAPPER_UNNEEDED;
		return;
	}
	if (g.ip != m->gateway.ip || g.source != m->gateway.source ||
	    g.ifindex != m->gateway.ifindex)
		gateway_set(m, &g);
	if (!open_udp(m))
		give_up(m);
	else if (m->mapping.on)
		ask_doubtful(m); /* the same addresses may be another network's */
	else
		begin(m);
}

static void on_timer(void *ctx)
{
	struct mapper *m = ctx;
	uint64_t now = clock_now(m->host);

	if (m->mapping.on && now >= m->mapping.expires) {
		mapping_end(m);
		begin(m);
		m->cfg.changed(m->cfg.ctx);
	}
	if (now >= m->look_at)
		look(m);
	else if (m->q.on && now >= m->q.at && m->q.sent < SENDS)
		question_send(m);
	else if (m->q.on && now >= m->q.at)
		question_failed(m, NULL);
	else if (!m->q.on && m->mapping.on && now >= m->mapping.renew_at)
		ask(m, m->mapping.method);
	else if (!m->q.on && m->mapping.on && now >= m->check_at)
		ask_epoch(m);
	else if (!m->q.on && !m->mapping.on && m->state == MAPPER_NONE && now >= m->again_at)
		begin(m);
	schedule(m);
}

void mapper_network_changed(struct mapper *m)
{
	m->look_at = clock_now(m->host);
	schedule(m);
}

void mapper_doubt(struct mapper *m)
{
	uint64_t now = clock_now(m->host);

	if (m->q.on || now - m->doubted_at < DOUBT_GAP)
		return;
	m->doubted_at = now;
	m->check_at = now;
	m->again_at = now;
	schedule(m);
}

/* --- life ------------------------------------------------------------------------------------ */

int mapper_new(struct host *h, const struct mapper_config *cfg, struct mapper **ret)
{
	struct mapper *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->host = h;
	m->cfg = *cfg;
	m->state = MAPPER_UNNEEDED;
	m->timer = timer_new(h, on_timer, m);
	if (!m->timer || igd_new(h, cfg->port, on_igd, m, &m->igd) < 0) {
		mapper_free(m);
		return -ENOMEM;
	}
	m->look_at = m->doubted_at = clock_now(h);
	schedule(m);
	*ret = m;
	return 0;
}

void mapper_free(struct mapper *m)
{
	if (!m)
		return;
	if (m->mapping.on && m->mapping.method != MAPPER_UPNP)
		send_request(m, m->mapping.method, PORTMAP_MAP, 0);
	else if (m->q.on && m->q.op == PORTMAP_MAP) /* the answer may be on its way */
		send_request(m, m->q.method, PORTMAP_MAP, 0);
	if (m->igd)
		igd_unmap(m->igd);
	igd_free(m->igd);
	udp_close(m->udp);
	timer_free(m->timer);
	secret_wipe(m->nonce, sizeof(m->nonce));
	free(m);
}

bool mapper_external(const struct mapper *m, struct addr *ret)
{
	if (!m->mapping.on)
		return false;
	*ret = m->mapping.external;
	return true;
}

void mapper_status_get(const struct mapper *m, struct mapper_status *ret)
{
	*ret = (struct mapper_status){ .state = m->state,
				       .method = m->mapping.method,
				       .external = m->mapping.external,
				       .gateway = m->gateway.ip };
	if (m->mapping.on)
		ret->left_ns = m->mapping.expires - MIN(m->mapping.expires, clock_now(m->host));
	memcpy(ret->detail, m->detail, sizeof(ret->detail));
}

const char *mapper_method_name(enum mapper_method m)
{
	static const char *const names[] = { "pcp", "nat-pmp", "upnp" };

	return names[m];
}

const char *mapper_state_name(enum mapper_state s)
{
	static const char *const names[] = { "off", "unneeded", "asking", "mapped", "none" };

	return names[s];
}
