/* SPDX-License-Identifier: MIT */
/* Search domains, as resolv.conf(5) has them. */
#include "client/search_domain.h"

#include <stdio.h>
#include <stdlib.h>

#include "membership/hostport.h"
#include "membership/invite.h"
#include "os/paths.h"

#define RESOLV_CONF_MAX 65536
#define BLANKS " \t\r"

/* In the form of cluster names: small letters, without a dot at the end. */
static void normalise(char *domain)
{
	size_t len = strlen(domain);

	for (char *c = domain; *c; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
	if (len > 0 && domain[len - 1] == '.')
		domain[len - 1] = '\0';
}

static bool is_in(char *line, const char *zone, char ret[HOST_TEXT_MAX + 1])
{
	char *save = NULL, *word = strtok_r(line, BLANKS, &save);

	if (!word || (strcmp(word, "search") != 0 && strcmp(word, "domain") != 0))
		return false;
	while ((word = strtok_r(NULL, BLANKS, &save))) {
		normalise(word);
		if (strlen(word) > HOST_TEXT_MAX || !host_in_zone(word, zone))
			continue;
		snprintf(ret, HOST_TEXT_MAX + 1, "%s", word);
		return true;
	}
	return false;
}

bool search_domain_in(struct host *h, const char *zone, char ret[HOST_TEXT_MAX + 1])
{
	struct buf file = { 0 };
	char *save = NULL;
	bool found = false;

	if (file_read(h, RESOLV_CONF, RESOLV_CONF_MAX, NULL, &file) < 0)
		return false; /* a machine without resolvers is fine */
	for (char *line = strtok_r((char *)file.data, "\n", &save); line && !found;
	     line = strtok_r(NULL, "\n", &save))
		found = is_in(line, zone, ret);
	buf_free(&file);
	return found;
}
