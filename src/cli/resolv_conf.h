/* SPDX-License-Identifier: MIT */
/* The list of name servers of a container, which has no resolver that knows of zones. */
#ifndef MLSH_CLI_RESOLV_CONF_H
#define MLSH_CLI_RESOLV_CONF_H

#include "cli/names.h"

/*
 * Puts this node's own name servers, one a cluster, in front of the others in /etc/resolv.conf. The
 * node refuses names that are not of its cluster, and a resolver then asks the next server (glibc),
 * or passes the refusal over (musl, which asks all at once). Clusters that do not fit are logged.
 * Lines of an earlier call are replaced. -errno with a message if the file cannot be written.
 */
int resolv_conf_tell(struct cli *c, const struct cluster_names *names, struct err *err) MUST_CHECK;
/* Takes those lines out, if there are any: until the node answers they make others wait. */
int resolv_conf_untell(struct cli *c, struct err *err) MUST_CHECK;
/*
 * The new content: `server` in front of what stands in `old`, without the lines that an earlier
 * call put there. -ENOMEM; the caller frees.
 */
int resolv_conf_make(struct span old, const ip4 *server, size_t n, struct buf *ret) MUST_CHECK;
/* For how many of this node's servers is room in front of what stands in `old`? */
size_t resolv_conf_room(struct span old);
/* Do programs here ask the node at this address for names? */
bool resolv_conf_names(struct cli *c, const char *address);

#endif
