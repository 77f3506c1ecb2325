/* SPDX-License-Identifier: MIT */
/* What the service manager is told, and when: sd_notify(3) lists the words. */
#include "os/manager.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "os/loop.h"
#include "os/manager_link.h"

#define LINE_EVERY (30 * NS_PER_S) /* a sign, and a look at the line; a watchdog may ask more */
#define SOON NS_PER_S		   /* after a change, or what could not be sent */

struct manager {
	struct host *host;
	struct manager_link *link;
	manager_status_fn status;
	void *ctx;
	uint64_t every;	 /* between two signs of life */
	bool watched;	 /* are they asked for? */
	bool owes_sign;	 /* one is due, and the manager has not taken it yet */
	bool serves;	 /* ready was said */
	char unsent[64]; /* a change of state that the manager has not taken yet, or "" */
	char line[MANAGER_STATUS_MAX]; /* as it was last told */
	struct timer *alive, *soon;
};

static bool told(struct manager *m, const char *lines)
{
	return manager_link_send(m->link, lines) == 0;
}

/* A state that the manager never hears of would end the service: it is told until it is taken. */
static void tell_state(struct manager *m)
{
	if (m->unsent[0] && told(m, m->unsent))
		m->unsent[0] = '\0';
	if (m->unsent[0])
		timer_set_in(m->soon, SOON);
}

static void tell_line(struct manager *m)
{
	char line[MANAGER_STATUS_MAX] = "", text[sizeof("STATUS=") + MANAGER_STATUS_MAX];

	if (!m->serves)
		return;
	m->status(m->ctx, line);
	if (strcmp(line, m->line) == 0)
		return;
	snprintf(text, sizeof(text), "STATUS=%s", line);
	if (told(m, text))
		memcpy(m->line, line, sizeof(line));
	else if (!timer_is_set(m->soon))
		timer_set_in(m->soon, SOON);
}

/* A manager that is too busy to take one sign of life would end a service that lives. */
static void tell_life(struct manager *m)
{
	if (m->owes_sign && told(m, "WATCHDOG=1"))
		m->owes_sign = false;
	if (m->owes_sign)
		timer_set_in(m->soon, SOON);
}

static void on_soon(void *ctx)
{
	tell_state(ctx);
	tell_life(ctx);
	tell_line(ctx);
}

static void on_alive(void *ctx)
{
	struct manager *m = ctx;

	timer_set_in(m->alive, m->every);
	m->owes_sign = m->watched;
	tell_life(m);
	tell_line(m);
}

static void enter(struct manager *m, const char *state)
{
	snprintf(m->unsent, sizeof(m->unsent), "%s", state);
	tell_state(m);
}

struct manager *manager_new(struct host *h, manager_status_fn status, void *ctx)
{
	struct manager *m;
	struct manager_link *link;
	struct err err = { 0 };
	uint64_t watchdog;

	if (manager_link_open(h, &err, &link, &watchdog) < 0)
		log_warn(host_log(h), "the service manager cannot be told of this program: %s",
			 err.text);
	if (!link)
		return NULL;
	m = calloc(1, sizeof(*m));
	if (m)
		*m = (struct manager){ .host = h,
				       .link = link,
				       .status = status,
				       .ctx = ctx,
				       .every = watchdog ? MIN(watchdog / 2, LINE_EVERY)
							 : LINE_EVERY,
				       .watched = watchdog != 0,
				       .alive = timer_new(h, on_alive, m),
				       .soon = timer_new(h, on_soon, m) };
	else
		manager_link_close(link);
	if (m && m->alive && m->soon)
		return m;
	log_warn(host_log(h), "the service manager is not told of this program: out of memory");
	manager_free(m);
	return NULL;
}

void manager_starting(struct manager *m)
{
	if (m && !m->serves)
		(void)told(m, "EXTEND_TIMEOUT_USEC=300000000");
}

void manager_ready(struct manager *m)
{
	if (!m)
		return;
	m->serves = true;
	enter(m, "READY=1");
	on_alive(m);
}

void manager_touch(struct manager *m)
{
	if (m && !timer_is_set(m->soon))
		timer_set_in(m->soon, SOON);
}

/* systemd takes READY=1 for the end of a reload that began after this time. */
void manager_reloading(struct manager *m)
{
	char text[64];

	if (!m)
		return;
	snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
		 manager_link_clock_us(m->link));
	enter(m, text);
}

void manager_stopping(struct manager *m)
{
	if (m)
		enter(m, "STOPPING=1");
}

void manager_free(struct manager *m)
{
	if (!m)
		return;
	timer_free(m->alive);
	timer_free(m->soon);
	manager_link_close(m->link);
	free(m);
}
