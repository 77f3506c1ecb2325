/* SPDX-License-Identifier: MIT */
/* Entries of the log as sentences for people: the audit trail. */
#ifndef MLSH_MEMBERSHIP_WORDS_H
#define MLSH_MEMBERSHIP_WORDS_H

#include "membership/mlog.h"

#define WORDS_TEXT_MAX 1024
#define WORDS_TIME_MAX 24

/*
 * What a record of the log did, who did it, and who signed: "laptop joined at 100.64.0.2, invited
 * by nas". Names are those that the members have now; entry_type_name is the word for machines.
 */
void words_entry(const struct mlog *l, const struct record *r, const struct entry *e,
		 char ret[WORDS_TEXT_MAX]);
/* What listings give of a record besides its numbers. */
struct record_words {
	uint64_t time_s;    /* by the server's clock; of the genesis record, by its author's */
	const char *author; /* the member's name, a view; NULL: the recovery code */
	char text[WORDS_TEXT_MAX];
	char hash[2 * HASH_LEN + 1];
};

void words_record(const struct mlog *l, const struct record *r, const struct entry *e,
		  struct record_words *ret);
/* "2026-11-22 16:40", in UTC; "-" for an invalid time. Returns `ret`. */
const char *words_time(uint64_t time_s, char ret[WORDS_TIME_MAX]);
/* "2026-11-22 16:40 UTC", for sentences; "an unknown time" for an invalid one. Returns `ret`. */
const char *words_time_utc(uint64_t time_s, char ret[WORDS_TIME_MAX]);

#endif
