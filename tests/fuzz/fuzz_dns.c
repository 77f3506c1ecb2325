/* SPDX-License-Identifier: MIT */
/* DNS queries from anybody who can send to a node's overlay address. */
#include <stdlib.h>

#include "crypto/init.h"
#include "identity/identity.h"
#include "tund/dns.h"

/* A cluster "homelab" with its first admin "nas", from a fixed key. */
static struct mlog *log_new(void)
{
	static const uint8_t seed[SIGN_SEED_LEN] = { 1 }, map_seed[16] = { 2 };
	struct genesis g = {
		.name = "homelab",
		.subnet = { 0x64400000, 10 },
		.node_name = "nas",
		.address = 0x64400001,
		.server = { .host = "signal.example.org", .port = SIGNAL_PORT },
		.random = { 3 },
	};
	struct mlog *log = mlog_new(map_seed);
	struct identity *admin = NULL;
	struct entry_bytes b;

	if (!log || crypto_init(NULL) < 0 || identity_from_seed(seed, NULL, &admin) < 0)
		abort();
	memcpy(g.key, identity_key(admin), KEY_LEN);
	memcpy(g.server.order_key, g.key, KEY_LEN);
	if (genesis_make(&g, 1800000000, identity_signer(admin), &b, NULL) < 0 ||
	    mlog_found(log, span_of(b.data, b.len), NULL) < 0)
		abort();
	identity_free(admin);
	return log;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mlog *log;
	uint8_t out[DNS_MESSAGE_MAX];

	if (!log)
		log = log_new();
	const struct dns_names names = { .log = log,
					 .self = roster_next(mlog_roster(log), NULL, ROSTER_ALL) };
	size_t n = dns_answer(&names, span_of(data, size), out, sizeof(out));

	if (size < 12 || data[2] & 0x80) {
		if (n != 0)
			abort(); /* it was not a query */
		return 0;
	}
	if (n < 12 || n > sizeof(out))
		abort();
	/* The same id, a response, opcode and RD as asked; never recursion. */
	if (memcmp(out, data, 2) != 0 || (out[2] & 0xf9) != (0x80 | (data[2] & 0x79)) ||
	    out[3] & 0x80)
		abort();
	/* And that is again nothing that would be answered. */
	if (dns_answer(&names, span_of(out, n), out, sizeof(out)) != 0)
		abort();
	return 0;
}
