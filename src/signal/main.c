/* SPDX-License-Identifier: AGPL-3.0-only */
/* mlsh-signal: the program: what is asked for, and the server. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "crypto/init.h"
#include "os/loop.h"
#include "os/privs.h"
#include "quic/prepare.h"
#include "signal/bootstrap.h"
#include "signal/commands.h"
#include "signal/server.h"

enum { EXIT_WRONG = 2 };

static struct config_env environment(void)
{
	return (struct config_env){
		.config = getenv("MLSH_SIGNAL_CONFIG"),
		.db = getenv("MLSH_SIGNAL_DB"),
		.secret = getenv("MLSH_CLUSTER_SECRET"),
		.subnet = getenv("MLSH_OVERLAY_SUBNET"),
		.log = getenv("MLSH_LOG"),
		.credentials = getenv("CREDENTIALS_DIRECTORY"),
	};
}

/* Prints the first setup token, once: the only line on standard output. */
static int print_token(const struct signal_config *cfg, const char *token)
{
	fprintf(stderr, "mlsh-signal: the setup token, valid for one cluster:\n");
	if (printf("%s\n", token) < 0 || fflush(stdout) != 0) {
		fprintf(stderr, "mlsh-signal: the token could not be written to standard output;\n"
				"  make another with: mlsh-signal token\n");
		return -1;
	}
	commands_token_hint(cfg);
	return 0;
}

struct program {
	struct host *host;
	struct signal_server *server;
	struct signal_config *cfg;
};

static void stopped(void *ctx)
{
	struct program *p = ctx;

	loop_stop(p->host);
}

static void asked_to_stop(void *ctx)
{
	struct program *p = ctx;

	log_info(host_log(p->host), "stopping");
	signal_server_stop(p->server, stopped, p);
}

/* Names the settings that a running server cannot change, so that nobody waits for them. */
static void say_unchanged(struct host *h, const struct signal_config *old,
			  const struct signal_config *new)
{
	const struct {
		const char *key;
		bool differs;
	} keys[] = {
		{ "db", strcmp(old->db_path, new->db_path) != 0 },
		{ "overlay_subnet",
		  old->subnet.net != new->subnet.net || old->subnet.bits != new->subnet.bits },
		{ "quic.bind", !addr_equal(&old->bind, &new->bind) },
		{ "quic.second_port", old->second_port != new->second_port ||
					      old->no_second_port != new->no_second_port },
		{ "relay.node_rate", old->relay_node_rate != new->relay_node_rate },
		{ "relay.cluster_rate", old->relay_cluster_rate != new->relay_cluster_rate },
		{ "quic.cert_path", !old->identity != !new->identity },
	};

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		if (keys[i].differs)
			log_warn(host_log(h), "SIGHUP: %s has changed; that takes a restart",
				 keys[i].key);
}

/* The log level and the certificate's files; all or nothing. */
static int reload(struct program *p, struct err *err)
{
	struct config_env env = environment();
	struct signal_config new = { 0 };
	struct identity *old = p->cfg->identity;
	int r = config_load(p->host, &env, &new, err);

	if (r == 0 && old && new.identity) {
		r = signal_server_identity_set(p->server, new.identity, err);
		if (r < 0)
			(void)err_prefix(err, "%s", new.cert_path);
	}
	if (r == 0) {
		say_unchanged(p->host, p->cfg, &new);
		host_log(p->host)->level = new.log_level;
		if (old && new.identity) {
			p->cfg->identity = new.identity;
			new.identity = old;
		}
	}
	config_fini(&new);
	return r;
}

static void asked_to_reload(void *ctx)
{
	struct program *p = ctx;
	char fingerprint[2 * HASH_LEN + 1];
	struct err err = { 0 };
	int r;

	signal_server_reloads(p->server);
	r = reload(p, &err);
	signal_server_serves(p->server);
	if (r < 0) {
		log_error(host_log(p->host), "SIGHUP: nothing was changed: %s%s", err.text,
			  r == -EACCES ? ". mlsh-signal has given up root's rights since it began: "
					 "restart it, or let its user read the file"
				       : "");
		return;
	}
	hex_encode(signal_server_fingerprint(p->server), HASH_LEN, fingerprint);
	log_info(host_log(p->host), "SIGHUP: configuration read again, certificate %s",
		 fingerprint);
}

