/* SPDX-License-Identifier: MIT */
/*
 * Invites: what a sponsor signs, and the URL that carries it (docs/protocol/02-membership-log.md,
 * "Invite").
 */
#ifndef MLSH_MEMBERSHIP_INVITE_H
#define MLSH_MEMBERSHIP_INVITE_H

#include "base/addr.h"
#include "base/label.h"
#include "crypto/sign.h"
#include "proto/limits.h"

enum member_role { ROLE_NODE = 0, ROLE_ADMIN = 1 };

#define NONCE_LEN 16
#define LOG_TIME_MAX_S 253402300799u /* end of the year 9999 */

/* The last record of a log. */
struct head {
	uint64_t seq;
	uint8_t hash[HASH_LEN];
};

struct invite {
	uint8_t cluster_id[HASH_LEN];
	char cluster_name[LABEL_MAX + 1];
	struct node_id sponsor;
	enum member_role role;
	uint64_t issued, expiry; /* seconds since 1970 */
	uint8_t nonce[NONCE_LEN];
	struct head head; /* that the sponsor knew */
	uint8_t signal_key[HASH_LEN];
	char node_name[LABEL_MAX + 1]; /* "": any */
	bool replaces;
	struct node_id replace; /* the member whose name and address the new node takes over */
	uint8_t key[KEY_LEN];	/* public half of the one-time key */
};

/*
 * Encodes and signs. `ret` gets the invite's bytes, their number goes to *ret_len. -EINVAL when it
 * would not be well-formed. `sponsor` holds the key in force of the member that the invite names.
 */
int invite_make(const struct invite *inv, const struct signer *sponsor,
		uint8_t ret[INVITE_MAX_BYTES], size_t *ret_len, uint8_t ret_sig[SIG_LEN],
		struct err *err) MUST_CHECK;
/* Form only. -EBADMSG (REFUSAL_TAMPERED), -EPROTONOSUPPORT for a later version or a flag. */
int invite_decode(struct span bytes, struct invite *ret, struct err *err) MUST_CHECK;

/* The URL that carries an invite. All of it is secret until used. */
struct invite_url {
	char host[HOST_TEXT_MAX + 1]; /* without brackets, as hostport_parse returns it */
	uint16_t port;
	uint8_t signal_key[HASH_LEN];
	uint8_t invite_bytes[INVITE_MAX_BYTES];
	size_t invite_len;
	uint8_t invite_sig[SIG_LEN];
	uint8_t one_time[SIGN_SEED_LEN];
	struct invite invite;
};

/* `out` should hold INVITE_URL_MAX bytes; the caller wipes it. -ENOSPC. */
int invite_url_format(const struct invite_url *u, char *out, size_t cap, struct err *err)
	MUST_CHECK;
/*
 * Form, and that the parts agree (fingerprint, one-time key): -EBADMSG, REFUSAL_TAMPERED if not.
 * The sponsor's signature can only be checked with the log. -EPROTONOSUPPORT for a later
 * version.
 */
int invite_url_parse(const char *text, struct invite_url *ret, struct err *err) MUST_CHECK;
void invite_url_wipe(struct invite_url *u);
/*
 * "host", "host:port", "1.2.3.4", "[v6]:port", bare v6: for --signal-host and the URL. Yields
 * names in lower case and addresses in their canonical form. -EINVAL.
 */
int hostport_parse(const char *text, uint16_t default_port, char ret_host[HOST_TEXT_MAX + 1],
		   uint16_t *ret_port, struct err *err) MUST_CHECK;
/* Which machines a host in its normal form leads to the same server, by its form alone. */
enum host_reach {
	HOST_REACH_ALL,	    /* all, as far as its form says */
	HOST_REACH_NETWORK, /* those in the same private network: 192.168.1.5, server.lan */
	HOST_REACH_LINK,    /* those at the same link: 169.254.1.1, server.local */
	HOST_REACH_SELF	    /* it leads each machine to itself: localhost, 127.0.0.1, :: */
};
enum host_reach host_reach(const char *host);
/* Is the name that of the zone, or of something in it? Never for an address. */
bool host_in_zone(const char *host, const char *zone);

#endif
