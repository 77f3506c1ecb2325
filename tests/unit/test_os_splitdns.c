/* SPDX-License-Identifier: MIT */
/*
 * Split DNS against a bus of the test's own, on which a child process plays systemd-resolved. What
 * it is asked for comes back over a pipe, one line a call.
 */
#include <stdarg.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "os/splitdns.h"
#include "os_bus.h"

#define LINK 42
#define SERVER 0x64400001 /* 100.64.0.1 */

static struct host *host;
static char dir[] = "/tmp/mlsh-test-bus-XXXXXX";
static char path[64];
static struct os_bus bus;
static int calls_pipe[2];
static char calls[4096]; /* lines told by the resolver */

/* ---- the resolver, in its own process ---- */

enum manner { OBEDIENT, OLD, REFUSING, SILENT };

static enum manner manner;

static void tell(const char *fmt, ...)
{
	char line[128];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	if (write(calls_pipe[1], line, (size_t)n) != n)
		_exit(1);
}

static int answer(sd_bus_message *m)
{
	if (manner == SILENT)
		return 1;
	if (manner == REFUSING)
		return sd_bus_reply_method_errorf(m, "org.freedesktop.resolve1.LinkBusy",
						  "Link mlsh0 is managed.");
	return sd_bus_reply_method_return(m, "");
}

static int on_dns(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	int link, family;
	const void *ip;
	size_t len;
	(void)ctx;
	(void)e;
	if (sd_bus_message_read(m, "i", &link) < 0 ||
	    sd_bus_message_enter_container(m, 'a', "(iay)") < 0 ||
	    sd_bus_message_enter_container(m, 'r', "iay") < 0 ||
	    sd_bus_message_read(m, "i", &family) < 0 ||
	    sd_bus_message_read_array(m, 'y', &ip, &len) < 0 || len != 4)
		_exit(2);
	const uint8_t *b = ip;
	tell("dns %d %d %u.%u.%u.%u\n", link, family == AF_INET, b[0], b[1], b[2], b[3]);
	return answer(m);
}

static int on_domains(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	int link, routing;
	const char *zone;
	(void)ctx;
	(void)e;
	if (sd_bus_message_read(m, "i", &link) < 0 ||
	    sd_bus_message_enter_container(m, 'a', "(sb)") < 0 ||
	    sd_bus_message_read(m, "(sb)", &zone, &routing) < 0)
		_exit(2);
	tell("domains %d %s %d\n", link, zone, routing);
	return answer(m);
}

static int on_default_route(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	int link, yes;
	(void)ctx;
	(void)e;
	if (sd_bus_message_read(m, "ib", &link, &yes) < 0)
		_exit(2);
	tell("default %d %d\n", link, yes);
	if (manner == OLD)
		return sd_bus_reply_method_errorf(m, SD_BUS_ERROR_UNKNOWN_METHOD, "Unknown.");
	return answer(m);
}

static int on_setting(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	int link;
	const char *value;
	(void)ctx;
	(void)e;
	if (sd_bus_message_read(m, "is", &link, &value) < 0)
		_exit(2);
	tell("%s %d %s\n", sd_bus_message_get_member(m), link, value);
	return answer(m);
}

static int on_revert(sd_bus_message *m, void *ctx, sd_bus_error *e)
{
	int link;
	(void)ctx;
	(void)e;
	if (sd_bus_message_read(m, "i", &link) < 0)
		_exit(2);
	tell("revert %d\n", link);
	return answer(m);
}

#define ANYBODY SD_BUS_VTABLE_UNPRIVILEGED

static const sd_bus_vtable vtable[] = {
	SD_BUS_VTABLE_START(0),
	SD_BUS_METHOD("SetLinkDNS", "ia(iay)", "", on_dns, ANYBODY),
	SD_BUS_METHOD("SetLinkDomains", "ia(sb)", "", on_domains, ANYBODY),
	SD_BUS_METHOD("SetLinkDefaultRoute", "ib", "", on_default_route, ANYBODY),
	SD_BUS_METHOD("SetLinkDNSSEC", "is", "", on_setting, ANYBODY),
	SD_BUS_METHOD("SetLinkDNSOverTLS", "is", "", on_setting, ANYBODY),
	SD_BUS_METHOD("SetLinkLLMNR", "is", "", on_setting, ANYBODY),
	SD_BUS_METHOD("SetLinkMulticastDNS", "is", "", on_setting, ANYBODY),
	SD_BUS_METHOD("RevertLink", "i", "", on_revert, ANYBODY),
	SD_BUS_VTABLE_END,
};

