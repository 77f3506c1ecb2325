/* SPDX-License-Identifier: MIT */
/*
 * Port mappings by the gateway: two nodes behind NATs that no punching gets through talk directly
 * when one of the gateways maps ports; mappings are kept, renewed, asked for again and taken away;
 * others on the LAN cannot make a node believe anything.
 */
#include "mapping_kit.h"
#include "os/sim/service.h"
#include "os/udp.h"
#include "proto/portmap.h"

static void becomes_direct(const struct portmapd_config *a, const struct portmapd_config *b,
			   unsigned who, enum mapper_method method)
{
	struct scene s = mapping_begin(a, b);
	struct mapper_status st;

	mapping_direct(&s);
	st = mapping_of(&s, who);
	ck_assert_int_eq(st.state, MAPPER_MAPPED);
	ck_assert_int_eq(st.method, method);
	ck_assert_uint_eq(st.gateway, GATEWAY(who));
	ck_assert_uint_eq(addr_ip4(&st.external), NAT_OUTER(who));
	ck_assert(mapping_is_candidate(&s, who, &st.external));
	ck_assert_uint_eq(portmapd_mappings(s.gateway[who]), 1);
	/* it lasts */
	sim_pass(s.m->w, 5 * MINUTE);
	ck_assert(nat_passed(s.m));
	ck_assert_uint_eq(mesh_flow(s.m, SECOND, 100), 0);
	mapping_end(&s);
}

START_TEST(pcp_on_one_side_makes_it_direct)
{
	becomes_direct(&mapping_by_pcp, NULL, 0, MAPPER_PCP);
	becomes_direct(NULL, &mapping_by_pcp, 1, MAPPER_PCP);
	becomes_direct(&mapping_by_pcp, &mapping_by_pcp, 0, MAPPER_PCP);
}
END_TEST

START_TEST(natpmp_does_too)
{
	becomes_direct(&mapping_by_natpmp, &mapping_silent, 0, MAPPER_NATPMP);
	becomes_direct(&mapping_silent, &mapping_by_natpmp, 1, MAPPER_NATPMP);
}
END_TEST

START_TEST(upnp_does_too)
{
	static const struct portmapd_config permanent = { .upnp = true, .upnp_permanent = true };

	becomes_direct(&mapping_by_upnp, &mapping_silent, 0, MAPPER_UPNP);
	becomes_direct(&mapping_silent, &mapping_by_upnp, 1, MAPPER_UPNP);
	becomes_direct(&permanent, NULL, 0, MAPPER_UPNP);
}
END_TEST

/* What the other one says of what is before it. */
static struct nat_kind told(struct mesh_node *n, struct mesh_node *other)
{
	struct tunnel *t = mesh_tunnel(n);
	const struct member *m = roster_by_address(mlog_roster(tunnel_log(t)), other->address,
						   ROSTER_CURRENT);
	struct nat_kind k = { 0 };

	ck_assert(m && overlay_peer_nat(tunnel_overlay(t), m, &k));
	return k;
}

/* Another device has the port already: the gateway gives another one. */
START_TEST(a_taken_port_is_no_end)
{
	const struct portmapd_config *kinds[] = { &mapping_by_pcp, &mapping_by_natpmp,
						  &mapping_by_upnp };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scene s = mapping_begin(kinds[i], NULL);
		struct addr other = addr_v4(IP(10, 7, 0, 99), 1);
		struct mapper_status st;

		for (uint16_t port = 32768; port < 32800; port++)
			SIM_CHECK_OK(s.m->w, nat_forward(s.nat[0], port, &other));
		mapping_direct(&s);
		st = mapping_of(&s, 0);
		ck_assert(st.external.port < 32768 || st.external.port >= 32800);
		ck_assert_int_eq(told(&s.m->node[1], &s.m->node[0]).mapping, MAPPING_ASKED);
		ck_assert_int_ne(told(&s.m->node[0], &s.m->node[1]).mapping, MAPPING_ASKED);
		mapping_end(&s);
	}
}
END_TEST

/* With neither it is the relay, the gateway is left alone, and status says why. */
START_TEST(without_a_mapping_it_is_the_relay)
{
	struct portmapd_config refuses = { .pcp = true, .refuse = 2 };
	struct scene s = mapping_begin(&mapping_silent, &refuses);
	struct mapper_status st;

	mesh_join_all(s.m);
	mesh_reach(s.m, 2 * SECOND);
	sim_pass(s.m->w, HOUR);
	ck_assert(!nat_passed(s.m));
	st = mapping_of(&s, 0);
	ck_assert_int_eq(st.state, MAPPER_NONE);
	ck_assert_ptr_nonnull(strstr(st.detail, "no answer"));
	st = mapping_of(&s, 1);
	ck_assert_int_eq(st.state, MAPPER_NONE);
	ck_assert_ptr_nonnull(strstr(st.detail, "not authorized"));
	ck_assert_uint_le(portmapd_requests(s.gateway[1]), 16);
	/* the gateway's owner allows it at last */
	portmapd_configure(s.gateway[1], &mapping_by_pcp);
	mesh_until(s.m, 2 * HOUR, nat_passed, s.m);
	mapping_end(&s);
}
END_TEST

