/* SPDX-License-Identifier: AGPL-3.0-only */
/* The commands of mlsh-signal: the user that each works as, and its exit status. */
#include "signal/commands.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include "signal/accept.h"
#include "signal/backup.h"
#include "signal/mark.h"
#include "signal/operator.h"
#include "signal/recall.h"
#include "signal/token.h"

#define COMPLETE_TIME_US 500000

int commands_fail(const struct err *err, int status)
{
	fputs("mlsh-signal: ", stderr);
	options_wrap(stderr, err->text, strlen("mlsh-signal: "), 2);
	fputc('\n', stderr);
	return status;
}

struct privs_file commands_database(const struct signal_config *cfg)
{
	static const char *const companions[] = { "-wal",	 "-shm",      "-journal", ".new",
						  RECALL_SUFFIX, MARK_SUFFIX, NULL };

	return (struct privs_file){ .user = "mlsh-signal",
				    .path = cfg->db_path,
				    .companions = companions,
				    .made = RECALL_SUFFIX };
}

/*
 * Goes on as the server's user. A file of root beside the database would lock the server out, and
 * root must open nothing in a folder that the server can write to. Without a database the command
 * says what to do.
 */
static int become_owner(struct host *h, const struct signal_config *cfg, struct err *err)
{
	const struct privs_file file = commands_database(cfg);
	struct privs_account owner;
	int r = privs_account_of(h, &file, err, &owner);

	if (r == 0 && (owner.reaches || owner.searches))
		r = privs_become(h, &owner, err);
	return r == -ENOENT ? 0 : r;
}

int commands_end(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_SUCCESS;
	fputs("mlsh-signal: writing the output failed\n", stderr);
	return EXIT_FAILURE;
}

void commands_token_hint(const struct signal_config *cfg)
{
	char port[8] = "";

	if (cfg->bind.port != SIGNAL_PORT)
		snprintf(port, sizeof(port), ":%u", (unsigned)cfg->bind.port);
	fprintf(stderr,
		"On the first machine, and paste the token there:\n"
		"    sudo mlsh setup NAME --signal-host HOST%s --token -\n"
		"NAME: the cluster's, such as homelab. HOST: this server, as the nodes reach "
		"it.\n",
		port);
}

static int make_token(struct host *h, const struct signal_config *cfg, uint64_t ttl_s)
{
	char token[SETUP_TOKEN_TEXT_MAX];
	struct err err = { 0 };

	if (token_make(h, cfg, ttl_s, token, &err) < 0)
		return commands_fail(&err, EXIT_FAILURE);
	puts(token);
	fflush(stdout);
	commands_token_hint(cfg);
	secret_wipe(token, sizeof(token));
	return commands_end();
}

/* Prints what can be read, even if something cannot. */
static int show(struct host *h, const struct signal_config *cfg, const struct usage *u)
{
	struct view v = { 0 };
	struct err err = { 0 };
	int status, r = view_open(h, cfg, &v, &err);

	if (r == 0 && u->command == COMMAND_CLUSTERS)
		r = operator_clusters(&v, u->json, &err);
	else if (r == 0 && u->command == COMMAND_NODES)
		r = operator_nodes(&v, u->arg, u->all, u->json, &err);
	else if (r == 0)
		r = operator_log(&v, u->arg, u->json, &err);
	view_close(&v);
	status = commands_end();
	return r < 0 ? commands_fail(&err, EXIT_FAILURE) : status;
}

static void on_late(int number)
{
	(void)number;
	_exit(EXIT_SUCCESS);
}

/* The names of the clusters, a line each, if they can be read in the time that a person waits. */
static int complete(struct host *h, const struct signal_config *cfg, const char *kind)
{
	const struct itimerval late = { .it_value = { .tv_usec = COMPLETE_TIME_US } };
	struct view v = { 0 };

	signal(SIGALRM, on_late);
	setitimer(ITIMER_REAL, &late, NULL);
	if (strcmp(kind, "clusters") != 0 || view_open(h, cfg, &v, NULL) < 0)
		return EXIT_SUCCESS;
	for (size_t i = 0; i < v.n_clusters; i++)
		if (*v.cluster[i].name)
			puts(v.cluster[i].name);
	view_close(&v);
	return commands_end();
}

