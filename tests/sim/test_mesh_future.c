/* SPDX-License-Identifier: MIT */
/* A server that is busy, or has moved: what a person is shown of it. */
#include <json-c/json.h>

#include "rogue.h"

#define SECOND_NAME "signal.elsewhere.example"

static struct json_object *ask(struct mesh_node *n, enum control_verb verb, const char *node)
{
	struct control_request r = { .verb = verb };
	struct json_object *o;
	char *text;

	snprintf(r.cluster, sizeof(r.cluster), "%s", MESH_CLUSTER);
	snprintf(r.node, sizeof(r.node), "%s", node);
	text = mesh_control_request(n, &r);
	o = json_tokener_parse(text);
	ck_assert_msg(o != NULL, "%s", text);
	free(text);
	return o;
}

/* The member of that name; of the first element where it is an array. */
static struct json_object *in(struct json_object *o, const char *key)
{
	struct json_object *v = json_object_object_get(o, key);

	return v && json_object_is_type(v, json_type_array) ? json_object_array_get_idx(v, 0) : v;
}

static const char *str(struct json_object *o, const char *key)
{
	const char *s = json_object_get_string(json_object_object_get(o, key));

	return s ? s : "";
}

static bool is_connected(void *ctx)
{
	return mesh_connected(ctx);
}

START_TEST(a_busy_or_moved_server_is_shown)
{
	struct mesh *m = mesh_of(sim_seed(), 2);
	struct mesh_node *nas = &m->node[0], *laptop = &m->node[1];
	struct addr at = addr_v4(IP(192, 0, 2, 1), SIGNAL_PORT);
	struct json_object *o, *signal;
	struct rogue *r;
	struct mlog *log;

	SIM_CHECK_OK(m->w, world_dns_set(m->w, SECOND_NAME, &at));
	mesh_all_connected(m, 15 * SECOND);
	mesh_direct(m, 10 * SECOND);
	log = mesh_user_log(laptop);
	mesh_server_crash(m);
	r = rogue_start(m);
	rogue_add_log(r, log, mlog_count(log));
	r->busy_s = 60;
	sim_pass(m->w, 20 * SECOND);
	o = ask(nas, CONTROL_STATUS, "");
	signal = in(in(o, "clusters"), "signal");
	ck_assert_str_eq(str(signal, "state"), "reconnecting");
	ck_assert_ptr_nonnull(strstr(str(signal, "error"), "is busy, and asks this node"));
	ck_assert_str_eq(str(signal, "moved_to"), "");
	json_object_put(o);
	o = ask(nas, CONTROL_WHY, laptop->name);
	ck_assert_ptr_nonnull(strstr(str(in(o, "signal"), "error"), "is busy"));
	json_object_put(o);
	o = ask(nas, CONTROL_NETCHECK, "");
	ck_assert_ptr_nonnull(strstr(str(o, "text"), "is busy"));
	json_object_put(o);
	ck_assert_uint_le(r->n_callers, 4);

	/* Each node is sent elsewhere when it comes again. */
	r->busy_s = 0;
	r->moved_to = SECOND_NAME;
	mesh_daemon_crash(laptop); /* the one place is for nas */
	SIM_CHECK(m->w, world_run(m->w, 100 * SECOND, is_connected, nas));
	o = ask(nas, CONTROL_STATUS, "");
	signal = in(in(o, "clusters"), "signal");
	ck_assert_str_eq(str(signal, "host"), MESH_SIGNAL ":4433");
	ck_assert_str_eq(str(signal, "moved_to"), SECOND_NAME ":4433");
	ck_assert(json_object_is_type(json_object_object_get(signal, "features"), json_type_array));
	json_object_put(o);
	o = ask(nas, CONTROL_WHY, laptop->name);
	ck_assert_str_eq(str(in(o, "signal"), "moved_to"), SECOND_NAME ":4433");
	json_object_put(o);
	o = ask(nas, CONTROL_NETCHECK, "");
	ck_assert_str_eq(str(in(o, "server"), "moved_to"), SECOND_NAME ":4433");
	json_object_put(o);
	mlog_free(log);
	rogue_stop(r);
	mesh_free(m);
}
END_TEST

UNIT_MAIN("sim/mesh_future", a_busy_or_moved_server_is_shown)
