/* SPDX-License-Identifier: MIT */
/*
 * OpenSSL makes its tables when they are first needed, and one that could not be made for lack of
 * memory stays unmade for as long as the process lives. quic_prepare makes them all, or fails. Each
 * run is a process of its own, in which one allocation of OpenSSL fails.
 */
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/wiped.h"
#include "quic/prepare.h"
#include "quic_sim.h"

/* Of the allocations each such is tried, from another one on with another seed. */
#define STEP 17

enum { FINE = 0, REFUSED = 40, DIED, SPEECHLESS, BROKEN };

/* --- the allocation that fails ---------------------------------------------------------------- */

static struct {
	bool armed;
	uint64_t made, fails_at; /* from 1; 0 if no call fails */
} *memory;			 /* shared with the processes of the runs */

__typeof__(wiped_malloc) __real_wiped_malloc, __wrap_wiped_malloc;
__typeof__(wiped_realloc) __real_wiped_realloc, __wrap_wiped_realloc;

static bool fails(void)
{
	return memory && memory->armed && ++memory->made == memory->fails_at;
}

void *__wrap_wiped_malloc(size_t n)
{
	return fails() ? NULL : __real_wiped_malloc(n);
}

void *__wrap_wiped_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_wiped_realloc(p, n);
}

/* The program ends itself, as it may without memory for a hash. */
_Noreturn void __wrap_die_at(const char *file, int line, const char *what);

void __wrap_die_at(const char *file, int line, const char *what)
{
	(void)file, (void)line;
	_exit(strstr(what, "digest") ? DIED : BROKEN);
}

/* --- one run ---------------------------------------------------------------------------------- */

static struct world *world;
static struct quic_pair first, second; /* large */

/* Adds a node. Returns false if it cannot start. */
static bool node_start(struct quic_node *n, ip4 address)
{
	char name[16];
	struct quic_socket_config cfg;

	snprintf(name, sizeof(name), "node-%u", (unsigned)(address & 255));
	n->h = world_host(world, name, address);
	if (identity_new(n->h, NULL, &n->id) < 0)
		return false;
	cfg = quic_node_config(n);
	return quic_socket_open(n->h, &cfg, NULL, &n->s) == 0;
}

/* Two new nodes connect. */
static bool meet(struct quic_pair *p, ip4 at)
{
	struct addr to = addr_v4(at, QUIC_SIM_PORT);
	struct quic_pin pin;
	struct quic_end *e;

	if (!node_start(&p->server, at) || !node_start(&p->client, at + 1))
		return false;
	pin = quic_node_pin(&p->server);
	e = quic_end_new(&p->client, NULL);
	if (quic_connect(p->client.s, &quic_sim_profile, &pin, 0, &to, &quic_end_ops, e, NULL,
			 &e->c) < 0)
		return false;
	return world_run(world, 20 * NS_PER_S, quic_end_done, e) && e->connected;
}

static int start_fails(void)
{
	struct host *h = world_host(world, "node", IP(192, 0, 2, 1));
	struct err err = { 0 };
	int rc;

	memory->armed = true;
	rc = quic_prepare(h, &err);
	memory->armed = false;
	if (rc == 0)
		return FINE;
	return strstr(err.text, "no memory") && quic_prepare(h, NULL) < 0 ? REFUSED : SPEECHLESS;
}

static int first_connection_fails(void)
{
	memory->armed = true;
	(void)meet(&first, IP(192, 0, 2, 1));
	memory->armed = false;
	return meet(&second, IP(192, 0, 2, 3)) ? FINE : BROKEN;
}

/* Returns the exit status of a run in which the allocation of this number fails. */
static int run(int (*what)(void), uint64_t number)
{
	pid_t pid;
	int status;

	memory->made = 0;
	memory->fails_at = number;
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		_exit(what());
	ck_assert_int_gt(pid, 0);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_msg(WIFEXITED(status), "allocation %llu fails: signal %d",
		      (unsigned long long)number, WTERMSIG(status));
	return WEXITSTATUS(status);
}

static void each(int (*what)(void), int expected)
{
	uint64_t made;

	ck_assert_int_eq(run(what, 0), FINE);
	made = memory->made;
	ck_assert_uint_gt(made, 100 * STEP);
	for (uint64_t n = 1 + sim_seed() % STEP; n <= made; n += STEP) {
		int status = run(what, n);

		ck_assert_msg(status == expected || status == DIED,
			      "allocation %llu of %llu fails: %d", (unsigned long long)n,
			      (unsigned long long)made, status);
	}
}

static void setup(void)
{
	memory = mmap(NULL, sizeof(*memory), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	ck_assert_ptr_ne(memory, MAP_FAILED);
	ck_assert_int_eq(crypto_init(NULL), 0);
	world = world_new(sim_seed());
	world_seed_tls(world);
}

static void teardown(void)
{
	world_free(world);
	munmap(memory, sizeof(*memory));
	memory = NULL;
}

START_TEST(starts_whole_or_not_at_all)
{
	setup();
	each(start_fails, REFUSED);
	teardown();
}
END_TEST

START_TEST(first_connection_harms_no_later_one)
{
	setup();
	ck_assert_int_eq(quic_prepare(world_host(world, "node", IP(192, 0, 2, 9)), NULL), 0);
	each(first_connection_fails, FINE);
	teardown();
}
END_TEST

UNIT_MAIN("quic/memory", starts_whole_or_not_at_all, first_connection_harms_no_later_one)
