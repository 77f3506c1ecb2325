/* SPDX-License-Identifier: MIT */
/* The names of messages and kinds. */
#include "proto/names.h"

#define NAME_OF(names, i) ((size_t)(i) < ARRAY_LEN(names) && (names)[i] ? (names)[i] : "unknown")

const char *peer_message_name(enum peer_message_type t)
{
	static const char *const names[] = {
		[PEER_HELLO] = "hello",
		[PEER_LOG] = "log",
		[PEER_LOG_REQUEST] = "log_request",
		[PEER_OBSERVED] = "observed",
		[PEER_CANDIDATES] = "candidates",
		[PEER_BYE] = "bye",
		[PEER_PUNCH] = "punch",
		[PEER_NAT] = "nat",
		[PEER_PORTS] = "ports",
		[PEER_REMOVAL] = "removal",
		[PEER_BEACON] = "beacon",
		[PEER_OPENED] = "opened",
	};

	return NAME_OF(names, t);
}

const char *signal_request_name(enum signal_request_type t)
{
	static const char *const names[SIGNAL_REQUEST_TYPES] = {
		[SIGNAL_HELLO] = "hello",
		[SIGNAL_SETUP_OFFER] = "setup_offer",
		[SIGNAL_SETUP] = "setup",
		[SIGNAL_RECOVER] = "recover",
		[SIGNAL_LOG] = "log",
		[SIGNAL_ADMIT] = "admit",
		[SIGNAL_SESSION] = "session",
		[SIGNAL_APPEND] = "append",
		[SIGNAL_PUSH] = "push",
		[SIGNAL_CANDIDATES] = "candidates",
		[SIGNAL_SUBSCRIBE] = "subscribe",
		[SIGNAL_RELAY_OPEN] = "relay_open",
		[SIGNAL_ECHO] = "echo",
		[SIGNAL_IMPORT] = "import",
		[SIGNAL_BEACON] = "beacon",
	};

	return NAME_OF(names, t);
}

const char *signal_event_name(enum signal_event_type t)
{
	static const char *const names[] = {
		[SIGNAL_EV_LOG] = "log",	   [SIGNAL_EV_PRESENCE] = "presence",
		[SIGNAL_EV_OBSERVED] = "observed", [SIGNAL_EV_SHUTDOWN] = "shutdown",
		[SIGNAL_EV_RELAY] = "relay",	   [SIGNAL_EV_RELAY_CLOSED] = "relay_closed",
		[SIGNAL_EV_REMOVAL] = "removal",   [SIGNAL_EV_BEACON] = "beacon",
	};

	return NAME_OF(names, t);
}

const char *nat_mapping_name(enum nat_mapping m)
{
	static const char *const names[MAPPINGS] = { "unknown", "none", "independent", "dependent",
						     "mapped" };

	return NAME_OF(names, m);
}

const char *nat_filtering_name(enum nat_filtering f)
{
	static const char *const names[FILTERINGS] = { "unknown", "open", "port" };

	return NAME_OF(names, f);
}
