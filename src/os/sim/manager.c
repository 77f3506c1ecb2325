/* SPDX-License-Identifier: MIT */
/* A service manager that writes down what it is told. */
#include <stdio.h>

#include "os/manager_link.h"
#include "os/sim/sim.h"

struct managed {
	uint64_t watchdog_ns, alive_at;
	bool deaf;
	char words[4096];
};

struct manager_link {
	struct host *host;
};

void world_host_managed(struct host *h, uint64_t watchdog_ns)
{
	if (!h->managed)
		h->managed = sim_alloc(sizeof(*h->managed));
	h->managed->watchdog_ns = watchdog_ns;
}

const char *world_managed_words(const struct host *h)
{
	return h->managed->words;
}

uint64_t world_managed_alive_at(const struct host *h)
{
	return h->managed->alive_at;
}

void world_managed_deaf(struct host *h, bool deaf)
{
	h->managed->deaf = deaf;
}

int manager_link_open(struct host *h, struct err *err, struct manager_link **ret,
		      uint64_t *ret_watchdog_ns)
{
	(void)err;
	*ret = NULL;
	if (!h->managed)
		return 0;
	*ret = sim_alloc(sizeof(**ret));
	(*ret)->host = h;
	*ret_watchdog_ns = h->managed->watchdog_ns;
	return 0;
}

int manager_link_send(struct manager_link *l, const char *lines)
{
	struct managed *m = l->host->managed;
	size_t len = strlen(m->words);

	if (!l->host->alive || m->deaf)
		return -EAGAIN;
	if (strcmp(lines, "WATCHDOG=1") == 0) {
		m->alive_at = l->host->world->now;
		return 0;
	}
	world_trace(l->host->world, "%s: tells its manager: %s", l->host->machine->name, lines);
	if (len + strlen(lines) + 2 > sizeof(m->words))
		world_die(l->host->world, "the service manager was told too much");
	snprintf(m->words + len, sizeof(m->words) - len, "%s\n", lines);
	return 0;
}

void manager_link_close(struct manager_link *l)
{
	free(l);
}

uint64_t manager_link_clock_us(const struct manager_link *l)
{
	return l->host->world->now / NS_PER_US;
}
