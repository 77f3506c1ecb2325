/* SPDX-License-Identifier: MIT */
/* Each message has a name of its own, and no value goes beyond the tables. */
#include "proto/names.h"

#include "unit.h"

/* The first n names, from 1 on, are known and differ; the next is unknown. */
#define CHECK_NAMES(name_of, type, n)                                                              \
	do {                                                                                       \
		for (int i = 1; i <= (n); i++) {                                                   \
			ck_assert_str_ne(name_of((type)i), "unknown");                             \
			for (int j = 1; j < i; j++)                                                \
				ck_assert_str_ne(name_of((type)i), name_of((type)j));              \
		}                                                                                  \
		ck_assert_str_eq(name_of((type)((n) + 1)), "unknown");                             \
		ck_assert_str_eq(name_of((type)0), "unknown");                                     \
		ck_assert_str_eq(name_of((type)UINT32_MAX), "unknown");                            \
	} while (0)

START_TEST(each_message_has_its_name)
{
	CHECK_NAMES(peer_message_name, enum peer_message_type, PEER_OPENED);
	CHECK_NAMES(signal_request_name, enum signal_request_type, SIGNAL_REQUEST_TYPES - 1);
	CHECK_NAMES(signal_event_name, enum signal_event_type, SIGNAL_EV_BEACON);
}
END_TEST

START_TEST(each_kind_of_nat_has_its_name)
{
	CHECK_NAMES(nat_mapping_name, enum nat_mapping, MAPPINGS - 1);
	CHECK_NAMES(nat_filtering_name, enum nat_filtering, FILTERINGS - 1);
}
END_TEST

UNIT_MAIN("proto/names", each_message_has_its_name, each_kind_of_nat_has_its_name)