static void play_resolver(void)
{
	sd_bus *b = NULL;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (sd_bus_open_system(&b) < 0 ||
	    sd_bus_add_object_vtable(b, NULL, "/org/freedesktop/resolve1",
				     "org.freedesktop.resolve1.Manager", vtable, NULL) < 0 ||
	    sd_bus_request_name(b, "org.freedesktop.resolve1", 0) < 0)
		_exit(3);
	tell("ready\n");
	for (;;)
		if (sd_bus_process(b, NULL) == 0)
			sd_bus_wait(b, UINT64_MAX);
}

static pid_t resolver_start(enum manner how)
{
	manner = how;
	pid_t pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		play_resolver();
	return pid;
}

static void process_end(pid_t pid)
{
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
}

/* ---- the bus ---- */

static bool setup(void)
{
	host = os_unit_host();
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/bus", dir);
	ck_assert_int_eq(pipe(calls_pipe), 0);
	return os_bus_start(&bus, path);
}

static void teardown(void)
{
	os_bus_stop(&bus);
	ck_assert_int_eq(rmdir(dir), 0);
	host_free(host);
}

/* Reads what the resolver tells until the line has come. Blocks: another process. */
static void wait_line(const char *line)
{
	while (!strstr(calls, line)) {
		size_t len = strlen(calls);
		ssize_t n = read(calls_pipe[0], calls + len, sizeof(calls) - 1 - len);
		ck_assert_int_gt(n, 0);
		calls[len + (size_t)n] = '\0';
	}
}

/* ---- tests ---- */

struct watched {
	struct splitdns *dns;
	enum splitdns_state wanted;
	unsigned changes;
};

static void on_changed(void *ctx)
{
	struct watched *w = ctx;
	w->changes++;
	if (splitdns_state_get(w->dns) == w->wanted)
		loop_stop(host);
}

static void start(struct watched *w)
{
	struct err err = { 0 };
	*w = (struct watched){ 0 };
	int r = splitdns_start(host, LINK, "homelab", SERVER, on_changed, w, &err, &w->dns);
	ck_assert_msg(r == 0, "%s", err.text);
}

static void wait_state(struct watched *w, enum splitdns_state wanted, const char *what)
{
	w->wanted = wanted;
	if (splitdns_state_get(w->dns) != wanted)
		os_unit_run(host, what);
	ck_assert_int_eq(splitdns_state_get(w->dns), wanted);
}

static void check_asked(void)
{
	wait_line("SetLinkMulticastDNS 42 no\n");
	ck_assert_ptr_nonnull(strstr(calls, "dns 42 1 100.64.0.1\n"));
	ck_assert_ptr_nonnull(strstr(calls, "domains 42 homelab 1\n"));
	ck_assert_ptr_nonnull(strstr(calls, "default 42 0\n"));
	ck_assert_ptr_nonnull(strstr(calls, "SetLinkDNSSEC 42 no\n"));
	ck_assert_ptr_nonnull(strstr(calls, "SetLinkDNSOverTLS 42 no\n"));
	ck_assert_ptr_nonnull(strstr(calls, "SetLinkLLMNR 42 no\n"));
	calls[0] = '\0';
}

START_TEST(zone_is_asked_for_and_reverted)
{
	if (!setup())
		return;
	struct watched w;
	pid_t resolver = resolver_start(OBEDIENT);
	wait_line("ready\n");
	start(&w);
	ck_assert_int_eq(splitdns_state_get(w.dns), SPLITDNS_PENDING);
	ck_assert_uint_eq(w.changes, 0);
	wait_state(&w, SPLITDNS_ACTIVE, "the resolver's consent");
	ck_assert_str_eq(splitdns_detail(w.dns), "");
	check_asked();
	splitdns_stop(w.dns);
	wait_line("revert 42\n");
	splitdns_stop(NULL);
	process_end(resolver);
	teardown();
}
END_TEST

START_TEST(older_resolver_will_do)
{
	if (!setup())
		return;
	struct watched w;
	pid_t resolver = resolver_start(OLD);
	wait_line("ready\n");
	start(&w);
	wait_state(&w, SPLITDNS_ACTIVE, "the resolver's consent");
	splitdns_stop(w.dns);
	process_end(resolver);
	teardown();
}
END_TEST

