/* SPDX-License-Identifier: MIT */
/*
 * What `mlsh why` and `mlsh netcheck` say, where the truth is known: two nodes behind NATs of every
 * kind, each with each. And `mlsh ping`.
 */
#include <json-c/json.h>

#include "mesh.h"
#include "os/sim/portmapd.h"
#include "tund/ping.h"

static const struct kind {
	const char *name;
	bool nat, blocked;
	enum nat_depends on; /* mapping of a symmetric one, else endpoint independent */
	enum nat_depends filtering;
	const char *says_mapping, *says_filtering;
} kinds[] = {
	{ "open", false, false, 0, 0, "none", "open" },
	{ "full cone", true, false, NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT,
	  "independent", "open" },
	/* The server's second port has the same address. */
	{ "address", true, false, NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_DEPENDENT, "independent",
	  "open" },
	{ "port", true, false, NAT_ENDPOINT_INDEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT,
	  "independent", "port" },
	{ "symmetric", true, false, NAT_ADDRESS_AND_PORT_DEPENDENT, NAT_ADDRESS_AND_PORT_DEPENDENT,
	  "dependent", "port" },
	{ "blocked", true, true, NAT_ENDPOINT_INDEPENDENT, NAT_ENDPOINT_INDEPENDENT, "independent",
	  "open" },
};

#define KINDS ARRAY_LEN(kinds)

static const char *truth(const struct kind *a, const struct kind *b)
{
	bool a_sym = a->on == NAT_ADDRESS_AND_PORT_DEPENDENT;
	bool b_sym = b->on == NAT_ADDRESS_AND_PORT_DEPENDENT;
	bool a_port = a->filtering == NAT_ADDRESS_AND_PORT_DEPENDENT;
	bool b_port = b->filtering == NAT_ADDRESS_AND_PORT_DEPENDENT;

	if (a->blocked || b->blocked)
		return "blocked";
	return (a_sym && b_port) || (b_sym && a_port) ? "hard-nats" : "direct-public";
}

static struct nat *place(struct mesh_node *n, const struct kind *k)
{
	struct nat_config cfg = { .mapping = k->on,
				  .filtering = k->filtering,
				  .timeout_ns = 30 * SECOND };
	struct nat *nat;

	if (!k->nat)
		return NULL;
	nat = nat_new(n->mesh->w, NULL, &cfg, IP(203, 0, 113, 10 + n->index));
	world_host_move(n->host, nat_net(nat), IP(10, 7, n->index, 2));
	if (k->blocked)
		nat_only(nat, IP(192, 0, 2, 1));
	return nat;
}

static struct json_object *ask(struct mesh_node *n, enum control_verb verb, const char *node)
{
	struct control_request r = { .verb = verb };
	struct json_object *o;
	char *text;

	snprintf(r.cluster, sizeof(r.cluster), "%s", n->mesh->cluster);
	snprintf(r.node, sizeof(r.node), "%s", node);
	text = mesh_control_request(n, &r);
	o = json_tokener_parse(text);
	ck_assert_msg(o != NULL, "%s", text);
	free(text);
	return o;
}

static const char *str(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "";
}

static struct mesh *pair(uint64_t seed, const struct kind *a, const struct kind *b)
{
	struct mesh *m = mesh_new(seed);

	mesh_nodes(m, 2);
	place(&m->node[0], a);
	place(&m->node[1], b);
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	return m;
}

static void check_why(struct mesh_node *n, struct mesh_node *peer, const struct kind *ours,
		      const struct kind *theirs)
{
	struct json_object *o = ask(n, CONTROL_WHY, peer->name);
	struct json_object *nat = json_object_object_get(o, "nat");
	struct json_object *peer_nat = json_object_object_get(o, "peer_nat");

	if (strcmp(str(o, "reason"), truth(ours, theirs)) != 0)
		ck_abort_msg("%s with %s: %s", ours->name, theirs->name,
			     json_object_to_json_string(o));
	ck_assert_str_eq(str(nat, "mapping"), ours->says_mapping);
	ck_assert_str_eq(str(nat, "filtering"), ours->says_filtering);
	ck_assert_str_eq(str(peer_nat, "mapping"), theirs->says_mapping);
	ck_assert_str_eq(str(peer_nat, "filtering"), theirs->says_filtering);
	ck_assert(strstr(str(o, "text"), peer->name));
	ck_assert_uint_ge(json_object_array_length(json_object_object_get(o, "paths")), 1);
	json_object_put(o);
}

