/* SPDX-License-Identifier: MIT */
/* The daemon's own copy of a cluster: what is damaged, or of a newer version, is told apart. */
#include "proto_kit.h"
#include "tund/node_file.h"

#define VECTORS "tests/vectors/local.txt"

static uint8_t cluster[CLUSTER_BYTES_MAX];

static struct node_file example(void)
{
	size_t n = kit_vector(VECTORS, "cluster", cluster, sizeof(cluster));

	return (struct node_file){ span_of(cluster, n), span_str("certificate"),
				   span_str("private key") };
}

/* [P5-17] */
START_TEST(bytes_are_as_documented)
{
	uint8_t want[1024], bytes[1024];
	struct node_file f = example(), back;
	ptrdiff_t n = node_file_encode(&f, bytes, sizeof(bytes));

	ck_assert_int_gt(n, 0);
	ck_assert_uint_eq(kit_vector(VECTORS, "node_file", want, sizeof(want)), (size_t)n);
	ck_assert_mem_eq(bytes, want, (size_t)n);
	ck_assert_int_eq(node_file_decode(span_of(want, (size_t)n), &back), 0);
	ck_assert(span_equal(back.cluster, f.cluster) && span_equal(back.cert, f.cert) &&
		  span_equal(back.key, f.key));
	for (ptrdiff_t cap = 0; cap < n; cap++)
		ck_assert_int_eq(node_file_encode(&f, bytes, (size_t)cap), -ENOSPC);
}
END_TEST

START_TEST(the_largest_fits)
{
	static uint8_t pem[NODE_FILE_PEM_MAX], file[NODE_FILE_MAX];
	struct node_file f = { span_of(pem, CLUSTER_BYTES_MAX), span_of(pem, sizeof(pem)),
			       span_of(pem, sizeof(pem)) },
			 back;
	ptrdiff_t n = node_file_encode(&f, file, sizeof(file));

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(node_file_decode(span_of(file, (size_t)n), &back), 0);
}
END_TEST

/* [P5-18] */
START_TEST(each_flipped_bit_is_noticed)
{
	uint8_t bytes[1024];
	struct node_file f = example(), back;
	ptrdiff_t n = node_file_encode(&f, bytes, sizeof(bytes) - 1);

	ck_assert_int_gt(n, 0);
	for (size_t bit = 0; bit < 8 * (size_t)n; bit++) {
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ck_assert_int_lt(node_file_decode(span_of(bytes, (size_t)n), &back), 0);
		bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t len = 0; len < (size_t)n; len++)
		ck_assert_int_eq(node_file_decode(span_of(bytes, len), &back), -EBADMSG);
	bytes[n] = 0;
	ck_assert_int_eq(node_file_decode(span_of(bytes, (size_t)n + 1), &back), -EBADMSG);
	bytes[1] = 2; /* a later version, whatever its checksum is */
	ck_assert_int_eq(node_file_decode(span_of(bytes, (size_t)n), &back), -EPROTONOSUPPORT);
}
END_TEST

UNIT_MAIN("tund/node_file", bytes_are_as_documented, the_largest_fits, each_flipped_bit_is_noticed)
