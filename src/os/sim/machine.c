/* SPDX-License-Identifier: MIT */
/* Machines and the processes that run on them. */
#include <stdio.h>

#include "os/sim/sim.h"

#define PORT_EPHEMERAL 32768

struct machine *machine_new(struct world *w, struct net *n, const char *name)
{
	struct machine *m = sim_alloc(sizeof(*m));

	if (strlen(name) >= sizeof(m->name))
		world_die(w, "machine %s: name too long", name);
	strcpy(m->name, name);
	m->world = w;
	m->net = n;
	m->endpoint = (struct endpoint){ .id = w->endpoints++, .machine = m };
	rng_seed(&m->rng, w->seed, name);
	m->carrier = true;
	m->mtu_bytes = 1500;
	m->next_port = PORT_EPHEMERAL;
	m->next_ifindex = IFINDEX_ETH;
	m->next_pid = 1000;
	m->resolver = SPLITDNS_ACTIVE;
	list_init(&m->udps);
	list_init(&m->tuns);
	list_init(&m->watches);
	list_init(&m->listeners);
	list_init(&m->splits);
	list_init(&m->signals);
	list_init(&m->services);
	list_init(&m->fences);
	list_init(&m->tcps);
	list_init(&m->groups);
	machine_files_init(m);
	list_append(&w->machines, &m->in_world);
	return m;
}

void machine_free(struct machine *m)
{
	links_free(m);
	machine_files_free(m);
	machine_groups_free(m);
	free(m->ifs);
	free(m->addrs);
	free(m->routes);
	free(m->guards);
	free(m->rules);
	free(m->used);
	free(m);
}

void world_host_carrier(struct host *h, bool up)
{
	struct machine *m = h->machine;

	if (m->carrier == up)
		return;
	m->carrier = up;
	world_trace(m->world, "%s: carrier %s", m->name, up ? "on" : "off");
	machine_changed(m);
}

void world_host_uplink(struct host *h, uint64_t rate_bps)
{
	h->machine->uplink_bps = rate_bps;
}

void world_host_mtu(struct host *h, unsigned bytes)
{
	h->machine->mtu_bytes = bytes;
}

uint64_t machine_depart(struct machine *m, size_t bytes)
{
	uint64_t now = m->world->now;

	if (m->uplink_bps == 0)
		return now;
	m->uplink_free_at = MAX(now, m->uplink_free_at) +
			    (uint64_t)((double)bytes * 8e9 / (double)m->uplink_bps);
	return m->uplink_free_at;
}

static void log_sink(void *ctx, enum log_level level, const char *line)
{
	const struct host *h = ctx;

	if (level == LOG_LEVEL_TRACE)
		world_trace_message(h->world, h->machine, line);
	else if (level <= LOG_LEVEL_INFO || (int)level <= h->world->log_level)
		world_trace(h->world, "%s: %s: %s", h->machine->name, log_level_name(level), line);
	if ((int)level <= h->world->log_level)
		fprintf(stderr, "%12.6f %s: %s\n", (double)(h->world->now - WORLD_START_NS) / 1e9,
			h->machine->name, line);
}

struct host *host_start(struct machine *m)
{
	struct host *h = sim_alloc(sizeof(*h));

	h->world = m->world;
	h->machine = m;
	h->log.level = LOG_LEVEL_TRACE; /* messages are kept for the diagram */
	h->log.sink = log_sink;
	h->log.ctx = h;
	h->pid = (int)m->next_pid++;
	h->alive = true;
	list_init(&h->conns);
	list_append(&m->world->hosts, &h->in_world);
	return h;
}

void hosts_free(struct world *w)
{
	list_for_each(it, &w->hosts) {
		struct host *h = list_entry(it, struct host, in_world);

		free(h->managed);
		free(h);
	}
}

struct host *world_host_in(struct net *n, const char *name, ip4 ip)
{
	struct world *w = net_world(n);
	struct machine *m;
	struct addr a = addr_v4(ip, 0);

	list_for_each(it, &w->machines) {
		if (strcmp(list_entry(it, struct machine, in_world)->name, name) == 0)
			world_die(w, "there is a machine %s already", name);
	}
	m = machine_new(w, n, name);
	(void)machine_if_named(m, "eth0");
	if (ip && machine_addr_add(m, &a, "eth0") < 0)
		world_die(w, "%s: another machine has this address", name);
	return host_start(m);
}

struct host *world_host(struct world *w, const char *name, ip4 ip)
{
	return world_host_in(w->public_net, name, ip);
}

struct host *world_host_boot(struct host *h)
{
	world_trace(h->world, "%s: boots", h->machine->name);
	return host_start(h->machine);
}

void world_host_crash(struct host *h)
{
	if (!h->alive)
		return;
	world_trace(h->world, "%s: crashes", h->machine->name);
	h->alive = false;
	machine_tuns_kill(h);
	machine_local_kill(h);
}

bool world_host_alive(const struct host *h)
{
	return h->alive;
}

void world_host_crash_after(struct host *h, unsigned changes)
{
	h->dies = true;
	h->counts_sends = false;
	h->steps_left = changes;
}

void world_host_crash_after_steps(struct host *h, unsigned steps)
{
	world_host_crash_after(h, steps);
	h->counts_sends = true;
}

bool world_host_step(struct host *h)
{
	if (h->alive && h->dies && h->steps_left-- == 0)
		world_host_crash(h);
	return h->alive;
}

bool host_may_send(struct host *h)
{
	return h->counts_sends ? world_host_step(h) : h->alive;
}

void world_host_user(struct host *h, unsigned uid, unsigned gid)
{
	h->uid = uid;
	h->gid = gid;
}

void world_host_suspend(struct host *h)
{
	world_trace(h->world, "%s: suspends", h->machine->name);
	h->machine->suspended = true;
}

/* What was due meanwhile fires at once; the network card comes up again. */
void world_host_resume(struct host *h)
{
	struct machine *m = h->machine;

	if (!m->suspended)
		return;
	world_trace(h->world, "%s: resumes", m->name);
	m->suspended = false;
	world_release_events(h->world, m);
	machine_changed(m);
}
