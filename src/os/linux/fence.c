/* SPDX-License-Identifier: MIT */
/*
 * The fence's life: which addresses are in the table, which interfaces are inside, and what becomes
 * of it when others change the packet filter.
 *
 * An owned table can be changed by nobody else: "nft flush ruleset" passes over it. One that cannot
 * be owned is watched, and made again when somebody has changed it.
 */
#include "os/fence.h"

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "os/linux/defaults.h"
#include "os/linux/fence_internal.h"
#include "os/linux/fence_table.h"
#include "os/linux/internal.h"
#include "os/linux/links.h"
#include "os/posix/watch.h"

#define RETRY_NS (60 * NS_PER_S)
#define RESTORE_NS (200 * NS_PER_MS) /* others change the filter in many steps */
#define INSIDE_MAX 128
#define MESSAGES_MAX 64 /* read in one callback */

struct address {
	ip4 ip;
	bool wanted;
	bool fenced; /* the table has it */
};

struct fence {
	struct host *host;
	struct fence_table table; /* its socket is NULL while it is not up */
	bool may_own;
	struct mnl_socket *events; /* of a table that is not owned */
	struct fd_watch *watch;
	struct address *at; /* sorted */
	size_t n, cap;
	unsigned inside[INSIDE_MAX];
	size_t n_inside;
	struct fence_redirect redirect; /* its port is 0 without one */
	struct deferred *flush;
	struct timer *again;
	enum fence_state state;
	char detail[160];
	struct log_limit limit; /* of lines about others who change the table */
	loop_fn changed;
	void *ctx;
};

/* ---- up and down ---- */

static void take_down(struct fence *f)
{
	fd_watch_free(f->watch);
	f->watch = NULL;
	if (f->events)
		mnl_socket_close(f->events);
	f->events = NULL;
	if (f->table.socket) {
		if (!f->table.owned)
			fence_table_remove(&f->table);
		mnl_socket_close(f->table.socket); /* an owned table ends with it */
	}
	f->table.socket = NULL;
	for (size_t i = 0; i < f->n; i++)
		f->at[i].fenced = false;
	f->n_inside = 0;
}

/* Returns whether the state is another one than before. */
static bool say(struct fence *f, enum fence_state state, int code)
{
	bool news = state != f->state;

	f->state = state;
	if (state == FENCE_UP)
		f->detail[0] = '\0';
	else if (state == FENCE_UNAVAILABLE)
		snprintf(f->detail, sizeof(f->detail),
			 "this kernel has no nf_tables (try `modprobe nf_tables`)");
	else
		snprintf(f->detail, sizeof(f->detail), "nf_tables refuses our table %s: %s",
			 f->table.name, strerror(-code));
	return news;
}

/* The kernel said no: the fence is down until it is tried again. Returns as say does. */
static bool fail(struct fence *f, int code)
{
	/* What a kernel without nf_tables, or without its "inet" family, says. */
	bool missing = code == -EPROTONOSUPPORT || code == -EAFNOSUPPORT || code == -EOPNOTSUPP ||
		       code == -ENOENT || code == -EINVAL;

	take_down(f);
	timer_set_in(f->again, RETRY_NS);
	return say(f, missing ? FENCE_UNAVAILABLE : FENCE_REFUSED, code);
}

/* ---- who changes our table ---- */

/* Returns 1 if another process changed it; 0 if it is not ours, or our own doing. */
static int is_foreign_change(const struct fence *f, const struct nlmsghdr *m)
{
	const struct nlattr *a[NFTA_TABLE_NAME + 1];

	if (NFNL_SUBSYS_ID(m->nlmsg_type) != NFNL_SUBSYS_NFTABLES ||
	    m->nlmsg_pid == mnl_socket_get_portid(f->table.socket))
		return 0;
	/* In each kind of message the first attribute names the table. */
	netlink_attributes(m, sizeof(struct nfgenmsg), a, ARRAY_LEN(a));
	return a[NFTA_TABLE_NAME] &&
	       mnl_attr_validate(a[NFTA_TABLE_NAME], MNL_TYPE_NUL_STRING) == 0 &&
	       strcmp(mnl_attr_get_str(a[NFTA_TABLE_NAME]), f->table.name) == 0;
}

