/* SPDX-License-Identifier: MIT */
/* Uses once what a process will use again and again: a key, its text, the TLS contexts. */
#include "quic/prepare.h"

#include "crypto/init.h"
#include "quic/tls.h"

/* Makes the contexts of both roles, with the identity. */
static int contexts_try(const struct identity *id, struct err *err)
{
	const struct quic_profile *const none[] = { NULL };
	const struct tls_config cfg = { .identity = id, .serve = none };
	struct tls *tls = NULL;
	int rc = quic_tls_new(&cfg, err, &tls);

	quic_tls_free(tls);
	return rc;
}

/* Writes the identity as text and reads it again. */
static int text_try(const struct identity *id, struct err *err)
{
	struct identity *read = NULL;
	struct buf cert = { 0 }, key = { 0 };
	int rc = identity_to_pem(id, &cert, &key, err);

	if (rc == 0)
		rc = identity_from_pem(span_of(cert.data, cert.len), span_of(key.data, key.len),
				       false, err, &read);
	identity_free(read);
	buf_free(&key);
	buf_free(&cert);
	return rc;
}

static int identity_try(struct host *h, struct err *err)
{
	struct identity *id = NULL;
	int rc = identity_new(h, err, &id);

	if (rc == 0)
		rc = text_try(id, err);
	if (rc == 0)
		rc = contexts_try(id, err);
	identity_free(id);
	return rc;
}

int quic_prepare(struct host *h, struct err *err)
{
	struct err why = { 0 };
	int tried = identity_try(h, &why);
	int rc = crypto_prepare(err);

	if (rc < 0 || tried == 0)
		return rc;
	return err_set(err, tried, "cannot start the cryptographic library: %s", why.text);
}
