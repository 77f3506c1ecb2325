/* SPDX-License-Identifier: MIT */
/* The scene of the tests of reach. */
#include "reach_scene.h"

#include "crypto/hash.h"

struct addr scene_lan(uint16_t port)
{
	return addr_v4(IP(192, 168, 1, 3), port);
}

struct addr scene_outside(uint16_t port)
{
	return addr_v4(IP(203, 0, 113, 9), port);
}

struct addr scene_server(void)
{
	return addr_v4(IP(198, 51, 100, 1), 4433);
}

/* Our frame must be the one that the other side takes: of the right form, tag and key. */
static void on_direct(void *ctx, const struct addr *to, const uint8_t *data, size_t len,
		      uint8_t hops)
{
	struct scene *s = ctx;
	struct sent *t = &s->sent[s->n_sent++];
	struct span frame;

	ck_assert_uint_le(s->n_sent, SCENE_SENT_MAX);
	t->to = *to;
	t->hops = hops;
	t->relay = !probe_is(data, len);
	frame = t->relay ? span_of(data + RELAY_OVERHEAD, len - RELAY_OVERHEAD)
			 : span_of(data, len);
	ck_assert_int_eq(probe_decode(frame, &t->f), 0);
	if (s->r) {
		ck_assert_int_eq(probe_verify(frame, s->r->client ? s->keys.client : s->keys.server,
					      hmac_sha256),
				 0);
		ck_assert_mem_eq(t->f.tag, s->keys.tag, PROBE_TAG_LEN);
	}
}

void scene_take(struct scene *s)
{
	struct reach_effects e = reach_effects_take(s->r);

	s->bits |= e.bits;
	if (e.bits)
		s->e = e;
	if (e.bits & REACH_SAY_OPENED)
		reach_said_opened(s->r, true, clock_now(s->h));
}

void scene_run(struct scene *s)
{
	uint64_t now = clock_now(s->h);

	s->r->conn = s->conn;
	reach_look(s->r, now);
	scene_take(s);
	reach_work(s->r, now);
	scene_take(s);
	reach_arm(s->r, now);
}

static void on_timer(void *ctx)
{
	scene_run(ctx);
}

static void on_nothing(void *ctx)
{
	(void)ctx;
}

void scene_begin_node(struct scene *s)
{
	*s = (struct scene){ .w = sim_new() };
	s->h = world_host(s->w, "here", SCENE_IP);
	surroundings_init(&s->around, s->h, (struct prefix4){ IP(100, 64, 0, 0), 10 });
	s->around.port = 4000;
	s->around.way = (struct probe_way){ .direct = on_direct, .ctx = s };
	s->around.last_label = &s->last_label;
	s->around.news_later = timer_new(s->h, on_nothing, s);
	s->around.nat.check.timer = timer_new(s->h, on_nothing, s);
	ck_assert(surroundings_look(&s->around));
}

void scene_forget(struct scene *s)
{
	s->n_sent = 0;
	s->bits = 0;
	s->e = (struct reach_effects){ .bits = 0 };
}

/* A tunnel, in one of the roles, whose handshake went to `to`; NULL: over the relay. */
void scene_begin(struct scene *s, bool client, const struct addr *to)
{
	struct reach_config c = { .around = &s->around,
				  .dest = &s->dest,
				  .budgets = &s->budgets,
				  .from_peer = &s->from_peer,
				  .from_server = &s->from_server,
				  .was_at = &s->was_at,
				  .name = "peer",
				  .client = client,
				  .keys = &s->keys };
	struct reach_first first = { .label = 1, .relayed = !to, .to = to ? *to : scene_server() };

	scene_begin_node(s);
	random_fill(s->h, &s->keys, sizeof(s->keys));
	s->last_label = 2; /* 1: of the handshake, or the relay */
	s->relay = (struct relay_path){ .on = !to, .label = to ? 2 : 1, .server = scene_server() };
	dest_init(&s->dest, &s->dp, IP(100, 64, 0, 2), &s->relay);
	s->dest.idle = true;
	reach_budgets_init(&s->budgets, clock_now(s->h));
	s->conn.last_heard = clock_now(s->h);
	c.timer = timer_new(s->h, on_timer, s);
	ck_assert_int_eq(reach_new(&c, &s->r), 0);
	s->r->conn = s->conn;
	reach_begin(s->r, &first, clock_now(s->h));
	scene_take(s);
	scene_run(s);
}

