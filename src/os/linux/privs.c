/* SPDX-License-Identifier: MIT */
/* Capabilities, no_new_privs, dumpability. See also owner.c, landlock.c and seccomp.c. */
#include "os/privs.h"

#include <cap-ng.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/linux/landlock.h"
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

/* Says once what holds the process from here on. */
static void say_confined(struct host *h, int landlock, bool filtered)
{
	char files[48] = "files not limited (no Landlock)";

	if (landlock > 0)
		snprintf(files, sizeof(files), "files limited (Landlock %d)", landlock);
	log_info(host_log(h), "confined: user %u, %s, system calls %s", (unsigned)geteuid(), files,
		 filtered ? "filtered" : "not filtered (this kernel cannot)");
}

int privs_drop(struct host *h, enum privs_role role, const struct privs_paths *paths,
	       struct err *err)
{
	static const int of_daemon[] = { CAP_NET_ADMIN, CAP_NET_BIND_SERVICE };
	int r = caps_keep(of_daemon, role == PRIVS_DAEMON ? ARRAY_LEN(of_daemon) : 0);
	if (r < 0)
		return err_set(err, r, "cannot give up capabilities: %s", strerror(-r));
	/* No setuid program gives them back; no core dump or debugger of the user sees the keys. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_set(err, -errno, "cannot restrict the process: %s", strerror(errno));
	int landlock = landlock_confine(role, paths);
	if (landlock < 0) /* too many layers of it, in a container of containers */
		log_warn(host_log(h), "Landlock refused its rules (%s): going on without",
			 strerror(-landlock));
	bool filters = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0 || errno != EINVAL;
	r = filters ? seccomp_install(role) : 0;
	if (r < 0)
		return err_set(err, r, "cannot install the system call filter: %s", strerror(-r));
	say_confined(h, landlock, filters);
	return 0;
}

/* Asks the kernel and not cap-ng, which needs /proc. */
static bool has_capability(unsigned cap)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return syscall(SYS_capget, &header, sets) == 0 &&
	       (sets[cap / 32].effective >> (cap % 32) & 1);
}

/* What helps, in words; what a container lacks is for its host to give. */
static const char *tun_advice(int code)
{
	switch (code) {
	case EACCES:
		return "it is not open to this user. chmod 666 opens it to all, in a container on "
		       "its host (to make a tunnel takes CAP_NET_ADMIN all the same)";
	case EPERM:
		return "the host of this container does not let it use that device";
	default:
		return "the kernel module tun is not loaded (modprobe tun), or this is a container "
		       "and its host has to give it that device";
	}
}

int privs_check_tunnel(struct host *h, struct err *err)
{
	(void)h;
	if (!has_capability(CAP_NET_ADMIN))
		return err_set(err, -EPERM,
			       "a tunnel adds a network interface and routes to this "
			       "machine, which needs root (or CAP_NET_ADMIN)");
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		int code = errno;
		return err_set(err, code == EPERM ? -EACCES : -code,
			       "cannot open /dev/net/tun: %s; %s", strerror(code),
			       tun_advice(code));
	}
	close(fd);
	return 0;
}
