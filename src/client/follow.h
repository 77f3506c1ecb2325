/* SPDX-License-Identifier: MIT */
/*
 * Where the server is, by the log: a record (signal, recover) may name another one than the cluster
 * file, which was written when the machine joined. The log wins, because members vouch for it.
 */
#ifndef MLSH_CLIENT_FOLLOW_H
#define MLSH_CLIENT_FOLLOW_H

#include "membership/mlog.h"
#include "proto/cluster.h"

/*
 * Makes the file name the server that the log names, and forgets the token of the one before. For
 * the server that the file names, the place in the file stays, since a person may have changed it,
 * unless the log says that the server was there before. Returns true if something was changed.
 */
bool follow_log(struct cluster_file *f, const struct mlog *log);

#endif
