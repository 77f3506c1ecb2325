/* SPDX-License-Identifier: MIT */
/*
 * Keeps our part of the host's network whole. Other software takes away addresses, routes, the
 * interface's state or the interface itself; the watch tells at once, and it is put back at once.
 * Other software that keeps taking them away is not raced: after REPAIR_FREE times in a row the
 * pauses grow, and status says so. Until the routes are back the guard (netsetup.h) keeps
 * packets for members from leaving in the clear.
 */
#include "overlay/internal.h"

#include <stdio.h>

#define REPAIR_FREE 5u
#define REPAIR_PAUSE_MIN NS_PER_S
#define REPAIR_PAUSE_MAX (60 * NS_PER_S)
#define REPAIR_CALM (60 * NS_PER_S)  /* after so long the next one is the first again */
#define LINES_PERIOD (60 * NS_PER_S) /* of lines about conflicts, after a burst */

static const char *const part_names[] = { "name",  "MTU",    "link state", "address",
					  "rules", "routes", "interface" };

static void name_parts(unsigned parts, char *out, size_t cap)
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(part_names); i++) {
		if (!(parts & 1u << i) || n >= cap)
			continue;
		int len = snprintf(out + n, cap - n, "%s%s", n ? ", " : "", part_names[i]);

		n += (size_t)MAX(len, 0);
	}
}

/* --- what there is to say -------------------------------------------------------------------- */

static bool said_before(const struct netsetup_report *before, const char *line)
{
	for (size_t i = 0; i < before->n_conflicts; i++)
		if (strcmp(before->conflicts[i], line) == 0)
			return true;
	return false;
}

/* Returns how many of the conflicts are new; both reports have each of them once. */
static size_t log_conflicts(struct overlay *o, const struct netsetup_report *now)
{
	struct repair *r = &o->repair;
	size_t n_new = 0;

	for (size_t i = 0; i < now->n_conflicts; i++) {
		if (said_before(&r->report, now->conflicts[i]))
			continue;
		n_new++;
		if (r->started)
			log_limited(host_log(o->peering.h), &r->lines, clock_now(o->peering.h),
				    LOG_LEVEL_WARN, "%s", now->conflicts[i]);
	}
	if (r->report.n_conflicts > 0 && now->n_conflicts == 0)
		log_limited(host_log(o->peering.h), &r->lines, clock_now(o->peering.h),
			    LOG_LEVEL_INFO,
			    "the overlay's addresses no longer collide with this host's networks");
	return n_new;
}

/* Something was put back: counted, logged, and the next time may have to wait. */
static void note_restored(struct overlay *o, unsigned parts)
{
	struct repair *r = &o->repair;
	uint64_t now = clock_now(o->peering.h);
	char names[64];

	r->streak = now - r->last > REPAIR_CALM +
					    (r->hold_until > r->last ? r->hold_until - r->last : 0)
			    ? 1
			    : r->streak + 1;
	r->count++;
	r->last = now;
	r->parts = parts;
	name_parts(parts, names, sizeof(names));
	if (r->streak <= REPAIR_FREE) {
		log_limited(host_log(o->peering.h), &r->limit, now, LOG_LEVEL_WARN,
			    "%s: put back what other software took away: %s", overlay_ifname(o),
			    names);
		return;
	}
	unsigned doublings = MIN(r->streak - REPAIR_FREE, 6u);
	uint64_t pause = MIN(REPAIR_PAUSE_MIN << doublings, REPAIR_PAUSE_MAX);

	r->hold_until = now + pause;
	log_limited(host_log(o->peering.h), &r->limit, now, LOG_LEVEL_WARN,
		    "%s: other software keeps taking this away: %s; put back %llu times, the next "
		    "time in %u s",
		    overlay_ifname(o), names, (unsigned long long)r->count,
		    (unsigned)(pause / NS_PER_S));
}

/* It cannot be put back: tried again, ever more rarely. */
static void note_failed(struct overlay *o)
{
	struct repair *r = &o->repair;
	uint64_t now = clock_now(o->peering.h);

	r->failures++;
	r->hold_until = now + MIN(REPAIR_PAUSE_MIN << MIN(r->failures - 1, 6u), REPAIR_PAUSE_MAX);
	log_limited(host_log(o->peering.h), &r->limit, now, LOG_LEVEL_ERROR, "%s is not whole: %s",
		    overlay_ifname(o), r->report.failure);
}

