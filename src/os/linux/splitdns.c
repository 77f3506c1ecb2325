/* SPDX-License-Identifier: MIT */
/*
 * Split DNS through systemd-resolved (org.freedesktop.resolve1(5)), asynchronously over the system
 * bus: SetLinkDNS, SetLinkDomains with a routing domain, SetLinkDefaultRoute, RevertLink. What was
 * asked for is forgotten by resolved when it restarts, so it is asked for again.
 */
#include "os/splitdns.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>
#include <time.h>

#include "os/linux/internal.h"
#include "os/posix/watch.h"

#define SERVICE "org.freedesktop.resolve1"
#define OBJECT "/org/freedesktop/resolve1"
#define INTERFACE "org.freedesktop.resolve1.Manager"

#define ZONE_MAX 253
#define CALLS_MAX 7
#define CALL_TIMEOUT_US 10000000u /* a start of resolved by the bus is within */
#define REVERT_TIMEOUT_US 500000u
#define RECONNECT_MIN_NS (2 * NS_PER_S)
#define RECONNECT_MAX_NS (60 * NS_PER_S)
#define PROCESS_MAX 64 /* messages in one callback */

struct splitdns {
	struct host *host;
	unsigned ifindex;
	char zone[ZONE_MAX + 1];
	uint8_t server[4];
	loop_fn changed;
	void *ctx;
	struct deferred *notify; /* calls `changed`, which may stop us, outside of sd-bus */
	sd_bus *bus;		 /* NULL while there is none */
	struct fd_watch *watch;
	int watched_fd;
	struct timer *bus_timer, *reconnect;
	uint64_t reconnect_ns;
	sd_bus_slot *calls[CALLS_MAX];
	size_t n_calls;
	unsigned unanswered; /* of the calls that must succeed */
	enum splitdns_state state;
	char detail[256];
};

static void set_state(struct splitdns *s, enum splitdns_state state, const char *detail)
{
	if (s->state == state && strcmp(s->detail, detail) == 0)
		return;
	s->state = state;
	snprintf(s->detail, sizeof(s->detail), "%s", detail);
	deferred_call(s->notify);
}

static void on_notify(void *ctx)
{
	struct splitdns *s = ctx;
	s->changed(s->ctx); /* may stop s */
}

/* ---- asking ---- */

static void calls_forget(struct splitdns *s)
{
	while (s->n_calls)
		sd_bus_slot_unref(s->calls[--s->n_calls]); /* its answer is not told any more */
	s->unanswered = 0;
}

static bool starts_with(const char *text, const char *start)
{
	return strncmp(text, start, strlen(start)) == 0;
}

