/* SPDX-License-Identifier: MIT */
/*
 * The conformance tests of the port: what src/os/NAME.h promises, asked of every system that
 * implements it. Each test program is linked once with os/linux and port_linux.c, and once with
 * os/sim and port_sim.c. A test may use the headers in src/os and what is here, and nothing that
 * belongs to one system.
 */
#ifndef MLSH_TESTS_PORT_KIT_H
#define MLSH_TESTS_PORT_KIT_H

#include <errno.h>

#include "../unit/unit.h"
#include "base/addr.h"
#include "os/host.h"

/*
 * Makes the machine, and a folder on it that only this test uses. port_end frees both: everything
 * that was made on the hosts must be gone by then.
 */
struct host *port_begin(void);
void port_end(void);

/* A second process on the machine, or this one again where the test cannot have another. */
struct host *port_second(void);
/* The address at which the processes of the machine reach each other, and another one of it. */
struct addr port_address(uint16_t port);
struct addr port_other_address(uint16_t port);
/* Runs the loops until `done` says so. Fails after minutes: a hang, not a loaded machine. */
void port_wait(bool (*done)(void *ctx), void *ctx, const char *what);
/* Runs the loops for that long. */
void port_pass(uint64_t ns);
/* A path in the test's folder, in one of a few buffers that are used in turn. */
const char *port_path(const char *name);
/* The mode of what is there, without its type. -ENOENT. */
int port_mode(const char *path);
/* A process receives the signal. */
void port_signal(struct host *h, int signum);
/* Does the process belong to the administrator, whose connections no limit ends? */
bool port_is_root(void);

/*
 * Makes a network for the test alone, with rights to change it, before port_begin. Returns false if
 * that cannot be had here, and says so.
 */
bool port_network(void);
/* Removes all routes that lead through a device, as other software may. */
void port_flush_routes(struct host *h);

#define PORT_OK(call)                                                                              \
	do {                                                                                       \
		int port_rc = (call);                                                              \
		if (port_rc < 0)                                                                   \
			ck_abort_msg("%s: %s", #call, strerror(-port_rc));                         \
	} while (0)

#endif
