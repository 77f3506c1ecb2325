/* SPDX-License-Identifier: MIT */
/*
 * The fence's table in the kernel's packet filter, in a network namespace: what is in it, who can
 * change it, and when it goes. What it does to packets is in tests/lab/fence.sh.
 */
#include <linux/netlink.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "os/fence.h"
#include "os/linux/fence_internal.h"
#include "os_deny.h"
#include "os_unit.h"

#define OWN 0x64400001
#define PEER 0x64400002

static struct host *host;
static unsigned n_changed;

static void on_change(void *ctx)
{
	(void)ctx;
	n_changed++;
}

static bool setup(void)
{
	if (!os_unit_namespace())
		return false;
	if (!os_unit_command("ip link set lo up && nft list ruleset")) {
		os_unit_skip("needs iproute2, nft and a kernel with nf_tables");
		return false;
	}
	host = os_unit_host();
	return true;
}

static bool shell(const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "( %s ) >/dev/null 2>&1", command);
	return os_unit_command(line);
}

static void must(const char *command)
{
	ck_assert_msg(shell(command), "%s", command);
}

/* Runs the loop until the command succeeds. */
static void wait_for(const char *command)
{
	for (int i = 0; i < 300 && !shell(command); i++)
		os_unit_run_for(host, 10 * NS_PER_MS);
	must(command);
}

#define HAS "nft list table inet mlsh0 | grep -q "

static struct fence *fence_up(bool owned)
{
	struct fence *f = owned ? fence_new(host, "mlsh0", on_change, NULL)
				: fence_new_unowned(host, "mlsh0", on_change, NULL);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fence_address(f, OWN, true), 0);
	ck_assert_int_eq(fence_address(f, PEER, true), 0);
	wait_for(HAS "100.64.0.2");
	must(HAS "100.64.0.1");
	ck_assert_int_eq(fence_state_get(f), FENCE_UP);
	ck_assert_str_eq(fence_detail(f), "");
	return f;
}

START_TEST(nobody_else_can_change_the_table)
{
	if (!setup())
		return;
	struct fence *f = fence_up(true);

	must(HAS "'flags owner'");
	must("! nft delete table inet mlsh0");
	must("! nft add rule inet mlsh0 fence accept");
	must("nft add table inet other && nft flush ruleset && ! nft list table inet other");
	must(HAS "100.64.0.2");
	fence_free(f);
	must("! nft list table inet mlsh0");
	ck_assert_uint_eq(n_changed, 0);
	host_free(host);
}
END_TEST

