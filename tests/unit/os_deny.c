/* SPDX-License-Identifier: MIT */
/* Makes a system call fail. */
#include "os_deny.h"

void os_deny(int code, int call, unsigned arg, uint64_t value)
{
	struct scmp_arg_cmp when = { .arg = arg, .op = SCMP_CMP_EQ, .datum_a = value };
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);

	ck_assert_ptr_nonnull(ctx);
	ck_assert_int_eq(seccomp_rule_add(ctx, SCMP_ACT_ERRNO((unsigned)code), call, 1, when), 0);
	ck_assert_int_eq(seccomp_load(ctx), 0);
	seccomp_release(ctx);
}
