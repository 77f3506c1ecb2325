/* SPDX-License-Identifier: MIT */
/*
 * Datagrams as strangers send them: which connection they are for, what begins one, what is
 * answered. The first byte says whether it came over a relay (odd) or from an address. No answer
 * may be larger than what caused it.
 */
#include <stdlib.h>

#include "crypto/init.h"
#include "os/host.h"
#include "quic/socket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct quic_profile profile = {
	.alpn = "fuzz/1",
	.max_remote_bidi = 1,
	.stream_window_bytes = 4096,
	.conn_window_bytes = 4096,
	.stream_send_bytes = 4096,
	.handshake_timeout = NS_PER_S,
	.idle_timeout = NS_PER_S,
};

static const struct quic_profile *const serve[] = { &profile, NULL };

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void other(void *ctx, struct udp_rx *rx)
{
	(void)ctx;
	must(rx->len > 0 && rx->len == rx->segment && (rx->data[0] & 0x40) == 0);
}

static struct quic_socket *socket_make(void)
{
	struct quic_socket_config cfg = { .serve = serve, .other = other, .retry_above = 1 };
	struct quic_socket *s;
	struct identity *id;
	struct host *h;

	must(host_new(NULL, &h) == 0 && crypto_init(NULL) == 0);
	must(identity_new(h, NULL, &id) == 0);
	cfg.identity = id;
	cfg.udp.bind = addr_v4(0x7f000001, 0);
	must(quic_socket_open(h, &cfg, NULL, &s) == 0);
	return s;
}

/* What would be sent is only looked at. */
static void check_answers(struct quic_socket *s, size_t caused_by)
{
	size_t bytes = 0;

	for (size_t i = 0; i < s->tx.n_runs; i++)
		bytes += s->tx.run[i].len;
	must(bytes <= 3 * caused_by); /* RFC 9000 section 8.1 */
	s->tx.n_runs = s->tx.n_gone = s->tx.used = 0;
	s->tx.run_open = false;
}

static void forget_connections(struct quic_socket *s)
{
	while (!list_empty(&s->conns))
		conn_delete(list_entry(s->conns.next, struct quic_conn, link));
	while (!list_empty(&s->dead))
		conn_delete(list_entry(s->dead.next, struct quic_conn, link));
	closings_free(s);
	must(s->n_half_open == 0 && s->n_conns == 0);
	must(map_count(s->cids) == 0 && map_count(s->initials) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct quic_socket *s; /* kept: what one input leaves behind is a finding */
	struct udp_rx rx = { .from = addr_v4(0x7f000001, 9) };
	path_label label;

	if (!s)
		s = socket_make();
	if (size < 1 || size > 65536)
		return 0;
	label = data[0] & 1 ? 7 : 0;
	rx.len = rx.segment = size - 1;
	rx.data = malloc(rx.len + 1);
	must(rx.data != NULL);
	memcpy(rx.data, data + 1, rx.len);
	demux_receive(s, &rx, label);
	while (!list_empty(&s->dirty)) {
		struct quic_conn *c = list_entry(s->dirty.next, struct quic_conn, dirty);

		list_remove(&c->dirty);
		conn_flush(c);
		conn_settle(c);
	}
	check_answers(s, rx.len);
	forget_connections(s);
	free(rx.data);
	return 0;
}
