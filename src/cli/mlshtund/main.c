/* SPDX-License-Identifier: MIT */
/*
 * mlshtund: the tunnel daemon's start, as a list. A program of its own: what only mlsh needs, the
 * parser of users' files above all, is not in it (tests/programs.sh).
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/version.h"
#include "cli/cli.h"
#include "cli/daemon_options.h"
#include "crypto/init.h"
#include "os/paths.h"
#include "tund/daemon_run.h"

struct daemon_args {
	const char *socket_path, *state_dir, *port, *port_mapping, *log;
	enum log_level log_level;
	uint16_t port_number;
	bool no_port_mapping;
	bool shows; /* help or version, and that is all */
};

static void on_hangup(void *ctx)
{
	log_info(host_log(ctx), "SIGHUP: mlshtund has no configuration file to read again. To "
				"change an option restart mlshtund; for a changed cluster run: "
				"mlsh connect");
}

static int wrong_usage(const struct err *err)
{
	cli_complain("%s", err->text);
	fputs("`mlshtund --help` shows how it is used\n", stderr);
	return EXIT_USAGE;
}

static const char *given_or(const char *given, const char *otherwise)
{
	return given ? given : otherwise;
}

static int parse(int argc, char **argv, struct daemon_args *a)
{
	struct options_given g;
	struct err err = { 0 };

	if (options_parse(&daemon_options, argc, argv, &g, &err) < 0)
		return wrong_usage(&err);
	a->shows = g.help || g.value[DAEMON_VERSION];
	if (g.help)
		options_help(&daemon_options, stdout);
	else if (g.value[DAEMON_VERSION])
		printf("mlshtund %s\n", version_text());
	a->socket_path = given_or(g.value[DAEMON_SOCKET], a->socket_path);
	a->state_dir = given_or(g.value[DAEMON_STATE], a->state_dir);
	a->port = given_or(g.value[DAEMON_PORT], a->port);
	a->port_mapping = given_or(g.value[DAEMON_PORT_MAPPING], a->port_mapping);
	a->log = given_or(g.value[DAEMON_LOG], a->log);
	if (!*a->socket_path || !*a->state_dir) {
		(void)err_set(&err, -EINVAL, "--%s needs a path",
			      *a->socket_path ? "state-dir" : "socket");
		return wrong_usage(&err);
	}
	if (cli_log_level(a->log, &a->log_level, &err) < 0 ||
	    cli_fixed_port(a->port, &a->port_number, &err) < 0 ||
	    cli_port_mapping(a->port_mapping, &a->no_port_mapping, &err) < 0)
		return wrong_usage(&err);
	return EXIT_OK;
}

static void on_restored(void *ctx)
{
	log_info(host_log(ctx), "mlshtund %s is ready", version_text());
}

static int start(void *ctx, struct daemon *d, struct err *err)
{
	(void)ctx, (void)err;
	daemon_restore(d);
	return 0;
}

static int serve(struct host *h, const struct daemon_args *a, struct err *err)
{
	const struct privs_state state = { .user = CONTROL_USER,
					   .folder = a->state_dir,
					   .suffixes = state_suffixes,
					   .socket = a->socket_path };
	struct daemon_run r = { .config = { .socket_path = a->socket_path,
					    .state_dir = a->state_dir,
					    .port = a->port_number,
					    .no_port_mapping = a->no_port_mapping,
					    .restored = on_restored,
					    .ctx = h },
				.state = &state,
				.account = { .reaches = true },
				.folder = a->state_dir,
				.start = start,
				.hangup = on_hangup,
				.ctx = h };
	int rc = privs_check_tunnel(h, err);

	if (rc == -EPERM)
		return err_set(err, rc, "%.300s: start it with sudo, or by systemd", err->text);
	if (rc < 0)
		return rc;
	host_log(h)->level = a->log_level;
	rc = dir_make(h, a->state_dir, 0700, err);
	if (rc < 0)
		return err_set(err, rc,
			       "%.300s; --state-dir (or MLSH_STATE_DIR) puts the state elsewhere",
			       err->text);
	return daemon_run(h, &r, err);
}

static int run(int argc, char **argv)
{
	struct daemon_args a = {
		.socket_path = cli_env("MLSH_SOCKET", CONTROL_SOCKET),
		.state_dir = cli_env("MLSH_STATE_DIR", DAEMON_STATE_DIR),
		.port = cli_env("MLSH_PORT", NULL),
		.port_mapping = cli_env("MLSH_PORT_MAPPING", "on"),
		.log = cli_env("MLSH_LOG", "info"),
	};
	struct host *h = NULL;
	struct err err = { 0 };
	int rc = parse(argc, argv, &a);

	if (rc != EXIT_OK || a.shows)
		return rc;
	umask(077);
	signals_ignore_strays();
	rc = crypto_init(&err);
	if (rc == 0)
		rc = host_new(&err, &h);
	if (rc == 0)
		rc = serve(h, &a, &err);
	host_free(h);
	if (rc < 0)
		cli_complain("%s", err.text);
	return rc < 0 ? EXIT_FAILED : EXIT_OK;
}

int main(int argc, char **argv)
{
	return cli_main(run, argc, argv);
}
