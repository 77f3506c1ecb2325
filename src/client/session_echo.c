/* SPDX-License-Identifier: MIT */
/*
 * The server's second port (docs/protocol/06-paths.md, "NATs"): asked for with each session and
 * each new address of ours. What is learnt there is the owner's business, who has the socket.
 */
#include "client/session_internal.h"

static void on_reply(void *ctx, const struct signal_reply *reply)
{
	struct session *s = ctx;

	if (reply->refusal != REFUSAL_NONE)
		return; /* an older server, or one that is asked too often: nothing is learnt */
	if (reply->echo_port != 0 && !s->spare)
		s->ops->echo(s->ctx, NULL, rpc_server(s->rpc), reply->echo_port);
}

static int derive_keys(struct session *s, struct probe_keys *ret)
{
	struct span context = span_of(s->cluster.cluster_id, HASH_LEN);
	uint8_t both[2 * PROBE_KEY_LEN];
	int rc = rpc_export(s->rpc, PROBE_EXPORTER, context, both, sizeof(both));

	if (rc == 0)
		rc = rpc_export(s->rpc, PROBE_TAG_EXPORTER, context, ret->tag, sizeof(ret->tag));
	memcpy(ret->client, both, PROBE_KEY_LEN);
	memcpy(ret->server, both + PROBE_KEY_LEN, PROBE_KEY_LEN);
	secret_wipe(both, sizeof(both));
	return rc;
}

void session_echo(struct session *s)
{
	struct signal_request m = { .type = SIGNAL_ECHO };
	struct probe_keys keys;

	if (!s->ops->echo || s->spare || s->phase != PHASE_UP)
		return;
	/* First, since the server's pings may overtake its reply. */
	if (derive_keys(s, &keys) == 0) {
		s->ops->echo(s->ctx, &keys, rpc_server(s->rpc), 0);
		(void)!rpc_request(s->rpc, &m, on_reply, s); /* or with the next session */
	}
	secret_wipe(&keys, sizeof(keys));
}
