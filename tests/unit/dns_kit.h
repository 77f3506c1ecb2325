/* SPDX-License-Identifier: MIT */
/*
 * DNS messages by hand, independent of the library that the server uses: building, taking apart,
 * asking.
 */
#ifndef MLSH_TESTS_DNS_KIT_H
#define MLSH_TESTS_DNS_KIT_H

#include <strings.h>

#include "crypto/init.h"
#include "log_kit.h"
#include "tund/dns.h"

enum { A = 1, NS = 2, SOA = 6, PTR = 12, TXT = 16, AAAA = 28, OPT = 41, HTTPS = 65, ANY = 255 };
enum { NOERROR = 0, FORMERR = 1, NXDOMAIN = 3, NOTIMP = 4, REFUSED = 5, BADVERS = 16 };

#define IN 1
#define CH 3
#define RD 0x0100
#define QR 0x8000
#define AA 0x0400
#define TC 0x0200
#define RA 0x0080

struct message {
	uint8_t data[2048];
	size_t len;
};

void dnskit_put16(struct message *m, unsigned v);
void dnskit_put_name(struct message *m, const char *name);
void dnskit_put_question(struct message *m, const char *name, unsigned type, unsigned class);
struct message dnskit_header(unsigned flags, unsigned questions, unsigned additional);
struct message dnskit_query(const char *name, unsigned type);

/* --- the answer's side --- */

struct dns_record {
	char name[256];
	unsigned type, class, ttl;
	size_t at, len; /* of its data */
};

struct answer {
	struct message m;
	unsigned id, flags, rcode, count[4];
	char question[256];
	unsigned question_type;
	struct dns_record record[8];
};

/* Returns where reading goes on. */
size_t dnskit_get_name(const struct message *m, size_t at, char out[256]);

struct answer dnskit_take_apart(const struct message *m);

/* --- a zone: nas 100.96.0.1 (that is us), node1 .2, node2 .3 --- */

struct kit dnskit_zone_open(void);
struct dns_names dnskit_zone_names(const struct kit *k);
struct message dnskit_reply(const struct kit *k, const struct message *q);
struct answer dnskit_ask_message(const struct message *q);
struct answer dnskit_ask(const char *name, unsigned type);
void dnskit_check_address(const char *name, ip4 address);

/* An authoritative no: NOERROR or NXDOMAIN, with how long it holds. */
void dnskit_check_nothing(const char *name, unsigned type, unsigned rcode);

void dnskit_check_refused(const char *name, unsigned type);

#endif
