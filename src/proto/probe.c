/* SPDX-License-Identifier: MIT */
/* Probe frames, their bytes both ways. */
#include "proto/probe.h"

#include <errno.h>

#include "base/cursor.h"

#define FLAGS_KNOWN (PROBE_PROVEN | PROBE_URGENT)
#define PING_HEAD_LEN (1 + PROBE_TAG_LEN + 8 + 1 + 8)

ptrdiff_t probe_encode(const struct probe *p, const uint8_t key[PROBE_KEY_LEN], probe_hmac hmac,
		       void *buf, size_t cap)
{
	static const uint8_t zeros[64];
	struct writer w = writer_of(buf, cap);
	size_t len = p->type == PROBE_PONG ? PROBE_PONG_LEN : p->len, left;
	uint8_t mac[32];

	if (len < PROBE_PING_MIN || len > PROBE_MAX)
		return -EINVAL;
	write_u8(&w, (uint8_t)p->type);
	write_bytes(&w, p->tag, sizeof(p->tag));
	write_u64(&w, p->nonce);
	write_u8(&w, p->flags);
	if (p->type == PROBE_PONG) {
		write_bytes(&w, p->observed.ip, sizeof(p->observed.ip));
		write_u16(&w, p->observed.port);
	} else {
		write_u64(&w, p->counter);
		left = len - PING_HEAD_LEN - PROBE_MAC_LEN;
		for (; left > 0; left -= MIN(left, sizeof(zeros)))
			write_bytes(&w, zeros, MIN(left, sizeof(zeros)));
	}
	if (w.failed)
		return -ENOSPC;
	hmac(key, writer_span(&w), mac);
	write_bytes(&w, mac, PROBE_MAC_LEN);
	return w.failed ? -ENOSPC : (ptrdiff_t)len;
}

static bool all_zero(struct span s)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < s.len; i++)
		sum |= s.data[i];
	return sum == 0;
}

int probe_decode(struct span frame, struct probe *ret)
{
	struct reader r = reader_of(frame);
	struct probe p = { .len = frame.len };

	if (frame.len < PROBE_PING_MIN || frame.len > PROBE_MAX)
		return -EBADMSG;
	p.type = (enum probe_type)read_u8(&r);
	read_copy(&r, p.tag, sizeof(p.tag));
	p.nonce = read_u64(&r);
	p.flags = read_u8(&r);
	if (p.type == PROBE_PONG) {
		read_copy(&r, p.observed.ip, sizeof(p.observed.ip));
		p.observed.port = read_u16(&r);
	} else if (p.type == PROBE_PING) {
		p.counter = read_u64(&r);
		if (!all_zero(read_span(&r, reader_left(&r) - PROBE_MAC_LEN)))
			return -EBADMSG;
	} else {
		return -EBADMSG;
	}
	read_span(&r, PROBE_MAC_LEN);
	if (reader_end(&r) < 0 || (p.flags & ~FLAGS_KNOWN) ||
	    (p.type == PROBE_PONG && (p.flags & PROBE_URGENT)))
		return -EBADMSG;
	*ret = p;
	return 0;
}

int probe_verify(struct span frame, const uint8_t key[PROBE_KEY_LEN], probe_hmac hmac)
{
	uint8_t mac[32];

	if (frame.len < PROBE_MAC_LEN)
		return -EBADMSG;
	hmac(key, span_of(frame.data, frame.len - PROBE_MAC_LEN), mac);
	return secret_equal(mac, frame.data + frame.len - PROBE_MAC_LEN, PROBE_MAC_LEN) ? 0
											: -EBADMSG;
}

int probe_keys_export(probe_exporter exporter, void *conn, struct span cluster_id,
		      struct probe_keys *ret)
{
	uint8_t both[2 * PROBE_KEY_LEN];
	struct probe_keys k;
	int r = exporter(conn, PROBE_EXPORTER, cluster_id, both, sizeof(both));

	if (r == 0)
		r = exporter(conn, PROBE_TAG_EXPORTER, cluster_id, k.tag, sizeof(k.tag));
	if (r == 0) {
		memcpy(k.client, both, PROBE_KEY_LEN);
		memcpy(k.server, both + PROBE_KEY_LEN, PROBE_KEY_LEN);
		*ret = k;
	}
	secret_wipe(&k, sizeof(k));
	secret_wipe(both, sizeof(both));
	return r;
}
