/* SPDX-License-Identifier: MIT */
/* Why a connection to the signal server was closed, in words. Pure. */
#ifndef MLSH_CLIENT_RPC_END_H
#define MLSH_CLIENT_RPC_END_H

#include "client/rpc.h"

/* `ev` is QUIC_CLOSED, `server` the name for people. */
struct rpc_end rpc_end_of(const struct quic_event *ev, const char *server);

#endif
