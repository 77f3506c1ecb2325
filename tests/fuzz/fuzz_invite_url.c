/* SPDX-License-Identifier: MIT */
/* Invite URLs and server addresses: what is accepted has one form. */
#include <stdlib.h>

#include "membership/hostport.h"
#include "membership/internal.h"
#include "membership/invite_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void try_url(const char *text)
{
	struct invite_url u;
	char again[INVITE_URL_MAX];
	struct err err = { .code = 0 };
	int r = invite_url_parse(text, &u, &err);

	if (r < 0) {
		must(err.code == r && err.reason != 0);
		return;
	}
	must(invite_url_format(&u, again, sizeof(again), &err) == 0);
	must(strcmp(text, again) == 0);
	must(memcmp(u.signal_key, u.invite.signal_key, HASH_LEN) == 0);
}

static void try_host(const char *text)
{
	char host[HOST_TEXT_MAX + 1], again[HOST_TEXT_MAX + 1];
	uint16_t port, same;

	if (hostport_parse(text, SIGNAL_PORT, host, &port, NULL) < 0)
		return;
	must(port != 0 && host_is_normal(host) && strlen(host) <= HOST_TEXT_MAX);
	must(host[strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.:-")] == '\0');
	must(hostport_parse(host, port, again, &same, NULL) == 0);
	must(strcmp(host, again) == 0 && port == same);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	must(text);
	if (size > 0)
		memcpy(text, data, size);
	text[size] = '\0';
	try_url(text);
	try_host(text);
	free(text);
	return 0;
}
