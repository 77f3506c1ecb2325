/* SPDX-License-Identifier: MIT */
/* What can stand for a value or an argument, by what --help calls it. */
#include <string.h>

#include "base/assert.h"
#include "base/log.h"

#include "manual.h"

enum word_kind word_of_value(const struct option_row *r)
{
	if (!r->value)
		return WORD_NONE;
	if (strchr(r->value, '|') || strcmp(r->value, "LEVEL") == 0)
		return WORD_LIST;
	if (strcmp(r->value, "FILE") == 0 || strcmp(r->value, "PATH") == 0)
		return WORD_FILES;
	if (strcmp(r->value, "NODE") == 0)
		return WORD_NODES;
	if (strcmp(r->value, "NAMES") == 0)
		return WORD_NODE_LIST;
	return WORD_NONE;
}

const char *word_list(const struct option_row *r, char *out, size_t cap)
{
	enum log_level level;
	size_t at = 0, n = 0;

	if (strcmp(r->value, "LEVEL") != 0) {
		snprintf(out, cap, "%s", r->value);
		for (char *bar = out; (bar = strchr(bar, '|'));)
			*bar = ' ';
		return out;
	}
	/* "error, warn, info, debug or trace" */
	snprintf(out, cap, "%s", "");
	for (const char *p = LOG_LEVELS; *p; p += n + strspn(p + n, ", ")) {
		char word[16];

		n = strcspn(p, ", ");
		snprintf(word, sizeof(word), "%.*s", (int)n, p);
		if (log_level_parse(word, &level) == 0)
			at += (size_t)snprintf(out + at, cap - at, "%s%s", at ? " " : "", word);
	}
	return out;
}

/* By the name of an argument in the usage. A cluster that has to be named is a new one. */
static const struct {
	const char *word;
	enum word_kind kind;
	bool repeats;
} arguments[] = {
	/* clang-format off */
	{ "[<cluster>]", WORD_CLUSTERS, false },
	{ "[CLUSTER]", WORD_CLUSTERS, false }, /* of the server */
	{ "<node>[.<cluster>]", WORD_NODES, false },
	{ "<node>...", WORD_NODES, true },
	{ "<node>", WORD_NODES, false },
	{ "<id>", WORD_INVITES, false },
	{ "FILE", WORD_FILES, false },
	/* clang-format on */
};

enum word_kind word_of_argument(const struct options *o, size_t i, bool *ret_repeats)
{
	const char *p = o->usage;
	size_t len;

	*ret_repeats = false;
	/* Arguments stand before the options. */
	for (; *p && *p != '-' && strncmp(p, "[-", 2) != 0 && strncmp(p, "[options", 8) != 0;
	     p += len + strspn(p + len, " ")) {
		len = strcspn(p, " ");
		for (size_t k = 0; k < sizeof(arguments) / sizeof(arguments[0]); k++) {
			if (strlen(arguments[k].word) != len ||
			    strncmp(p, arguments[k].word, len) != 0)
				continue;
			if (i == 0 || arguments[k].repeats) {
				*ret_repeats = arguments[k].repeats;
				return arguments[k].kind;
			}
		}
		if (i-- == 0)
			return WORD_NONE;
	}
	return WORD_NONE;
}

const char *word_kind_name(enum word_kind kind)
{
	switch (kind) {
	case WORD_FILES:
		return "files";
	case WORD_CLUSTERS:
		return "clusters";
	case WORD_NODES:
		return "nodes";
	case WORD_INVITES:
		return "invites";
	case WORD_NODE_LIST:
		return "node-list";
	case WORD_NONE:
	case WORD_LIST:
		return "";
	}
	UNREACHABLE();
}

const char *word_brief(const char *help, char *out, size_t cap)
{
	static const char *const ends[] = { "; ", " (", ": ", ". ", ", such" };
	size_t len = strlen(help);

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		const char *end = strstr(help, ends[i]);

		if (end && (size_t)(end - help) < len && end > help)
			len = (size_t)(end - help);
	}
	snprintf(out, cap, "%.*s", (int)len, help);
	for (char *c = out; (c = strchr(c, '`'));)
		memmove(c, c + 1, strlen(c));
	return out;
}
