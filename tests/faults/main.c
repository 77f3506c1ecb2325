/* SPDX-License-Identifier: MIT */
/*
 * Lets each distinct call of a list of scenes fail, once and forever, each time in a process of its
 * own, and checks that the mesh survives.
 *
 *	build/release/tests/faults/faults			our own calls in all scenes
 *	build/release/tests/faults/faults join			in one of them
 *	build/release/tests/faults/faults join timer_new	calls at whose place this is read
 *	build/release/tests/faults/faults all libraries		those that libraries make, too
 *	build/release/tests/faults/faults join once 1234	the call with this number, shown
 *
 * Once: everything works in the end without a restart. Forever: a person reads an error or a line
 * in a log. Then calls work again, all programs are killed and started, and the scene is played to
 * its end: what was confirmed must still be there.
 */
#include <errno.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crypto/init.h"
#include "os/sim/sim.h"
#include "places.h"
#include "play.h"
#include "quic/prepare.h"

#define CPU_SECONDS 20 /* a run that takes more hangs */
#define DIED 40	       /* the exit status of DIE */
#define OUTPUT_MAX 4000

/* What a run tells the program that started it. */
struct outcome {
	uint64_t hits;
	bool over;
	char doing[64];
};

struct run {
	const struct scene *scene;
	enum fault_mode mode;
	const struct fault_stack *stack; /* NULL if nothing fails */
	pid_t pid;
	int output;
	struct outcome *outcome; /* shared with its process */
};

static struct fault_record *record;
static struct outcome *own; /* of this process */

static void *shared(size_t len)
{
	void *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		perror("faults: mmap");
		exit(2);
	}
	return p;
}

/* --- one run, in its process ------------------------------------------------------------------ */

_Noreturn void __wrap_die_at(const char *file, int line, const char *what);

/* Where a program may end itself: without memory for a hash, a seal or what a person is shown. */
static const char *const may_die[] = { "src/crypto/hash.c", "src/crypto/aead.c",
				       "src/base/table.c" };

void __wrap_die_at(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: %s\n", file, line, what);
	for (size_t i = 0; i < sizeof(may_die) / sizeof(may_die[0]); i++)
		if (strcmp(file, may_die[i]) == 0)
			_exit(DIED);
	fprintf(stderr, "ERROR: this place may not end a program\n");
	_exit(1);
}

static const struct run *playing;

static bool act(struct play *p)
{
	bool ok = playing->scene->play(p);

	snprintf(own->doing, sizeof(own->doing), "%s", p->doing);
	own->hits = fault_hits();
	return ok;
}

START_TEST(scene_survives)
{
	struct play p;
	bool ok;

	play_begin(&p, playing->scene->nodes);
	fault_resume();
	ok = act(&p);
	fault_pause();
	if (!ok && playing->mode != FAULT_FOREVER) {
		world_dump(p.m->w);
		ck_abort_msg("did not recover: %s", p.doing);
	}
	if (!ok && p.said + play_lines() == 0) {
		world_dump(p.m->w);
		ck_abort_msg("nobody was told: %s", p.doing);
	}
	if (playing->mode == FAULT_FOREVER) {
		play_crash(&p);
		sim_pass(p.m->w, 5 * SECOND);
		if (!act(&p)) {
			world_dump(p.m->w);
			ck_abort_msg("did not work afterwards: %s", p.doing);
		}
	}
	MESH_CHECK(p.m, mesh_server_log(p.m) >= p.ordered);
	play_end(&p);
	own->over = true;
}
END_TEST

static int play_run(const struct run *r)
{
	const TTest *const tests[] = { scene_survives };
	struct rlimit cpu = { CPU_SECONDS, CPU_SECONDS + 1 };

	playing = r;
	own = r->outcome;
	(void)setenv("CK_FORK", "no", 1); /* a run is a process already */
	(void)setrlimit(RLIMIT_CPU, &cpu);
	if (r->mode == FAULT_RECORD)
		fault_record(record);
	else
		fault_plan(r->mode, r->stack, place_frames(r->stack));
	return unit_run(r->scene->name, tests, 1);
}

/* --- runs beside each other ------------------------------------------------------------------- */

