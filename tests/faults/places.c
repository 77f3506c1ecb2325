/* SPDX-License-Identifier: MIT */
/* Names of addresses, by way of addr2line. */
#include "places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern const char __executable_start[] __attribute__((visibility("hidden")));

struct place {
	uintptr_t at;
	enum place_owner owner;
	char *name;
};

static struct place *known;
static size_t n_known;

static _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "faults: %s\n", what);
	exit(2);
}

static int by_address(const void *a, const void *b)
{
	uintptr_t x = ((const struct place *)a)->at, y = ((const struct place *)b)->at;

	return (x > y) - (x < y);
}

static const struct place *place_find(uintptr_t at)
{
	struct place key = { .at = at };

	return n_known ? bsearch(&key, known, n_known, sizeof(key), by_address) : NULL;
}

static void add(struct place **fresh, size_t *n, uintptr_t at)
{
	if (place_find(at))
		return;
	if ((*n & (*n - 1)) == 0) /* a power of two */
		*fresh = realloc(*fresh, (*n ? *n * 2 : 1) * sizeof(**fresh));
	if (!*fresh)
		give_up("no memory");
	(*fresh)[(*n)++] = (struct place){ .at = at };
}

static size_t unique(struct place *p, size_t n)
{
	size_t kept = 0;

	qsort(p, n, sizeof(*p), by_address);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || p[kept - 1].at != p[i].at)
			p[kept++] = p[i];
	return kept;
}

static enum place_owner owner_of(const char *file)
{
	/* what libraries allocate by: the library asks */
	if (strstr(file, "src/base/wiped.c") || strstr(file, "src/crypto/memory.c"))
		return PLACE_LIBRARY;
	if (strstr(file, "tests/") || strstr(file, "src/os/sim/"))
		return PLACE_TEST;
	return strstr(file, "src/") && file[0] != '/' ? PLACE_PRODUCT : PLACE_LIBRARY;
}

static void name_one(struct place *p, FILE *answers)
{
	char function[512], file[1024], *text;

	if (!fgets(function, sizeof(function), answers) || !fgets(file, sizeof(file), answers))
		give_up("addr2line does not answer");
	function[strcspn(function, "\n")] = '\0';
	file[strcspn(file, " \n")] = '\0';
	text = strncmp(file, "./", 2) == 0 ? file + 2 : file;
	p->owner = owner_of(text);
	if (asprintf(&p->name, "%s (%s)", function, text) < 0)
		give_up("no memory");
}

/* addr2line reads the addresses from a file and writes two lines for each into a pipe. */
static void name_all(struct place *p, size_t n)
{
	char program[512], questions[] = "/tmp/mlsh-faults-XXXXXX", command[1200];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
	int fd = mkstemp(questions);
	FILE *f = fd < 0 ? NULL : fdopen(fd, "w");

	if (len < 0 || !f)
		give_up("no temporary file");
	program[len] = '\0';
	for (size_t i = 0; i < n; i++) /* the call stands before the address it returns to */
		fprintf(f, "%#zx\n", (size_t)(p[i].at - 1 - (uintptr_t)__executable_start));
	fclose(f);
	snprintf(command, sizeof(command), "addr2line -f -e '%s' <'%s'", program, questions);
	f = popen(command, "r");
	if (!f)
		give_up("addr2line (Debian: binutils) cannot be started");
	for (size_t i = 0; i < n; i++)
		name_one(&p[i], f);
	pclose(f);
	unlink(questions);
}

void places_learn(const struct fault_record *r)
{
	struct place *fresh = NULL;
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		for (unsigned k = 0; k < r->stack[i].depth; k++)
			add(&fresh, &n, r->stack[i].at[k]);
	n = unique(fresh, n);
	if (n == 0)
		return;
	name_all(fresh, n);
	known = realloc(known, (n_known + n) * sizeof(*known));
	if (!known)
		give_up("no memory");
	memcpy(known + n_known, fresh, n * sizeof(*fresh));
	n_known += n;
	qsort(known, n_known, sizeof(*known), by_address);
	free(fresh);
}

void places_free(void)
{
	for (size_t i = 0; i < n_known; i++)
		free(known[i].name);
	free(known);
	known = NULL;
	n_known = 0;
}

enum place_owner place_owner(uintptr_t at)
{
	const struct place *p = place_find(at);

	return p ? p->owner : PLACE_LIBRARY;
}

const char *place_name(uintptr_t at)
{
	const struct place *p = place_find(at);

	return p ? p->name : "?";
}

unsigned place_frames(const struct fault_stack *s)
{
	unsigned frames = 0;

	for (unsigned i = 0, products = 0; i < s->depth && products < 2; i++) {
		enum place_owner owner = place_owner(s->at[i]);

		if (owner == PLACE_TEST)
			return frames;
		products += owner == PLACE_PRODUCT;
		if (products > 0)
			frames = i + 1;
	}
	return frames;
}

uint64_t place_key(const struct fault_stack *s)
{
	uint64_t key = 14695981039346656037U; /* FNV-1a */

	for (unsigned i = 0, n = place_frames(s); i < n; i++)
		key = (key ^ s->at[i]) * 1099511628211U;
	return key ? key : 1;
}

void place_describe(const struct fault_stack *s, char *out, size_t cap)
{
	unsigned n = place_frames(s);
	size_t len = (size_t)snprintf(out, cap, "%s", s->what);

	for (unsigned i = 0; i < n && len < cap; i++) {
		if (i > 0 && i + 1 < n && place_owner(s->at[i]) != PLACE_PRODUCT)
			continue; /* the inside of a library */
		len += (size_t)snprintf(out + len, cap - len, "%s%s", i ? " < " : " at ",
					place_name(s->at[i]));
	}
}
