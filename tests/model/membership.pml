/* SPDX-License-Identifier: MIT */
/*
 * Who belongs: authors sign entries, servers put them into a place, nodes take what the rules
 * allow. Everybody acts in any order, and spin tries out every order.
 *
 * What may happen is below, one line each. The world, the rules (by the names that the program
 * uses too), what a node does with what it hears, and the properties are in the C files beside
 * this one: they are functions of the world, without a memory of their own. The environment
 * chooses a scene (MODEL_SCENE) and takes a rule out (MODEL_WITHOUT).
 */
c_decl {
\#include "model.h"
}
c_state "struct world w" "Global"

/* One of the possible moves of a kind, any of them, and then the properties. */
#define ANY(kind) \
	atomic { \
		c_expr { now.w.can[kind] } -> \
		c_code { move_first(&now.w, kind); }; \
		do \
		:: break \
		:: c_expr { now.w.more } -> c_code { move_following(&now.w, kind); } \
		od; \
		c_code { move_make(&now.w, kind); }; \
		if \
		:: c_expr { now.w.broken } -> goto fault \
		:: else \
		fi \
	}

active proctype world()
{
	c_code { model_begin(&now.w); };
end:	do
	:: ANY(SIGN) /* a member signs an entry, the recovery code a recover */
	:: ANY(ORDER) /* a server gives an entry a place, behind any record if it lies */
	:: ANY(DELIVER) /* a node is shown a log and takes it */
	:: ANY(TALK) /* a node tells another its log, receipts and unordered removals */
	:: ANY(WORD) /* the server says "removed" without a record */
	:: ANY(COMMIT) /* an honest server's database has what the server has in memory */
	:: ANY(CRASH) /* and what it has not is gone */
	:: ANY(BACKUP)
	:: ANY(RESTORE)
	:: ANY(CONNECT) /* a node shows an honest server its head */
	:: ANY(ACCEPT) /* the operator of a restored server waits for nobody */
	od;
fault:	assert(false)
}
