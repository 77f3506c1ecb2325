/* SPDX-License-Identifier: MIT */
/* The UDP server in front of dns_answer: port 53 on the node's overlay address. */
#include <stdlib.h>

#include "os/udp.h"
#include "tund/dns.h"

struct dns_server {
	struct udp *udp;
	const struct mlog *log;
	const struct member *self;
};

static void dns_server_readable(void *ctx)
{
	struct dns_server *d = ctx;
	struct udp_rx rx[UDP_BATCH_MAX];
	uint8_t out[DNS_MESSAGE_MAX];
	size_t n = udp_recv(d->udp, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n; i++) {
		for (size_t at = 0; at < rx[i].len; at += rx[i].segment) {
			size_t len = MIN(rx[i].segment, rx[i].len - at);
			size_t answer = dns_answer(d->log, d->self, span_of(rx[i].data + at, len),
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

int dns_server_new(struct host *h, const struct mlog *log, const struct member *self,
		   struct err *err, struct dns_server **ret)
{
	struct dns_server *d = calloc(1, sizeof(*d));

	if (!d)
		return err_set(err, -ENOMEM, "no memory for the DNS server");
	d->log = log;
	d->self = self;
	struct udp_config cfg = { .bind = addr_v4(self->address, 53) };
	int rc = udp_open(h, &cfg, dns_server_readable, d, err, &d->udp);
	if (rc < 0) {
		free(d);
		return rc;
	}
	*ret = d;
	return 0;
}

void dns_server_free(struct dns_server *d)
{
	if (!d)
		return;
	udp_close(d->udp);
	free(d);
}
