/* SPDX-License-Identifier: MIT */
/*
 * Synthetic addresses, which ngtcp2 sees in place of real ones. The remote address stands for the
 * label, the local one for the generation. A generation is never used twice in a connection: ngtcp2
 * remembers validated paths and loses a connection ID each time it goes back to one (1.22 to 1.24).
 */
#ifndef MLSH_QUIC_LABEL_H
#define MLSH_QUIC_LABEL_H

#include <netinet/in.h>
#include <ngtcp2/ngtcp2.h>

#include "quic/quic.h"

struct label_path {
	ngtcp2_path path; /* points into the struct, which must not be copied */
	struct sockaddr_in6 local, remote;
};

void label_path_set(struct label_path *p, path_label label, uint64_t generation);
path_label label_of(const ngtcp2_path *path);
uint64_t label_generation_of(const ngtcp2_path *path);

#endif
