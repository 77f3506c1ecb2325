/* SPDX-License-Identifier: AGPL-3.0-only */
/* The server's configuration: a TOML file, then the environment, checked before all else. */
#ifndef MLSH_SIGNAL_CONFIG_H
#define MLSH_SIGNAL_CONFIG_H

#include "base/addr.h"
#include "identity/codes.h"
#include "os/paths.h"

#define CONFIG_PATH_DEFAULT SIGNAL_CONFIG_FILE
#define CONFIG_DB_DEFAULT SIGNAL_DATABASE
#define CONFIG_SUBNET_DEFAULT "100.64.0.0/10"
#define CONFIG_BIND_DEFAULT "[::]:4433"
#define CONFIG_PATH_TEXT_MAX 512
#define CONFIG_RELAY_RATE_MAX UINT64_C(10000000000)

/* All keys of the configuration file; ends with NULL. */
extern const char *const config_keys[];

/* The variables that count; each may be NULL or empty: not set. */
struct config_env {
	const char *config;	 /* MLSH_SIGNAL_CONFIG */
	const char *db;		 /* MLSH_SIGNAL_DB */
	const char *secret;	 /* MLSH_CLUSTER_SECRET */
	const char *subnet;	 /* MLSH_OVERLAY_SUBNET */
	const char *log;	 /* MLSH_LOG */
	const char *credentials; /* CREDENTIALS_DIRECTORY: what systemd's LoadCredential= copied */
};

struct signal_config {
	char path[CONFIG_PATH_TEXT_MAX]; /* of the configuration file, which may be missing */
	char db_path[CONFIG_PATH_TEXT_MAX];
	/* or ""; with credentials "cert.pem" and "key.pem", those in the place of the files */
	char cert_path[CONFIG_PATH_TEXT_MAX], key_path[CONFIG_PATH_TEXT_MAX];
	struct addr bind;
	/* The port that tells nodes what their NATs do; 0: the one above that of `bind`, or any. */
	uint16_t second_port;
	bool no_second_port;
	struct prefix4 subnet;		      /* of clusters that name no subnet */
	char secret[BOOTSTRAP_CODE_TEXT_MAX]; /* preset bootstrap code, normalised; or "" */
	enum log_level log_level;
	/* what a node, a cluster may send over the relay, in bytes a second; 0 for no fixed rate */
	uint64_t relay_node_rate, relay_cluster_rate;
	struct identity *identity; /* the operator's own; NULL: see bootstrap.h */
};

/*
 * Reads everything. The message names file, line and key, or the variable. The configuration file
 * may be missing only at its default place.
 */
int config_load(struct host *h, const struct config_env *env, struct signal_config *ret,
		struct err *err) MUST_CHECK;
void config_fini(struct signal_config *c); /* wipes; NULL and zeroed allowed */

#endif