/* --- making it so ---------------------------------------------------------------------------- */

static int open_device(struct overlay *o, struct err *err)
{
	struct tun_config tc = { .name_prefix = NETCONF_DEVICE,
				 .number = o->device,
				 .spare = o->spare_device,
				 .mtu_bytes = OVERLAY_MTU };

	return tun_open(o->peering.h, &tc, outbound_readable, &o->peering.dp, err,
			&o->peering.dp.tun);
}

/* A tunnel without a fence is still a tunnel, and `status` says what it lacks. */
static void fence_log(const struct overlay *o)
{
	if (fence_state_get(o->fence) == FENCE_UP)
		log_info(host_log(o->peering.h), "%s: the fence is up", overlay_ifname(o));
	else
		log_warn(host_log(o->peering.h),
			 "%s: no fence: %s. Hosts on the same network can reach what listens at "
			 "overlay addresses, and can pose as members",
			 overlay_ifname(o), fence_detail(o->fence));
}

static void on_fence(void *ctx)
{
	struct overlay *o = ctx;

	fence_log(o);
	if (o->peering.ops->fence_changed)
		o->peering.ops->fence_changed(o->peering.ctx);
}

/* Describes the device, with a fence around it: the old one if it has the same name. */
static int describe_device(struct overlay *o, struct netsetup_device *ret, struct err *err)
{
	*ret = (struct netsetup_device){ .ifindex = tun_ifindex(o->peering.dp.tun),
					 .mtu_bytes = OVERLAY_MTU };
	snprintf(ret->ifname, sizeof(ret->ifname), "%s", tun_name(o->peering.dp.tun));
	if (!o->fence || strcmp(ret->ifname, o->net.device.ifname) != 0) {
		struct fence *fence = fence_new(o->peering.h, ret->ifname, on_fence, o);

		if (!fence)
			return err_set(err, -ENOMEM, "no memory for the fence");
		bool other = o->fence != NULL;

		fence_free(o->fence);
		o->fence = fence;
		if (fence_state_get(fence) != FENCE_UP)
			fence_log(o);
		if (other && o->peering.ops->fence_changed)
			o->peering.ops->fence_changed(o->peering.ctx);
	}
	ret->fence = o->fence;
	return 0;
}

/* The interface was deleted: another one takes its place. */
static int replace_device(struct overlay *o, struct err *err)
{
	struct netsetup_device device;
	int rc;

	tun_close(o->peering.dp.tun);
	o->peering.dp.tun = NULL;
	rc = open_device(o, err);
	if (rc == 0)
		rc = describe_device(o, &device, err);
	if (rc < 0)
		return rc;
	rc = netsetup_replace(&o->net, &device);
	if (rc < 0)
		return err_set(err, rc, "cannot look at this host's network: %s", strerror(-rc));
	datapath_offloads(&o->peering.dp);
	o->repair.device_gone = false;
	return 0;
}

static void report_failure(struct netsetup_report *report, unsigned part, const struct err *err)
{
	report->missing |= part;
	snprintf(report->failure, sizeof(report->failure), "%.200s", err->text);
}

static void sync_failed(struct netsetup_report *report, int rc)
{
	struct err err = { 0 };

	err_set(&err, rc, "cannot look at this host's network: %s", strerror(-rc));
	report_failure(report, NETSETUP_ROUTES, &err);
}

/* One pass; with `restore` it puts back what is gone. Returns true if the interface is new. */
static bool pass(struct overlay *o, bool restore, struct netsetup_report *ret)
{
	struct err err = { 0 };
	bool replaced = false;
	int rc = o->repair.device_gone ? -ENODEV
				       : netsetup_sync(&o->net, o->peering.log, restore, ret);

	if (rc == -ENODEV) {
		*ret = (struct netsetup_report){ 0 };
		o->repair.device_gone = true;
		if (!restore) {
			ret->missing = NETSETUP_DEVICE;
			return false;
		}
		if (replace_device(o, &err) < 0) {
			report_failure(ret, NETSETUP_DEVICE, &err);
			return false;
		}
		replaced = true;
		rc = netsetup_sync(&o->net, o->peering.log, true, ret);
	}
	if (rc < 0)
		sync_failed(ret, rc);
	else if (replaced)
		ret->restored = NETSETUP_DEVICE; /* with all that was on it */
	return replaced;
}

