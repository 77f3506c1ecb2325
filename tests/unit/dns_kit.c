/* SPDX-License-Identifier: MIT */
/* Makes queries, and takes answers apart. */
#include "dns_kit.h"

void dnskit_put16(struct message *m, unsigned v)
{
	store_be16(m->data + m->len, (uint16_t)v);
	m->len += 2;
}

void dnskit_put_name(struct message *m, const char *name)
{
	while (*name) {
		size_t n = strcspn(name, ".");

		m->data[m->len++] = (uint8_t)n;
		memcpy(m->data + m->len, name, n);
		m->len += n;
		name += n + (name[n] == '.');
	}
	m->data[m->len++] = 0;
}

void dnskit_put_question(struct message *m, const char *name, unsigned type, unsigned class)
{
	dnskit_put_name(m, name);
	dnskit_put16(m, type);
	dnskit_put16(m, class);
}

struct message dnskit_header(unsigned flags, unsigned questions, unsigned additional)
{
	struct message m = { .len = 0 };

	dnskit_put16(&m, 0xbeef);
	dnskit_put16(&m, flags);
	dnskit_put16(&m, questions);
	dnskit_put16(&m, 0);
	dnskit_put16(&m, 0);
	dnskit_put16(&m, additional);
	return m;
}

struct message dnskit_query(const char *name, unsigned type)
{
	struct message m = dnskit_header(RD, 1, 0);

	dnskit_put_question(&m, name, type, IN);
	return m;
}

/* --- the answer's side --- */

size_t dnskit_get_name(const struct message *m, size_t at, char out[256])
{
	size_t end = 0, len = 0;

	out[0] = '\0';
	for (int jumps = 0; jumps < 20;) {
		ck_assert_uint_lt(at, m->len);
		unsigned n = m->data[at];

		if (n >= 0xc0) {
			if (!end)
				end = at + 2;
			at = load_be16(m->data + at) & 0x3fff;
			jumps++;
			continue;
		}
		at++;
		if (n == 0)
			return end ? end : at;
		ck_assert_uint_le(at + n, m->len);
		ck_assert_uint_lt(len + n + 1, 256);
		if (len)
			out[len++] = '.';
		memcpy(out + len, m->data + at, n);
		len += n;
		out[len] = '\0';
		at += n;
	}
	ck_abort_msg("compression loop in an answer");
}

struct answer dnskit_take_apart(const struct message *m)
{
	struct answer a = { .m = *m };
	size_t at = 12, n = 0;

	ck_assert_uint_ge(m->len, 12);
	a.id = load_be16(m->data);
	a.flags = load_be16(m->data + 2);
	a.rcode = a.flags & 15;
	for (size_t i = 0; i < 4; i++)
		a.count[i] = load_be16(m->data + 4 + 2 * i);
	ck_assert_uint_le(a.count[0], 1);
	if (a.count[0]) {
		at = dnskit_get_name(m, at, a.question);
		a.question_type = load_be16(m->data + at);
		at += 4;
	}
	ck_assert_uint_le(a.count[1] + a.count[2] + a.count[3], ARRAY_LEN(a.record));
	for (size_t i = a.count[1] + a.count[2] + a.count[3]; i > 0; i--) {
		struct dns_record *r = &a.record[n++];

		at = dnskit_get_name(m, at, r->name);
		ck_assert_uint_le(at + 10, m->len);
		r->type = load_be16(m->data + at);
		r->class = load_be16(m->data + at + 2);
		r->ttl = load_be32(m->data + at + 4);
		r->len = load_be16(m->data + at + 8);
		r->at = at + 10;
		at = r->at + r->len;
		ck_assert_uint_le(at, m->len);
		if (r->type == OPT)
			a.rcode |= r->ttl >> 24 << 4;
	}
	ck_assert_uint_eq(at, m->len);
	return a;
}

/* --- a zone: nas 100.96.0.1 (that is us), node1 .2, node2 .3 --- */

struct kit dnskit_zone_open(void)
{
	struct kit k = kit_open();

