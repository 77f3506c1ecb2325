/* SPDX-License-Identifier: MIT */
/*
 * A client that breaks the rules, for the lab: dials a server or a peer with the key exchange
 * groups it is told, under an identity from a folder, and says how it ended.
 *
 *	dial signal|peer GROUPS ADDRESS:PORT IDENTITY-FOLDER
 *
 * prints "connected GROUP" or "refused: TLS alert N" or "closed: reason N, error N".
 */
#include <openssl/ssl.h>
#include <stdio.h>

#include "crypto/init.h"
#include "identity/identity.h"
#include "os/loop.h"
#include "overlay/internal.h"
#include "quic/profiles.h"
#include "quic/socket.h"
#include "quic/tls.h"

static void on_event(void *ctx, struct quic_conn *c, const struct quic_event *ev)
{
	struct host *h = ctx;

	if (ev->type == QUIC_CONNECTED) {
		struct quic_conn_info info;

		quic_conn_info_get(c, &info);
		printf("connected %s\n", info.group);
	} else if (ev->type != QUIC_CLOSED) {
		return;
	} else if (ev->reason == QUIC_CLOSE_TLS) {
		printf("refused: TLS alert %llu\n", (unsigned long long)ev->error);
	} else {
		printf("closed: reason %d, error %llu %s\n", ev->reason,
		       (unsigned long long)ev->error, ev->detail);
	}
	loop_stop(h);
}

static int dial(struct host *h, char **argv, struct err *err)
{
	static const struct quic_conn_ops ops = { .event = on_event };
	const struct quic_profile *profile = strcmp(argv[1], "peer") == 0 ? &peer_profile
									  : &signal_profile;
	struct quic_pin pin = { .any = true };
	struct quic_socket_config cfg = { 0 };
	struct identity *id = NULL;
	struct quic_socket *s = NULL;
	struct quic_conn *c = NULL;
	struct addr to;
	int rc = identity_load(h, argv[4], err, &id);

	cfg.identity = id;
	if (rc == 0)
		rc = quic_socket_open(h, &cfg, err, &s);
	if (rc == 0 && (addr_parse(argv[3], &to) < 0 ||
			SSL_CTX_set1_groups_list(quic_tls_context(s->tls, false), argv[2]) != 1))
		rc = err_set(err, -EINVAL, "bad address or groups");
	if (rc == 0)
		rc = quic_connect(s, profile, &pin, 0, &to, &ops, h, err, &c);
	if (rc == 0)
		rc = loop_run(h);
	quic_conn_free(c);
	quic_socket_close(s);
	identity_free(id);
	return rc;
}

int main(int argc, char **argv)
{
	struct host *h = NULL;
	struct err err = { 0 };
	int rc = argc == 5 ? crypto_init(&err) : err_set(&err, -EINVAL, "four arguments");

	if (rc == 0)
		rc = host_new(&err, &h);
	if (rc == 0)
		rc = dial(h, argv, &err);
	host_free(h);
	if (rc < 0)
		fprintf(stderr, "dial: %s\n", err.text);
	return rc < 0;
}
