/* SPDX-License-Identifier: MIT */
/* Which subnet setup takes where the host uses some of the addresses itself. */
#include "client_kit.h"

/* What connect would refuse is refused while the token is still good. */
START_TEST(setup_of_what_the_host_uses_spends_no_token)
{
	static const struct prefix4 lan = { IP(10, 9, 0, 0), 16 };
	struct setup_params p;
	struct kit k;
	struct kit_node *nas, *other;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	other = kit_node(&k, "other");
	world_host_uses(nas->host, lan, "the lan");
	p = kit_setup_params(nas);
	p.has_subnet = true;
	p.subnet = (struct prefix4){ IP(10, 9, 7, 0), 24 };
	kit_setup_with(nas, &p);
	ck_assert(!nas->joined && strstr(nas->join_err.text, "the lan"));
	ck_assert_int_eq(nas->join_err.reason, REFUSAL_SUBNET);
	ck_assert(kit_has_nothing(nas));
	kit_setup(other);
	KIT_JOINED(other);
	kit_world_close(&k);
}
END_TEST

/* The server's own range collides with what the host uses: setup takes another by itself. */
START_TEST(setup_chooses_another_subnet_where_the_usual_one_is_in_use)
{
	static const struct prefix4 carrier = { IP(100, 64, 0, 0), 16 };
	static const struct prefix4 lan = { IP(10, 0, 0, 0), 9 };
	struct kit k;
	struct kit_node *nas;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	world_host_uses(nas->host, carrier, "the carrier's network");
	world_host_uses(nas->host, lan, "the lan");
	kit_setup(nas);
	KIT_JOINED(nas);
	ck_assert_ptr_nonnull(strstr(nas->result.note, "the carrier's network"));
	ck_assert_uint_eq(nas->result.cluster.subnet.bits, 16);
	ck_assert_uint_eq(nas->result.cluster.subnet.net >> 23, IP(10, 128, 0, 0) >> 23);
	ck_assert_uint_eq(nas->result.cluster.address, nas->result.cluster.subnet.net + 1);
	kit_load(nas);
	kit_world_close(&k);
}
END_TEST

START_TEST(setup_that_finds_no_free_subnet_says_what_collides)
{
	static const struct prefix4 all = { 0, 1 }, other_half = { 1u << 31, 1 };
	struct kit k;
	struct kit_node *nas;

	kit_world_open(&k);
	nas = kit_node(&k, "nas");
	world_host_uses(nas->host, all, "everything");
	world_host_uses(nas->host, other_half, "everything");
	kit_setup(nas);
	ck_assert(!nas->joined);
	ck_assert_int_eq(nas->join_err.reason, REFUSAL_SUBNET);
	ck_assert_ptr_nonnull(strstr(nas->join_err.text, "everything"));
	ck_assert(kit_has_nothing(nas));
	kit_world_close(&k);
}
END_TEST

UNIT_MAIN("client/subnet", setup_of_what_the_host_uses_spends_no_token,
	  setup_chooses_another_subnet_where_the_usual_one_is_in_use,
	  setup_that_finds_no_free_subnet_says_what_collides)