static bool was_changed(const struct fence *f, const uint8_t *data, size_t len)
{
	int left = (int)len;

	for (const struct nlmsghdr *m = (const void *)data; mnl_nlmsg_ok(m, left);
	     m = mnl_nlmsg_next(m, &left))
		if (is_foreign_change(f, m))
			return true;
	return false;
}

static void on_event(void *ctx)
{
	struct fence *f = ctx;
	uint8_t buffer[16384];
	bool changed = false;

	for (int i = 0; i < MESSAGES_MAX; i++) {
		ssize_t n = recv(mnl_socket_get_fd(f->events), buffer, sizeof(buffer),
				 MSG_DONTWAIT);

		if (n < 0 && errno != ENOBUFS)
			break;
		changed |= n < 0 || was_changed(f, buffer, (size_t)n);
	}
	if (changed && !timer_is_set(f->again))
		timer_set_in(f->again, RESTORE_NS);
}

static int events_open(struct fence *f)
{
	int group = NFNLGRP_NFTABLES;

	f->events = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!f->events || mnl_socket_bind(f->events, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_setsockopt(f->events, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) < 0)
		return -errno;
	f->watch = fd_watch_new(f->host, mnl_socket_get_fd(f->events), true, false, on_event, f);
	return f->watch ? 0 : -ENOMEM;
}

/* ---- what is in it ---- */

/* Puts into the table what is wanted, or takes out what is not, and is not so yet. */
static int addresses_write(struct fence *f, bool add)
{
	ip4 *list = calloc(f->n + 1, sizeof(*list));
	size_t n = 0;
	int r;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < f->n; i++)
		if (f->at[i].wanted == add && f->at[i].fenced != add)
			list[n++] = f->at[i].ip;
	r = fence_table_addresses(&f->table, list, n, add);
	free(list);
	for (size_t i = 0; r == 0 && i < f->n; i++)
		if (f->at[i].wanted == add)
			f->at[i].fenced = add;
	return r;
}

static void addresses_forget(struct fence *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++)
		if (f->at[i].wanted)
			f->at[n++] = f->at[i];
	f->n = n;
}

/*
 * Bridges of containers and virtual machines: what comes from there is this host's own business.
 * One that leads to other machines is none, though a host that is a container itself cannot tell by
 * its ports: there its way out looks like the end of another container.
 */
static int inside_write(struct fence *f)
{
	struct links links;
	struct defaults defaults;
	unsigned found[INSIDE_MAX];
	size_t n = 0;
	int r = links_load(&links);

	if (r == 0)
		r = defaults_load(&links, &defaults);
	for (size_t i = 0; r == 0 && i < links.n && n < INSIDE_MAX; i++)
		if (links_is_inside(&links, &links.at[i]) &&
		    !defaults_lead_through(&defaults, links.at[i].index))
			found[n++] = links.at[i].index;
	links_fini(&links);
	if (r == -EINTR) /* something changes just now: netwatch will say so */
		return 0;
	if (r < 0 || (n == f->n_inside && memcmp(found, f->inside, n * sizeof(*found)) == 0))
		return r;
	r = fence_table_inside(&f->table, found, n);
	if (r < 0)
		return r;
	memcpy(f->inside, found, n * sizeof(*found));
	f->n_inside = n;
	return 0;
}

static int put_up(struct fence *f)
{
	int r = 0;

	f->table.socket = nft_open();
	if (!f->table.socket)
		return -errno;
	r = fence_table_make(&f->table, f->may_own);
	if (r == 0 && !f->table.owned)
		r = events_open(f);
	if (r == 0)
		r = inside_write(f);
	if (r == 0 && f->redirect.port)
		r = fence_table_redirect(&f->table, &f->redirect);
	return r;
}

static int addresses_sync(struct fence *f)
{
	int r = addresses_write(f, false);

	if (r == 0)
		r = addresses_write(f, true);
	addresses_forget(f);
	return r;
}

/* Tells the owner if `r`, what came of the table, makes the state another one. */
static void settle(struct fence *f, int r)
{
	if (r < 0 ? fail(f, r) : say(f, FENCE_UP, 0))
		f->changed(f->ctx);
}