static void start(struct run *r)
{
	char name[] = "/tmp/mlsh-faults-XXXXXX";

	r->outcome = shared(sizeof(*r->outcome));
	r->output = mkstemp(name);
	(void)unlink(name);
	fflush(NULL);
	r->pid = fork();
	if (r->output < 0 || r->pid < 0) {
		perror("faults: no process");
		exit(2);
	}
	if (r->pid > 0)
		return;
	(void)dup2(r->output, STDOUT_FILENO);
	(void)dup2(r->output, STDERR_FILENO);
	exit(play_run(r));
}

static const char *mode_name(enum fault_mode m)
{
	return m == FAULT_RECORD ? "recorded" : m == FAULT_ONCE ? "once" : "forever";
}

/* A word for what went wrong; NULL if nothing did. */
static const char *verdict(const struct run *r, int status)
{
	static char text[200];

	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXCPU || WTERMSIG(status) == SIGKILL))
		return "hangs";
	if (WIFSIGNALED(status)) {
		snprintf(text, sizeof(text), "crashes: %s", strsignal(WTERMSIG(status)));
		return text;
	}
	if (WEXITSTATUS(status) == DIED)
		return NULL;
	if (WEXITSTATUS(status) != 0)
		return "fails";
	if (r->stack && r->outcome->hits == 0)
		return "the call never comes";
	return NULL;
}

static void show_output(int fd)
{
	char text[OUTPUT_MAX + 1];
	off_t end = lseek(fd, 0, SEEK_END);
	off_t from = end > OUTPUT_MAX ? end - OUTPUT_MAX : 0;
	ssize_t n = pread(fd, text, OUTPUT_MAX, from);

	text[n > 0 ? n : 0] = '\0';
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (strstr(line, "ERROR") || strstr(line, ":E:") || strstr(line, ":F:"))
			printf("    %s\n", line);
}

/* Returns false if something went wrong. */
static bool judge(struct run *r, int status)
{
	const char *wrong = verdict(r, status);
	char where[PLACE_NAME_MAX] = "";

	if (r->stack)
		place_describe(r->stack, where, sizeof(where));
	if (wrong) {
		printf("  %s %s %llu: %s: %s\n", r->scene->name, mode_name(r->mode),
		       r->stack ? (unsigned long long)r->stack->first : 0, wrong, where);
		show_output(r->output);
		fflush(stdout);
	}
	close(r->output);
	munmap(r->outcome, sizeof(*r->outcome));
	return !wrong;
}

/* Waits for one of them; returns its place. */
static size_t wait_for(struct run *r, size_t n, int *ret_status)
{
	for (;;) {
		pid_t pid = wait(ret_status);

		if (pid < 0 && errno != EINTR) {
			perror("faults: wait");
			exit(2);
		}
		for (size_t i = 0; i < n; i++)
			if (r[i].pid == pid)
				return i;
	}
}

/* --- scenes ----------------------------------------------------------------------------------- */

static const char *wanted; /* NULL for all of ours */
static struct fault_stack *tried;
static size_t n_tried;

/* Of the places of calls in `tried`: open addressing. */
#define PLACES (8 * FAULT_STACKS_MAX)
static uint64_t places[PLACES];
static size_t n_places;

/* Returns false if it was there. */
static bool places_add(uint64_t place)
{
	size_t at = (size_t)(place % PLACES);

	while (places[at] && places[at] != place)
		at = (at + 1) % PLACES;
	if (places[at] || n_places == PLACES / 2)
		return false;
	places[at] = place;
	n_places++;
	return true;
}

static bool place_reads(const struct fault_stack *s, const char *text)
{
	char where[PLACE_NAME_MAX];

	place_describe(s, where, sizeof(where));
	return strstr(where, text);
}

static bool place_is_wanted(const struct fault_stack *s)
{
	if (place_frames(s) == 0)
		return false;
	if (!wanted)
		return place_owner(s->at[0]) == PLACE_PRODUCT;
	return strcmp(wanted, "libraries") == 0 || place_reads(s, wanted);
}

/*
 * Those of the record that are calls of the product and of which no scene had one before, or that
 * this scene is about. A place stands in the record once for each way to it: the first is taken.
 */
static size_t choose(const struct scene *scene, const struct fault_record *r)
{
	size_t before = n_tried;

	tried = realloc(tried, (n_tried + r->n) * sizeof(*tried));
	if (!tried)
		exit(2);
	for (size_t i = 0; i < r->n; i++) {
		const struct fault_stack *s = &r->stack[i];
		uint64_t place;

		if (!place_is_wanted(s))
			continue;
		place = place_key(s);
		if (scene->again && place_reads(s, scene->again))
			place += (uint64_t)(scene - scenes); /* a place of this scene's own */
		if (places_add(place))
			tried[n_tried++] = *s;
	}
	return n_tried - before;
}