static void check_netcheck(struct mesh_node *n, const struct kind *k)
{
	struct json_object *o = ask(n, CONTROL_NETCHECK, "");
	struct json_object *nat = json_object_object_get(o, "nat");
	struct json_object *server = json_object_object_get(o, "server");

	ck_assert_str_eq(str(nat, "mapping"), k->says_mapping);
	ck_assert_str_eq(str(nat, "filtering"), k->says_filtering);
	ck_assert(json_object_get_boolean(json_object_object_get(server, "reachable")));
	ck_assert_double_gt(json_object_get_double(json_object_object_get(server, "rtt_ms")), 0);
	json_object_put(o);
}

START_TEST(the_truth_is_told_in_every_cell)
{
	for (size_t a = 0; a < KINDS; a++) {
		for (size_t b = 0; b < KINDS; b++) {
			struct mesh *m = pair(sim_seed(), &kinds[a], &kinds[b]);

			sim_pass(m->w, 15 * SECOND);
			check_why(&m->node[0], &m->node[1], &kinds[a], &kinds[b]);
			check_why(&m->node[1], &m->node[0], &kinds[b], &kinds[a]);
			check_netcheck(&m->node[0], &kinds[a]);
			mesh_free(m);
		}
	}
}
END_TEST

/* A second look through the same hole in the NAT must not find it open. */
START_TEST(what_a_nat_lets_in_is_not_learnt_twice)
{
	struct mesh *m = pair(sim_seed(), &kinds[3], &kinds[4]);

	sim_pass(m->w, 15 * SECOND);
	for (int i = 0; i < 4; i++) {
		overlay_network_changed(tunnel_overlay(mesh_tunnel(&m->node[0])));
		session_kick(tunnel_session(mesh_tunnel(&m->node[0])));
		sim_pass(m->w, 4 * SECOND);
		check_netcheck(&m->node[0], &kinds[3]);
	}
	sim_pass(m->w, 10 * SECOND);
	check_why(&m->node[0], &m->node[1], &kinds[3], &kinds[4]);
	mesh_free(m);
}
END_TEST

/* The UDP port outlives the tunnel, and the NAT remembers whom it was used with. */
START_TEST(nor_by_a_restart)
{
	struct mesh *m = pair(sim_seed(), &kinds[3], &kinds[4]);

	sim_pass(m->w, 15 * SECOND);
	check_why(&m->node[0], &m->node[1], &kinds[3], &kinds[4]);
	free(mesh_control(&m->node[0], CONTROL_DISCONNECT));
	mesh_connect(&m->node[0]);
	sim_pass(m->w, 20 * SECOND);
	check_why(&m->node[0], &m->node[1], &kinds[3], &kinds[4]);
	mesh_daemon_stop(&m->node[0]);
	mesh_daemon_start(&m->node[0]);
	sim_pass(m->w, 20 * SECOND);
	check_why(&m->node[0], &m->node[1], &kinds[3], &kinds[4]);
	mesh_free(m);
}
END_TEST

/* No NAT has to be easy when a person has forwarded the port. */
START_TEST(a_port_that_was_forwarded_by_hand_is_found)
{
	struct mesh *m = mesh_new(sim_seed());
	struct addr inner, endpoint;
	struct nat *nat;

	mesh_nodes(m, 2);
	nat = place(&m->node[0], &kinds[4]);
	place(&m->node[1], &kinds[4]);
	mesh_join_all(m);
	inner = quic_socket_local(overlay_socket(tunnel_overlay(mesh_tunnel(&m->node[0]))));
	inner = addr_v4(IP(10, 7, 0, 2), inner.port);
	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 20 * SECOND);
	check_why(&m->node[0], &m->node[1], &kinds[4], &kinds[4]);
	ck_assert_int_eq(nat_forward(nat, inner.port, &inner), 0);
	sim_pass(m->w, 3 * MINUTE);
	endpoint = mesh_peer(&m->node[1], &m->node[0]).endpoint;
	ck_assert_int_eq(mesh_peer(&m->node[1], &m->node[0]).path, PEER_PATH_DIRECT);
	ck_assert_uint_eq(endpoint.port, inner.port);
	ck_assert_uint_eq(addr_ip4(&endpoint), IP(203, 0, 113, 10));
	mesh_free(m);
}
END_TEST