static void on_flush(void *ctx)
{
	struct fence *f = ctx;
	int r;

	if (!f->table.socket)
		return; /* they come with it, when it is tried again */
	r = addresses_sync(f);
	if (r < 0 && !f->table.owned)
		timer_set_in(f->again, RESTORE_NS); /* another program removed the table just now */
	else
		settle(f, r);
}

void fence_flush(struct fence *f)
{
	/* What the kernel refuses is tried again and said at the end of the turn. */
	if (f->table.socket)
		(void)!addresses_write(f, true);
}

static void on_again(void *ctx)
{
	struct fence *f = ctx;
	int r;

	if (f->table.socket)
		log_limited(host_log(f->host), &f->limit, clock_now(f->host), LOG_LEVEL_WARN,
			    "another program changed the packet filter's table %s: made again",
			    f->table.name);
	take_down(f);
	r = put_up(f);
	if (r == 0)
		r = addresses_sync(f);
	settle(f, r);
}

/* ---- for everybody ---- */

static struct fence *new(struct host *h, const char *device, bool may_own, loop_fn changed,
			 void *ctx)
{
	struct fence *f = calloc(1, sizeof(*f));
	int r;

	if (!f)
		return NULL;
	f->host = h;
	f->may_own = may_own;
	f->limit = (struct log_limit){ .period_ns = 60 * NS_PER_S, .burst = 3 };
	f->changed = changed;
	f->ctx = ctx;
	snprintf(f->table.name, sizeof(f->table.name), "%s", device);
	f->flush = deferred_new(h, on_flush, f);
	f->again = timer_new(h, on_again, f);
	if (!f->flush || !f->again) {
		fence_free(f);
		return NULL;
	}
	r = put_up(f);
	if (r < 0)
		(void)fail(f, r);
	return f;
}

struct fence *fence_new(struct host *h, const char *device, loop_fn changed, void *ctx)
{
	return new (h, device, true, changed, ctx);
}

struct fence *fence_new_unowned(struct host *h, const char *device, loop_fn changed, void *ctx)
{
	return new (h, device, false, changed, ctx);
}

void fence_free(struct fence *f)
{
	if (!f)
		return;
	take_down(f);
	deferred_free(f->flush);
	timer_free(f->again);
	free(f->at);
	free(f);
}

/* Where the address is, or belongs. */
static size_t place_of(const struct fence *f, ip4 ip)
{
	size_t low = 0, high = f->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (f->at[mid].ip < ip)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int fence_address(struct fence *f, ip4 address, bool fenced)
{
	size_t i = place_of(f, address);

	if (i < f->n && f->at[i].ip == address) {
		if (f->at[i].wanted != fenced)
			deferred_call(f->flush);
		f->at[i].wanted = fenced;
		return 0;
	}
	if (!fenced)
		return 0;
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 16;
		struct address *more = reallocarray(f->at, cap, sizeof(*more));

		if (!more)
			return -ENOMEM;
		f->at = more;
		f->cap = cap;
	}
	memmove(&f->at[i + 1], &f->at[i], (f->n - i) * sizeof(*f->at));
	f->at[i] = (struct address){ .ip = address, .wanted = true };
	f->n++;
	deferred_call(f->flush);
	return 0;
}

int fence_redirect(struct fence *f, ip4 address, uint16_t port, uint16_t udp, uint16_t tcp)
{
	const struct fence_redirect wanted = { address, port, udp, tcp };
	int r = f->table.socket ? fence_table_redirect(&f->table, &wanted) : -EOPNOTSUPP;

	if (r == 0)
		f->redirect = wanted; /* a table that is made again has it, too */
	return r;
}

void fence_network_changed(struct fence *f)
{
	int r = f->table.socket ? inside_write(f) : 0;

	if (r < 0)
		log_warn(host_log(f->host), "containers may not reach the overlay: %s",
			 strerror(-r));
}

enum fence_state fence_state_get(const struct fence *f)
{
	return f->state;
}

const char *fence_detail(const struct fence *f)
{
	return f->detail;
}

uint64_t fence_dropped(struct fence *f)
{
	return f->table.socket ? fence_table_dropped(&f->table) : 0;
}
