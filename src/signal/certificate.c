/* SPDX-License-Identifier: AGPL-3.0-only */
/* The server's certificate: whether the clusters accept it, and how it is exchanged at run time. */
#include "identity/identity.h"
#include "signal/bootstrap.h"
#include "signal/caller.h"

static struct key_acceptance acceptance(const struct signal_server *s, const struct identity *id)
{
	return registry_key_acceptance(s->registry, identity_key_sha256(id));
}

/* Returns how many clusters would accept the certificate in the database. */
static size_t own_would_do(const struct signal_server *s)
{
	struct identity *own = NULL;
	size_t n = 0;

	if (!s->own_identity && bootstrap_identity(s->db, &own, NULL) == 0)
		n = acceptance(s, own).accept;
	identity_free(own);
	return n;
}

void certificate_check(const struct signal_server *s)
{
	struct key_acceptance a = acceptance(s, s->identity);
	const char *remedy = s->own_identity
				     ? "Set quic.cert_path and quic.key_path again as they were."
				     : "Renew the certificate with the key that it had before "
				       "(certbot: --reuse-key), and set quic.key_path to that key.";

	if (!a.refuses)
		return;
	if (own_would_do(s) > 0)
		remedy = "Remove quic.cert_path and quic.key_path: they accept the certificate in "
			 "the database.";
	log_error(host_log(s->host),
		  "%zu of %zu clusters (%s%s) do not accept this server: its "
		  "key is not the one that they were set up with, so their nodes stay cut off. %s",
		  a.clusters - a.accept, a.clusters, a.refuses,
		  a.clusters - a.accept > 1 ? ", ..." : "", remedy);
}

int signal_server_identity_set(struct signal_server *s, const struct identity *id, struct err *err)
{
	struct key_acceptance now = acceptance(s, s->identity), then = acceptance(s, id);
	int r;

	if (then.accept < now.accept)
		return err_set(err, -EKEYREJECTED,
			       "its key is not the one that the cluster %s was set up with: all "
			       "its nodes would be cut off. The certificate before stays in use. "
			       "Renew it with the same key (certbot: --reuse-key).",
			       then.refuses);
	r = quic_socket_identity_set(s->socket, id, err);
	if (r == 0)
		s->identity = id;
	return r;
}