START_TEST(without_the_server_it_is_said_what_fails)
{
	struct mesh *m = pair(sim_seed(), &kinds[0], &kinds[0]);
	struct json_object *o;

	mesh_server_crash(m);
	sim_pass(m->w, 2 * MINUTE);
	o = ask(&m->node[0], CONTROL_NETCHECK, "");
	ck_assert(!json_object_get_boolean(json_object_object_get(json_object_object_get(o,
											 "server"),
								  "reachable")));
	ck_assert(strstr(str(o, "text"), "does not answer over UDP"));
	json_object_put(o);
	/* The tunnel does not notice. */
	o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	ck_assert_str_eq(str(o, "reason"), "direct-public");
	json_object_put(o);
	mesh_daemon_crash(&m->node[1]);
	sim_pass(m->w, MINUTE);
	o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	ck_assert_str_eq(str(o, "reason"), "no-server");
	ck_assert(strstr(str(json_object_object_get(o, "signal"), "error"), "no answer"));
	json_object_put(o);
	/* What nodes told of themselves stays known while they are away. */
	o = ask(&m->node[0], CONTROL_NODES, "");
	for (size_t i = 0; i < 2; i++) {
		struct json_object *n =
			json_object_array_get_idx(json_object_object_get(o, "nodes"), i);

		ck_assert(json_object_is_type(json_object_object_get(n, "features"),
					      json_type_array));
	}
	json_object_put(o);
	mesh_free(m);
}
END_TEST

/* Sooner than a round of attempts takes: no port is guessed, and no answer is to come. */
START_TEST(hard_nats_are_named_at_once)
{
	struct mesh *m = pair(sim_seed(), &kinds[4], &kinds[4]);
	struct json_object *o = NULL;
	int looks = 0;

	do {
		json_object_put(o);
		sim_pass(m->w, 250 * MS);
		o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	} while (strcmp(str(o, "reason"), "trying") == 0 && ++looks < 100);
	printf("said after %s s: %s\n", str(o, "uptime_s"), str(o, "reason"));
	ck_assert_str_eq(str(o, "reason"), "hard-nats");
	ck_assert_double_lt(json_object_get_double(json_object_object_get(o, "uptime_s")), 5);
	json_object_put(o);
	mesh_free(m);
}
END_TEST

/* What was true before is not shown as if it were so still. */
START_TEST(without_a_network_netcheck_says_so)
{
	struct mesh *m = pair(sim_seed(), &kinds[3], &kinds[0]);
	struct addr inner = addr_v4(IP(10, 7, 0, 2), 0);
	struct json_object *o;

	sim_pass(m->w, 15 * SECOND);
	ck_assert_int_eq(world_host_addr_del(m->node[0].host, &inner), 0);
	sim_pass(m->w, 2 * MINUTE);
	o = ask(&m->node[0], CONTROL_NETCHECK, "");
	ck_assert(strstr(str(o, "text"), "no network"));
	ck_assert(json_object_object_get(o, "observed") == NULL);
	ck_assert(!json_object_get_boolean(json_object_object_get(o, "ip4")));
	ck_assert_uint_eq(json_object_array_length(json_object_object_get(o, "candidates")), 0);
	json_object_put(o);
	mesh_free(m);
}
END_TEST

