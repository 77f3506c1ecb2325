/* SPDX-License-Identifier: MIT */
/* Where the zone's server listens, and the UDP server in front of dns_answer. */
#include <stdio.h>
#include <stdlib.h>

#include "os/udp.h"
#include "tund/dns_tcp.h"

#define DNS_PORT 53
#define RETRY_NS (5 * NS_PER_S)

struct dns_server {
	struct host *host;
	struct dns_server_config cfg;
	struct udp *udp;
	struct dns_tcp *tcp;
	struct timer *again;
	enum dns_server_state state;
	char detail[200];
};

static void on_readable(void *ctx)
{
	struct dns_server *d = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	uint8_t out[DNS_MESSAGE_MAX];
	size_t n = udp_recv(d->udp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n; i++) {
		for (size_t at = 0; at < rx[i].len; at += rx[i].segment) {
			size_t len = MIN(rx[i].segment, rx[i].len - at);
			size_t answer = dns_answer(&d->cfg.names, span_of(rx[i].data + at, len),
						   out, sizeof(out));

			if (!answer)
				continue;
			struct udp_tx tx = {
				.data = out, .len = answer, .segment = answer, .to = rx[i].from
			};
			(void)udp_send(d->udp, &tx, 1); /* full socket: the resolver asks again */
		}
	}
}

static void stop(struct dns_server *d)
{
	udp_close(d->udp);
	d->udp = NULL;
	dns_tcp_free(d->tcp);
	d->tcp = NULL;
	timer_set(d->again, TIME_NEVER);
}

/* At ports of our own, which the fence redirects to. */
static int start_redirected(struct dns_server *d)
{
	ip4 own = d->cfg.names.self->address;
	struct udp_config cfg = { .bind = addr_v4(own, 0) };
	struct addr any_port = addr_v4(own, 0);
	int rc = udp_open(d->host, &cfg, on_readable, d, NULL, &d->udp);

	if (rc == 0)
		rc = dns_tcp_new(d->host, &any_port, &d->cfg.names, NULL, &d->tcp);
	if (rc == 0)
		rc = fence_redirect(d->cfg.fence, own, DNS_PORT, udp_local(d->udp).port,
				    dns_tcp_port(d->tcp));
	if (rc < 0)
		stop(d);
	return rc;
}

/* At port 53 itself. TCP there would keep a resolver that starts later from starting. */
static int start_shared(struct dns_server *d, struct err *err)
{
	struct udp_config cfg = { .bind = addr_v4(d->cfg.names.self->address, DNS_PORT),
				  .shared = true,
				  .device = d->cfg.device };

	return udp_open(d->host, &cfg, on_readable, d, err, &d->udp);
}

static void start(struct dns_server *d)
{
	struct err err = { 0 };

	stop(d);
	d->detail[0] = '\0';
	if (fence_state_get(d->cfg.fence) == FENCE_UP && start_redirected(d) == 0) {
		d->state = DNS_SERVER_ON;
	} else if (start_shared(d, &err) == 0) {
		d->state = DNS_SERVER_UDP;
		snprintf(d->detail, sizeof(d->detail),
			 "by UDP only: the packet filter does not redirect");
	} else {
		d->state = DNS_SERVER_OFF;
		snprintf(d->detail, sizeof(d->detail), "%.180s", err.text);
		timer_set_in(d->again, RETRY_NS);
	}
}

static void start_again(void *ctx)
{
	struct dns_server *d = ctx;
	enum dns_server_state before = d->state;

	start(d);
	if (d->state != before)
		d->cfg.changed(d->cfg.ctx);
}

void dns_server_fence_changed(struct dns_server *d, struct fence *fence)
{
	d->cfg.fence = fence;
	start_again(d);
}

struct dns_server *dns_server_new(struct host *h, const struct dns_server_config *cfg)
{
	struct dns_server *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->host = h;
	d->cfg = *cfg;
	d->again = timer_new(h, start_again, d);
	if (!d->again) {
		free(d);
		return NULL;
	}
	start(d);
	return d;
}

enum dns_server_state dns_server_state_get(const struct dns_server *d)
{
	return d->state;
}

const char *dns_server_detail(const struct dns_server *d)
{
	return d->detail;
}

void dns_server_free(struct dns_server *d)
{
	if (!d)
		return;
	stop(d);
	timer_free(d->again);
	free(d);
}
