/* SPDX-License-Identifier: MIT */
/* The QUIC parameters of the signal protocol, the same for the server and the nodes. */
#ifndef MLSH_QUIC_PROFILES_H
#define MLSH_QUIC_PROFILES_H

#include "quic/quic.h"

extern const struct quic_profile signal_profile;

#endif
