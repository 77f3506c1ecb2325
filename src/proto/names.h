/* SPDX-License-Identifier: MIT */
/*
 * The names of messages and kinds as docs/protocol has them, for logs and JSON. Never NULL: a value
 * that has no name is "unknown".
 */
#ifndef MLSH_PROTO_NAMES_H
#define MLSH_PROTO_NAMES_H

#include "proto/peer.h"
#include "proto/signal.h"

const char *peer_message_name(enum peer_message_type t);     /* "hello", "log_request", ... */
const char *signal_request_name(enum signal_request_type t); /* "hello", "setup_offer", ... */
const char *signal_event_name(enum signal_event_type t);     /* "log", "presence", ... */
const char *nat_mapping_name(enum nat_mapping m);	     /* "independent", "mapped", ... */
const char *nat_filtering_name(enum nat_filtering f);	     /* "open", "port", ... */

#endif
