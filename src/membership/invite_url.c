/* SPDX-License-Identifier: MIT */
/*
 * The URL that carries an invite: mlsh://host[:port]/adopt/<base64url of a JSON object>. The object
 * has one valid text, so it is read by comparing with what is expected, not by a JSON parser.
 */
#include "membership/invite_url.h"

#include <stdio.h>
#include <stdlib.h>

#include "membership/hostport.h"
#include "membership/internal.h"

static const char scheme[] = "mlsh://";
static const char action[] = "/adopt/";

#define JSON_MAX 2048 /* 1366 + 86 + 43 + 64 digits, and the names */

#define JSON_VERSION "{\"v\":1,"
#define JSON_SIGNAL "\"signal\":\""
#define JSON_INVITE "\",\"invite\":\""
#define JSON_SIG "\",\"sig\":\""
#define JSON_KEY "\",\"key\":\""
#define JSON_END "\"}"

static int damaged(struct err *err, const char *what)
{
	return refuse(err, -EBADMSG, REFUSAL_TAMPERED,
		      "the invite cannot be used: %s. Copy the whole URL again, or ask for a new "
		      "invite.",
		      what);
}

/* --- writing -------------------------------------------------------------------------------- */

/* Secrets are in it: the caller wipes the JSON text. */
static int json_format(const struct invite_url *u, char out[JSON_MAX])
{
	char signal[2 * HASH_LEN + 1];
	char invite[BASE64URL_LEN(INVITE_MAX_BYTES) + 1];
	char sig[BASE64URL_LEN(SIG_LEN) + 1];
	char key[BASE64URL_LEN(SIGN_SEED_LEN) + 1];
	int len;

	hex_encode(u->signal_key, HASH_LEN, signal);
	base64url_encode(u->invite_bytes, u->invite_len, invite);
	base64url_encode(u->invite_sig, SIG_LEN, sig);
	base64url_encode(u->one_time, SIGN_SEED_LEN, key);
	len = snprintf(out, JSON_MAX, "%s%s%s%s%s%s%s%s%s%s", JSON_VERSION, JSON_SIGNAL, signal,
		       JSON_INVITE, invite, JSON_SIG, sig, JSON_KEY, key, JSON_END);
	secret_wipe(key, sizeof(key));
	return len < 0 || len >= JSON_MAX ? -ENOSPC : len;
}

int invite_url_format(const struct invite_url *u, char *out, size_t cap, struct err *err)
{
	char json[JSON_MAX], encoded[BASE64URL_LEN(JSON_MAX) + 1];
	char port[sizeof(":65535")] = "";
	bool v6 = strchr(u->host, ':') != NULL;
	int len;

	if (u->invite_len > INVITE_MAX_BYTES || !host_is_normal(u->host) || u->port == 0)
		return err_set(err, -EINVAL, "the invite has no valid server address");
	len = json_format(u, json);
	if (len < 0)
		return err_set(err, len, "the invite is too long");
	base64url_encode((const uint8_t *)json, (size_t)len, encoded);
	if (u->port != SIGNAL_PORT)
		snprintf(port, sizeof(port), ":%u", (unsigned)u->port);
	len = snprintf(out, cap, "%s%s%s%s%s%s%s", scheme, v6 ? "[" : "", u->host, v6 ? "]" : "",
		       port, action, encoded);
	secret_wipe(json, sizeof(json));
	secret_wipe(encoded, sizeof(encoded));
	if (len >= 0 && (size_t)len < cap)
		return 0;
	secret_wipe(out, cap);
	return err_set(err, -ENOSPC, "the invite is too long");
}

/* --- reading -------------------------------------------------------------------------------- */

/* Moves *at past `word` if it stands there. */
static bool take(const char **at, const char *word)
{
	size_t len = strlen(word);

	if (strncmp(*at, word, len) != 0)
		return false;
	*at += len;
	return true;
}

/* Base64url up to the next '"'; the number of bytes, or negative. */
static ptrdiff_t take_base64(const char **at, uint8_t *out, size_t cap)
{
	size_t len = strcspn(*at, "\"");
	ptrdiff_t n = base64url_decode(*at, len, out, cap);

	*at += len;
	return n;
}

static bool take_base64_fixed(const char **at, uint8_t *out, size_t len)
{
	return take_base64(at, out, len) == (ptrdiff_t)len;
}

static bool take_hash(const char **at, uint8_t out[HASH_LEN])
{
	size_t len = strcspn(*at, "\"");
	bool ok = hex_decode(*at, len, out, HASH_LEN) == 0;

	*at += len;
	return ok;
}

/* Is it an envelope with a version of its own, and not just a damaged one? */
static bool is_other_version(const char *json)
{
	size_t digits;

	if (!take(&json, "{\"v\":") || *json == '0')
		return false;
	digits = strspn(json, "0123456789");
	return digits > 0 && json[digits] == ',';
}

