/* SPDX-License-Identifier: MIT */
/* Every size, count and time that bounds what a remote side can make us do. One place. */
#ifndef MLSH_PROTO_LIMITS_H
#define MLSH_PROTO_LIMITS_H

#include "base/macros.h"

#define SIGNAL_PORT 4433

/* Membership log. */
#define ENTRY_MAX_BYTES 4096
#define INVITE_MAX_BYTES 1024
#define RECORD_MAX_BYTES (ENTRY_MAX_BYTES + 192) /* with its order and receipt */
#define LOG_MAX_ENTRIES 65536
#define RECOVER_DEPTH_MAX 3 /* attempts that a recover entry supersedes */
#define GENERATION_MAX ((RECOVER_DEPTH_MAX + 1) * LOG_MAX_ENTRIES)
#define MEMBERS_MAX 10000
#define CLOCK_AHEAD_MAX_S 600 /* how far ahead of ours an author's clock may be */
#define ENTRY_WINDOW_S 600    /* between the author's time and the server's (rule WINDOW) */
#define HOST_TEXT_MAX 255     /* a DNS name or an IP literal */
#define INVITE_URL_MAX 4096

/* Messages. */
#define SIGNAL_MESSAGE_MAX 65536 /* bytes of one message, without its length prefix */
#define PEER_MESSAGE_MAX 65536
#define LOG_PAGE_BYTES 49152  /* most bytes of records in one message */
#define CANDIDATES_MAX 8      /* of one node */
#define UNKNOWN_TYPES_FROM 64 /* messages and events of such types are ignored */
#define CANDIDATES_PER_PUBLIC_IP_MAX 2

/* The server. */
#define SIGNAL_CONNS_MAX 16384
#define SIGNAL_CONNS_UNAUTHENTICATED_MAX 512
#define SIGNAL_CONNS_RETRY_ABOVE 64    /* handshakes; from then on Initials get a Retry */
#define SIGNAL_CONNS_PER_SOURCE_MAX 64 /* unauthenticated ones */
#define SIGNAL_UNAUTHENTICATED_LIFETIME (30 * NS_PER_S)
#define SIGNAL_UNAUTHENTICATED_LIFETIME_CROWDED (5 * NS_PER_S) /* when half of them are there */
#define SIGNAL_REQUESTS_PER_MINUTE 30 /* of a source, at least; refused ones included */
#define SIGNAL_REQUESTS_BURST 160     /* hello and admit of all that may be connected, and more */
#define SIGNAL_SESSION_REQUESTS_PER_S 20
#define SIGNAL_SESSION_REQUESTS_BURST 200
#define SIGNAL_EVENT_BACKLOG_BYTES (4u << 20) /* unsent events; past it a session is closed */
#define CLUSTERS_MAX 4096
#define BEACON_MAX_BYTES 320
#define BEACONS_MAX 64		 /* of one cluster, each of another admin */
#define SIGNAL_REMOVALS_MAX 4096 /* without order, of all clusters together */
#define RELAY_CHANNELS_PER_SESSION 1024
#define RELAY_CHANNELS_MAX 65536 /* of all sessions together */
#define PUSH_GAP_MAX 1024	 /* addresses that a restored server can have forgotten in a row */

/* Sessions and tunnels. */
#define HANDSHAKE_TIMEOUT (10 * NS_PER_S)
#define SIGNAL_IDLE_TIMEOUT (45 * NS_PER_S)
#define SIGNAL_KEEP_ALIVE (5 * NS_PER_S) /* a server that lost its memory is noticed within it */
#define REQUEST_TIMEOUT (10 * NS_PER_S)
#define PEER_IDLE_TIMEOUT (30 * NS_PER_S)
#define PEER_KEEP_ALIVE (10 * NS_PER_S)

#define OVERLAY_MTU 1400

#endif
