/* SPDX-License-Identifier: MIT */
/*
 * Keeps what the parsers are given while a simulation runs, as inputs for the fuzzers.
 *
 * "make corpus" links the simulations with this file and with the linker's --wrap for each function
 * below (HARVEST_WRAPS in mk/fuzz.mk), so each call from another file comes here first. The folder
 * in MLSH_HARVEST gets one file for each distinct input: NAME/HASH, NAME as in fuzz_NAME.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/cluster_file.h"
#include "client/log_file.h"
#include "client/pending.h"
#include "membership/beacon.h"
#include "membership/internal.h"
#include "proto/control.h"
#include "proto/peer.h"
#include "proto/portmap.h"
#include "proto/probe.h"
#include "proto/signal.h"
#include "proto/upnp.h"
#include "quic/socket.h"
#include "tund/dns.h"
#include "tund/peers.h"
#include "tund/state.h"

#define INPUT_MAX_BYTES 4096U /* longer inputs slow a fuzzer down and say little more */
#define INPUTS_EACH_MAX 3000U

enum target {
	BEACON,
	CLUSTER,
	CLUSTER_FILE,
	CLUSTER_STATE,
	CONTROL_REQUEST,
	DNS,
	ENTRY,
	LOG_FILE,
	PEER_MESSAGE,
	PEERS_FILE,
	PENDING,
	PORTMAP,
	PROBE,
	QUIC_PACKET,
	SIGNAL_EVENT,
	SIGNAL_REPLY,
	SIGNAL_REQUEST,
	UPNP,
	TARGETS
};

static const char *const target_names[TARGETS] = {
	"beacon", "cluster",	 "cluster_file", "cluster_state", "control_request", "dns",
	"entry",  "log_file",	 "peer_message", "peers_file",	  "pending",	     "portmap",
	"probe",  "quic_packet", "signal_event", "signal_reply",  "signal_request",  "upnp"
};

/* FNV-1a, 64 bits: a name for the file, no more. */
static uint64_t name_of(const uint8_t *data, size_t len)
{
	uint64_t h = 0xcbf29ce484222325U;

	for (size_t i = 0; i < len; i++)
		h = (h ^ data[i]) * 0x100000001b3U;
	return h;
}

/* Writes the input; `lead` is a byte that the fuzz target expects before it, or -1. */
static void keep(enum target t, int lead, struct span in)
{
	static unsigned kept[TARGETS];
	const char *folder = getenv("MLSH_HARVEST");
	char path[4096];
	FILE *f;

	if (!folder || in.len > INPUT_MAX_BYTES || kept[t] >= INPUTS_EACH_MAX)
		return;
	snprintf(path, sizeof(path), "%s/%s", folder, target_names[t]);
	mkdir(path, 0755);
	snprintf(path, sizeof(path), "%s/%s/%016llx", folder, target_names[t],
		 (unsigned long long)name_of(in.data, in.len) + (unsigned)(lead + 1));
	f = fopen(path, "wbx");
	if (!f)
		return; /* it is there already */
	if (lead >= 0)
		fputc(lead, f);
	if (in.len)
		fwrite(in.data, 1, in.len, f);
	fclose(f);
	kept[t]++;
}

/* Defines the wrapper of a function whose input is the span `in` among its arguments. */
#define WRAP(target, type, name, args, ...)                                                        \
	type __real_##name args;                                                                   \
	type __wrap_##name args;                                                                   \
	type __wrap_##name args                                                                    \
	{                                                                                          \
		keep(target, -1, in);                                                              \
		return __real_##name(__VA_ARGS__);                                                 \
	}

WRAP(CLUSTER, int, cluster_decode, (struct span in, struct cluster_file *ret), in, ret)
WRAP(CLUSTER_FILE, int, cluster_file_decode,
     (struct span in, const char *name, struct cluster_file *ret, struct err *err),
     in, name, ret, err)
WRAP(CLUSTER_STATE, int, cluster_state_decode, (struct span in, struct cluster_state *ret),
     in, ret)
WRAP(CONTROL_REQUEST, int, control_request_decode,
     (struct span in, struct control_request *ret), in, ret)
WRAP(DNS, size_t, dns_answer,
     (const struct dns_names *names, struct span in, uint8_t *out, size_t cap),
     names, in, out, cap)
WRAP(ENTRY, int, entry_decode, (struct span in, struct entry *ret, struct err *err),
     in, ret, err)
WRAP(ENTRY, int, invite_decode, (struct span in, struct invite *ret, struct err *err),
     in, ret, err)
WRAP(BEACON, int, beacon_decode, (struct span in, struct beacon *ret, struct err *err),
     in, ret, err)
WRAP(LOG_FILE, int, log_reading_new,
     (struct host *h, struct span in, const uint8_t *id, const struct log_trust *trust,
      struct err *err, struct log_reading **ret),
     h, in, id, trust, err, ret)
WRAP(PEER_MESSAGE, int, peer_message_decode, (struct span in, struct peer_message *ret),
     in, ret)
WRAP(PEERS_FILE, int, peers_file_decode, (struct span in, struct peers_file **ret), in, ret)
WRAP(PENDING, int, pending_decode, (struct span in, struct pending *ret), in, ret)
WRAP(PORTMAP, int, portmap_request_decode, (struct span in, struct portmap_request *ret),
     in, ret)
WRAP(PORTMAP, int, portmap_answer_decode, (struct span in, struct portmap_answer *ret),
     in, ret)
WRAP(PROBE, int, probe_decode, (struct span in, struct probe *ret), in, ret)
WRAP(SIGNAL_EVENT, int, signal_event_decode, (struct span in, struct signal_event *ret),
     in, ret)
WRAP(SIGNAL_REQUEST, int, signal_request_decode, (struct span in, struct signal_request *ret),
     in, ret)
WRAP(UPNP, int, upnp_search_decode, (struct span in, struct upnp_url *ret), in, ret)
WRAP(UPNP, int, upnp_description_decode,
     (struct span in, const struct upnp_url *from, struct upnp_control *ret), in, from, ret)
WRAP(UPNP, int, upnp_answer_decode, (struct span in, struct upnp_answer *ret), in, ret)

int __real_signal_reply_decode(enum signal_request_type to, struct span in,
			       struct signal_reply *ret);
int __wrap_signal_reply_decode(enum signal_request_type to, struct span in,
			       struct signal_reply *ret);
int __wrap_signal_reply_decode(enum signal_request_type to, struct span in,
			       struct signal_reply *ret)
{
	keep(SIGNAL_REPLY, (int)to, in);
	return __real_signal_reply_decode(to, in, ret);
}

void __real_demux_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label);
void __wrap_demux_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label);
void __wrap_demux_receive(struct quic_socket *s, const struct udp_rx *rx, path_label label)
{
	keep(QUIC_PACKET, label ? 1 : 0, span_of(rx->data, rx->len));
	__real_demux_receive(s, rx, label);
}