/* Both are of the probes of the path in use. */
START_TEST(the_round_trip_is_that_of_the_path_in_use)
{
	struct mesh *m = pair(sim_seed(), &kinds[0], &kinds[3]);
	struct json_object *o, *paths;
	unsigned used = 0;

	sim_pass(m->w, 15 * SECOND);
	o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	paths = json_object_object_get(o, "paths");
	for (size_t i = 0; i < json_object_array_length(paths); i++) {
		struct json_object *p = json_object_array_get_idx(paths, i);

		if (!json_object_get_boolean(json_object_object_get(p, "in_use")))
			continue;
		used++;
		ck_assert_str_eq(str(p, "rtt_ms"), str(o, "rtt_ms"));
	}
	ck_assert_uint_eq(used, 1);
	json_object_put(o);
	mesh_free(m);
}
END_TEST

START_TEST(a_node_that_is_off_is_told_apart)
{
	struct mesh *m = pair(sim_seed(), &kinds[0], &kinds[3]);
	struct json_object *o;

	mesh_daemon_stop(&m->node[1]);
	sim_pass(m->w, MINUTE);
	o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	ck_assert_str_eq(str(o, "reason"), "offline");
	json_object_put(o);
	o = ask(&m->node[0], CONTROL_WHY, m->node[0].name);
	ck_assert(strstr(str(o, "error"), "itself"));
	json_object_put(o);
	o = ask(&m->node[0], CONTROL_WHY, "nobody");
	ck_assert(strstr(str(o, "error"), "no node nobody"));
	json_object_put(o);
	mesh_free(m);
}
END_TEST

/* --- ping ------------------------------------------------------------------------------------- */

struct heard {
	unsigned answers, silences, paths, ends;
	enum peer_path first, last;
	unsigned sent, answered;
	uint64_t rtt_ns;
};

static void on_event(void *ctx, const struct ping_event *ev)
{
	struct heard *h = ctx;

	h->sent = ev->sent;
	h->answered = ev->answered;
	switch (ev->type) {
	case PING_ANSWER:
		if (h->answers++ == 0)
			h->first = ev->path;
		h->last = ev->path;
		h->rtt_ns = ev->rtt_ns;
		break;
	case PING_SILENCE:
		h->silences++;
		break;
	case PING_PATH:
		h->paths++;
		break;
	case PING_END:
		h->ends++;
		break;
	}
}

static struct ping *ping(struct mesh_node *n, struct mesh_node *to, unsigned count, bool direct,
			 struct heard *h)
{
	struct ping_config cfg = { .count = count,
				   .interval_ns = SECOND,
				   .until_direct = direct,
				   .event = on_event,
				   .ctx = h };
	struct ping *p = NULL;

	*h = (struct heard){ 0 };
	ck_assert_int_eq(tunnel_ping(n->daemon_host, mesh_tunnel(n), to->name, &cfg, NULL, &p), 0);
	return p;
}

START_TEST(pings_say_the_way_and_the_round_trip)
{
	struct mesh *m = pair(sim_seed(), &kinds[3], &kinds[3]);
	struct heard h;
	struct ping *p;

	sim_pass(m->w, 10 * SECOND);
	p = ping(&m->node[0], &m->node[1], 3, false, &h);
	sim_pass(m->w, 1500 * MS);
	ck_assert_uint_eq(h.answers, 2);
	sim_pass(m->w, 5 * SECOND);
	ck_assert_uint_eq(h.answers, 3);
	ck_assert_uint_eq(h.ends, 1);
	ck_assert_int_eq(h.last, PEER_PATH_DIRECT);
	ck_assert_uint_ge(h.rtt_ns, 2 * MS);
	ck_assert_uint_le(h.rtt_ns, 40 * MS);
	ping_free(p);
	mesh_free(m);
}
END_TEST

