/* SPDX-License-Identifier: MIT */
/* Capabilities, no_new_privs and dumpability; the system call filter is in seccomp.c. */
#include "os/privs.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "os/linux/seccomp.h"

/* Leaves those of `wanted` that the process has, and no other, in any set. */
static int caps_keep(const int *wanted, size_t n)
{
	bool keep[CAP_LAST_CAP + 1] = { false };
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0)
		return -errno;
	bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);
	for (size_t i = 0; i < n; i++)
		keep[wanted[i]] = capng_have_capability(CAPNG_PERMITTED, (unsigned)wanted[i]);
	capng_clear(CAPNG_SELECT_ALL);
	for (size_t i = 0; i < n; i++)
		if (keep[wanted[i]] &&
		    capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET,
				 (unsigned)wanted[i]) < 0)
			return -EINVAL;
	capng_select_t sets = CAPNG_SELECT_CAPS | CAPNG_SELECT_AMBIENT;
	if (bounds) /* without this right the set stays; no_new_privs makes it useless */
		sets |= CAPNG_SELECT_BOUNDS;
	return capng_apply(sets) < 0 ? -EPERM : 0;
}

int privs_drop(struct host *h, enum privs_role role, struct err *err)
{
	static const int of_daemon[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };
	int r = caps_keep(of_daemon, role == PRIVS_DAEMON ? ARRAY_LEN(of_daemon) : 0);
	if (r < 0)
		return err_set(err, r, "can not give up capabilities: %s", strerror(-r));
	/* No setuid program gives them back; no core dump or debugger of the user sees the keys. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "can not restrict the process: %s", strerror(errno));
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0 && errno == EINVAL) {
		log_warn(host_log(h), "this kernel can not filter system calls: going on without");
		return 0;
	}
	r = seccomp_install(role);
	if (r < 0)
		return err_set(err, r, "can not install the system call filter: %s", strerror(-r));
	return 0;
}

int privs_check_tunnel(struct host *h, struct err *err)
{
	(void)h;
	capng_clear(CAPNG_SELECT_ALL);
	if (capng_get_caps_process() < 0 || !capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN))
		return err_set(err, -EPERM, "a tunnel adds a network interface and routes to this "
			       "machine, which needs root (or CAP_NET_ADMIN)");
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "can not open /dev/net/tun: %s; load the kernel module "
			       "(modprobe tun), or give the container this device",
			       strerror(errno));
	close(fd);
	return 0;
}
