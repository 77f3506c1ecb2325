/* SPDX-License-Identifier: MIT */
/* The search domains of this machine's network, which a cluster's zone may take the names from. */
#ifndef MLSH_CLIENT_SEARCH_DOMAIN_H
#define MLSH_CLIENT_SEARCH_DOMAIN_H

#include "os/file.h"
#include "proto/limits.h"

/*
 * Returns true if a search domain of /etc/resolv.conf is the zone or lies in it, and the domain: a
 * cluster with this zone would take names that programs here ask for without their ends.
 */
bool search_domain_in(struct host *h, const char *zone, char ret[HOST_TEXT_MAX + 1]);

#endif
