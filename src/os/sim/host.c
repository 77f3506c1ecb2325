/* SPDX-License-Identifier: MIT */
/* The simulated process: log, name, clock and randomness; and privileges, which it always has. */
#include "os/host.h"
#include "os/privs.h"
#include "os/sim/sim.h"
#include "os/user.h"

int host_new(struct err *err, struct host **ret)
{
	(void)ret;
	return err_set(err, -ENOTSUP, "a simulated host is made by its world");
}

/* Hosts belong to their world: a program that ends leaves nothing running behind. */
void host_free(struct host *h)
{
	if (h)
		world_host_crash(h);
}

struct log *host_log(struct host *h)
{
	return &h->log;
}

int host_name(struct host *h, char *out, size_t cap)
{
	size_t len = strlen(h->machine->name);

	if (len >= cap)
		return -ENOSPC;
	memcpy(out, h->machine->name, len + 1);
	return 0;
}

uint64_t clock_now(struct host *h)
{
	return h->world->now;
}

uint64_t clock_refresh(struct host *h)
{
	return h->world->now;
}

int64_t clock_wall_s(struct host *h)
{
	return WORLD_WALL_OFFSET_S + (int64_t)(h->world->now / NS_PER_S) + h->machine->wall_skew_s;
}

void world_host_wall_skew(struct host *h, int64_t skew_s)
{
	h->machine->wall_skew_s = skew_s;
}

void random_fill(struct host *h, void *out, size_t len)
{
	rng_fill(&h->machine->rng, out, len);
}

uint64_t random_u64(struct host *h)
{
	return rng_u64(&h->machine->rng);
}

uint64_t random_below(struct host *h, uint64_t bound)
{
	return rng_below(&h->machine->rng, bound);
}

int user_home(struct host *h, struct user u, char *out, size_t cap)
{
	(void)h, (void)u, (void)out, (void)cap;
	return -ENOENT;
}

struct user user_self(struct host *h)
{
	return user_of_number(h->uid);
}

int privs_drop(struct host *h, enum privs_role role, const struct privs_paths *paths,
	       struct err *err)
{
	(void)h, (void)role, (void)paths, (void)err;
	return 0;
}

int privs_take_over(struct host *h, const struct privs_file *f, struct err *err,
		    struct privs_account *ret)
{
	(void)h, (void)f, (void)err;
	*ret = (struct privs_account){ .reaches = true };
	return 0;
}

int privs_account_of(struct host *h, const struct privs_file *f, struct err *err,
		     struct privs_account *ret)
{
	return privs_take_over(h, f, err, ret);
}

int privs_give_state(struct host *h, const struct privs_state *s, struct err *err,
		     struct privs_account *ret)
{
	(void)h, (void)s, (void)err;
	*ret = (struct privs_account){ .reaches = true };
	return 0;
}

void privs_give_socket(const char *socket, const struct privs_account *a)
{
	(void)socket, (void)a;
}

int privs_become(struct host *h, const struct privs_account *a, struct err *err)
{
	(void)h, (void)a, (void)err;
	return 0;
}

int privs_check_tunnel(struct host *h, struct err *err)
{
	(void)h, (void)err;
	return 0;
}