static void say_hello(struct host *h, const struct signal_server *s)
{
	struct signal_server_stats stats = signal_server_stats_get(s);
	struct addr local = signal_server_local(s);
	char at[ADDR_TEXT_MAX], fingerprint[2 * HASH_LEN + 1];

	hex_encode(signal_server_fingerprint(s), HASH_LEN, fingerprint);
	log_info(host_log(h), "mlsh-signal %s on %s, %zu clusters, certificate %s", version_text(),
		 addr_format(&local, at), stats.clusters, fingerprint);
	if (stats.clusters == 0)
		log_info(host_log(h), "no cluster yet; for another setup token: mlsh-signal token");
}

/*
 * Opens the server as the user that it will run as. If that user cannot reach the database by its
 * path, below root's home for example, the process becomes that user once the files are open.
 */
static int open_server(struct host *h, const struct signal_config *cfg, struct err *err,
		       struct signal_server **ret)
{
	const struct privs_file file = commands_database(cfg);
	struct privs_account user;
	int r = privs_take_over(h, &file, err, &user);
	bool first = user.reaches || user.searches;

	if (r == -EROFS)
		return err_set(err, r,
			       "%.300s; db in the configuration (or MLSH_SIGNAL_DB) puts the "
			       "database elsewhere",
			       err->text);
	if (r == 0 && first)
		r = privs_become(h, &user, err);
	if (r == 0)
		r = signal_server_open(h, cfg, err, ret);
	if (r == 0 && !first) {
		r = privs_take_over(h, &file, err, &user); /* what was made just now */
		if (r == 0)
			r = privs_become(h, &user, err);
	}
	return r;
}

/* Restricts the process: it may write the folder of the database, and read what a reload needs. */
static int drop_privileges(struct host *h, const struct signal_config *cfg, struct err *err)
{
	struct privs_paths paths = { .written = { cfg->db_path }, .replaced = { cfg->path } };

	if (cfg->identity) {
		paths.replaced[1] = cfg->cert_path;
		paths.replaced[2] = cfg->key_path;
	}
	return privs_drop(h, PRIVS_SIGNAL, &paths, err);
}

static int serve(struct host *h, struct signal_config *cfg)
{
	struct program p = { .host = h, .cfg = cfg };
	struct signal_watch *term = NULL, *interrupt = NULL, *hangup = NULL;
	struct err err = { 0 };
	int status = EXIT_FAILURE;

	if (quic_prepare(h, &err) < 0 || open_server(h, cfg, &err, &p.server) < 0) {
		commands_fail(&err, EXIT_FAILURE);
		goto end;
	}
	if (signal_server_first_token(p.server) &&
	    print_token(cfg, signal_server_first_token(p.server)) < 0)
		goto end;
	signal_server_forget_token(p.server);
	if (drop_privileges(h, cfg, &err) < 0) {
		commands_fail(&err, EXIT_FAILURE);
		goto end;
	}
	say_hello(h, p.server);
	term = signal_watch_new(h, SIGTERM, asked_to_stop, &p);
	interrupt = signal_watch_new(h, SIGINT, asked_to_stop, &p);
	hangup = signal_watch_new(h, SIGHUP, asked_to_reload, &p);
	signal_server_serves(p.server);
	if (term && interrupt && hangup && loop_run(h) == 0)
		status = EXIT_SUCCESS;
end:
	signal_server_close(p.server); /* a second SIGTERM does not cut it short */
	signal_watch_free(hangup);
	signal_watch_free(interrupt);
	signal_watch_free(term);
	return status;
}

static int run(const struct usage *usage)
{
	struct config_env env = environment();
	struct signal_config cfg = { 0 };
	struct host *h = NULL;
	struct err err = { 0 };
	int status;

	if (crypto_init(&err) < 0 || host_new(&err, &h) < 0)
		return commands_fail(&err, EXIT_FAILURE);
	if (usage->check) {
		status = commands_run(h, NULL, usage); /* needs nothing of the server's */
	} else if (config_load(h, &env, &cfg, &err) < 0) {
		status = commands_fail(&err, EXIT_WRONG);
	} else {
		host_log(h)->level = cfg.log_level;
		status = usage->command == COMMAND_SERVE ? serve(h, &cfg)
							 : commands_run(h, &cfg, usage);
	}
	config_fini(&cfg);
	host_free(h);
	return status;
}

int main(int argc, char **argv)
{
	struct usage usage;
	struct err err = { 0 };

	signals_end_first();
	signals_ignore_strays();
	if (usage_parse(argc, argv, &usage, &err) < 0)
		return commands_fail(&err, EXIT_WRONG);
	if (usage.command == COMMAND_HELP) {
		options_help(usage.help, stdout);
		return commands_end();
	}
	if (usage.command == COMMAND_VERSION) {
		printf("mlsh-signal %s\n", version_text());
		return commands_end();
	}
	return run(&usage);
}
