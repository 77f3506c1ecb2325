/* SPDX-License-Identifier: MIT */
/* Which ports are tried when a NAT gives them in turn. */
#include "overlay/reach/predict.h"
#include "unit.h"

/* [P6-44] */
START_TEST(near_ports_come_first_and_each_comes_once)
{
	static const uint16_t first[] = { 40001, 39999, 40002, 39998, 40003, 39997 };
	bool seen[UINT16_MAX + 1] = { false };

	for (unsigned i = 0; i < ARRAY_LEN(first); i++)
		ck_assert_uint_eq(predict_port(40000, i), first[i]);
	for (unsigned i = 0; i < PREDICT_PORTS; i++) {
		uint16_t port = predict_port(40000, i);

		ck_assert(!seen[port]);
		seen[port] = true;
	}
	for (unsigned port = 40000 - PREDICT_REACH; port <= 40000 + PREDICT_REACH; port++)
		ck_assert(seen[port] == (port != 40000));
}
END_TEST

START_TEST(no_port_is_out_of_range)
{
	static const uint16_t last[] = { 0, 1, 1023, 1024, 1030, 65500, 65534, 65535 };

	for (size_t k = 0; k < ARRAY_LEN(last); k++) {
		for (unsigned i = 0; i < PREDICT_PORTS; i++) {
			uint16_t port = predict_port(last[k], i);

			ck_assert(port == 0 || port >= 1024);
			ck_assert(port == 0 || (port <= last[k] + PREDICT_REACH &&
						port + PREDICT_REACH >= last[k]));
		}
	}
	ck_assert_uint_eq(predict_port(65535, 0), 0);
	ck_assert_uint_eq(predict_port(65535, 1), 65534);
	ck_assert_uint_eq(predict_port(1024, 1), 0);
}
END_TEST

UNIT_MAIN("unit/overlay_predict", near_ports_come_first_and_each_comes_once,
	  no_port_is_out_of_range)