/* The calling user writes the file; the server's user reads the database. */
static int make_backup(struct host *h, const struct signal_config *cfg, const struct usage *u)
{
	const struct privs_file file = commands_database(cfg);
	bool to_stdout = strcmp(u->arg, "-") == 0;
	struct privs_account owner = { 0 };
	struct buf image = { 0 };
	struct err err = { 0 };
	int r;

	if (to_stdout && isatty(STDOUT_FILENO)) {
		err_set(&err, -ENOTTY,
			"A backup is not text for a terminal: send it to a program or a file.");
		return commands_fail(&err, EXIT_FAILURE);
	}
	r = privs_account_of(h, &file, &err, &owner);
	if (r == 0 || r == -ENOENT)
		r = backup_take(h, &owner, cfg->db_path, &err, &image);
	view_explain(r, cfg, &err);
	if (r == 0 && !to_stdout)
		r = backup_write(h, cfg->db_path, u->arg, span_of(image.data, image.len), u->force,
				 &err);
	else if (r == 0)
		fwrite(image.data, 1, image.len, stdout);
	if (r == 0)
		operator_backup(to_stdout ? NULL : u->arg, image.len, cfg, u->json && !to_stdout);
	buf_free(&image);
	return r < 0 ? commands_fail(&err, EXIT_FAILURE) : commands_end();
}

static int accept_restored(struct host *h, const struct signal_config *cfg, const char *name)
{
	const struct view_cluster *c = NULL;
	struct view v = { 0 };
	struct err err = { 0 };
	bool waited = false;
	int r = view_open(h, cfg, &v, &err);

	if (r == 0)
		r = view_find(&v, name, &c, &err);
	if (r == 0)
		r = accept_cluster(h, cfg, c, &waited, &err);
	if (r == 0)
		printf("%s %s\n", c->name, waited ? "waits no more" : "does not wait");
	view_close(&v);
	return r < 0 ? commands_fail(&err, EXIT_FAILURE) : commands_end();
}

/* Works as the server's user, in a folder that is made for it if it is missing, as at a start. */
static int place_backup(struct host *h, const struct signal_config *cfg, struct span image,
			bool accept, struct restored *ret, struct err *err)
{
	const struct privs_file file = commands_database(cfg);
	struct privs_account user;
	int r = privs_take_over(h, &file, err, &user);
	bool first = user.reaches || user.searches;

	if (r == 0 && first)
		r = privs_become(h, &user, err);
	if (r == 0)
		r = restore_place(h, cfg->db_path, image, accept, ret, err);
	if (r == 0 && !first)
		r = privs_take_over(h, &file, err, &user); /* what was made just now */
	return r;
}

static int restore(struct host *h, const struct signal_config *cfg, const struct usage *u)
{
	struct restored done = { .replaced = false };
	struct buf image = { 0 };
	struct view v = { 0 };
	struct err err = { 0 };
	int logs = 0, r = restore_read(h, u->arg, &err, &image);

	if (r == 0)
		r = restore_check(h, span_of(image.data, image.len), u->arg, &v, &err);
	if (r == 0)
		logs = restore_check_logs(&v, &err);
	if (r == 0 && logs == 0 && !u->check)
		r = place_backup(h, cfg, span_of(image.data, image.len), u->accept, &done, &err);
	if (r == 0)
		operator_restore(&v, u->arg, logs < 0 || u->check ? NULL : &done, u->accept,
				 u->json);
	view_close(&v);
	buf_free(&image);
	return r < 0 || logs < 0 ? commands_fail(&err, EXIT_FAILURE) : commands_end();
}

static int take_over(struct host *h, const struct signal_config *cfg)
{
	const struct privs_file file = commands_database(cfg);
	struct privs_account user;
	struct err err = { 0 };

	if (geteuid() != 0) {
		(void)err_set(&err, -EPERM,
			      "Only root can give the files to another user: sudo "
			      "mlsh-signal take-over");
		return commands_fail(&err, EXIT_FAILURE);
	}
	return privs_take_over(h, &file, &err, &user) < 0 ? commands_fail(&err, EXIT_FAILURE)
							  : commands_end();
}

int commands_run(struct host *h, const struct signal_config *cfg, const struct usage *u)
{
	struct err err = { 0 };

	if (u->command == COMMAND_RESTORE)
		return restore(h, cfg, u);
	if (u->command == COMMAND_BACKUP)
		return make_backup(h, cfg, u);
	if (u->command == COMMAND_TAKE_OVER)
		return take_over(h, cfg);
	if (become_owner(h, cfg, &err) < 0)
		return u->command == COMMAND_COMPLETE ? EXIT_FAILURE
						      : commands_fail(&err, EXIT_FAILURE);
	if (u->command == COMMAND_COMPLETE)
		return complete(h, cfg, u->arg);
	if (u->command == COMMAND_ACCEPT)
		return accept_restored(h, cfg, u->arg);
	return u->command == COMMAND_TOKEN ? make_token(h, cfg, u->ttl_s) : show(h, cfg, u);
}
