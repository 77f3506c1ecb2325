/* SPDX-License-Identifier: MIT */
/*
 * The server's second port (docs/protocol/06-paths.md, "NATs"): asked for with each session and
 * each new address of ours. The owner, which has the socket, learns from the answers.
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

void session_echo(struct session *s)
{
	struct signal_request m = { .type = SIGNAL_ECHO };
	struct span cluster_id = span_of(s->cluster.cluster_id, HASH_LEN);
	struct probe_keys keys = { 0 };

	if (!s->ops->echo || s->spare || s->phase != PHASE_UP)
		return;
	/* First, since the server's pings may overtake its reply. */
	if (rpc_export_probe_keys(s->rpc, cluster_id, &keys) == 0) {
		s->ops->echo(s->ctx, &keys, rpc_server(s->rpc), 0);
		(void)!rpc_request(s->rpc, &m, on_reply, s); /* or with the next session */
	}
	secret_wipe(&keys, sizeof(keys));
}