START_TEST(the_table_ends_with_the_process)
{
	int pipes[2], status;
	char byte;

	if (!setup())
		return;
	ck_assert_int_eq(pipe(pipes), 0);
	pid_t pid = fork();
	if (pid == 0) {
		host = os_unit_host();
		fence_up(true);
		(void)!write(pipes[1], "x", 1);
		for (;;)
			pause();
	}
	ck_assert_int_eq(read(pipes[0], &byte, 1), 1);
	must(HAS "100.64.0.1");
	ck_assert_int_eq(kill(pid, SIGKILL), 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	must("! nft list table inet mlsh0");
	host_free(host);
}
END_TEST

START_TEST(addresses_come_and_go)
{
	if (!setup())
		return;
	struct fence *f = fence_up(true);

	ck_assert_int_eq(fence_address(f, PEER, false), 0);
	ck_assert_int_eq(fence_address(f, PEER + 1, false), 0); /* was never in it */
	wait_for("! " HAS "100.64.0.2");
	must(HAS "100.64.0.1");
	for (ip4 i = 0; i < 3000; i++) /* several messages */
		ck_assert_int_eq(fence_address(f, 0x64410000 + i * 7 % 3000, true), 0);
	ck_assert_int_eq(fence_address(f, PEER, true), 0);
	wait_for(HAS "100.64.0.2");
	must("test $(nft list table inet mlsh0 | grep -oE '100[.]65[.][0-9.]+' | sort -u | "
	     "wc -l) = 3000");
	fence_free(f);
	host_free(host);
}
END_TEST

START_TEST(what_was_said_is_in_force_after_a_flush)
{
	if (!setup())
		return;
	struct fence *f = fence_up(true);

	ck_assert_int_eq(fence_address(f, PEER + 1, true), 0);
	must("! " HAS "100.64.0.3");
	fence_flush(f); /* no turn of the loop */
	must(HAS "100.64.0.3");
	os_unit_run_for(host, 20 * NS_PER_MS);
	ck_assert_int_eq(fence_state_get(f), FENCE_UP);
	must(HAS "100.64.0.3");
	fence_free(f);
	host_free(host);
}
END_TEST

/* In a container the way out is one end of a veth, as the ports of its own containers are. */
START_TEST(bridges_to_other_machines_are_outside)
{
	if (!setup())
		return;
	must("ip link add lan type bridge && ip link add up0 type veth peer name far0 && "
	     "ip link set up0 master lan && ip link set lan up && "
	     "ip addr add 192.0.2.2/24 dev lan && ip route add default via 192.0.2.1");
	must("ip link add docker0 type bridge");
	struct fence *f = fence_up(true);

	must("nft list set inet mlsh0 inside | grep -q docker0");
	must("! nft list set inet mlsh0 inside | grep lan");
	must("ip route del default");
	fence_network_changed(f);
	must("nft list set inet mlsh0 inside | grep lan");
	static const char *const ways[] = { "link far0 name way0 type vlan id 5",
					    "way0 type vxlan id 7 dstport 4789 remote 192.0.2.9" };

	for (size_t i = 0; i < ARRAY_LEN(ways); i++) { /* what this kernel has of them */
		char line[160];

		snprintf(line, sizeof(line), "ip link add %s && ip link set way0 master docker0",
			 ways[i]);
		if (!shell(line))
			continue;
		fence_network_changed(f);
		must("! nft list set inet mlsh0 inside | grep docker0");
		must("ip link del way0");
		fence_network_changed(f);
		must("nft list set inet mlsh0 inside | grep docker0");
	}
	fence_free(f);
	host_free(host);
}
END_TEST

START_TEST(bridges_of_containers_are_inside)
{
	if (!setup())
		return;
	must("ip link add docker0 type bridge && ip link add up0 type veth peer name far0");
	struct fence *f = fence_up(true);

	wait_for("nft list set inet mlsh0 inside | grep -q docker0");
	must("! nft list set inet mlsh0 inside | grep -E 'up0|far0'");
	must("ip link add virbr0 type bridge");
	fence_network_changed(f);
	must("nft list set inet mlsh0 inside | grep virbr0 | grep docker0");
	must("ip link del docker0 && ip link del virbr0");
	fence_network_changed(f);
	must("! nft list set inet mlsh0 inside | grep elements.*docker0");
	fence_free(f);
	host_free(host);
}
END_TEST

START_TEST(a_port_is_redirected_until_the_end)
{
	if (!setup())
		return;
	struct fence *f = fence_up(false);

	ck_assert_int_eq(fence_redirect(f, OWN, 53, 40001, 40002), 0);
	must(HAS "'udp sport set 53'");
	ck_assert_int_eq(fence_redirect(f, OWN, 53, 40003, 40004), 0);
	must(HAS "'udp dport 53 udp dport set 40003'");
	must(HAS "'tcp dport 53 tcp dport set 40004'");
	must("! " HAS "4000[12]");
	must("nft flush ruleset"); /* made again with it */
	wait_for(HAS "'tcp dport 53 tcp dport set 40004'");
	fence_free(f);
	host_free(host);
}
END_TEST

START_TEST(an_older_kernel_s_table_is_made_again)
{
	if (!setup())
		return;
	/* what an earlier process left */
	must("nft add table inet mlsh0 && nft add chain inet mlsh0 old");
	struct fence *f = fence_up(false);

	must("! " HAS "old");
	must("! " HAS "'flags owner'");
	must("nft flush ruleset && ! nft list table inet mlsh0");
	wait_for(HAS "100.64.0.2");
	must("nft delete rule inet mlsh0 outside handle $(nft -a list table inet mlsh0 | "
	     "sed -n 's/.*saddr.*handle //p') && ! " HAS "saddr");
	wait_for(HAS "saddr");
	must(HAS "100.64.0.2");
	fence_free(f);
	must("! nft list table inet mlsh0");
	host_free(host);
}
END_TEST

/* Another program removes the table, and we change it before we hear of that. */
START_TEST(a_change_of_a_table_that_was_just_removed_is_not_lost)
{
	if (!setup())
		return;
	struct fence *f = fence_up(false);

	must("nft flush ruleset");
	ck_assert_int_eq(fence_address(f, PEER + 1, true), 0);
	wait_for(HAS "100.64.0.3");
	must(HAS "100.64.0.2");
	must("nft flush ruleset");
	ck_assert_int_lt(fence_redirect(f, OWN, 53, 40001, 40002), 0);
	wait_for(HAS "100.64.0.2");
	must("! " HAS "dport"); /* the caller was told that there is no redirection */
	ck_assert_int_eq(fence_state_get(f), FENCE_UP);
	ck_assert_uint_eq(n_changed, 0);
	fence_free(f);
	host_free(host);
}
END_TEST

START_TEST(a_kernel_without_nf_tables_is_named)
{
	if (!setup())
		return;
	os_deny(EPROTONOSUPPORT, SCMP_SYS(socket), 2, NETLINK_NETFILTER);
	struct fence *f = fence_new(host, "mlsh0", on_change, NULL);

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fence_address(f, OWN, true), 0);
	ck_assert_int_eq(fence_state_get(f), FENCE_UNAVAILABLE);
	ck_assert_ptr_nonnull(strstr(fence_detail(f), "modprobe nf_tables"));
	ck_assert_int_eq(fence_redirect(f, OWN, 53, 40001, 40002), -EOPNOTSUPP);
	os_unit_run_for(host, 20 * NS_PER_MS);
	ck_assert_uint_eq(n_changed, 0);
	ck_assert_uint_eq(fence_dropped(f), 0);
	fence_network_changed(f);
	fence_free(f);
	host_free(host);
}
END_TEST

START_TEST(a_table_of_somebody_else_is_respected)
{
	if (!setup())
		return;
	struct fence *first = fence_up(true), *second = fence_new(host, "mlsh0", on_change, NULL);

	ck_assert_ptr_nonnull(second);
	os_unit_run_for(host, 20 * NS_PER_MS);
	ck_assert_int_eq(fence_state_get(second), FENCE_REFUSED);
	ck_assert_ptr_nonnull(strstr(fence_detail(second), "mlsh0"));
	fence_free(second);
	must(HAS "100.64.0.1");
	fence_free(first);
	host_free(host);
}
END_TEST

UNIT_MAIN("os/fence", nobody_else_can_change_the_table, the_table_ends_with_the_process,
	  addresses_come_and_go, what_was_said_is_in_force_after_a_flush,
	  bridges_to_other_machines_are_outside, bridges_of_containers_are_inside,
	  a_port_is_redirected_until_the_end, an_older_kernel_s_table_is_made_again,
	  a_change_of_a_table_that_was_just_removed_is_not_lost,
	  a_kernel_without_nf_tables_is_named, a_table_of_somebody_else_is_respected)
