/* SPDX-License-Identifier: MIT */
/* What an answer to a pending request means for it. */
#include "client/join_internal.h"

#include "base/assert.h"
#include "client/refuse.h"

enum join_verdict join_verdict(enum refusal reason, bool sent_before)
{
	switch (refuse_answer(reason)) {
	case REFUSE_LOOKED_AT:
		return JOIN_FORGET;
	case REFUSE_NOT_LOOKED_AT:
		return sent_before ? JOIN_KEEP : JOIN_FORGET;
	case REFUSE_UNCLEAR:
		return JOIN_KEEP;
	}
	UNREACHABLE();
}