/* [P6-54] */
START_TEST(a_node_with_a_public_address_asks_nobody)
{
	struct mesh *m = mesh_of(sim_seed(), 1);
	struct mapper_status st;

	sim_pass(m->w, MINUTE);
	overlay_mapping_status(tunnel_overlay(mesh_tunnel(&m->node[0])), &st);
	ck_assert_int_eq(st.state, MAPPER_UNNEEDED);
	mesh_free(m);
}
END_TEST

/* [P6-51] */
START_TEST(mappings_are_renewed_at_half_their_life)
{
	struct portmapd_config brief = { .pcp = true, .lifetime_max_s = 120 };
	struct scene s = mapping_begin(&brief, NULL);
	struct mapper_status st;
	struct addr external;
	size_t before;

	mapping_direct(&s);
	external = mapping_of(&s, 0).external;
	before = portmapd_requests(s.gateway[0]);
	sim_pass(s.m->w, 30 * MINUTE);
	ck_assert_uint_ge(portmapd_requests(s.gateway[0]) - before, 29);
	ck_assert_uint_le(portmapd_requests(s.gateway[0]) - before, 31);
	ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 1);
	st = mapping_of(&s, 0);
	ck_assert(addr_equal(&st.external, &external));
	ck_assert(nat_passed(s.m));
	/* Unanswered, it is kept until it ends. (What peers saw may be named for longer.) */
	portmapd_configure(s.gateway[0], &mapping_silent);
	sim_pass(s.m->w, 30 * SECOND);
	ck_assert_int_eq(mapping_of(&s, 0).state, MAPPER_MAPPED);
	ck_assert(mapping_is_candidate(&s, 0, &external));
	sim_pass(s.m->w, 2 * MINUTE);
	st = mapping_of(&s, 0);
	ck_assert_int_eq(st.state, MAPPER_NONE);
	ck_assert(addr_is_unset(&st.external));
	mapping_end(&s);
}
END_TEST

START_TEST(a_gateway_that_was_restarted_is_asked_again)
{
	const struct portmapd_config *kinds[] = { &mapping_by_pcp, &mapping_by_natpmp,
						  &mapping_by_upnp };
	const uint64_t within[] = { 70 * SECOND, 70 * SECOND, 11 * MINUTE };

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct scene s = mapping_begin(kinds[i], NULL);

		mapping_direct(&s);
		sim_pass(s.m->w, 5 * MINUTE);
		portmapd_reboot(s.gateway[0]);
		ck_assert_uint_eq(portmapd_mappings(s.gateway[0]), 0);
		mesh_until(s.m, within[i], mapping_is_there, s.gateway[0]);
		mesh_until(s.m, 70 * SECOND, nat_passed, s.m);
		mapping_end(&s);
	}
}
END_TEST

START_TEST(a_network_change_asks_the_new_gateway)
{
	struct scene s = mapping_begin(&mapping_by_pcp, NULL);
	struct nat_config sym = { .mapping = NAT_ADDRESS_AND_PORT_DEPENDENT,
				  .filtering = NAT_ADDRESS_AND_PORT_DEPENDENT };
	struct nat *other = nat_new(s.m->w, NULL, &sym, IP(203, 0, 113, 77));
	/* of the same address as the old one: only asking tells */
	struct portmapd *d = portmapd_new(other, "other", GATEWAY(0), &mapping_by_natpmp);
	struct mapper_status st;

	mapping_direct(&s);
	world_host_move(s.m->node[0].host, nat_net(other), IP(10, 7, 0, 2));
	mesh_until(s.m, 5 * SECOND, mapping_is_there, d);
	sim_pass(s.m->w, 100 * MS); /* the answer */
	st = mapping_of(&s, 0);
	ck_assert_int_eq(st.state, MAPPER_MAPPED);
	ck_assert_int_eq(st.method, MAPPER_NATPMP);
	ck_assert_uint_eq(addr_ip4(&st.external), IP(203, 0, 113, 77));
	mesh_until(s.m, 20 * SECOND, nat_passed, s.m);
	/* no gateway at all */
	world_host_move(s.m->node[0].host, world_public_net(s.m->w), IP(198, 51, 100, 9));
	sim_pass(s.m->w, SECOND);
	ck_assert_int_eq(mapping_of(&s, 0).state, MAPPER_UNNEEDED);
	ck_assert(!mapping_is_candidate(&s, 0, &st.external));
	portmapd_free(d);
	mapping_end(&s);
}
END_TEST

