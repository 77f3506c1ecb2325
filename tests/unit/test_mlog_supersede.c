/* SPDX-License-Identifier: MIT */
/* The rule for attempts of a recovery that supersede each other, each part of it broken alone. */
#include "log_kit.h"

static void refused_(struct kit *k, struct entry_bytes b, int code, int reason, int line)
{
	kit_refused_(k, kit_span(&b), code, reason, __FILE__, line);
}
#define refused(k, b, code, reason) refused_(k, b, code, reason, __LINE__)

/* [P2-37] */
START_TEST(superseding)
{
	struct kit k = kit_open();
	struct entry_bytes first, stranger, b, forged, leave;
	struct entry e, d;

	kit_join(&k, 1);
	kit_join(&k, 2);
	first = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	stranger = kit_recover(&k, 77, KIT_CODE_NEXT, 1);
	e = kit_recover_fields(&k, KIT_CODE, KIT_CODE_NEXT, 1);

	/* its code was never in force */
	refused(&k, kit_recover_again(&k, KIT_CODE_NEXT, 79, 1, &stranger), -EACCES,
		REFUSAL_RECOVERY_CODE);
	/* it was not signed by its code */
	forged = kit_forge(&k, &e, 77, 0);
	refused(&k, kit_recover_again(&k, KIT_CODE_NEXT, 79, 1, &forged), -EKEYREJECTED,
		REFUSAL_TAMPERED);
	/* its author is not its key */
	e.author = kit_id(2);
	forged = kit_forge(&k, &e, KIT_CODE, 0);
	refused(&k, kit_recover_again(&k, KIT_CODE_NEXT, 79, 1, &forged), -EBADMSG,
		REFUSAL_BAD_ENTRY);
	/* it names another code, or is no recovery */
	e = kit_recover_fields(&k, 79, 80, 1);
	e.recover.supersedes = span_of(first.data, first.len);
	b = kit_forge(&k, &e, 79, 0);
	ck_assert_int_eq(entry_decode(kit_span(&b), &d, NULL), -EBADMSG);
	leave = kit_remove(&k, 2, 2);
	e = kit_recover_fields(&k, KIT_CODE_NEXT, 80, 1);
	e.recover.supersedes = span_of(leave.data, leave.len);
	b = kit_forge(&k, &e, KIT_CODE_NEXT, 0);
	ck_assert_int_eq(entry_decode(kit_span(&b), &d, NULL), -EBADMSG);
	/* three may be nested, four not */
	b = first;
	for (unsigned n = 0; n < RECOVER_DEPTH_MAX + 1; n++) {
		e = kit_recover_fields(&k, KIT_CODE_NEXT + n, KIT_CODE_NEXT + n + 1, 1);
		e.recover.supersedes = span_of(first.data, first.len);
		b = kit_forge(&k, &e, KIT_CODE_NEXT + n, 0);
		ck_assert_int_eq(entry_decode(kit_span(&b), &d, NULL),
				 n < RECOVER_DEPTH_MAX ? 0 : -EBADMSG);
		first = b;
	}
	/* it was made for another place */
	first = kit_recover(&k, KIT_CODE, KIT_CODE_NEXT, 1);
	b = kit_remove(&k, 0, 2);
	kit_append(&k, &b);
	e = kit_recover_fields(&k, KIT_CODE_NEXT, 80, 1);
	e.recover.supersedes = span_of(first.data, first.len);
	b = kit_forge(&k, &e, KIT_CODE_NEXT, 0);
	ck_assert_int_eq(entry_decode(kit_span(&b), &d, NULL), -EBADMSG);
	kit_close(&k);
}
END_TEST

UNIT_MAIN("membership/supersede", superseding)