	ck_assert_int_eq(crypto_init(NULL), 0);
	kit_join(&k, 1);
	kit_join(&k, 2);
	return k;
}

struct dns_names dnskit_zone_names(const struct kit *k)
{
	return (struct dns_names){ .log = k->log, .self = roster_at(mlog_roster(k->log), 0) };
}

struct message dnskit_reply(const struct kit *k, const struct message *q)
{
	struct message m;
	uint8_t *copy = malloc(q->len ? q->len : 1); /* its exact size: reads past it are seen */

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, q->data, q->len);
	const struct dns_names names = dnskit_zone_names(k);
	m.len = dns_answer(&names, span_of(copy, q->len), m.data, DNS_MESSAGE_MAX);
	free(copy);
	return m;
}

struct answer dnskit_ask_message(const struct message *q)
{
	struct kit k = dnskit_zone_open();
	struct message m = dnskit_reply(&k, q);

	kit_close(&k);
	return dnskit_take_apart(&m);
}

struct answer dnskit_ask(const char *name, unsigned type)
{
	struct message q = dnskit_query(name, type);
	struct answer a = dnskit_ask_message(&q);

	ck_assert_uint_eq(a.id, 0xbeef);
	ck_assert_uint_eq(a.flags & (QR | RD | TC | RA), QR | RD);
	ck_assert_uint_eq(a.count[0], 1);
	ck_assert_str_eq(a.question, name); /* letter by letter: resolvers compare it (0x20) */
	ck_assert_uint_eq(a.question_type, type);
	return a;
}

void dnskit_check_address(const char *name, ip4 address)
{
	struct answer a = dnskit_ask(name, A);

	ck_assert_uint_eq(a.rcode, NOERROR);
	ck_assert(a.flags & AA);
	ck_assert_uint_eq(a.count[1], 1);
	ck_assert_uint_eq(a.count[2] + a.count[3], 0);
	ck_assert_msg(strcasecmp(a.record[0].name, name) == 0, "%s", a.record[0].name);
	ck_assert_uint_eq(a.record[0].type, A);
	ck_assert_uint_eq(a.record[0].class, IN);
	ck_assert_uint_eq(a.record[0].ttl, DNS_TTL_S);
	ck_assert_uint_eq(a.record[0].len, 4);
	ck_assert_uint_eq(load_be32(a.m.data + a.record[0].at), address);
}

void dnskit_check_nothing(const char *name, unsigned type, unsigned rcode)
{
	struct answer a = dnskit_ask(name, type);
	const struct dns_record *soa = &a.record[0];
	char text[256];

	ck_assert_msg(a.rcode == rcode, "%s type %u: rcode %u", name, type, a.rcode);
	ck_assert(a.flags & AA);
	ck_assert_uint_eq(a.count[1], 0);
	ck_assert_uint_eq(a.count[2], 1);
	ck_assert_uint_eq(soa->type, SOA);
	ck_assert_str_eq(soa->name, "homelab");
	ck_assert_uint_eq(soa->ttl, DNS_TTL_S);
	size_t at = dnskit_get_name(&a.m, soa->at, text);
	ck_assert_str_eq(text, "nas.homelab");
	at = dnskit_get_name(&a.m, at, text);
	ck_assert_str_eq(text, "hostmaster.homelab");
	ck_assert_uint_eq(at + 20, soa->at + soa->len);
	ck_assert_uint_eq(load_be32(a.m.data + at), 3); /* serial: entries of the log */
	ck_assert_uint_eq(load_be32(a.m.data + at + 16),
			  DNS_TTL_S); /* minimum: RFC 2308 section 4 */
}

void dnskit_check_refused(const char *name, unsigned type)
{
	struct answer a = dnskit_ask(name, type);

	ck_assert_msg(a.rcode == REFUSED, "%s: rcode %u", name, a.rcode);
	ck_assert(!(a.flags & AA));
	ck_assert_uint_eq(a.count[1] + a.count[2] + a.count[3], 0);
}