/* --- others on the LAN ----------------------------------------------------------------------- */

struct forger {
	struct scene *s;
	unsigned asked;	    /* requests of the node that were seen */
	struct addr client; /* where they came from */
	uint8_t last[PORTMAP_REQUEST_MAX];
	size_t last_len;
};

static bool sees_requests(void *ctx, struct host *from, const struct addr *src,
			  const struct addr *dst, uint8_t *data, size_t *len)
{
	struct forger *f = ctx;

	(void)from;
	if (dst->port == PORTMAP_PORT && *len <= sizeof(f->last)) {
		f->asked++;
		f->client = *src;
		memcpy(f->last, data, *len);
		f->last_len = *len;
	}
	return true;
}

static void forge(struct forger *f, struct udp *u, const struct portmap_answer *a)
{
	uint8_t buf[PORTMAP_REQUEST_MAX];
	ptrdiff_t len = portmap_answer_encode(a, buf, sizeof(buf));
	struct udp_tx tx = {
		.data = buf, .len = (size_t)len, .segment = (size_t)len, .to = f->client
	};

	ck_assert_int_gt(len, 0);
	ck_assert_uint_eq(udp_send(u, &tx, 1), 1);
}

/* What comes back is of no interest. */
static void drain(void *ctx)
{
	struct udp_rx rx[UDP_BATCH_MAX];

	udp_recv(*(struct udp **)ctx, rx, ARRAY_LEN(rx));
}

static size_t counts(void *ctx, const struct addr *from, struct span request, uint8_t *out,
		     size_t cap)
{
	(void)from, (void)request, (void)out, (void)cap;
	++*(unsigned *)ctx;
	return 0;
}

/* A neighbour answers what the node asks its silent gateway; the gateway's address lies as well. */
/* [P6-55] */
START_TEST(answers_of_others_are_not_believed)
{
	struct scene s = mapping_begin(&mapping_silent, NULL);
	struct forger f = { .s = &s };
	struct addr evil = addr_v4(IP(198, 51, 100, 66), 4444);
	struct udp_config uc = { .bind = { .port = PORTMAP_PORT } };
	struct host *neighbour = world_host_in(nat_net(s.nat[0]), "neighbour", IP(10, 7, 0, 66));
	struct udp *theirs, *other_port;
	struct portmap_request q;

	SIM_CHECK_OK(s.m->w, udp_open(neighbour, &uc, drain, &theirs, NULL, &theirs));
	uc.bind.port = 0;
	SIM_CHECK_OK(s.m->w, udp_open(portmapd_host(s.gateway[0]), &uc, drain, &other_port, NULL,
				      &other_port));
	world_tap(s.m->w, sees_requests, &f);
	mesh_join_all(s.m);
	for (int i = 0; i < 1000; i++) {
		sim_pass(s.m->w, 10 * MS);
		if (!f.last_len || portmap_request_decode(span_of(f.last, f.last_len), &q) < 0)
			continue;
		struct portmap_answer a = { .version = q.version,
					    .op = q.op,
					    .lifetime_s = 3600,
					    .internal_port = q.internal_port,
					    .external = evil };
		memcpy(a.nonce, q.nonce, sizeof(a.nonce));
		forge(&f, theirs, &a);	   /* right in all but the sender */
		forge(&f, other_port, &a); /* the gateway, but from another port */
	}
	ck_assert_uint_ge(f.asked, 4);
	ck_assert_int_eq(mapping_of(&s, 0).state, MAPPER_NONE);
	ck_assert(!mapping_is_candidate(&s, 0, &evil));
	udp_close(theirs);
	udp_close(other_port);
	mapping_end(&s);
}
END_TEST

