/* SPDX-License-Identifier: MIT */
/*
 * The callbacks of ngtcp2. They record what happened, and never read or write packets themselves.
 */
#include "quic/socket.h"

#include <ngtcp2/ngtcp2_crypto.h>

#define TLS_UNEXPECTED_MESSAGE 10 /* alert, RFC 8446 section 6.2 */

static int handshake_completed(ngtcp2_conn *qc, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	c->handshake_done = true;
	router_proven(c, c->label);
	c->pending.connected = true;
	conn_mark_event(c);
	return 0;
}

/* Client role: the server wants to see our Initial again, with its token. */
static int recv_retry(ngtcp2_conn *qc, const ngtcp2_pkt_hd *hd, void *user)
{
	struct quic_conn *c = user;

	c->retried = true;
	return ngtcp2_crypto_recv_retry_cb(qc, hd, user);
}

/* Client role: HANDSHAKE_DONE has come. Server role: right after completion. */
static int handshake_confirmed(ngtcp2_conn *qc, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	c->confirmed = true;
	return 0;
}

/* After the handshake TLS has nothing to say: no tickets, and KeyUpdate is QUIC's own. */
static int recv_crypto_data(ngtcp2_conn *qc, ngtcp2_encryption_level level, uint64_t offset,
			    const uint8_t *data, size_t len, void *user)
{
	const struct quic_conn *c = user;

	if (c->tls.ssl)
		return ngtcp2_crypto_recv_crypto_data_cb(qc, level, offset, data, len, user);
	ngtcp2_conn_set_tls_alert(qc, TLS_UNEXPECTED_MESSAGE);
	return NGTCP2_ERR_CRYPTO;
}

static void random_bytes(uint8_t *dest, size_t len, const ngtcp2_rand_ctx *ctx)
{
	random_fill(ctx->native_handle, dest, len);
}

static int path_challenge_data(ngtcp2_conn *qc, ngtcp2_path_challenge_data *data, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	random_fill(c->s->h, data->data, sizeof(data->data));
	return 0;
}

/* --- connection ids ------------------------------------------------------------------------------
 */

