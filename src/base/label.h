/* SPDX-License-Identifier: MIT */
/*
 * Names of clusters and nodes: DNS labels (RFC 1123 section 2.1), lower case, 1 to 63 characters.
 */
#ifndef MLSH_BASE_LABEL_H
#define MLSH_BASE_LABEL_H

#include "base/bytes.h"
#include "base/err.h"

#define LABEL_MAX 63

/*
 * Is `s` a lower-case DNS label: [a-z0-9]([a-z0-9-]*[a-z0-9])? with at most 63 characters, not
 * "xn--"-like at 3-4?
 */
bool label_ok(struct span s);
/* The same with a message; `what` is "cluster name" or "node name". Returns -EINVAL. */
int label_check(const char *what, const char *s, struct err *err) MUST_CHECK;
/*
 * A cluster becomes a DNS zone: refuses special-use names (RFC 6761 and friends: localhost, local,
 * arpa, onion, ...).
 */
int cluster_name_check(const char *s, struct err *err) MUST_CHECK;
extern const char *const public_tlds[]; /* those of three letters or more; NULL ends */
/* Is it a public top-level domain (com, org, dev, de, ...), which only --force may shadow? */
bool cluster_name_is_public_tld(const char *s);
/* Is it a zone that many local networks have of their own (lan, home, internal, ...)? */
bool cluster_name_is_of_lans(const char *s);
/*
 * Makes a label out of a host name: first label, lower case, other characters to '-', trimmed;
 * "node" if nothing is left.
 */
void label_from_hostname(const char *hostname, char out[LABEL_MAX + 1]);

#endif