/* A neighbour's word about the gateway, and the gateway's about a neighbour. */
/* [P6-56] */
START_TEST(upnp_of_others_is_not_believed)
{
	static const char *const evil[] = {
		"HTTP/1.1 200 OK\r\nLocation: http://10.7.0.1:5001/rootDesc.xml\r\n\r\n",
		"HTTP/1.1 200 OK\r\nLocation: http://10.7.0.66:5001/rootDesc.xml\r\n\r\n",
	};
	struct scene s = mapping_begin(&mapping_by_upnp, NULL);
	struct host *neighbour = world_host_in(nat_net(s.nat[0]), "neighbour", IP(10, 7, 0, 66));
	struct udp_config uc = { .bind = { .port = 1900 } };
	unsigned asked = 0;
	struct service *trap[] = {
		service_new(portmapd_host(s.gateway[0]), 5001, counts, &asked),
		service_new(neighbour, 5001, counts, &asked),
	};
	struct udp *u[2];

	SIM_CHECK_OK(s.m->w, udp_open(neighbour, &uc, drain, &u[0], NULL, &u[0]));
	uc.bind.port = 1901;
	SIM_CHECK_OK(s.m->w, udp_open(portmapd_host(s.gateway[0]), &uc, drain, &u[1], NULL, &u[1]));
	portmapd_configure(s.gateway[0], &mapping_silent);
	mesh_join_all(s.m);
	for (int i = 0; i < 1000; i++) {
		/* the node's ports are few: it need not be guessed which one searches */
		for (uint16_t port = 32768; port < 32776; port++) {
			for (int k = 0; k < 2; k++) {
				size_t len = strlen(evil[k]);
				struct udp_tx tx = { .data = (const uint8_t *)evil[k],
						     .len = len,
						     .segment = len,
						     .to = addr_v4(IP(10, 7, 0, 2), port) };

				ck_assert_uint_eq(udp_send(u[k], &tx, 1), 1);
			}
		}
		sim_pass(s.m->w, 10 * MS);
	}
	ck_assert_uint_eq(asked, 0);
	ck_assert_int_eq(mapping_of(&s, 0).state, MAPPER_NONE);
	service_free(trap[0]);
	service_free(trap[1]);
	udp_close(u[0]);
	udp_close(u[1]);
	mapping_end(&s);
}
END_TEST

/* What a tap makes of the gateway's answers, so that they come from the right address. */
struct liar {
	unsigned kind, lied;
	size_t sent; /* to the gateway */
};

enum { LIE_NONCE, LIE_PORT, LIE_LOOPBACK, LIE_OVERLAY, LIE_NO_LIFE, LIE_EPOCH, LIES };

static bool lies(void *ctx, struct host *from, const struct addr *src, const struct addr *dst,
		 uint8_t *data, size_t *len)
{
	static const uint8_t loopback[4] = { 127, 0, 0, 1 }, overlay[4] = { 100, 64, 0, 1 };
	struct liar *l = ctx;

	(void)from;
	l->sent += dst->port == PORTMAP_PORT;
	if (src->port != PORTMAP_PORT || (*len != 60 && l->kind != LIE_EPOCH))
		return true;
	l->lied++;
	switch (l->kind) {
		/* clang-format off */
	case LIE_NONCE: data[24] ^= 1; break;
	case LIE_PORT: data[41] ^= 1; break;
	case LIE_LOOPBACK: memcpy(data + 56, loopback, 4); break;
	case LIE_OVERLAY: memcpy(data + 56, overlay, 4); break;
	case LIE_NO_LIFE: memset(data + 4, 0, 4); break;
	case LIE_EPOCH: store_be32(data + 8, l->lied % 2 ? 7 : 1000000); break;
		/* clang-format on */
	}
	return true;
}

/* [P6-55] */
START_TEST(wrong_answers_are_not_believed)
{
	static const struct portmapd_config only_pcp = { .pcp = true };

	for (unsigned kind = 0; kind < LIE_EPOCH; kind++) {
		struct scene s = mapping_begin(&only_pcp, NULL);
		struct liar l = { .kind = kind };

		world_tap(s.m->w, lies, &l);
		mesh_join_all(s.m);
		sim_pass(s.m->w, 10 * SECOND);
		ck_assert_uint_ge(l.lied, 1);
		ck_assert_msg(mapping_of(&s, 0).state == MAPPER_NONE, "lie %u", kind);
		mapping_end(&s);
	}
}
END_TEST

/* A gateway whose clock jumps about is not asked more than a few times a minute. */
START_TEST(a_wild_epoch_is_no_flood)
{
	struct scene s = mapping_begin(&mapping_by_pcp, NULL);
	struct liar l = { .kind = LIE_EPOCH };
	size_t before;

	world_tap(s.m->w, lies, &l);
	mesh_join_all(s.m);
	sim_pass(s.m->w, MINUTE);
	before = l.sent;
	sim_pass(s.m->w, 10 * MINUTE);
	ck_assert_uint_le(l.sent - before, 25);
	ck_assert_int_eq(mapping_of(&s, 0).state, MAPPER_MAPPED);
	mapping_end(&s);
}
END_TEST

UNIT_MAIN("sim/paths_mapping", pcp_on_one_side_makes_it_direct, natpmp_does_too, upnp_does_too,
	  a_taken_port_is_no_end, without_a_mapping_it_is_the_relay,
	  a_node_with_a_public_address_asks_nobody, mappings_are_renewed_at_half_their_life,
	  a_gateway_that_was_restarted_is_asked_again, a_network_change_asks_the_new_gateway,
	  answers_of_others_are_not_believed, upnp_of_others_is_not_believed,
	  wrong_answers_are_not_believed, a_wild_epoch_is_no_flood)
