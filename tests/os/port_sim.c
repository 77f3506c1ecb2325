/* SPDX-License-Identifier: MIT */
/* A simulated machine with two addresses. */
#include "../sim/sim.h"
#include "port_kit.h"

static struct world *world;
static struct host *host, *second;

struct host *port_begin(void)
{
	const struct addr other = port_other_address(0);

	world = sim_new();
	host = world_host(world, "here", IP(192, 0, 2, 1));
	SIM_CHECK_OK(world, world_host_addr(host, &other, "eth0"));
	second = NULL;
	return host;
}

void port_end(void)
{
	world_free(world);
}

struct host *port_second(void)
{
	if (!second)
		second = world_host_boot(host);
	return second;
}

struct addr port_address(uint16_t port)
{
	return addr_v4(IP(192, 0, 2, 1), port);
}

struct addr port_other_address(uint16_t port)
{
	return addr_v4(IP(192, 0, 2, 2), port);
}

void port_wait(bool (*done)(void *ctx), void *ctx, const char *what)
{
	if (world_run(world, 110 * NS_PER_S, done, ctx))
		return;
	world_dump(world);
	ck_abort_msg("waited too long for %s", what);
}

void port_pass(uint64_t ns)
{
	sim_pass(world, ns);
}

const char *port_path(const char *name)
{
	static char paths[8][256];
	static size_t turn;
	char *out = paths[turn++ % 8];

	snprintf(out, sizeof(paths[0]), "/tmp/%s", name);
	return out;
}

int port_mode(const char *path)
{
	return world_file_mode(host, path);
}

void port_signal(struct host *h, int signum)
{
	world_host_signal(h, signum);
}

bool port_is_root(void)
{
	return true;
}

bool port_network(void)
{
	return true;
}

void port_flush_routes(struct host *h)
{
	world_flush_routes(h);
}
