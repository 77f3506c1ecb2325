/* SPDX-License-Identifier: AGPL-3.0-only */
/* Builds the server out of its parts, and takes it apart. */
#include <stdlib.h>

#include "identity/identity.h"
#include "signal/bootstrap.h"
#include "signal/caller.h"
#include "signal/mark.h"
#include "signal/may_order.h"

#define SOURCES_MAX 16384 /* sources whose rates are remembered */

/* Moves all that was committed into the file, also by a server that was killed. */
static int keep_whole(struct signal_server *s, struct err *err)
{
	int r = db_checkpoint(s->db, true, err);

	if (r == -EAGAIN) {
		log_warn(host_log(s->host), "%s", err->text);
		r = 0;
	}
	db_wait_never(s->db);
	return r;
}

/* Two servers with one configuration would have one address, too: names it. */
static int serve(struct signal_server *s, const struct signal_config *cfg, struct err *err)
{
	char at[ADDR_TEXT_MAX];
	int r = db_serve(s->db, err);

	return r == -EBUSY ? err_prefix(err, "%s", addr_format(&cfg->bind, at)) : r;
}

static int open_parts(struct signal_server *s, const struct signal_config *cfg, struct err *err)
{
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	uint8_t seed[16];
	bool restored;
	int r;

	random_fill(s->host, seed, sizeof(seed));
	s->sources = ratelimit_new(seed, SOURCES_MAX);
	random_fill(s->host, seed, sizeof(seed));
	s->members = ratelimit_new(seed, SOURCES_MAX);
	random_fill(s->host, seed, sizeof(seed));
	s->relay = relay_new(seed, cfg->relay_node_rate, cfg->relay_cluster_rate);
	if (!s->sources || !s->members || !s->relay)
		return err_set(err, -ENOMEM, "out of memory.");
	if ((r = db_open(cfg->db_path, true, err, &s->db)) < 0 || (r = serve(s, cfg, err)) < 0 ||
	    (r = bootstrap_keys(s->host, s->db, cfg->identity ? NULL : &s->own_identity, &s->keys,
				err)) < 0 ||
	    (r = mark_open(s->host, s->db, cfg->db_path, err, &restored, &s->mark)) < 0 ||
	    (r = registry_new(s->host, s->db, s->mark, &s->keys, err, &s->registry)) < 0 ||
	    (r = may_order_open(s, restored, err)) < 0)
		return r;
	s->identity = cfg->identity ? cfg->identity : s->own_identity;
	r = server_socket_open(s, cfg, err);
	if (r < 0)
		return r;
	if (recall_new(s, cfg->db_path, &s->recall) < 0)
		return err_set(err, -ENOMEM, "out of memory.");
	certificate_check(s);
	/* last, when nothing can fail any more before it is shown */
	r = bootstrap_first_code(s->host, s->db, cfg->secret, code, err);
	if (r == 0)
		r = keep_whole(s, err);
	if (r == 0 && *code)
		bootstrap_token_format(code, s->identity, s->first_token);
	secret_wipe(code, sizeof(code));
	return r;
}

int signal_server_open(struct host *h, const struct signal_config *cfg, struct err *err,
		       struct signal_server **ret)
{
	struct signal_server *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return err_set(err, -ENOMEM, "out of memory.");
	s->host = h;
	s->subnet = cfg->subnet;
	server_service_open(s);
	r = open_parts(s, cfg, err);
	if (r < 0) {
		signal_server_close(s);
		return r;
	}
	*ret = s;
	return 0;
}

const char *signal_server_first_token(const struct signal_server *s)
{
	return *s->first_token ? s->first_token : NULL;
}

void signal_server_forget_token(struct signal_server *s)
{
	secret_wipe(s->first_token, sizeof(s->first_token));
}

struct addr signal_server_local(const struct signal_server *s)
{
	return quic_socket_local(s->socket);
}

const uint8_t *signal_server_fingerprint(const struct signal_server *s)
{
	return identity_cert_sha256(s->identity);
}

void signal_server_close(struct signal_server *s)
{
	if (!s)
		return;
	server_socket_close(s);
	recall_free(s->recall);
	echo_close(s->echo);
	relay_free(s->relay);
	registry_free(s->registry);
	mark_close(s->mark);
	ratelimit_free(s->sources);
	ratelimit_free(s->members);
	db_close(s->db);
	manager_free(s->manager);
	identity_free(s->own_identity);
	secret_wipe(s, sizeof(*s));
	free(s);
}