static void call_failed(struct splitdns *s, const sd_bus_error *e)
{
	char detail[sizeof(s->detail)];
	bool absent = sd_bus_error_has_name(e, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
		      sd_bus_error_has_name(e, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
		      starts_with(e->name, "org.freedesktop.DBus.Error.Spawn.") ||
		      starts_with(e->name, "org.freedesktop.systemd1.");
	bool silent = sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY) ||
		      sd_bus_error_has_name(e, SD_BUS_ERROR_TIMEOUT);
	bool forbidden = sd_bus_error_has_name(e, SD_BUS_ERROR_ACCESS_DENIED) ||
			 sd_bus_error_has_name(e, SD_BUS_ERROR_INTERACTIVE_AUTHORIZATION_REQUIRED);
	calls_forget(s);
	if (absent) {
		set_state(s, SPLITDNS_UNAVAILABLE, "systemd-resolved is not running");
		return;
	}
	snprintf(detail, sizeof(detail), "systemd-resolved %s: %s%s",
		 silent ? "does not answer" : "refused", e->message ? e->message : e->name,
		 forbidden ? " polkit has to let the user mlshtund: it may be missing, or its rule "
			     "50-mlshtund.rules"
			   : "");
	set_state(s, silent ? SPLITDNS_UNAVAILABLE : SPLITDNS_REFUSED, detail);
}

static int on_required(sd_bus_message *reply, void *ctx, sd_bus_error *ret_error)
{
	struct splitdns *s = ctx;
	const sd_bus_error *e = sd_bus_message_get_error(reply);
	(void)ret_error;
	if (e)
		call_failed(s, e);
	else if (--s->unanswered == 0)
		set_state(s, SPLITDNS_ACTIVE, "");
	return 0;
}

/* Older versions lack some methods; the zone works without them, if less strictly. */
static int on_optional(sd_bus_message *reply, void *ctx, sd_bus_error *ret_error)
{
	(void)reply;
	(void)ctx;
	(void)ret_error;
	return 0;
}

#define CALL(s, method, callback, ...)                                                             \
	sd_bus_call_method_async((s)->bus, &(s)->calls[(s)->n_calls++], SERVICE, OBJECT,           \
				 INTERFACE, method, callback, s, __VA_ARGS__)

static int ask(struct splitdns *s)
{
	int link = (int)s->ifindex, r;
	calls_forget(s);
	s->unanswered = 2;
	r = CALL(s, "SetLinkDNS", on_required, "ia(iay)", link, 1, AF_INET, 4, s->server[0],
		 s->server[1], s->server[2], s->server[3]);
	if (r >= 0) /* true: for routing queries only, not a search domain */
		r = CALL(s, "SetLinkDomains", on_required, "ia(sb)", link, 1, s->zone, 1);
	if (r >= 0)
		r = CALL(s, "SetLinkDefaultRoute", on_optional, "ib", link, 0);
	/* Our zone is unsigned, unencrypted and unicast, whatever the host's default is. */
	if (r >= 0)
		r = CALL(s, "SetLinkDNSSEC", on_optional, "is", link, "no");
	if (r >= 0)
		r = CALL(s, "SetLinkDNSOverTLS", on_optional, "is", link, "no");
	if (r >= 0)
		r = CALL(s, "SetLinkLLMNR", on_optional, "is", link, "no");
	if (r >= 0)
		r = CALL(s, "SetLinkMulticastDNS", on_optional, "is", link, "no");
	return r;
}

static int on_owner_changed(sd_bus_message *m, void *ctx, sd_bus_error *ret_error)
{
	struct splitdns *s = ctx;
	const char *name, *before, *after;
	(void)ret_error;
	if (sd_bus_message_read(m, "sss", &name, &before, &after) < 0 || strcmp(name, SERVICE) != 0)
		return 0;
	if (*after) {
		set_state(s, SPLITDNS_PENDING, "");
		if (ask(s) < 0)
			set_state(s, SPLITDNS_UNAVAILABLE, "out of memory");
		return 0;
	}
	calls_forget(s);
	set_state(s, SPLITDNS_UNAVAILABLE, "systemd-resolved is not running");
	return 0;
}

/* ---- the bus on the loop ---- */

static void bus_close(struct splitdns *s)
{
	fd_watch_free(s->watch);
	s->watch = NULL;
	s->watched_fd = -1;
	timer_set(s->bus_timer, TIME_NEVER);
	calls_forget(s);
	s->bus = sd_bus_close_unref(s->bus);
}

static void bus_lost(struct splitdns *s, int code)
{
	char detail[sizeof(s->detail)];
	bus_close(s);
	if (code == -ENOENT || code == -ECONNREFUSED)
		snprintf(detail, sizeof(detail), "no systemd-resolved here (no D-Bus system bus)");
	else
		snprintf(detail, sizeof(detail), "no D-Bus system bus: %s", strerror(-code));
	set_state(s, SPLITDNS_UNAVAILABLE, detail);
	timer_set_in(s->reconnect, s->reconnect_ns);
	s->reconnect_ns = MIN(2 * s->reconnect_ns, RECONNECT_MAX_NS);
}

static void timer_set_bus(struct splitdns *s)
{
	uint64_t at_us;
	struct timespec now;
	if (sd_bus_get_timeout(s->bus, &at_us) < 0 || at_us == UINT64_MAX) {
		timer_set(s->bus_timer, TIME_NEVER);
		return;
	}
	clock_gettime(CLOCK_MONOTONIC, &now); /* sd-bus counts on this one */
	uint64_t now_us = (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000;
	timer_set_in(s->bus_timer, at_us > now_us ? (at_us - now_us) * NS_PER_US : 0);
}

static void bus_process(void *ctx);

static void bus_rearm(struct splitdns *s)
{
	int fd = sd_bus_get_fd(s->bus), events = sd_bus_get_events(s->bus);
	bool read = events > 0 && (events & POLLIN), write = events > 0 && (events & POLLOUT);
	if (fd != s->watched_fd) { /* it went on to the next address of several */
		fd_watch_free(s->watch);
		s->watch = fd_watch_new(s->host, fd, read, write, bus_process, s);
		s->watched_fd = fd;
	} else if (s->watch) {
		fd_watch_set(s->watch, read, write);
	}
	timer_set_bus(s);
}

/* Lets sd-bus do what there is to do; its callbacks run in here. */
static void bus_process(void *ctx)
{
	struct splitdns *s = ctx;
	int r = 1;
	for (int i = 0; r > 0 && i < PROCESS_MAX; i++)
		r = sd_bus_process(s->bus, NULL);
	if (r >= 0 && sd_bus_is_open(s->bus) <= 0)
		r = -ECONNRESET;
	if (r < 0) {
		bus_lost(s, r);
		return;
	}
	if (sd_bus_is_ready(s->bus) > 0)
		s->reconnect_ns = RECONNECT_MIN_NS;
	bus_rearm(s);
	if (r > 0)
		timer_set_in(s->bus_timer, 0); /* there is more */
}

static int bus_open(struct splitdns *s)
{
	/* Connects to a socket of this machine and returns; the greeting is done in bus_process. */
	int r = sd_bus_open_system(&s->bus);
	if (r < 0)
		return r;
	sd_bus_set_method_call_timeout(s->bus, CALL_TIMEOUT_US);
	/* Queued until the greeting is over, in this order: no restart falls in between. */
	r = sd_bus_add_match_async(s->bus, NULL,
				   "type='signal',sender='org.freedesktop.DBus',"
				   "path='/org/freedesktop/DBus',"
				   "interface='org.freedesktop.DBus',member='NameOwnerChanged',"
				   "arg0='" SERVICE "'",
				   on_owner_changed, on_optional, s);
	return r < 0 ? r : ask(s);
}

static void bus_try(void *ctx)
{
	struct splitdns *s = ctx;
	int r = bus_open(s);
	if (r < 0)
		bus_lost(s, r);
	else
		bus_rearm(s);
}

/* ---- start and stop ---- */

int splitdns_start(struct host *h, unsigned ifindex, const char *zone, ip4 server, loop_fn changed,
		   void *ctx, struct err *err, struct splitdns **ret)
{
	if (*zone == '\0' || strlen(zone) > ZONE_MAX)
		return err_set(err, -EINVAL, "\"%s\" is not a DNS zone", zone);
	struct splitdns *s = calloc(1, sizeof(*s));
	if (!s)
		return err_set(err, -ENOMEM, "out of memory");
	*s = (struct splitdns){ .host = h, .ifindex = ifindex, .changed = changed, .ctx = ctx };
	s->watched_fd = -1;
	s->reconnect_ns = RECONNECT_MIN_NS;
	memcpy(s->zone, zone, strlen(zone) + 1);
	store_be32(s->server, server);
	s->notify = deferred_new(h, on_notify, s);
	s->bus_timer = timer_new(h, bus_process, s);
	s->reconnect = timer_new(h, bus_try, s);
	if (!s->notify || !s->bus_timer || !s->reconnect) {
		splitdns_stop(s);
		return err_set(err, -ENOMEM, "out of memory");
	}
	bus_try(s);
	*ret = s;
	return 0;
}

enum splitdns_state splitdns_state_get(const struct splitdns *s)
{
	return s->state;
}

const char *splitdns_detail(const struct splitdns *s)
{
	return s->detail;
}

/* The link's own settings; those of a link that vanishes are dropped by resolved itself. */
static void revert(struct splitdns *s)
{
	sd_bus_message *m = NULL;
	calls_forget(s);
	if (sd_bus_is_ready(s->bus) <= 0 || s->state == SPLITDNS_UNAVAILABLE)
		return;
	if (sd_bus_message_new_method_call(s->bus, &m, SERVICE, OBJECT, INTERFACE, "RevertLink") >=
		    0 &&
	    sd_bus_message_set_auto_start(m, 0) >= 0 &&
	    sd_bus_message_append(m, "i", (int)s->ifindex) >= 0)
		(void)sd_bus_call(s->bus, m, REVERT_TIMEOUT_US, NULL, NULL);
	sd_bus_message_unref(m);
}

void splitdns_stop(struct splitdns *s)
{
	if (!s)
		return;
	if (s->bus) {
		revert(s);
		bus_close(s);
	}
	deferred_free(s->notify);
	timer_free(s->bus_timer);
	timer_free(s->reconnect);
	free(s);
}