static int new_connection_id(ngtcp2_conn *qc, ngtcp2_cid *cid, ngtcp2_stateless_reset_token *token,
			     size_t cid_len, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	if (cid_len != CID_LEN || cid_new(c, c->server ? c->next_generation++ : 0, cid) < 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	cid_reset_token(c->s, cid, token->data);
	return 0;
}

static int remove_connection_id(ngtcp2_conn *qc, const ngtcp2_cid *cid, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	if (cid->datalen == CID_LEN)
		cid_remove(c->s, cid->data);
	return 0;
}

static int dcid_status(ngtcp2_conn *qc, ngtcp2_connection_id_status_type type, uint64_t seq,
		       const ngtcp2_cid *cid, const ngtcp2_stateless_reset_token *token, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	(void)seq;
	(void)cid;
	if (token && type == NGTCP2_CONNECTION_ID_STATUS_TYPE_ACTIVATE)
		token_add(c, token->data);
	else if (token)
		token_remove(c, token->data);
	return 0;
}

static int stateless_reset(ngtcp2_conn *qc, const ngtcp2_pkt_stateless_reset2 *sr, void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	(void)sr;
	c->got_reset = true;
	return 0;
}

/* --- paths ---------------------------------------------------------------------------------------
 */

static int path_validation(ngtcp2_conn *qc, uint32_t flags, const ngtcp2_path *path,
			   const ngtcp2_path *fallback, ngtcp2_path_validation_result result,
			   void *user)
{
	struct quic_conn *c = user;

	(void)qc;
	(void)flags;
	(void)fallback;
	if (result == NGTCP2_PATH_VALIDATION_RESULT_SUCCESS)
		router_proven(c, label_of(path));
	if (c->server || !c->migrating || !ngtcp2_path_eq(path, &c->target.path))
		return 0;
	c->migrating = false;
	if (result == NGTCP2_PATH_VALIDATION_RESULT_FAILURE) {
		c->failed_label = label_of(path);
		c->pending.path_failed = true;
		conn_mark_event(c);
	}
	return 0;
}

/* --- streams -------------------------------------------------------------------------------------
 */

static int stream_open(ngtcp2_conn *qc, int64_t id, void *user)
{
	struct quic_stream *st = stream_new(user, id);

	if (!st || ngtcp2_conn_set_stream_user_data(qc, id, st) != 0)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return 0;
}

static int recv_stream_data(ngtcp2_conn *qc, uint32_t flags, int64_t id, uint64_t offset,
			    const uint8_t *data, size_t len, void *user, void *stream_user)
{
	struct quic_stream *st = stream_user;

	(void)qc;
	(void)id;
	(void)offset;
	(void)user;
	if (!st)
		return NGTCP2_ERR_CALLBACK_FAILURE;
	return stream_received(st, data, len, flags & NGTCP2_STREAM_DATA_FLAG_FIN) < 0
		       ? NGTCP2_ERR_CALLBACK_FAILURE
		       : 0;
}

static int acked_stream_data(ngtcp2_conn *qc, int64_t id, uint64_t offset, uint64_t len, void *user,
			     void *stream_user)
{
	(void)qc;
	(void)id;
	(void)user;
	if (stream_user)
		stream_acked(stream_user, offset + len);
	return 0;
}

/*
 * The code is set if one side gave the stream up. A STOP_SENDING of the other side shows here only:
 * ngtcp2 resets our direction by itself.
 */
static int stream_close(ngtcp2_conn *qc, uint32_t flags, int64_t id, uint64_t error, void *user,
			void *stream_user)
{
	(void)qc;
	(void)id;
	(void)user;
	if (!stream_user)
		return 0;
	if (flags & NGTCP2_STREAM_CLOSE_FLAG_APP_ERROR_CODE_SET)
		stream_given_up(stream_user, error);
	stream_closed(stream_user);
	return 0;
}

static int stream_reset(ngtcp2_conn *qc, int64_t id, uint64_t final_size, uint64_t error,
			void *user, void *stream_user)
{
	(void)qc;
	(void)id;
	(void)final_size;
	(void)user;
	if (stream_user)
		stream_given_up(stream_user, error);
	return 0;
}

static int extend_max_stream_data(ngtcp2_conn *qc, int64_t id, uint64_t max, void *user,
				  void *stream_user)
{
	(void)qc;
	(void)id;
	(void)max;
	(void)user;
	if (stream_user)
		stream_unblocked(stream_user);
	return 0;
}

void callbacks_fill(ngtcp2_callbacks *ret)
{
	*ret = (ngtcp2_callbacks){
		.client_initial = ngtcp2_crypto_client_initial_cb,
		.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
		.recv_crypto_data = recv_crypto_data,
		.encrypt = ngtcp2_crypto_encrypt_cb,
		.decrypt = ngtcp2_crypto_decrypt_cb,
		.hp_mask = ngtcp2_crypto_hp_mask_cb,
		.recv_retry = recv_retry,
		.update_key = ngtcp2_crypto_update_key_cb,
		.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
		.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
		.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
		.rand = random_bytes,
		.get_path_challenge_data2 = path_challenge_data,
		.get_new_connection_id2 = new_connection_id,
		.remove_connection_id = remove_connection_id,
		.dcid_status2 = dcid_status,
		.recv_stateless_reset2 = stateless_reset,
		.handshake_completed = handshake_completed,
		.handshake_confirmed = handshake_confirmed,
		.path_validation = path_validation,
		.stream_open = stream_open,
		.recv_stream_data = recv_stream_data,
		.acked_stream_data_offset = acked_stream_data,
		.stream_close = stream_close,
		.stream_reset = stream_reset,
		.extend_max_stream_data = extend_max_stream_data,
	};
}
