/* SPDX-License-Identifier: MIT */
/* Simulated TUN devices: what the test injects is read, what is written the test can take. */
#include "os/tun.h"

#include <stdio.h>

#include "os/sim/sim.h"
#include "os/sim/tun_cut.h"

#define QUEUE_PACKETS_MAX 4096
#define HEADER_LEN 28 /* IPv4 and UDP */

struct queued {
	struct list in_queue;
	struct tun_packet packet;
};

struct queue {
	struct list packets;
	size_t n;
};

struct tun {
	struct list in_machine;
	struct host *host;
	char name[16];
	unsigned ifindex, mtu;
	bool paused, gone;
	struct queue to_read, written;
	struct event readable;
	loop_fn readable_fn;
	void *readable_ctx;
};

static void queue_put(struct queue *q, const struct tun_packet *p)
{
	struct queued *e = sim_alloc(sizeof(*e));

	e->packet = *p;
	e->packet.data = sim_copy(p->data, p->len);
	list_append(&q->packets, &e->in_queue);
	q->n++;
}

static struct queued *queue_get(struct queue *q)
{
	struct queued *e;

	if (q->n == 0)
		return NULL;
	e = list_entry(q->packets.next, struct queued, in_queue);
	list_remove(&e->in_queue);
	q->n--;
	return e;
}

static void queued_free(struct queued *e)
{
	if (!e)
		return;
	free(e->packet.data);
	free(e);
}

static void queue_clear(struct queue *q)
{
	struct queued *e;

	while ((e = queue_get(q)))
		queued_free(e);
}

static void wake(struct tun *t)
{
	if ((t->to_read.n > 0 || t->gone) && !t->paused && t->host->alive &&
	    !event_is_set(&t->readable))
		event_set(t->host->world, &t->readable, t->host->world->now);
}

static void readable_fire(struct event *e)
{
	struct tun *t = container_of(e, struct tun, readable);

	if (t->paused || (t->to_read.n == 0 && !t->gone))
		return;
	if (t->to_read.n > 0)
		wake(t); /* again, while something waits */
	t->readable_fn(t->readable_ctx);
}

static bool name_taken(const struct machine *m, const char *name)
{
	for (size_t i = 0; i < m->n_ifs; i++) {
		if (strcmp(m->ifs[i].name, name) == 0)
			return true;
	}
	return false;
}

int tun_open(struct host *h, const struct tun_config *cfg, loop_fn readable, void *ctx,
	     struct err *err, struct tun **ret)
{
	struct machine *m = h->machine;
	struct tun *t;
	char name[16];
	unsigned number = cfg->number, spare = cfg->spare;

	for (;; number = spare++) {
		int n = snprintf(name, sizeof(name), "%s%u", cfg->name_prefix, number);

		if (n < 0 || (size_t)n >= sizeof(name))
			return err_set(err, -EINVAL, "bad device name %s", cfg->name_prefix);
		if (!name_taken(m, name))
			break;
	}
	t = sim_alloc(sizeof(*t));
	strcpy(t->name, name);
	t->host = h;
	t->mtu = cfg->mtu_bytes;
	t->readable_fn = readable;
	t->readable_ctx = ctx;
	list_init(&t->to_read.packets);
	list_init(&t->written.packets);
	event_init(&t->readable, h, readable_fire);
	t->ifindex = machine_if_add(m, name, NETIF_TUNNEL)->index;
	machine_if_find(m, t->ifindex)->mtu_bytes = cfg->mtu_bytes;
	list_append(&m->tuns, &t->in_machine);
	*ret = t;
	return 0;
}

/* The device vanishes; the handle stays until tun_close. */
static void tun_vanish(struct tun *t)
{
	if (t->gone)
		return;
	t->gone = true;
	list_remove(&t->in_machine);
	machine_if_del(t->host->machine, t->ifindex);
	machine_touched(t->host->machine); /* its addresses and routes are gone */
	queue_clear(&t->to_read);
	queue_clear(&t->written);
}

void tun_close(struct tun *t)
{
	if (!t)
		return;
	tun_vanish(t);
	event_cancel(t->host->world, &t->readable);
	free(t);
}

void machine_tuns_kill(struct host *h)
{
	list_for_each(it, &h->machine->tuns) {
		struct tun *t = list_entry(it, struct tun, in_machine);

		if (t->host == h)
			tun_vanish(t);
	}
}

const char *tun_name(const struct tun *t)
{
	return t->name;
}

unsigned tun_ifindex(const struct tun *t)
{
	return t->ifindex;
}