static int json_parse(const char *json, struct invite_url *u, struct err *err)
{
	const char *at = json;
	ptrdiff_t invite_len;

	if (!take(&at, JSON_VERSION)) {
		if (is_other_version(json))
			return refuse(err, -EPROTONOSUPPORT, REFUSAL_VERSION,
				      "the invite is of a later version than this mlsh knows: "
				      "upgrade mlsh on this machine");
		return damaged(err, "its content is not an invite");
	}
	if (!take(&at, JSON_SIGNAL) || !take_hash(&at, u->signal_key) || !take(&at, JSON_INVITE))
		return damaged(err, "the server's fingerprint in it is incomplete");
	invite_len = take_base64(&at, u->invite_bytes, sizeof(u->invite_bytes));
	if (invite_len <= 0 || !take(&at, JSON_SIG))
		return damaged(err, "a part of it is missing or altered");
	u->invite_len = (size_t)invite_len;
	if (!take_base64_fixed(&at, u->invite_sig, SIG_LEN) || !take(&at, JSON_KEY) ||
	    !take_base64_fixed(&at, u->one_time, SIGN_SEED_LEN) || !take(&at, JSON_END) || *at)
		return damaged(err, "a part of it is missing or altered");
	return 0;
}

/* "host[:port]" up to the slash. */
static int authority_parse(const char *text, size_t len, struct invite_url *u, struct err *err)
{
	char host[HOST_TEXT_MAX + sizeof("[]:65535")];
	struct err why;

	if (len >= sizeof(host))
		return damaged(err, "the server's name is too long");
	memcpy(host, text, len);
	host[len] = '\0';
	if (hostport_parse(host, SIGNAL_PORT, u->host, &u->port, &why) < 0)
		return damaged(err, "the server's name in it is not one");
	return 0;
}

/* The parts of the envelope are unsigned; what can be compared must agree. */
static int check_parts(const struct invite_url *u, struct err *err)
{
	uint8_t key[KEY_LEN];

	if (memcmp(u->signal_key, u->invite.signal_key, HASH_LEN) != 0)
		return damaged(err, "its server fingerprint was altered");
	if (seed_public(u->one_time, key) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	if (memcmp(key, u->invite.key, KEY_LEN) != 0)
		return damaged(err, "its one-time key was altered");
	return 0;
}

static int content_parse(const char *encoded, struct invite_url *u, struct err *err)
{
	char json[JSON_MAX];
	ptrdiff_t len = base64url_decode(encoded, strlen(encoded), (uint8_t *)json,
					 sizeof(json) - 1);
	int r;

	if (len < 0)
		return damaged(err, "it is cut off, or has characters that do not belong there");
	json[len] = '\0';
	r = strlen(json) == (size_t)len ? json_parse(json, u, err)
					: damaged(err, "its content is not an invite");
	secret_wipe(json, sizeof(json));
	return r;
}

/* One valid form: written again, it is the same text. */
static int check_same(const char *text, const struct invite_url *u, struct err *err)
{
	char *again = malloc(INVITE_URL_MAX);
	int r;

	if (!again)
		return err_set(err, -ENOMEM, "out of memory");
	r = invite_url_format(u, again, INVITE_URL_MAX, err);
	if (r == 0 && strcmp(text, again) != 0)
		r = damaged(err, "it is not written the way mlsh writes invites");
	secret_wipe(again, INVITE_URL_MAX);
	free(again);
	return r;
}

static int url_parse(const char *text, struct invite_url *u, struct err *err)
{
	const char *at = text, *slash;
	int r;

	if (!take(&at, scheme))
		return damaged(err, "an invite begins with mlsh://");
	if (strlen(text) >= INVITE_URL_MAX)
		return damaged(err, "it is too long");
	slash = strchr(at, '/');
	if (!slash)
		return damaged(err, "it is cut off");
	r = authority_parse(at, (size_t)(slash - at), u, err);
	if (r < 0)
		return r;
	at = slash;
	if (!take(&at, action))
		return damaged(err, "the part after the server's name is not /adopt/");
	r = content_parse(at, u, err);
	if (r == 0)
		r = invite_decode(span_of(u->invite_bytes, u->invite_len), &u->invite, err);
	if (r == 0)
		r = check_parts(u, err);
	return r < 0 ? r : check_same(text, u, err);
}

int invite_url_parse(const char *text, struct invite_url *ret, struct err *err)
{
	struct invite_url u = { .port = 0 };
	int r = url_parse(text, &u, err);

	if (r == 0)
		*ret = u;
	invite_url_wipe(&u);
	return r;
}

void invite_url_wipe(struct invite_url *u)
{
	secret_wipe(u, sizeof(*u));
}
