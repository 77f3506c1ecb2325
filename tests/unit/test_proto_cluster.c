/* SPDX-License-Identifier: MIT */
/* What is handed over and kept of a cluster: one encoding each, and nothing else is accepted. */
#include "proto/cbor.h"
#include "proto/cluster.h"
#include "proto_kit.h"

#define VECTORS "tests/vectors/local.txt"

static struct cluster_file example(void)
{
	struct cluster_file f = {
		.cluster = "homelab",
		.node_name = "nas",
		.address = 0x64400001,
		.subnet = { 0x64400000, 10 },
		.signal_host = "signal.example.org",
		.signal_port = 4433,
	};

	kit_bytes(0x00, f.cluster_id, HASH_LEN);
	kit_bytes(0x20, f.node_id.bytes, NODE_ID_LEN);
	kit_bytes(0x40, f.node_token, HASH_LEN);
	kit_bytes(0x60, f.signal_cert, HASH_LEN);
	kit_bytes(0x80, f.signal_key, HASH_LEN);
	return f;
}

static size_t encode(const struct cluster_file *f, uint8_t out[CLUSTER_BYTES_MAX + 1])
{
	ptrdiff_t n = cluster_encode(f, out, CLUSTER_BYTES_MAX);

	ck_assert_int_gt(n, 0);
	return (size_t)n;
}

START_TEST(bytes_are_as_documented)
{
	uint8_t want[CLUSTER_BYTES_MAX], bytes[CLUSTER_BYTES_MAX + 1];
	struct cluster_file f = example(), back;
	size_t n = encode(&f, bytes);

	ck_assert_uint_eq(kit_vector(VECTORS, "cluster", want, sizeof(want)), n);
	ck_assert_mem_eq(bytes, want, n);
	ck_assert_int_eq(cluster_decode(span_of(want, n), &back), 0);
	ck_assert(cluster_equal(&f, &back));
	for (size_t cap = 0; cap < n; cap++)
		ck_assert_int_eq(cluster_encode(&f, bytes, cap), -ENOSPC);
}
END_TEST

START_TEST(the_largest_fits)
{
	uint8_t bytes[CLUSTER_BYTES_MAX + 1];
	struct cluster_file f = example(), back;

	memset(f.cluster, 'c', LABEL_MAX);
	memset(f.node_name, 'n', LABEL_MAX);
	memset(f.signal_host, 'h', HOST_TEXT_MAX);
	f.signal_port = UINT16_MAX;
	f.subnet = (struct prefix4){ 0xc0a80000, 29 };
	f.address = 0xc0a80006;
	size_t n = encode(&f, bytes);
	ck_assert_int_eq(cluster_decode(span_of(bytes, n), &back), 0);
	ck_assert(cluster_equal(&f, &back));
}
END_TEST

START_TEST(every_field_counts_for_equality)
{
	struct cluster_file f = example(), other = f;

#define DIFFERS(change)                                                                            \
	do {                                                                                       \
		other = f;                                                                         \
		change;                                                                            \
		ck_assert_msg(!cluster_equal(&f, &other), "%s", #change);                          \
	} while (0)
	ck_assert(cluster_equal(&f, &other));
	DIFFERS(other.cluster[0]++);
	DIFFERS(other.cluster_id[31] ^= 1);
	DIFFERS(other.subnet.bits++);
	DIFFERS(other.node_name[0]++);
	DIFFERS(other.node_id.bytes[0] ^= 1);
	DIFFERS(other.address++);
	DIFFERS(other.node_token[0] ^= 1);
	DIFFERS(strcpy(other.signal_host, "signal.example.or"));
	DIFFERS(other.signal_port++);
	DIFFERS(other.signal_cert[0] ^= 1);
	DIFFERS(other.signal_key[0] ^= 1);
#undef DIFFERS
}
END_TEST

static void check_refused(const struct cluster_file *f, const char *what)
{
	uint8_t bytes[CLUSTER_BYTES_MAX + 1];
	struct cluster_file back = { .signal_port = 77 };

	ck_assert_msg(cluster_decode(span_of(bytes, encode(f, bytes)), &back) == -EBADMSG, "%s",
		      what);
	ck_assert_uint_eq(back.signal_port, 77);
}

/* [P5-14] */
START_TEST(bad_values_are_refused)
{
	struct cluster_file f;

#define REFUSED(change)                                                                            \
	do {                                                                                       \
		f = example();                                                                     \
		change;                                                                            \
		check_refused(&f, #change);                                                        \
	} while (0)
	REFUSED(strcpy(f.cluster, ""));
	REFUSED(strcpy(f.cluster, "Homelab"));
	REFUSED(strcpy(f.cluster, "../x"));
	REFUSED(strcpy(f.node_name, "a.b"));
	REFUSED(strcpy(f.node_name, "-"));
	REFUSED(strcpy(f.signal_host, ""));
	REFUSED(f.signal_port = 0);
	REFUSED(f.subnet.net++);
	REFUSED(f.subnet = ((struct prefix4){ 0x08080000, 16 })); /* not one for overlays */
	REFUSED(f.subnet.bits = 30);
	REFUSED(f.subnet.bits = 0);
	REFUSED(f.address = 0x64400000); /* the network's own */
	REFUSED(f.address = 0x647fffff); /* broadcast */
	REFUSED(f.address = 0xc0a80001);
#undef REFUSED
}
END_TEST

START_TEST(torn_longer_and_newer_ones_are_told_apart)
{
	uint8_t bytes[CLUSTER_BYTES_MAX + 1];
	struct cluster_file f = example(), back;
	size_t n = encode(&f, bytes);

	for (size_t len = 0; len < n; len++)
		ck_assert_int_eq(cluster_decode(span_of(bytes, len), &back), -EBADMSG);
	bytes[n] = 0;
	ck_assert_int_eq(cluster_decode(span_of(bytes, n + 1), &back), -EBADMSG);
	bytes[1] = 0; /* version */
	ck_assert_int_eq(cluster_decode(span_of(bytes, n), &back), -EBADMSG);
	bytes[1] = 2;
	ck_assert_int_eq(cluster_decode(span_of(bytes, n), &back), -EPROTONOSUPPORT);
	bytes[0]++; /* with another element behind it */
	ck_assert_int_eq(cluster_decode(span_of(bytes, n + 1), &back), -EPROTONOSUPPORT);
}
END_TEST

/* The port as a 32-bit integer: the same value, and another encoding. */
/* [P5-14] */
START_TEST(there_is_one_encoding)
{
	uint8_t bytes[CLUSTER_BYTES_MAX + 1], longer[CLUSTER_BYTES_MAX + 3];
	struct cluster_file f = example(), back;
	size_t n = encode(&f, bytes), at = n - 2 * 34 - 3;

	ck_assert_uint_eq(bytes[at], 0x19);
	memcpy(longer, bytes, at);
	longer[at] = 0x1a;
	longer[at + 1] = longer[at + 2] = 0;
	memcpy(longer + at + 3, bytes + at + 1, n - at - 1);
	ck_assert_int_eq(cluster_decode(span_of(longer, n + 2), &back), -EBADMSG);
}
END_TEST

UNIT_MAIN("proto/cluster", bytes_are_as_documented, the_largest_fits,
	  every_field_counts_for_equality, bad_values_are_refused,
	  torn_longer_and_newer_ones_are_told_apart, there_is_one_encoding)
