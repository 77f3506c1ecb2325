/* SPDX-License-Identifier: MIT */
/* The file of a cluster's peers: one encoding each, and nothing else is accepted. */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os_unit.h"
#include "os/file.h"
#include "tund/peers.h"

static const uint8_t cluster_id[HASH_LEN] = { 0xc1 };

/* `n` peers, each with as many addresses as fit, or one more than the one before. */
static struct peers_file *file_of(size_t n, bool full)
{
	struct peers_file *f = peers_file_new(n);

	ck_assert_ptr_nonnull(f);
	memcpy(f->cluster_id, cluster_id, HASH_LEN);
	f->port = 40001;
	for (f->n = 0; f->n < n; f->n++) {
		struct peer_hint *p = &f->peer[f->n];

		memset(p->id.bytes, (int)f->n + 1, NODE_ID_LEN);
		p->at.n = full ? CANDIDATES_MAX : f->n % (CANDIDATES_MAX + 1);
		for (size_t i = 0; i < p->at.n; i++)
			p->at.item[i] = addr_v4(0xc6336401u + (ip4)i, (uint16_t)(65535 - i));
		if (p->at.n > 0) {
			static const uint8_t ip[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };

			p->at.item[0] = addr_v6(ip, 4433);
		}
	}
	return f;
}

static void check_same(const struct peers_file *a, const struct peers_file *b)
{
	ck_assert_mem_eq(a->cluster_id, b->cluster_id, HASH_LEN);
	ck_assert_uint_eq(a->port, b->port);
	ck_assert_uint_eq(a->n, b->n);
	ck_assert_uint_eq(a->has_nat, b->has_nat);
	ck_assert(addr_equal(&a->nat.echo, &b->nat.echo));
	ck_assert(addr_equal(&a->nat.observed, &b->nat.observed));
	ck_assert_uint_eq(a->nat.wall_s, b->nat.wall_s);
	ck_assert_uint_eq(a->nat.filtering, b->nat.filtering);
	for (size_t i = 0; i < a->n; i++) {
		ck_assert(node_id_equal(&a->peer[i].id, &b->peer[i].id));
		ck_assert_uint_eq(a->peer[i].at.n, b->peer[i].at.n);
		for (size_t k = 0; k < a->peer[i].at.n; k++)
			ck_assert(addr_equal(&a->peer[i].at.item[k], &b->peer[i].at.item[k]));
	}
}

static size_t encode(const struct peers_file *f, uint8_t **ret)
{
	uint8_t *bytes = malloc(PEERS_FILE_MAX + 1);
	ptrdiff_t n;

	ck_assert_ptr_nonnull(bytes);
	n = peers_file_encode(f, bytes, PEERS_FILE_MAX);
	ck_assert_int_gt(n, 0);
	*ret = bytes;
	return (size_t)n;
}

static void add_nat(struct peers_file *f)
{
	f->has_nat = true;
	f->nat = (struct nat_memory){ addr_v4(0xc0000201u, 4434), addr_v4(0xc6336404u, 7001),
				      1700000000, FILTERING_PORT };
}

START_TEST(low_ports_come_back)
{
	struct peers_file *f = file_of(1, false), *back = NULL;
	uint8_t *bytes;
	size_t len;

	f->port = 443;
	len = encode(f, &bytes);
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), 0);
	ck_assert_uint_eq(back->port, 443);
	free(back);
	free(f);
	free(bytes);
}
END_TEST

START_TEST(comes_back)
{
	static const size_t counts[] = { 0, 1, 9, 23, 24, 255, 256, OVERLAY_HINTS_MAX };

	for (size_t i = 0; i < 2 * ARRAY_LEN(counts); i++) {
		struct peers_file *f = file_of(counts[i / 2], i / 2 % 2), *back;
		uint8_t *bytes;
		size_t len;

		if (i % 2)
			add_nat(f);
		len = encode(f, &bytes);

		ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), 0);
		check_same(f, back);
		for (size_t cap = 0; cap < len; cap += 1 + cap / 3)
			ck_assert_int_eq(peers_file_encode(f, bytes, cap), -ENOSPC);
		free(back);
		free(f);
		free(bytes);
	}
}
END_TEST

START_TEST(has_these_bytes)
{
	struct peers_file *f = file_of(2, false);
	uint8_t *bytes;
	size_t len = encode(f, &bytes), at = 0;

	ck_assert_uint_eq(len, 1 + 1 + 34 + 3 + 1 + (1 + 17 + 1) + (1 + 17 + 1 + 19));
	ck_assert_mem_eq(bytes, "\x84\x01\x58\x20\xc1", 5);
	at = 2 + 34;
	ck_assert_mem_eq(bytes + at, "\x19\x9c\x41\x82\x82\x50\x01", 7);
	ck_assert_uint_eq(bytes[at + 3 + 1 + 1 + 17], 0x80);
	ck_assert_mem_eq(bytes + len - 20, "\x81\x52\x20\x01\x0d\xb8", 6);
	ck_assert_mem_eq(bytes + len - 3, "\x01\x11\x51", 3);
	free(f);
	free(bytes);
}
END_TEST

