/* SPDX-License-Identifier: MIT */
/* Which call fails. */
#include "inject.h"

#include <string.h>
#include <unwind.h>

static struct {
	enum fault_mode mode;
	struct fault_record *record;
	const struct fault_stack *plan; /* NULL if no call fails */
	unsigned frames;
	unsigned armed;
	bool busy; /* unwinding may allocate */
	uint64_t calls, hits;
} fault;

void fault_record(struct fault_record *record)
{
	fault.mode = FAULT_RECORD;
	fault.record = record;
}

void fault_plan(enum fault_mode mode, const struct fault_stack *stack, unsigned frames)
{
	fault.mode = mode;
	fault.plan = stack;
	fault.frames = frames;
}

void fault_resume(void)
{
	fault.armed++;
}

void fault_pause(void)
{
	fault.armed--;
}

uint64_t fault_hits(void)
{
	return fault.hits;
}

struct walk {
	const void *caller;
	struct fault_stack *stack;
};

static _Unwind_Reason_Code walk_on(struct _Unwind_Context *context, void *ctx)
{
	struct walk *w = ctx;
	uintptr_t ip = _Unwind_GetIP(context);

	if (w->stack->depth == 0 && ip != (uintptr_t)w->caller)
		return _URC_NO_REASON; /* our own frames */
	w->stack->at[w->stack->depth++] = ip;
	return w->stack->depth == FAULT_FRAMES ? _URC_END_OF_STACK : _URC_NO_REASON;
}

static void stack_take(const void *caller, struct fault_stack *ret)
{
	struct walk w = { caller, ret };

	ret->depth = 0;
	ret->hash = 14695981039346656037U; /* FNV-1a */
	(void)_Unwind_Backtrace(walk_on, &w);
	for (unsigned i = 0; i < ret->depth; i++)
		ret->hash = (ret->hash ^ ret->at[i]) * 1099511628211U;
}

static void record(const char *what, const struct fault_stack *s)
{
	struct fault_record *r = fault.record;
	/* open addressing over an array that is filled in order would need a second one */
	static uint32_t slot[4 * FAULT_STACKS_MAX];
	size_t at = (size_t)(s->hash % (4 * FAULT_STACKS_MAX));

	while (slot[at] && r->stack[slot[at] - 1].hash != s->hash)
		at = (at + 1) % (4 * FAULT_STACKS_MAX);
	if (slot[at]) {
		r->stack[slot[at] - 1].times++;
		return;
	}
	if (r->n == FAULT_STACKS_MAX) {
		r->left_out++;
		return;
	}
	r->stack[r->n] = *s;
	r->stack[r->n].first = fault.calls;
	r->stack[r->n].times = 1;
	r->stack[r->n].what = what;
	slot[at] = (uint32_t)++r->n;
}

static bool same_place(const struct fault_stack *s)
{
	return s->depth >= fault.frames &&
	       memcmp(s->at, fault.plan->at, fault.frames * sizeof(s->at[0])) == 0;
}

/* To unwind each stack would take most of the time; here and there a call more or less is made. */
#define SLACK 100

static bool is_planned(const void *caller)
{
	struct fault_stack s;

	if (fault.calls + SLACK < fault.plan->first || (uintptr_t)caller != fault.plan->at[0] ||
	    (fault.mode == FAULT_ONCE && fault.hits > 0))
		return false;
	stack_take(caller, &s);
	return same_place(&s);
}

bool fault_here(const char *what, const void *caller)
{
	struct fault_stack s;
	bool fails = false;

	if (!fault.armed || fault.busy)
		return false;
	fault.busy = true;
	fault.calls++;
	if (fault.mode == FAULT_RECORD && fault.record) {
		stack_take(caller, &s);
		record(what, &s);
	} else if (fault.plan) {
		fails = is_planned(caller);
		fault.hits += fails;
	}
	fault.busy = false;
	return fails;
}
