/* SPDX-License-Identifier: MIT */
/*
 * Makes connections of both roles, with the parameters for the other side and the settings of
 * ngtcp2.
 */
#include "quic/conn.h"

#include <stdlib.h>

#include "base/wiped.h"
#include "quic/socket.h"

#define CID_LIMIT 8 /* active_connection_id_limit: each migration uses one for a round trip */
#define CLIENT_DCID_LEN 18
#define GLITCH_BURST 1000
#define GLITCH_RATE 33

/* --- memory: ngtcp2 keeps the keys of packets in what it allocates ----------------------------
 */

static void *memory_malloc(size_t n, void *ctx)
{
	(void)ctx;
	return wiped_malloc(n);
}

static void memory_free(void *p, void *ctx)
{
	(void)ctx;
	wiped_free(p);
}

static void *memory_calloc(size_t n, size_t size, void *ctx)
{
	(void)ctx;
	return wiped_calloc(n, size);
}

static void *memory_realloc(void *p, size_t n, void *ctx)
{
	(void)ctx;
	return wiped_realloc(p, n);
}

static const ngtcp2_mem memory = {
	.malloc = memory_malloc,
	.free = memory_free,
	.calloc = memory_calloc,
	.realloc = memory_realloc,
};

/* ------------------------------------------------------------------------------------------------
 */

/* The connection is counted from here on; conn_shut undoes that. */
static struct quic_conn *conn_alloc(struct quic_socket *s, bool server)
{
	struct quic_conn *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->s = s;
	c->server = server;
	c->alive = true;
	c->half_open = server;
	if (server)
		s->n_half_open++;
	else
		s->n_conns++;
	c->next_generation = 1;
	list_init(&c->cids);
	list_init(&c->streams);
	list_init(&c->tx_streams);
	list_init(&c->event_streams);
	list_append(&s->conns, &c->link);
	return c;
}

/* The parameters that are offered before ALPN has chosen the protocol: the largest of each. */
static struct quic_profile profiles_merge(const struct quic_profile *const *list)
{
	struct quic_profile m = **list;

	for (; *list; list++) {
		const struct quic_profile *p = *list;

		m.max_remote_bidi = MAX(m.max_remote_bidi, p->max_remote_bidi);
		m.max_remote_uni = MAX(m.max_remote_uni, p->max_remote_uni);
		m.stream_window_bytes = MAX(m.stream_window_bytes, p->stream_window_bytes);
		m.conn_window_bytes = MAX(m.conn_window_bytes, p->conn_window_bytes);
		m.handshake_timeout = MAX(m.handshake_timeout, p->handshake_timeout);
		m.idle_timeout = MAX(m.idle_timeout, p->idle_timeout);
	}
	return m;
}

static void params_fill(const struct quic_profile *p, ngtcp2_transport_params *ret)
{
	ngtcp2_transport_params_default(ret);
	ret->initial_max_streams_bidi = p->max_remote_bidi;
	ret->initial_max_streams_uni = p->max_remote_uni;
	ret->initial_max_stream_data_bidi_local = p->stream_window_bytes;
	ret->initial_max_stream_data_bidi_remote = p->stream_window_bytes;
	ret->initial_max_stream_data_uni = p->stream_window_bytes;
	ret->initial_max_data = p->conn_window_bytes;
	ret->max_idle_timeout = p->idle_timeout;
	ret->active_connection_id_limit = CID_LIMIT;
	ret->grease_quic_bit = 0; /* the fixed bit tells QUIC from other datagrams */
}

/* Of the usual links (overlay/mtu_search.c). */
static const uint16_t pmtud_probes[] = {
	UDP_PAYLOAD_MAX, 1412, 1392, 1372, 1342, 1312, 1280, 1232,
};

static void settings_fill(struct quic_conn *c, const struct quic_profile *p, ngtcp2_settings *ret)
{
	ngtcp2_settings_default(ret);
	ret->initial_ts = clock_now(c->s->h);
	/*
	 * BBR does not slow down for each lost packet: 60 KB arrive after 74 ms on a path of 60 ms
	 * with 1 % loss, and after 547 ms with CUBIC. Single messages take equally long.
	 */
	ret->cc_algo = NGTCP2_CC_ALGO_BBR;
	ret->handshake_timeout = p->handshake_timeout;
	ret->max_tx_udp_payload_size = UDP_PAYLOAD_MAX;
	ret->pmtud_probes = pmtud_probes;
	ret->pmtud_probeslen = ARRAY_LEN(pmtud_probes);
	ret->no_pmtud = c->routed; /* the owner of the router does it, see conn_payload_max */
	ret->no_tx_udp_payload_size_shaping = c->routed;
	ret->rand_ctx.native_handle = c->s->h;
	ret->glitch_ratelim_burst = GLITCH_BURST;
	ret->glitch_ratelim_rate = GLITCH_RATE;
}

