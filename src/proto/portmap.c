/* SPDX-License-Identifier: MIT */
/* The bytes of PCP and NAT-PMP messages. */
#include "proto/portmap.h"

#include <errno.h>

#include "base/cursor.h"

#define ANSWER_BIT 0x80
#define PROTOCOL_UDP 17
#define PCP_HEADER_LEN 24
#define NATPMP_REST_MAX 8 /* of an answer, behind result and epoch */

static const uint8_t zeros[12];

static bool op_known(uint8_t op)
{
	return op == PORTMAP_ASK || op == PORTMAP_MAP;
}

/* RFC 6887 section 5: an IPv4 address is an IPv4-mapped IPv6 one, "none" included. */
static void write_ip(struct writer *w, const struct addr *a)
{
	struct addr none = addr_v4(0, 0);

	write_bytes(w, addr_is_unset(a) ? none.ip : a->ip, sizeof(a->ip));
}

/* The part of PORTMAP_MAP, RFC 6887 section 11.1. */
static void write_pcp_map(struct writer *w, const uint8_t *nonce, uint16_t internal_port,
			  const struct addr *external)
{
	write_bytes(w, nonce, PORTMAP_NONCE_LEN);
	write_u8(w, PROTOCOL_UDP);
	write_bytes(w, zeros, 3);
	write_u16(w, internal_port);
	write_u16(w, external->port);
	write_ip(w, external);
}

/* Returns false if it is of another protocol than UDP. */
static bool read_pcp_map(struct reader *r, uint8_t *ret_nonce, uint16_t *ret_internal_port,
			 struct addr *ret_external)
{
	uint8_t protocol;

	read_copy(r, ret_nonce, PORTMAP_NONCE_LEN);
	protocol = read_u8(r);
	read_span(r, 3);
	*ret_internal_port = read_u16(r);
	ret_external->port = read_u16(r);
	read_copy(r, ret_external->ip, sizeof(ret_external->ip));
	return protocol == PROTOCOL_UDP;
}

static ptrdiff_t written(const struct writer *w)
{
	return w->failed ? -ENOSPC : (ptrdiff_t)writer_span(w).len;
}

ptrdiff_t portmap_request_encode(const struct portmap_request *q, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	write_u8(&w, (uint8_t)q->version);
	write_u8(&w, (uint8_t)q->op);
	if (q->version == PORTMAP_PCP) { /* section 7.1 */
		write_u16(&w, 0);
		write_u32(&w, q->lifetime_s);
		write_ip(&w, &q->client);
		if (q->op == PORTMAP_MAP)
			write_pcp_map(&w, q->nonce, q->internal_port, &q->external);
	} else if (q->op == PORTMAP_MAP) { /* RFC 6886 section 3.3 */
		write_u16(&w, 0);
		write_u16(&w, q->internal_port);
		write_u16(&w, q->external.port);
		write_u32(&w, q->lifetime_s);
	}
	return written(&w);
}

int portmap_request_decode(struct span in, struct portmap_request *ret)
{
	struct reader r = reader_of(in);
	struct portmap_request q = { .version = (enum portmap_version)read_u8(&r) };
	uint8_t op = read_u8(&r);

	if (!op_known(op))
		return -EBADMSG;
	q.op = (enum portmap_op)op;
	if (q.version == PORTMAP_PCP) {
		read_u16(&r);
		q.lifetime_s = read_u32(&r);
		read_copy(&r, q.client.ip, sizeof(q.client.ip));
		if (op == PORTMAP_MAP && !read_pcp_map(&r, q.nonce, &q.internal_port, &q.external))
			return -EBADMSG;
		read_span(&r, reader_left(&r));
	} else if (q.version != PORTMAP_NATPMP) {
		return -EBADMSG;
	} else if (op == PORTMAP_MAP) {
		read_u16(&r);
		q.internal_port = read_u16(&r);
		q.external.port = read_u16(&r);
		q.lifetime_s = read_u32(&r);
	}
	if (reader_end(&r) < 0 || in.len > PORTMAP_ANSWER_MAX)
		return -EBADMSG;
	*ret = q;
	return 0;
}

