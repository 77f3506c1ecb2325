/* SPDX-License-Identifier: MIT */
/*
 * Secrets do not outlive their use: the memory of this process, with both ends of a connection in
 * it, is searched for what TLS derived. The test itself knows the secrets in disguise only.
 */
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>

#include "quic/socket.h"
#include "quic_sim.h"

#if defined(__SANITIZE_ADDRESS__)
#define SEARCHABLE false /* the sanitizer's shadow is terabytes */
#else
#define SEARCHABLE true
#endif

#define MASK 0x5a
#define SECRETS_MAX 16
#define SECRET_MAX 48

/* As NSS's key log names them; the bytes are masked. */
struct secret {
	char label[40];
	uint8_t masked[SECRET_MAX];
	size_t len;
};

static struct secret secrets[SECRETS_MAX];
static size_t n_secrets;

static int nibble(char c)
{
	return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/* "LABEL <client random> <secret>", both hexadecimal. */
static void on_key(const SSL *ssl, const char *line)
{
	const char *hex = strrchr(line, ' ') + 1;
	struct secret *s = &secrets[n_secrets++];

	(void)ssl;
	ck_assert_uint_le(n_secrets, SECRETS_MAX);
	snprintf(s->label, sizeof(s->label), "%.*s", (int)strcspn(line, " "), line);
	s->len = strlen(hex) / 2;
	ck_assert_uint_le(s->len, SECRET_MAX);
	for (size_t i = 0; i < s->len; i++)
		s->masked[i] = (uint8_t)((nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1])) ^ MASK);
}

/* How often the bytes are in this part of our memory; never unmasked in memory themselves. */
static size_t count_in(const uint8_t *from, const uint8_t *end, const struct secret *s)
{
	size_t found = 0;

	for (const uint8_t *at = from; at + s->len <= end; at++) {
		size_t same = 0;

		while (same < s->len && (at[same] ^ MASK) == s->masked[same])
			same++;
		found += same == s->len;
	}
	return found;
}

static size_t count(const char *label)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long from, end;
	char line[512], mode[8];
	size_t found = 0, known = 0;

	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %7s", &from, &end, mode) != 3 ||
		    strncmp(mode, "rw", 2) != 0)
			continue;
		for (size_t i = 0; i < n_secrets; i++)
			if (strcmp(secrets[i].label, label) == 0) {
				known++;
				found += count_in((const uint8_t *)from, (const uint8_t *)end,
						  &secrets[i]);
			}
	}
	fclose(maps);
	ck_assert_msg(known > 0, "TLS never told its %s", label);
	return found;
}

static void check_gone(const char *label)
{
	size_t n = SEARCHABLE ? count(label) : 0;

	ck_assert_msg(n == 0, "%s is in memory %zu times", label, n);
}

static void check_there(const char *label)
{
	ck_assert_msg(!SEARCHABLE || count(label) > 0, "%s was not found at all", label);
}

START_TEST(secrets_go_with_what_they_served)
{
	struct quic_pair p;

	quic_pair_ready(&p);
	SSL_CTX_set_keylog_callback(quic_tls_context(p.client.s->tls, false), on_key);
	quic_pair_connect(&p);
	check_there("EXPORTER_SECRET");
	check_there("CLIENT_TRAFFIC_SECRET_0");

	quic_conn_drop_tls(p.ce->c);
	quic_conn_drop_tls(p.se->c);
	check_gone("EXPORTER_SECRET");
	check_gone("CLIENT_HANDSHAKE_TRAFFIC_SECRET");
	check_gone("SERVER_HANDSHAKE_TRAFFIC_SECRET");

	quic_pair_stop(&p);
	check_gone("CLIENT_TRAFFIC_SECRET_0");
	check_gone("SERVER_TRAFFIC_SECRET_0");
}
END_TEST

UNIT_MAIN("quic/secrets", secrets_go_with_what_they_served)