START_TEST(damage_is_refused)
{
	struct peers_file *f = file_of(5, true), *back = f;
	uint8_t *bytes;
	size_t len = encode(f, &bytes);

	for (size_t n = 0; n < len; n++)
		ck_assert_int_eq(peers_file_decode(span_of(bytes, n), &back), -EBADMSG);
	bytes[len] = 0;
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len + 1), &back), -EBADMSG);
	ck_assert_uint_eq(bytes[0], 0x84);
	bytes[0] = 0x82; /* the outer array says two elements, and four follow */
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), -EBADMSG);
	bytes[0] = 0x84;
	bytes[1] = 2; /* a later version */
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), -EBADMSG);
	bytes[1] = 3;
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), -EPROTONOSUPPORT);
	bytes[0] = 0x89; /* with other elements behind it */
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), -EPROTONOSUPPORT);
	f->port = PEERS_PORT_MIN - 1;
	free(bytes);
	len = encode(f, &bytes);
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), -EBADMSG);
	ck_assert_ptr_eq(back, f);
	free(f);
	free(bytes);
	f = file_of(OVERLAY_HINTS_MAX + 1, false);
	len = encode(f, &bytes);
	ck_assert_int_eq(peers_file_decode(span_of(bytes, len), &back), -EBADMSG);
	free(f);
	free(bytes);
}
END_TEST

/* Whatever bytes change: it is refused, or there is one encoding of what was understood. */
START_TEST(any_byte_may_change)
{
	struct peers_file *f = file_of(3, true);
	uint8_t *bytes, *again;
	size_t len, understood = 0;

	add_nat(f);
	len = encode(f, &bytes);
	for (size_t at = 0; at < len; at++) {
		uint8_t was = bytes[at];

		for (unsigned bit = 0; bit < 8; bit++) {
			struct peers_file *back;

			bytes[at] = was ^ (uint8_t)(1 << bit);
			if (peers_file_decode(span_of(bytes, len), &back) < 0)
				continue;
			understood++;
			ck_assert_uint_eq(encode(back, &again), len);
			ck_assert(memcmp(again, bytes, len) == 0);
			free(again);
			free(back);
		}
		bytes[at] = was;
	}
	ck_assert_uint_gt(understood, 0);
	free(f);
	free(bytes);
}
END_TEST

START_TEST(file_is_read_for_its_cluster_only)
{
	static const uint8_t other[HASH_LEN] = { 0xc2 };
	struct host *h = os_unit_host();
	struct peers_file *f = file_of(2, true), *back;
	char dir[] = "/tmp/mlsh-peers-XXXXXX", path[64];
	struct err err = { 0 };
	uint8_t *bytes;
	size_t len = encode(f, &bytes);

	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/homelab.peers", dir);
	ck_assert_int_eq(peers_file_load(h, dir, "homelab", cluster_id, &err, &back), -ENOENT);
	ck_assert_int_eq(file_write(h, path, bytes, len, 0600, &err), 0);
	ck_assert_int_eq(peers_file_load(h, dir, "homelab", cluster_id, &err, &back), 0);
	check_same(f, back);
	free(back);
	ck_assert_int_eq(peers_file_load(h, dir, "homelab", other, &err, &back), -ENOENT);
	ck_assert_int_eq(peers_file_load(h, dir, "../homelab", cluster_id, &err, &back), -EINVAL);
	ck_assert_int_eq(file_write(h, path, bytes, len - 1, 0600, &err), 0);
	ck_assert_int_eq(peers_file_load(h, dir, "homelab", cluster_id, &err, &back), -EBADMSG);
	ck_assert_msg(strstr(err.text, "homelab.peers is damaged"), "%s", err.text);
	free(bytes);
	bytes = calloc(1, PEERS_FILE_MAX + 1);
	ck_assert_int_eq(file_write(h, path, bytes, PEERS_FILE_MAX + 1, 0600, &err), 0);
	ck_assert_int_eq(peers_file_load(h, dir, "homelab", cluster_id, &err, &back), -EFBIG);
	unlink(path);
	rmdir(dir);
	free(bytes);
	free(f);
	host_free(h);
}
END_TEST

UNIT_MAIN("tund/peers", low_ports_come_back, comes_back, has_these_bytes, damage_is_refused,
	  any_byte_may_change, file_is_read_for_its_cluster_only)