START_TEST(refusal_is_told)
{
	if (!setup())
		return;
	struct watched w;
	pid_t resolver = resolver_start(REFUSING);
	wait_line("ready\n");
	start(&w);
	wait_state(&w, SPLITDNS_REFUSED, "the refusal");
	ck_assert_ptr_nonnull(strstr(splitdns_detail(w.dns), "Link mlsh0 is managed."));
	splitdns_stop(w.dns);
	process_end(resolver);
	teardown();
}
END_TEST

START_TEST(asked_again_after_a_restart)
{
	if (!setup())
		return;
	struct watched w;
	start(&w);
	wait_state(&w, SPLITDNS_UNAVAILABLE, "word that there is no resolver");
	ck_assert_str_eq(splitdns_detail(w.dns), "systemd-resolved is not running");
	for (int restarts = 0; restarts < 2; restarts++) {
		pid_t resolver = resolver_start(OBEDIENT);
		wait_state(&w, SPLITDNS_ACTIVE, "the resolver's consent");
		check_asked();
		process_end(resolver);
		wait_state(&w, SPLITDNS_UNAVAILABLE, "word that the resolver is gone");
	}
	splitdns_stop(w.dns);
	teardown();
}
END_TEST

START_TEST(bus_that_comes_late_or_goes)
{
	if (!setup())
		return;
	struct watched w;
	os_bus_stop(&bus);
	start(&w);
	wait_state(&w, SPLITDNS_UNAVAILABLE, "word that there is no bus");
	ck_assert_ptr_nonnull(strstr(splitdns_detail(w.dns), "bus"));
	ck_assert(os_bus_start(&bus, path));
	pid_t resolver = resolver_start(OBEDIENT);
	wait_line("ready\n");
	wait_state(&w, SPLITDNS_ACTIVE, "the resolver's consent on the new bus");
	os_bus_stop(&bus);
	wait_state(&w, SPLITDNS_UNAVAILABLE, "word that the bus is gone");
	splitdns_stop(w.dns);
	process_end(resolver);
	teardown();
}
END_TEST

START_TEST(stop_does_not_wait_for_a_silent_resolver)
{
	if (!setup())
		return;
	struct watched w;
	pid_t resolver = resolver_start(SILENT);
	wait_line("ready\n");
	start(&w);
	os_unit_run_for(host, 50 * NS_PER_MS); /* the bus greets, the resolver says nothing */
	ck_assert_int_eq(splitdns_state_get(w.dns), SPLITDNS_PENDING);
	uint64_t before = clock_refresh(host);
	splitdns_stop(w.dns);
	ck_assert(clock_refresh(host) - before < NS_PER_S);
	wait_line("revert 42\n");
	ck_assert_uint_eq(w.changes, 0);
	process_end(resolver);
	teardown();
}
END_TEST

static void stop_in_callback(void *ctx)
{
	struct watched *w = ctx;
	splitdns_stop(w->dns);
	w->dns = NULL;
	loop_stop(host);
}

START_TEST(stopped_at_once_and_in_its_callback)
{
	if (!setup())
		return;
	struct watched w;
	start(&w);
	splitdns_stop(w.dns); /* before the bus has said a word */
	ck_assert_int_eq(splitdns_start(host, LINK, "homelab", SERVER, stop_in_callback, &w, NULL,
					&w.dns),
			 0);
	os_unit_run(host, "the first change");
	ck_assert_ptr_null(w.dns);
	teardown();
}
END_TEST

START_TEST(zones_that_are_none)
{
	struct splitdns *s = NULL;
	char zone[300];
	host = os_unit_host();
	memset(zone, 'a', sizeof(zone));
	zone[254] = '\0';
	ck_assert_int_eq(splitdns_start(host, LINK, "", SERVER, on_changed, NULL, NULL, &s),
			 -EINVAL);
	ck_assert_int_eq(splitdns_start(host, LINK, zone, SERVER, on_changed, NULL, NULL, &s),
			 -EINVAL);
	ck_assert_ptr_null(s);
	host_free(host);
}
END_TEST

UNIT_MAIN("os/splitdns", zone_is_asked_for_and_reverted, older_resolver_will_do, refusal_is_told,
	  asked_again_after_a_restart, bus_that_comes_late_or_goes,
	  stop_does_not_wait_for_a_silent_resolver, stopped_at_once_and_in_its_callback,
	  zones_that_are_none)