ptrdiff_t portmap_answer_encode(const struct portmap_answer *a, void *buf, size_t cap)
{
	struct writer w = writer_of(buf, cap);

	write_u8(&w, (uint8_t)a->version);
	write_u8(&w, (uint8_t)a->op | ANSWER_BIT);
	if (a->version == PORTMAP_PCP) {
		write_u8(&w, 0);
		write_u8(&w, (uint8_t)a->result);
		write_u32(&w, a->lifetime_s);
		write_u32(&w, a->epoch_s);
		write_bytes(&w, zeros, 12);
		if (a->op == PORTMAP_MAP)
			write_pcp_map(&w, a->nonce, a->internal_port, &a->external);
		return written(&w);
	}
	write_u16(&w, a->result);
	write_u32(&w, a->epoch_s);
	if (a->op == PORTMAP_MAP) {
		write_u16(&w, a->internal_port);
		write_u16(&w, a->external.port);
		write_u32(&w, a->lifetime_s);
	} else {
		write_u32(&w, addr_is_v4(&a->external) ? addr_ip4(&a->external) : 0);
	}
	return written(&w);
}

/* RFC 6887 sections 7.2 and 11.1; options follow, which say nothing about what we asked for. */
static bool read_pcp_answer(struct reader *r, struct portmap_answer *a)
{
	bool udp = true;

	read_u8(r);
	a->result = read_u8(r);
	a->lifetime_s = read_u32(r);
	a->epoch_s = read_u32(r);
	read_span(r, PCP_HEADER_LEN - 12);
	if (a->op == PORTMAP_MAP)
		udp = read_pcp_map(r, a->nonce, &a->internal_port, &a->external);
	if (reader_left(r) % 4 != 0)
		return false;
	read_span(r, reader_left(r));
	return udp;
}

static void read_natpmp_answer(struct reader *r, struct portmap_answer *a)
{
	a->result = read_u16(r);
	a->epoch_s = read_u32(r);
	if (a->result != PORTMAP_SUCCESS) { /* what follows, if anything, means nothing */
		read_span(r, MIN(reader_left(r), NATPMP_REST_MAX));
	} else if (a->op == PORTMAP_MAP) {
		a->internal_port = read_u16(r);
		a->external.port = read_u16(r);
		a->lifetime_s = read_u32(r);
	} else {
		a->external = addr_v4(read_u32(r), 0);
	}
}

int portmap_answer_decode(struct span in, struct portmap_answer *ret)
{
	struct reader r = reader_of(in);
	struct portmap_answer a = { .version = (enum portmap_version)read_u8(&r) };
	uint8_t op = read_u8(&r);

	if (in.len > PORTMAP_ANSWER_MAX || !(op & ANSWER_BIT) || !op_known(op & ~ANSWER_BIT & 0xff))
		return -EBADMSG;
	a.op = (enum portmap_op)(op & ~ANSWER_BIT & 0xff);
	if (a.version == PORTMAP_PCP) {
		if (!read_pcp_answer(&r, &a))
			return -EBADMSG;
	} else if (a.version == PORTMAP_NATPMP) {
		read_natpmp_answer(&r, &a);
	} else {
		return -EBADMSG;
	}
	if (reader_end(&r) < 0)
		return -EBADMSG;
	*ret = a;
	return 0;
}

/* RFC 6887 section 7.4, RFC 6886 section 3.5. */
const char *portmap_result_name(enum portmap_version v, uint16_t result)
{
	static const char *const pcp[] = {
		"success",
		"version not supported",
		"not authorized",
		"malformed request",
		"operation not supported",
		"option not supported",
		"malformed option",
		"network failure",
		"no resources left",
		"protocol not supported",
		"user's quota exceeded",
		"external address or port not to be had",
		"address mismatch: there is another NAT in between",
		"too many remote peers",
	};
	static const char *const natpmp[] = {
		"success",	   "version not supported", "not authorized",
		"network failure", "no resources left",	    "operation not supported",
	};

	if (v == PORTMAP_PCP)
		return result < ARRAY_LEN(pcp) ? pcp[result] : "unknown error";
	return result < ARRAY_LEN(natpmp) ? natpmp[result] : "unknown error";
}

/*
 * RFC 6887 section 8.5: the gateway's clock may run by 1/16 faster or slower than ours, and be off
 * by two seconds; else it began again. RFC 6886 allows it 1/8 and asks less.
 */
bool portmap_epoch_lost(struct portmap_epoch *e, uint32_t epoch_s, uint64_t now)
{
	struct portmap_epoch before = *e;
	uint64_t ours, theirs;

	*e = (struct portmap_epoch){ .known = true, .epoch_s = epoch_s, .at = now };
	if (!before.known)
		return false;
	if ((uint64_t)epoch_s + 1 < before.epoch_s)
		return true;
	ours = (now - before.at) / NS_PER_S;
	theirs = epoch_s > before.epoch_s ? epoch_s - before.epoch_s : 0;
	return ours + 2 < theirs - theirs / 16 || theirs + 2 < ours - ours / 16;
}
