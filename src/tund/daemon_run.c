/* SPDX-License-Identifier: MIT */
/* The life of a daemon's process: rights given up in the one right order, then the loop. */
#include "tund/daemon_run.h"

#include <signal.h>

#include "quic/prepare.h"

static void on_stop(void *ctx)
{
	loop_stop(ctx);
}

static int become_user(struct host *h, struct daemon_run *r, struct err *err)
{
	int rc = 0;

	if (r->state)
		rc = privs_give_state(h, r->state, err, &r->account);
	else
		privs_give_socket(r->config.socket_path, &r->account);
	return rc < 0 ? rc : privs_become(h, &r->account, err);
}

static int give_up_rights(struct host *h, struct daemon_run *r, struct err *err)
{
	const struct privs_paths paths = { .folders = { r->folder },
					   .sockets = { r->config.socket_path } };
	int rc = become_user(h, r, err);

	if (rc == 0 && r->became)
		rc = r->became(r->ctx, err);
	return rc < 0 ? rc : privs_drop(h, PRIVS_DAEMON, &paths, err);
}

/*
 * From before the first trace on this machine until the last one is gone. Ctrl-C comes twice to the
 * worker of a process split in two, by the terminal and by the keeper, and people press it again:
 * the second one must not end the process in the middle of its end.
 */
struct watches {
	struct signal_watch *all[3];
};

static struct watches watches_new(struct host *h, const struct daemon_run *r)
{
	struct watches w = { { signal_watch_new(h, SIGTERM, on_stop, h),
			       signal_watch_new(h, SIGINT, on_stop, h) } };

	if (r->hangup)
		w.all[2] = signal_watch_new(h, SIGHUP, r->hangup, r->ctx);
	else if (!signal_is_ignored(SIGHUP))
		w.all[2] = signal_watch_new(h, SIGHUP, on_stop, h);
	return w;
}

static void watches_free(struct watches *w)
{
	for (size_t i = 0; i < ARRAY_LEN(w->all); i++)
		signal_watch_free(w->all[i]);
}

static int serve(struct host *h, const struct daemon_run *r, struct daemon *d, struct err *err)
{
	int rc = r->start(r->ctx, d, err);

	if (rc < 0)
		return rc;
	rc = loop_run(h);
	return rc < 0 ? err_set(err, rc, "the event loop failed") : 0;
}

int daemon_run(struct host *h, struct daemon_run *r, struct err *err)
{
	struct watches w = watches_new(h, r);
	struct daemon *d = NULL;
	int rc = quic_prepare(h, err);

	if (rc == 0)
		rc = daemon_new(h, &r->config, err, &d);
	if (rc == 0)
		rc = give_up_rights(h, r, err);
	if (rc == 0)
		rc = serve(h, r, d, err);
	daemon_free(d);
	watches_free(&w);
	return rc;
}
