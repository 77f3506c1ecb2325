/* SPDX-License-Identifier: MIT */
/* The functions that owners call on connections. */
#include "quic/socket.h"

int quic_connect(struct quic_socket *s, const struct quic_profile *profile,
		 const struct quic_pin *pin, path_label label, const struct addr *to,
		 const struct quic_conn_ops *ops, void *ctx, struct err *err,
		 struct quic_conn **ret)
{
	struct quic_conn *c;
	int r;

	if (s->closed)
		return err_set(err, -ESHUTDOWN, "the socket is closed");
	if (!s->cfg.router)
		label = 0;
	if (label == 0 && !to)
		return err_set(err, -EINVAL, "no path to connect on");
	if (s->n_conns >= s->cfg.max_conns)
		return err_set(err, -EMFILE, "too many connections (%zu)", s->n_conns);
	r = conn_new_client(s, profile, pin, label, label ? NULL : to, &c);
	if (r < 0)
		return err_set(err, r, "out of memory");
	c->ops = ops;
	c->ctx = ctx;
	conn_mark_dirty(c);
	*ret = c;
	return 0;
}

void quic_conn_set_owner(struct quic_conn *c, const struct quic_conn_ops *ops, void *ctx)
{
	c->ops = ops;
	c->ctx = ctx;
}

void quic_conn_close(struct quic_conn *c, uint64_t app_error, const char *phrase)
{
	conn_close(c, app_error, phrase);
	tx_flush(&c->s->tx);
}

void quic_conn_free(struct quic_conn *c)
{
	if (!c || c->freed)
		return;
	c->ops = NULL;
	conn_close(c, 0, "");
	tx_flush(&c->s->tx);
	conn_bury(c);
}

bool quic_conn_is_server(const struct quic_conn *c)
{
	return c->server;
}

void *quic_conn_ctx(const struct quic_conn *c)
{
	return c->ctx;
}

const uint8_t *quic_conn_peer_key_sha256(const struct quic_conn *c)
{
	return c->tls.peer.key_sha256;
}

const uint8_t *quic_conn_peer_ed25519(const struct quic_conn *c)
{
	return c->tls.peer.ed25519;
}

const uint8_t *quic_conn_peer_cert_sha256(const struct quic_conn *c)
{
	return c->tls.peer.cert_sha256;
}

bool quic_conn_remote_endpoint(const struct quic_conn *c, struct quic_endpoint *ret)
{
	path_label label = c->routed ? c->label : c->proven_label;

	return c->alive && label != 0 && router_endpoint(c->s, (struct quic_conn *)c, label, ret);
}

bool quic_conn_remote_addr(const struct quic_conn *c, struct addr *ret)
{
	struct quic_endpoint endpoint;

	if (!quic_conn_remote_endpoint(c, &endpoint))
		return false;
	*ret = endpoint.to;
	return true;
}

bool quic_conn_revocation(const struct quic_conn *c, struct quic_revocation *ret)
{
	struct quic_endpoint endpoint;
	const struct cid *cid;

	if (!c->connected || list_empty(&c->cids) || !quic_conn_remote_endpoint(c, &endpoint))
		return false;
	cid = list_entry(c->cids.next, struct cid, link); /* the oldest: the one in use */
	memcpy(ret->id, cid->bytes, sizeof(ret->id));
	ret->remote = endpoint.to;
	ret->local = endpoint.local;
	return true;
}

int quic_conn_export(struct quic_conn *c, const char *label, struct span context, uint8_t *out,
		     size_t len)
{
	if (!c->connected || !c->alive)
		return -ENOTCONN;
	return quic_tls_session_export(&c->tls, label, context, out, len);
}

int quic_conn_exporter(void *conn, const char *label, struct span context, uint8_t *out, size_t len)
{
	return quic_conn_export(conn, label, context, out, len);
}

void quic_conn_drop_tls(struct quic_conn *c)
{
	c->drop_tls = true;
	conn_drop_tls(c);
}

path_label quic_conn_label(const struct quic_conn *c)
{
	return c->label;
}

bool quic_conn_was_retried(const struct quic_conn *c)
{
	return c->retried;
}

void quic_conn_info_get(const struct quic_conn *c, struct quic_conn_info *ret)
{
	conn_update_info((struct quic_conn *)c);
	*ret = c->last_info;
}

int quic_conn_migrate(struct quic_conn *c, path_label label, bool dead)
{
	bool was_migrating = c->migrating;
	path_label was_label;
	uint64_t was_generation, now = clock_now(c->s->h);
	int rv;

	if (!c->alive || c->server || label == 0)
		return -EINVAL;
	if (!c->confirmed)
		return -EAGAIN;
	if (was_migrating ? label == label_of(&c->target.path) && !dead : label == c->label)
		return 0;
	was_label = was_migrating ? label_of(&c->target.path) : c->label;
	was_generation = was_migrating ? label_generation_of(&c->target.path) : 0;
	label_path_set(&c->target, label, c->next_generation++);
	c->migrating = true;
	rv = dead ? ngtcp2_conn_initiate_immediate_migration(c->qc, &c->target.path, now)
		  : ngtcp2_conn_initiate_migration(c->qc, &c->target.path, now);
	if (rv != 0) { /* ngtcp2 has changed nothing */
		c->migrating = was_migrating;
		label_path_set(&c->target, was_label, was_generation);
		if (rv == NGTCP2_ERR_CONN_ID_BLOCKED || rv == NGTCP2_ERR_INVALID_STATE)
			return -EAGAIN;
		return -EIO;
	}
	conn_settle(c);
	conn_mark_dirty(c);
	return 0;
}
