/* SPDX-License-Identifier: MIT */
/* The signal server that a cluster is to be taken to, by its address and a setup token of it. */
#ifndef MLSH_CLI_NEW_SERVER_H
#define MLSH_CLI_NEW_SERVER_H

#include "cli/cli.h"
#include "client/import.h"

struct new_server {
	struct cli *cli;
	char host[HOST_TEXT_MAX + 1];
	uint16_t port;
	char code[BOOTSTRAP_CODE_TEXT_MAX];
	uint8_t cert[HASH_LEN];
	struct import *import;
	struct log_server to;  /* after new_server_import: what an entry has to name */
	struct wire_head head; /* after it: of that server's log */
	struct err err;
};

/* Reads the options --signal-host and --token of a command. -EINVAL. */
int new_server_read(struct cli *c, const char *cluster, const char *host, const char *token,
		    struct new_server *ret, struct err *err) MUST_CHECK;
/* Shows it the whole log, which is not changed by that. Its connection stays open. */
int new_server_import(struct new_server *s, const struct identity *id, const struct mlog *log,
		      struct err *err) MUST_CHECK;
void new_server_free(struct new_server *s); /* zeroed allowed; wipes the code */

/* What `mlsh move --json` prints. `seq` is 0 if no record was made. */
void moved_print_json(const char *cluster, const char *host, uint16_t port, uint64_t seq,
		      bool moved);

#endif