static size_t try_all(const struct scene *s, const struct fault_stack *stack, size_t n, size_t jobs)
{
	struct run *running = calloc(jobs, sizeof(*running));
	size_t bad = 0, next = 0, busy = 0;

	if (!running)
		exit(2);
	while (next < 2 * n || busy > 0) {
		int status;
		size_t at;

		if (next < 2 * n && busy < jobs) {
			running[busy] = (struct run){ .scene = s,
						      .mode = next % 2 ? FAULT_FOREVER : FAULT_ONCE,
						      .stack = &stack[next / 2] };
			start(&running[busy++]);
			next++;
			continue;
		}
		at = wait_for(running, busy, &status);
		bad += !judge(&running[at], status);
		running[at] = running[--busy];
	}
	free(running);
	return bad;
}

/* Plays it without failures, and writes down its calls. */
static bool look(const struct scene *s)
{
	struct run r = { .scene = s, .mode = FAULT_RECORD };
	int status;

	memset(record, 0, sizeof(*record));
	start(&r);
	(void)wait_for(&r, 1, &status);
	if (!judge(&r, status))
		return false;
	if (record->left_out > 0)
		printf("  %s: no room for %zu calls\n", s->name, record->left_out);
	places_learn(record);
	return record->left_out == 0;
}

static bool try_scene(const struct scene *s, size_t jobs)
{
	size_t n, bad;

	if (!look(s)) {
		printf("not ok - %s: without failures\n", s->name);
		return false;
	}
	n = choose(s, record);
	printf("# %s: %zu calls of %zu stacks\n", s->name, n, record->n);
	bad = try_all(s, tried + n_tried - n, n, jobs);
	printf("%s - %s: %zu calls of %zu stacks, %zu runs, %zu bad\n", bad ? "not ok" : "ok",
	       s->name, n, record->n, 2 * n, bad);
	fflush(stdout);
	return bad == 0;
}

/* One call, in this process, for a debugger. */
static int show(const struct scene *s, enum fault_mode mode, uint64_t number)
{
	struct run r = { .scene = s, .mode = mode, .outcome = shared(sizeof(struct outcome)) };
	char where[PLACE_NAME_MAX];

	if (!look(s))
		return 1;
	for (size_t i = 0; i < record->n; i++)
		if (record->stack[i].first == number)
			r.stack = &record->stack[i];
	if (!r.stack) {
		printf("no call of %s has the number %llu\n", s->name, (unsigned long long)number);
		return 2;
	}
	place_describe(r.stack, where, sizeof(where));
	printf("%s\n", where);
	return play_run(&r);
}

/*
 * What each program does first. Here all programs of a mesh are one process that never restarts, so
 * it is done before the first failure (tests/sim/test_quic_memory.c lets calls in it fail).
 */
static bool prepare(void)
{
	struct world *w = world_new(sim_seed());
	struct err err = { 0 };
	int rc = crypto_init(&err);

	world_seed_tls(w);
	if (rc == 0)
		rc = quic_prepare(world_host(w, "first", IP(192, 0, 2, 1)), &err);
	world_free(w);
	if (rc < 0)
		printf("not ok - %s\n", err.text);
	return rc == 0;
}

static bool is_wanted(const struct scene *s, const char *names)
{
	return !names || strcmp(names, "all") == 0 || strcmp(names, s->name) == 0;
}

int main(int argc, char **argv)
{
	const char *jobs = getenv("JOBS");
	bool ok = true, any = false;

	(void)setvbuf(stdout, NULL, _IOLBF, 0);
	wanted = argc == 3 ? argv[2] : NULL;
	record = shared(sizeof(*record));
	if (!prepare())
		return 1;
	for (size_t i = 0; i < n_scenes; i++) {
		if (!is_wanted(&scenes[i], argc > 1 ? argv[1] : NULL))
			continue;
		any = true;
		if (argc > 3)
			return show(&scenes[i],
				    strcmp(argv[2], "once") == 0 ? FAULT_ONCE : FAULT_FOREVER,
				    strtoull(argv[3], NULL, 10));
		ok &= try_scene(&scenes[i], jobs ? strtoul(jobs, NULL, 10) : 2);
	}
	free(tried);
	places_free();
	if (!any)
		printf("not ok - no scene is called that\n");
	return !ok || !any;
}
