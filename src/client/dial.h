/* SPDX-License-Identifier: MIT */
/*
 * Reaching the signal server: the name is resolved, and its addresses are tried staggered in time
 * (RFC 8305, "happy eyeballs") until one of them has completed a handshake with the pinned key. The
 * last good address is tried at once, without waiting for DNS. An address that the kernel refuses
 * to send to is given up at once.
 */
#ifndef MLSH_CLIENT_DIAL_H
#define MLSH_CLIENT_DIAL_H

#include "membership/entry.h"
#include "quic/quic.h"

#define DIAL_ADDRS_MAX 8
#define DIAL_STAGGER (250 * NS_PER_MS)

struct dial;

struct dial_params {
	struct quic_socket *socket; /* outlives the dial and the connection */
	const char *host;
	uint16_t port;
	struct quic_pin pin;
	struct addr last_good; /* unset if no address was good before */
	bool named_by_server;  /* the host: only addresses fit for candidates are tried */
	uint64_t dns_timeout;  /* ns */
	uint64_t timeout;      /* ns, for all of it */
	uint64_t again;	       /* ns between connections to one address; 0: one only */
	/* One line about what is being waited for. May be NULL. */
	void (*progress)(void *ctx, const char *line);
	void *progress_ctx;
	/* What the name resolved to, before any of it is tried. May be NULL. */
	void (*resolved)(void *ctx, const struct addr *addrs, size_t n);
	void *resolved_ctx;
};

/*
 * Called once, from the loop. Success: `err` is NULL, and `conn`, connected and verified, is the
 * caller's (who sets itself as its owner) and leads to `to`. Failure: REFUSAL_FINGERPRINT when a
 * server showed another key, else REFUSAL_UNREACHABLE; then the code says whether the kernel of
 * this machine refused to send (refuse_is_local). The dial is to be freed by its owner, from
 * within the call or later.
 */
typedef void (*dial_fn)(void *ctx, const struct err *err, struct quic_conn *conn,
			const struct addr *to);

int dial_start(struct host *h, const struct dial_params *p, dial_fn fn, void *ctx, struct err *err,
	       struct dial **ret) MUST_CHECK;
void dial_free(struct dial *d); /* gives up what is under way; NULL allowed */

#endif
