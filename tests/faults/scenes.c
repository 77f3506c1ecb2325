/* SPDX-License-Identifier: MIT */
/*
 * What meshes go through while their calls fail. A scene is played again from its start after all
 * programs were killed: p->stage says how far it came.
 */
#include "play.h"

#define ROAM_IP IP(198, 51, 110, 10)

static bool members(struct play *p)
{
	for (size_t i = 0; i < p->m->n_nodes; i++)
		if (!play_server(p) || !play_member(p, &p->m->node[i]))
			return false;
	return true;
}

static bool reached(struct play *p)
{
	return members(p) && play_reach(p, 2 * MINUTE);
}

static bool join(struct play *p)
{
	return reached(p) && play_direct(p, 2 * MINUTE);
}

/* --- programs end, machines move -------------------------------------------------------------- */

static bool restart(struct play *p)
{
	if (!reached(p))
		return false;
	if (p->stage == 0) {
		mesh_daemon_crash(p->laptop);
		p->stage++;
		if (!reached(p))
			return false;
	}
	if (p->stage == 1) {
		mesh_server_crash(p->m);
		p->stage++;
		if (!reached(p))
			return false;
	}
	if (p->stage == 2) {
		mesh_daemon_stop(p->nas);
		p->stage++;
	}
	return reached(p);
}

static bool roam(struct play *p)
{
	if (!join(p))
		return false;
	if (p->stage == 0) {
		world_host_roam(p->laptop->host, ROAM_IP);
		p->stage++;
	}
	return play_reach(p, 2 * MINUTE) && play_direct(p, 5 * MINUTE);
}

/* Packets go over the server's relay, since no other path is left. */
static bool relay(struct play *p)
{
	world_link_cut(p->m->w, p->nas->host, p->laptop->host, true);
	return reached(p);
}

/* --- the cluster is governed ------------------------------------------------------------------ */

static bool knows_it_left(struct play *p)
{
	struct tunnel *t = mesh_tunnel(p->phone);

	return t && tunnel_left(t);
}

static bool removal(struct play *p)
{
	if (p->stage == 0) {
		if (!reached(p))
			return false;
		p->stage++;
	}
	if (p->stage == 1) {
		if (!members(p) ||
		    !play_command(p, p->nas, &remove_command, "", "remove phone --yes") ||
		    !play_until(p, "the removed node hears of it", knows_it_left))
			return false;
		p->phone->address = 0; /* takes part in nothing */
		p->stage++;
	}
	return play_server(p) && play_connect(p, p->nas) && play_connect(p, p->laptop) &&
	       play_reach(p, 2 * MINUTE);
}

static bool leaving(struct play *p)
{
	if (p->stage == 0) {
		if (!reached(p))
			return false;
		p->stage++;
	}
	if (p->stage == 1) {
		if (!members(p) || !play_command(p, p->phone, &leave_command, "", "leave --yes") ||
		    !play_until(p, "the node hears that it has left", knows_it_left))
			return false;
		p->phone->address = 0;
		p->stage++;
	}
	return play_server(p) && play_connect(p, p->nas) && play_connect(p, p->laptop) &&
	       play_reach(p, 2 * MINUTE);
}

static bool names(struct play *p)
{
	if (!members(p))
		return false;
	if (p->stage == 0) {
		if (!play_command(p, p->nas, &rename_command, "", "rename laptop desk"))
			return false;
		p->stage++;
	}
	return play_name(p, p->nas, "desk." MESH_CLUSTER, p->laptop->address) &&
	       play_name(p, p->laptop, "nas." MESH_CLUSTER, p->nas->address) &&
	       play_name_tcp(p, p->nas, "desk." MESH_CLUSTER, p->laptop->address);
}

static bool promotion(struct play *p)
{
	return reached(p) && play_command(p, p->nas, &promote_command, "", "promote laptop") &&
	       play_command(p, p->laptop, &status_command, "", "status") &&
	       play_command(p, p->nas, &log_command, "", "log");
}

static bool all_moved(struct play *p)
{
	return move_all_moved(p->m);
}

static bool moving(struct play *p)
{
	static char line[200]; /* p->doing shows it after the end of the scene */

	if (!play_second(p) || !reached(p))
		return false;
	if (p->stage == 0) {
		snprintf(line, sizeof(line), "move --yes --signal-host " NEW_NAME " --token %s",
			 p->second.token);
		if (!play_command(p, p->nas, &move_command, "", line))
			return false;
		p->stage++;
	}
	return play_until(p, "all nodes follow the move", all_moved) && reached(p);
}

/* The admin's machine is lost: the code on paper makes another one the admin. */
static bool recovery(struct play *p)
{
	if (p->stage == 0) {
		if (!reached(p))
			return false;
		p->stage++;
		mesh_daemon_crash(p->nas);
		p->nas->address = 0;
	}
	if (!play_server(p) || !play_connect(p, p->laptop))
		return false;
	if (p->stage == 1) {
		char code[RECOVERY_CODE_TEXT_MAX + 1];

		snprintf(code, sizeof(code), "%s\n", p->m->recovery_code);
		if (!play_command(p, p->laptop, &recover_command, code, "recover --yes"))
			return false;
		p->stage++;
	}
	return play_command(p, p->laptop, &log_command, "", "log");
}

const struct scene scenes[] = {
	{ "join", 2, join, NULL },	 { "restart", 2, restart, NULL },
	{ "roam", 2, roam, NULL },	 { "relay", 2, relay, "relay" },
	{ "removal", 3, removal, NULL }, { "leaving", 3, leaving, NULL },
	{ "names", 2, names, NULL },	 { "promotion", 2, promotion, NULL },
	{ "moving", 2, moving, NULL },	 { "recovery", 2, recovery, NULL },
};
const size_t n_scenes = sizeof(scenes) / sizeof(scenes[0]);
