/* SPDX-License-Identifier: MIT */
/* mlshtund: the tunnel daemon's start, as a list. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/version.h"
#include "cli/cli.h"
#include "os/privs.h"
#include "tund/daemon.h"

static const char help[] =
	"Usage: mlshtund [options]\n\n"
	"The tunnel daemon of mlsh: keeps the clusters of this machine connected. Started as root, "
	"usually by\n"
	"systemd; it runs in the foreground and keeps only the privileges it needs.\n\n"
	"  --socket PATH     local socket for mlsh (default " CONTROL_SOCKET ", or MLSH_SOCKET)\n"
	"  --state-dir PATH  where it keeps its clusters (default " DAEMON_STATE_DIR
	", or MLSH_STATE_DIR)\n"
	"  --port-mapping on|off\n"
	"                    ask the gateway to map a port (default on, or MLSH_PORT_MAPPING)\n"
	"  --log LEVEL       error, warn, info or debug (default info, or MLSH_LOG)\n"
	"  --version, --help\n";

struct daemon_args {
	const char *socket_path, *state_dir, *port_mapping, *log;
	enum log_level log_level;
	bool no_port_mapping;
};

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static void on_hangup(void *ctx)
{
	log_info(host_log(ctx), "SIGHUP: there is nothing to read again. To change an option "
		 "restart mlshtund; for a changed cluster run: mlsh connect");
}

static int parse(int argc, char **argv, struct daemon_args *a)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "state-dir", required_argument, NULL, 'd' },
		{ "port-mapping", required_argument, NULL, 'p' },
		{ "log", required_argument, NULL, 'l' },
		{ "version", no_argument, NULL, 'V' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	struct err err = { 0 };
	int o;

	while ((o = getopt_long(argc, argv, "hV", options, NULL)) != -1) {
		switch (o) {
		case 's': a->socket_path = optarg; break;
		case 'd': a->state_dir = optarg; break;
		case 'p': a->port_mapping = optarg; break;
		case 'l': a->log = optarg; break;
		case 'V': printf("mlshtund %s\n", MLSH_VERSION); exit(EXIT_OK);
		case 'h': fputs(help, stdout); exit(EXIT_OK);
		default:
			fputs("`mlshtund --help` shows how it is used\n", stderr);
			return EXIT_USAGE;
		}
	}
	if (optind != argc) {
		fprintf(stderr,
			"mlshtund: takes no argument '%s'; clusters are connected with `mlsh "
			"connect`\n",
			argv[optind]);
		return EXIT_USAGE;
	}
	if (cli_log_level(a->log, &a->log_level, &err) < 0 ||
	    cli_port_mapping(a->port_mapping, &a->no_port_mapping, &err) < 0) {
		fprintf(stderr, "mlshtund: %s\n`mlshtund --help` shows how it is used\n", err.text);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

static int serve(struct host *h, const struct daemon_args *a, struct err *err)
{
	struct daemon_config cfg = { .socket_path = a->socket_path, .state_dir = a->state_dir,
				     .no_port_mapping = a->no_port_mapping };
	const struct privs_paths paths = { .folders = { a->state_dir },
					   .sockets = { a->socket_path } };
	struct signal_watch *term = NULL, *intr = NULL, *hangup = NULL;
	struct daemon *d = NULL;
	int rc = privs_check_tunnel(h, err);

	host_log(h)->level = a->log_level;
	if (rc == 0)
		rc = dir_make(h, a->state_dir, 0700, err);
	if (rc == 0)
		rc = daemon_new(h, &cfg, err, &d);
	if (rc == 0)
		rc = privs_drop(h, PRIVS_DAEMON, &paths, err);
	if (rc == 0) {
		term = signal_watch_new(h, SIGTERM, on_stop, h);
		intr = signal_watch_new(h, SIGINT, on_stop, h);
		hangup = signal_watch_new(h, SIGHUP, on_hangup, h);
		daemon_restore(d);
		log_info(host_log(h), "mlshtund %s is ready", MLSH_VERSION);
		rc = loop_run(h);
		if (rc < 0)
			(void)err_set(err, rc, "the event loop failed");
	}
	signal_watch_free(term);
	signal_watch_free(intr);
	signal_watch_free(hangup);
	daemon_free(d);
	return rc;
}

int daemon_main(int argc, char **argv)
{
	struct daemon_args a = {
		.socket_path = cli_env("MLSH_SOCKET", CONTROL_SOCKET),
		.state_dir = cli_env("MLSH_STATE_DIR", DAEMON_STATE_DIR),
		.port_mapping = cli_env("MLSH_PORT_MAPPING", "on"),
		.log = cli_env("MLSH_LOG", "info"),
	};
	struct host *h = NULL;
	struct err err = { 0 };
	int rc = parse(argc, argv, &a);

	if (rc != EXIT_OK)
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
		fprintf(stderr, "mlshtund: %s\n", err.text);
	return rc < 0 ? EXIT_FAILED : EXIT_OK;
}