static void run(struct overlay *o)
{
	struct repair *r = &o->repair;
	uint64_t now = clock_now(o->peering.h);
	bool restore = now >= r->hold_until, changed;
	struct netsetup_report report;
	bool replaced = pass(o, restore, &report);

	changed = log_conflicts(o, &report) > 0 || report.missing != r->report.missing ||
		  report.n_conflicts != r->report.n_conflicts || report.restored;
	r->report = report;
	if (report.restored)
		note_restored(o, report.restored);
	if (restore && report.missing)
		note_failed(o);
	else if (restore)
		r->failures = 0;
	if (report.missing)
		timer_set(r->timer, MAX(r->hold_until, now + 1));
	if (replaced && o->peering.ops->device_changed)
		o->peering.ops->device_changed(o->peering.ctx);
	if (changed && r->started && o->peering.ops->network_state)
		o->peering.ops->network_state(o->peering.ctx);
}

void repair_look(void *overlay)
{
	struct overlay *o = overlay;

	if (!o->peering.closing && o->repair.started)
		run(o);
}

void repair_device_gone(struct overlay *o)
{
	o->repair.device_gone = true;
	if (o->peering.dp.tun)
		tun_pause(o->peering.dp.tun, true);
	/* Not from within a read or write of the device. */
	timer_set(o->repair.timer, MAX(clock_now(o->peering.h), o->repair.hold_until));
}

int repair_start(struct overlay *o, struct err *err)
{
	struct repair *r = &o->repair;
	struct netsetup_device device;
	int rc = open_device(o, err);

	o->peering.dp.address = o->peering.self->address;
	r->lines = (struct log_limit){ .period_ns = LINES_PERIOD,
				       .burst = 2 * NETSETUP_CONFLICTS_MAX };
	if (rc == 0)
		rc = describe_device(o, &device, err);
	if (rc < 0)
		return rc;
	rc = netsetup_start(&o->net, o->peering.h, o->netwatch, &device, o->peering.log,
			    o->peering.self->address, err);
	if (rc < 0)
		return rc;
	run(o);
	if (r->report.missing)
		return err_set(err, -EIO, "%s", r->report.failure);
	for (size_t i = 1; i < r->report.n_conflicts; i++) /* the first is the owner's to log */
		log_warn(host_log(o->peering.h), "%s", r->report.conflicts[i]);
	r->started = true;
	return 0;
}

void repair_stop(struct overlay *o)
{
	struct repair *r = &o->repair;

	r->started = r->device_gone = false;
	r->report = (struct netsetup_report){ 0 };
	r->hold_until = 0;
	if (r->timer)
		timer_set(r->timer, TIME_NEVER);
	tun_close(o->peering.dp.tun);
	o->peering.dp.tun = NULL;
	netsetup_stop(&o->net);
	fence_free(o->fence);
	o->fence = NULL;
}

/* --- other clusters --- */

void overlay_seniors_changed(struct overlay *o)
{
	if (o->repair.started)
		timer_set(o->repair.timer, clock_now(o->peering.h));
}

void overlay_yield(struct overlay *o, ip4 ip)
{
	if (o->net.h && netsetup_yield(&o->net, ip))
		overlay_seniors_changed(o);
}

/* --- the device ------------------------------------------------------------------------------- */

const char *overlay_ifname(const struct overlay *o)
{
	return o->net.device.ifname;
}

unsigned overlay_ifindex(const struct overlay *o)
{
	return o->net.device.ifindex;
}

struct fence *overlay_fence(const struct overlay *o)
{
	return o->fence;
}

/* --- for people ------------------------------------------------------------------------------ */

void overlay_repairs_get(const struct overlay *o, struct overlay_repairs *ret)
{
	const struct repair *r = &o->repair;
	uint64_t now = clock_now(o->peering.h);

	*ret = (struct overlay_repairs){
		.count = r->count,
		.last = r->last,
		.broken = r->report.missing != 0,
		.next_ns = r->report.missing && r->hold_until > now ? r->hold_until - now : 0,
	};
	name_parts(r->parts, ret->what, sizeof(ret->what));
	name_parts(r->report.missing, ret->missing, sizeof(ret->missing));
	snprintf(ret->failure, sizeof(ret->failure), "%s", r->report.failure);
}

const char *overlay_conflict(const struct overlay *o, size_t i)
{
	return i < o->repair.report.n_conflicts ? o->repair.report.conflicts[i] : NULL;
}

bool overlay_routes_to(const struct overlay *o, const struct member *m)
{
	return netsetup_routes(&o->net, m);
}