bool tun_can_join(const struct tun *t, enum tun_gso gso)
{
	(void)t;
	(void)gso;
	return true;
}

void tun_pause(struct tun *t, bool paused)
{
	t->paused = paused;
	wake(t);
}

int tun_read(struct tun *t, uint8_t *buffer, struct tun_packet *ret)
{
	struct queued *e;

	if (!t->host->alive)
		return 0;
	if (t->gone)
		return -ENODEV;
	e = queue_get(&t->to_read);
	if (!e)
		return 0;
	*ret = e->packet;
	ret->data = buffer + TUN_HEADROOM;
	memcpy(ret->data, e->packet.data, e->packet.len);
	queued_free(e);
	return 1;
}

/* A packet reaches the machine's stack: a socket, or whoever takes it in the test. */
static void take_in(struct tun *t, const struct tun_packet *p)
{
	struct machine *m = t->host->machine;
	struct tun_packet rest = *p, plain = { 0 };
	struct packet datagram;

	rest.data = sim_copy(p->data, p->len);
	plain.data = sim_alloc(p->len);
	while (rest.len > 0) {
		plain.len = tun_cut_next(&rest, plain.data, p->len);
		if (tun_udp4_parse(&plain, &datagram) && machine_listens(m, &datagram.dst, t->name))
			machine_receive(m, &datagram, t->name);
		else
			queue_put(&t->written, &plain);
	}
	free(rest.data);
	free(plain.data);
}

int tun_write(struct tun *t, const struct tun_packet *p)
{
	struct world *w = t->host->world;

	if (!t->host->alive)
		return 0;
	if (t->gone)
		return -ENODEV;
	if (!machine_if_find(t->host->machine, t->ifindex)->up)
		return -EAGAIN;
	if (!tun_cut_ok(p))
		return -EINVAL;
	if (t->written.n >= QUEUE_PACKETS_MAX)
		return -ENOBUFS;
	/* A caller leaves room in front, which the kernel's interface uses for its own header. */
	memset(p->data - TUN_HEADROOM, 0xa5, TUN_HEADROOM);
	world_digest_u64(w, w->now);
	world_digest_add(w, p->data, p->len);
	take_in(t, p);
	return 0;
}

static struct tun *tun_at(struct host *h, unsigned index)
{
	list_for_each(it, &h->machine->tuns) {
		if (index-- == 0)
			return list_entry(it, struct tun, in_machine);
	}
	return NULL;
}

int world_tun_inject_gso(struct host *h, unsigned index, const struct tun_packet *p)
{
	struct tun *t = tun_at(h, index);

	if (!t)
		return -ENODEV;
	if (t->to_read.n >= QUEUE_PACKETS_MAX)
		return -ENOBUFS;
	queue_put(&t->to_read, p);
	wake(t);
	return 0;
}

int world_tun_inject(struct host *h, unsigned index, const void *packet, size_t len)
{
	struct tun_packet p = { .data = sim_copy(packet, len), .len = len };
	int rc = world_tun_inject_gso(h, index, &p);

	free(p.data);
	return rc;
}

int world_tun_take(struct host *h, unsigned index, void *packet, size_t cap, size_t *ret_len)
{
	struct tun *t = tun_at(h, index);
	struct queued *e;

	if (!t || t->written.n == 0)
		return 0;
	e = queue_get(&t->written);
	*ret_len = e->packet.len;
	memcpy(packet, e->packet.data, MIN(cap, e->packet.len));
	queued_free(e);
	return 1;
}

bool world_tun_up(struct host *h, unsigned index)
{
	const struct tun *t = tun_at(h, index);

	return t && machine_if_find(h->machine, t->ifindex)->up;
}

void world_tun_kill(struct host *h, unsigned index)
{
	struct tun *t = tun_at(h, index);

	if (!t)
		world_die(h->world, "%s has no TUN %u", h->machine->name, index);
	tun_vanish(t);
	wake(t);
	machine_changed(h->machine);
}

void machine_tun_route(struct machine *m, unsigned ifindex, const struct packet *p)
{
	struct tun_packet out = { .len = HEADER_LEN + p->len };

	list_for_each(it, &m->tuns) {
		struct tun *t = list_entry(it, struct tun, in_machine);

		if (t->ifindex != ifindex || t->to_read.n >= QUEUE_PACKETS_MAX)
			continue;
		out.data = sim_alloc(out.len);
		tun_udp4_build(p, out.data);
		queue_put(&t->to_read, &out);
		free(out.data);
		wake(t);
	}
}