START_TEST(ping_ends_with_the_first_direct_answer)
{
	struct mesh *m = mesh_new(sim_seed());
	struct json_object *o;
	struct heard h;
	struct ping *p;

	mesh_nodes(m, 2);
	place(&m->node[0], &kinds[3]);
	place(&m->node[1], &kinds[3]);
	mesh_setup(&m->node[0]);
	mesh_connect(&m->node[0]);
	mesh_adopt(&m->node[1], mesh_invite(&m->node[0], 3600));
	mesh_all_connected(m, 10 * SECOND);
	/* Begun when there is no tunnel, and not even a daemon on the other side. */
	sim_pass(m->w, SECOND);
	p = ping(&m->node[0], &m->node[1], 30, true, &h);
	sim_pass(m->w, SECOND);
	ck_assert_uint_eq(h.answers, 0);
	o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	ck_assert_str_eq(str(o, "reason"), "offline");
	ck_assert(strstr(json_object_to_json_string(o), "was `mlsh connect` done?"));
	json_object_put(o);
	mesh_connect(&m->node[1]);
	sim_pass(m->w, 8 * SECOND);
	ck_assert_uint_eq(h.ends, 1);
	ck_assert_int_eq(h.last, PEER_PATH_DIRECT);
	ck_assert_uint_lt(h.answers, 8);
	ping_free(p);
	mesh_free(m);
}
END_TEST

START_TEST(no_answer_is_said_and_the_tunnels_end_ends_it)
{
	struct mesh *m = pair(sim_seed(), &kinds[0], &kinds[0]);
	struct heard h;
	struct ping *p;

	sim_pass(m->w, 5 * SECOND);
	mesh_daemon_crash(&m->node[1]);
	p = ping(&m->node[0], &m->node[1], 2, false, &h);
	sim_pass(m->w, 20 * SECOND);
	ck_assert_uint_eq(h.answers, 0);
	ck_assert_uint_eq(h.silences, 2);
	ck_assert_uint_eq(h.ends, 1);
	ping_free(p);
	p = ping(&m->node[0], &m->node[1], 100, false, &h);
	sim_pass(m->w, SECOND);
	free(mesh_control(&m->node[0], CONTROL_DISCONNECT));
	ck_assert_uint_eq(h.ends, 1);
	ping_free(p);
	mesh_free(m);
}
END_TEST

/* That the gateway maps the port is what others are told; what is found is said beside it. */
/* [P6-42] */
START_TEST(a_mapping_does_not_hide_the_nat)
{
	static const struct portmapd_config by_pcp = { .pcp = true };
	const struct kind *sym = &kinds[4];
	struct mesh *m = mesh_new(sim_seed());
	struct portmapd *gateway;
	struct json_object *o, *nat;

	mesh_nodes(m, 2);
	gateway = portmapd_new(place(&m->node[0], sym), "gateway", IP(10, 7, 0, 1), &by_pcp);
	place(&m->node[1], sym);
	mesh_join_all(m);
	mesh_reach(m, 5 * SECOND);
	sim_pass(m->w, 10 * SECOND);
	o = ask(&m->node[0], CONTROL_WHY, m->node[1].name);
	nat = json_object_object_get(o, "nat");
	ck_assert_str_eq(str(nat, "mapping"), "mapped");
	nat = json_object_object_get(o, "nat_found");
	ck_assert_str_eq(str(nat, "mapping"), "independent"); /* of a symmetric one: it is true */
	ck_assert_str_eq(str(nat, "filtering"), "open");
	json_object_put(o);
	o = ask(&m->node[1], CONTROL_WHY, m->node[0].name);
	ck_assert_str_eq(str(json_object_object_get(o, "peer_nat"), "mapping"), "mapped");
	ck_assert_ptr_null(json_object_object_get(o, "nat_found"));
	json_object_put(o);
	portmapd_free(gateway);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/paths_why", the_truth_is_told_in_every_cell, what_a_nat_lets_in_is_not_learnt_twice,
	  nor_by_a_restart, a_port_that_was_forwarded_by_hand_is_found,
	  a_mapping_does_not_hide_the_nat, without_the_server_it_is_said_what_fails,
	  without_a_network_netcheck_says_so, hard_nats_are_named_at_once,
	  the_round_trip_is_that_of_the_path_in_use, a_node_that_is_off_is_told_apart,
	  pings_say_the_way_and_the_round_trip, ping_ends_with_the_first_direct_answer,
	  no_answer_is_said_and_the_tunnels_end_ends_it)