void scene_end(struct scene *s)
{
	reach_free(s->r);
	if (s->r)
		dest_fini(&s->dest);
	surroundings_fini(&s->around);
	world_free(s->w);
}

/* --- the other side -------------------------------------------------------------------------- */

/* Its frame arrives, and its effects are taken. Returns false if reach would not have it. */
bool scene_arrives(struct scene *s, const struct probe *f, const uint8_t *key,
		   const struct addr *from)
{
	struct probe_via via = { .relay = !from, .from = from ? *from : scene_server() };
	uint8_t buf[PROBE_MAX];
	struct probe decoded;
	ptrdiff_t n = probe_encode(f, key, hmac_sha256, buf, sizeof(buf));
	struct span frame = span_of(buf, (size_t)n);

	ck_assert_int_gt(n, 0);
	ck_assert_int_eq(probe_decode(frame, &decoded), 0);
	s->r->conn = s->conn;
	if (!reach_received(s->r, frame, &decoded, &via, clock_now(s->h)))
		return false;
	scene_take(s);
	scene_run(s);
	return true;
}

static const uint8_t *their_key(const struct scene *s)
{
	return s->r->client ? s->keys.server : s->keys.client;
}

/* A ping of the other side's. Returns its nonce. */
uint64_t scene_pings(struct scene *s, const struct addr *from, uint8_t flags)
{
	struct probe f = { .type = PROBE_PING, .len = PROBE_PING_MIN, .flags = flags };

	f.nonce = 1000 + s->counter;
	f.counter = s->counter++;
	memcpy(f.tag, s->keys.tag, sizeof(f.tag));
	ck_assert(scene_arrives(s, &f, their_key(s), from));
	return f.nonce;
}

/* Its answer to a ping of ours; it saw that come from `seen`. */
void scene_pongs(struct scene *s, const struct sent *to_ping, const struct addr *from,
		 uint8_t flags, struct addr seen)
{
	struct probe f = { .type = PROBE_PONG, .nonce = to_ping->f.nonce, .flags = flags };

	if (from)
		f.observed = seen;
	memcpy(f.tag, s->keys.tag, sizeof(f.tag));
	ck_assert(scene_arrives(s, &f, their_key(s), from));
}

/* Our last frame to there, of this type; NULL before the first one. `to` NULL: over the relay. */
const struct sent *scene_last_to(const struct scene *s, const struct addr *to, enum probe_type type)
{
	for (size_t i = s->n_sent; i-- > 0;) {
		const struct sent *t = &s->sent[i];

		if (t->f.type == type && t->relay == !to && (!to || addr_equal(&t->to, to)) &&
		    t->f.len <= PROBE_PING_MIN)
			return t;
	}
	return NULL;
}

size_t scene_count_to(const struct scene *s, const struct addr *to)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_sent; i++)
		n += addr_equal(&s->sent[i].to, to) && !s->sent[i].relay;
	return n;
}

/* For so long the peer answers each ping of ours to `to`, a millisecond later. It says proven. */
void scene_answers_for(struct scene *s, const struct addr *to, uint64_t ns)
{
	struct addr seen = addr_v4(SCENE_IP, 4000);

	for (uint64_t t = 0; t < ns; t += NS_PER_MS) {
		const struct sent *ping = scene_last_to(s, to, PROBE_PING);
		struct sent copy;

		if (ping) {
			copy = *ping;
			s->n_sent = 0;
			scene_pongs(s, &copy, to, PROBE_PROVEN, seen);
		}
		sim_pass(s->w, NS_PER_MS);
	}
}

void scene_name(struct scene *s, struct addr a)
{
	s->from_peer.n = 0;
	ck_assert(candidates_add(&s->from_peer, &a));
	s->r->conn = s->conn;
	ck_assert(reach_candidates(s->r));
	reach_round(s->r, clock_now(s->h));
	scene_take(s);
	scene_run(s);
}

/* Our pings that said that we doubt the path in use. */
size_t scene_count_urgent(const struct scene *s)
{
	size_t n = 0;

	for (size_t i = 0; i < s->n_sent; i++)
		n += (s->sent[i].f.flags & PROBE_URGENT) != 0;
	return n;
}

const struct path *scene_current(struct scene *s)
{
	return pathset_current(reach_paths(s->r));
}