/* What both roles do after ngtcp2_conn_*_new. */
static void conn_attach(struct quic_conn *c)
{
	c->tls.qc = c->qc;
	ngtcp2_conn_set_tls_native_handle(c->qc, c->tls.octx);
	c->max_udp_payload = conn_payload_max(c);
}

int conn_new_client(struct quic_socket *s, const struct quic_profile *profile,
		    const struct quic_pin *pin, path_label label, const struct addr *to,
		    struct quic_conn **ret)
{
	struct quic_conn *c = conn_alloc(s, false);
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_callbacks callbacks;
	ngtcp2_cid dcid = { .datalen = CLIENT_DCID_LEN }, scid;
	struct label_path path;
	int r = -ENOMEM;

	if (!c)
		return -ENOMEM;
	c->profile = profile;
	c->routed = !to;
	c->label = to ? router_first(c, to, NULL) : label;
	c->timer = timer_new(s->h, conn_on_timer, c);
	if (!c->timer || quic_tls_session_init(&c->tls, s->tls, false, profile, pin) < 0)
		goto fail;
	r = cid_new(c, 0, &scid);
	if (r < 0)
		goto fail;
	random_fill(s->h, dcid.data, dcid.datalen);
	params_fill(profile, &params);
	settings_fill(c, profile, &settings);
	callbacks_fill(&callbacks);
	label_path_set(&path, c->label, 0);
	r = -ENOMEM;
	if (ngtcp2_conn_client_new(&c->qc, &dcid, &scid, &path.path, NGTCP2_PROTO_VER_V1,
				   &callbacks, &settings, &params, &memory, c) != 0)
		goto fail;
	conn_attach(c);
	if (profile->keep_alive)
		ngtcp2_conn_set_keep_alive_timeout(c->qc, profile->keep_alive);
	*ret = c;
	return 0;
fail:
	conn_delete(c);
	return r;
}

static void params_fill_server(struct quic_conn *c, const struct accept_params *p,
			       const ngtcp2_cid *scid, ngtcp2_transport_params *params)
{
	params->original_dcid_present = 1;
	params->original_dcid = p->odcid ? *p->odcid : p->hd->dcid;
	if (p->odcid) {
		params->retry_scid_present = 1;
		params->retry_scid = p->hd->dcid;
	}
	params->stateless_reset_token_present = 1;
	cid_reset_token(c->s, scid, params->stateless_reset_token);
}

int conn_new_server(struct quic_socket *s, const struct accept_params *p, struct quic_conn **ret)
{
	struct quic_conn *c = conn_alloc(s, true);
	struct quic_profile merged = profiles_merge(s->cfg.serve);
	ngtcp2_transport_params params;
	ngtcp2_settings settings;
	ngtcp2_callbacks callbacks;
	ngtcp2_cid scid;
	struct label_path path;
	int r = -ENOMEM;

	if (!c) {
		router_release(s, p->given);
		return -ENOMEM;
	}
	c->given_label = p->given;
	c->source = p->source;
	if (c->source)
		c->source->half_open++;
	c->routed = s->cfg.router != NULL;
	c->label = c->routed ? p->label : router_first(c, &p->from, &p->local);
	c->timer = timer_new(s->h, conn_on_timer, c);
	if (!c->timer || quic_tls_session_init(&c->tls, s->tls, true, NULL, NULL) < 0)
		goto fail;
	r = cid_new(c, 0, &scid);
	if (r < 0)
		goto fail;
	initial_key(p->hd->dcid.data, p->hd->dcid.datalen, c->initial_key);
	r = map_put(s->initials, c->initial_key, c);
	if (r < 0)
		goto fail;
	c->in_initials = true;
	params_fill(&merged, &params);
	params_fill_server(c, p, &scid, &params);
	settings_fill(c, &merged, &settings);
	if (p->odcid) {
		settings.token = p->hd->token;
		settings.tokenlen = p->hd->tokenlen;
		settings.token_type = NGTCP2_TOKEN_TYPE_RETRY;
	}
	callbacks_fill(&callbacks);
	label_path_set(&path, c->label, 0);
	r = -ENOMEM;
	if (ngtcp2_conn_server_new(&c->qc, &p->hd->scid, &scid, &path.path, p->hd->version,
				   &callbacks, &settings, &params, &memory, c) != 0)
		goto fail;
	conn_attach(c);
	*ret = c;
	return 0;
fail:
	conn_delete(c);
	return r;
}
