/* SPDX-License-Identifier: MIT */
/* The sequence diagram that a failed simulation prints: who sent what to whom, what was lost. */
#include "base/log.h"
#include "sim.h"

struct scene {
	struct world *w;
	struct host *a, *b;
	struct sim_sink at_a, at_b;
};

static void scene_new(struct scene *s)
{
	s->w = sim_new();
	s->a = world_host(s->w, "nas", IP(192, 0, 2, 1));
	s->b = world_host(s->w, "laptop", IP(192, 0, 2, 2));
	world_link(s->w, s->a, s->b, (struct link_params){ .delay_ns = 5 * NS_PER_MS });
	sim_sink_open(&s->at_a, s->a, 1000);
	sim_sink_open(&s->at_b, s->b, 2000);
}

static void scene_free(struct scene *s)
{
	udp_close(s->at_a.udp);
	udp_close(s->at_b.udp);
	world_free(s->w);
}

/* The caller frees it. */
static char *drawn(struct scene *s)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	ck_assert_ptr_nonnull(f);
	world_diagram(s->w, f);
	fclose(f);
	return text;
}

START_TEST(arrows_losses_and_messages_are_drawn)
{
	struct scene s;
	char *text;

	scene_new(&s);
	log_trace(host_log(s.a), "laptop: -> hello, 5 bytes");
	sim_sink_send(&s.at_a, addr_v4(IP(192, 0, 2, 2), 2000), "hello", 5);
	sim_pass(s.w, 10 * NS_PER_MS);
	log_trace(host_log(s.b), "nas: <- hello, 5 bytes");
	for (int i = 0; i < 3; i++)
		sim_sink_send(&s.at_b, addr_v4(IP(192, 0, 2, 1), 1000), "hi", 2);
	sim_pass(s.w, 10 * NS_PER_MS);
	world_link(s.w, s.a, s.b, (struct link_params){ .down = true });
	sim_sink_send(&s.at_a, addr_v4(IP(192, 0, 2, 2), 2000), "anybody?", 8);
	text = drawn(&s);
	ck_assert_str_eq(
		text,
		"                        nas                      laptop          \n"
		"    0.000000              | * laptop: -> hello, 5 bytes\n"
		"    0.005000              |-------- 5 bytes ------->|\n"
		"    0.010000              |                         | * nas: <- hello, 5 bytes\n"
		"    0.015000              |<----- 3: 6 bytes -------|\n"
		"    0.020000              | x link is down: 8 bytes to 192.0.2.2:2000\n");
	free(text);
	scene_free(&s);
}
END_TEST

START_TEST(a_world_in_which_nothing_happened_has_no_diagram)
{
	struct scene s;
	char *text;

	scene_new(&s);
	text = drawn(&s);
	ck_assert_str_eq(text, "");
	free(text);
	scene_free(&s);
}
END_TEST

/* The drawing stays within bounds with more machines, longer names and more rows than it shows. */
START_TEST(too_much_is_left_out)
{
	struct scene s;
	struct sim_sink sink[8];
	char name[64], *text;
	size_t lines = 0;

	scene_new(&s);
	for (unsigned i = 0; i < ARRAY_LEN(sink); i++) {
		snprintf(name, sizeof(name), "a-machine-with-quite-a-long-name-in-front-of-%u", i);
		sim_sink_open(&sink[i], world_host(s.w, name, IP(192, 0, 2, 10 + i)), 3000);
	}
	for (unsigned i = 0; i < 500; i++) {
		struct sim_sink *from = &sink[i % ARRAY_LEN(sink)];

		log_trace(host_log(from->host), "a message of which nobody will see the end, as "
						"there is no room for it in any column");
		sim_sink_send(from, addr_v4(IP(192, 0, 2, 10 + (i + 3) % 8), 3000), "x", 1);
		sim_pass(s.w, NS_PER_MS);
	}
	text = drawn(&s);
	for (char *at = text; (at = strchr(at, '\n')); at++)
		lines++;
	ck_assert_uint_eq(lines, 61);
	free(text);
	for (unsigned i = 0; i < ARRAY_LEN(sink); i++)
		udp_close(sink[i].udp);
	scene_free(&s);
}
END_TEST

UNIT_MAIN("sim/diagram", arrows_losses_and_messages_are_drawn,
	  a_world_in_which_nothing_happened_has_no_diagram, too_much_is_left_out)
