/* SPDX-License-Identifier: MIT */
/* Says whose files a command would use, and points to those of another user. */
#include "cli/whose.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/names.h"
#include "cli/roots.h"
#include "os/local.h"
#include "os/user.h"

#define NAME_SHOWN 32
#define LIST_MAX 700

/* --- the caller's folder ---------------------------------------------------------------------- */

/* True if another user has the folder that root's files would be made in. */
static bool is_anothers(const struct store *s, const char *base)
{
	struct stat folder, own;

	return geteuid() == 0 && stat(base, &folder) == 0 && folder.st_uid != 0 &&
	       (stat(s->dir, &own) < 0 || own.st_uid != 0);
}

/* Keeps the folder that was found unless root's own is another one. */
static void use_own(struct cli *c)
{
	char home[STORE_PATH_MAX];
	struct store own;

	if (user_home(c->host, user_admin(), home, sizeof(home)) < 0 ||
	    store_open(NULL, home, NULL, &own) < 0 || strcmp(own.dir, c->store.dir) == 0)
		return;
	c->left = c->store;
	c->store = own;
}

int whose_store(struct cli *c, struct err *err)
{
	const char *xdg = getenv("XDG_CONFIG_HOME"), *env_home = getenv("HOME");
	char home[STORE_PATH_MAX];
	const char *base = xdg && *xdg == '/' ? xdg : env_home;
	int rc = store_open(xdg, env_home, err, &c->store);

	if (rc == -EINVAL && user_home(c->host, user_self(c->host), home, sizeof(home)) == 0)
		rc = store_open(NULL, home, err, &c->store);
	else if (rc == 0 && is_anothers(&c->store, base))
		use_own(c);
	return rc == -EINVAL ? 0 : rc;
}

void whose_note(const struct cli *c)
{
	if (*c->left.dir)
		cli_complain("note: %.100s would be in another user's folder, so root keeps this "
			     "cluster in %.100s. For a cluster of that user, run this as that user",
			     c->left.dir, c->store.dir);
}

/* --- words ------------------------------------------------------------------------------------ */

/* Finds the folder of the user who typed sudo. Returns false if it is not known. */
static bool find_caller(struct cli *c, struct store *ret)
{
	const char *uid = cli_env("SUDO_UID", "0");
	unsigned long id = strtoul(uid, NULL, 10);
	char home[STORE_PATH_MAX];

	if (*c->left.dir) {
		*ret = c->left;
		return true;
	}
	return geteuid() == 0 && id != 0 && id < UINT32_MAX &&
	       user_home(c->host, user_of_number((uint32_t)id), home, sizeof(home)) == 0 &&
	       store_open(NULL, home, NULL, ret) == 0;
}

static void note_first(void *ctx, const char *cluster)
{
	char *first = ctx;

	if (!*first)
		snprintf(first, LABEL_MAX + 1, "%s", cluster);
}

const char *whose_sudo(void)
{
	return geteuid() == 0 && *cli_env("SUDO_USER", "") ? "sudo " : "";
}

bool whose_needs_group(struct cli *c)
{
	return geteuid() != 0 && !user_self_in_group(c->host, CONTROL_GROUP);
}

void whose_other(struct cli *c, const char *cluster, char *out, size_t cap)
{
	char first[LABEL_MAX + 1] = "";
	struct store theirs;

	*out = '\0';
	if (geteuid() != 0) {
		snprintf(out, cap, " If %s was made with sudo, it is root's: use sudo here, too",
			 cluster ? cluster : "it");
		return;
	}
	if (!find_caller(c, &theirs))
		return;
	if (!cluster)
		store_each_cluster(c->host, &theirs, note_first, first);
	else if (store_has_cluster(c->host, &theirs, cluster))
		snprintf(first, sizeof(first), "%s", cluster);
	if (*first)
		snprintf(out, cap, " %.*s has a cluster %s: run this without sudo", NAME_SHOWN,
			 cli_env("SUDO_USER", "Another user"), first);
}

int whose_none(struct cli *c, const char *what, int code, struct err *err)
{
	char other[160] = "";

	if (geteuid() != 0)
		return err_set(err, code,
			       "%s. If you used sudo for setup or adopt, use it here, too (the "
			       "group %s sees root's clusters without it). Otherwise `mlsh setup` "
			       "makes one, `mlsh adopt` joins one",
			       what, CONTROL_GROUP);
	whose_other(c, NULL, other, sizeof(other));
	return err_set(err, code, "%s; `mlsh setup` makes one, `mlsh adopt` joins one%s%s", what,
		       *other ? "." : "", other);
}

/* "did you mean homelab?", or the names that there are, or how to come by one. */
static void propose(struct cli *c, const char *cluster, char *out, size_t cap)
{
	const char *list[NAMES_MAX], *meant;
	struct cluster_names l, of_root;
	size_t at = 0;

	names_list(c, &l);
	for (size_t i = 0; i < l.n; i++)
		list[i] = l.name[i];
	meant = options_near(cluster, list, l.n, sizeof(list[0]));
	if (meant) {
		snprintf(out, cap, "did you mean %s?", meant);
		return;
	}
	roots_list(c, &of_root);
	if (of_root.n > 0) {
		snprintf(out, cap, "there is %s%s%s, which %s root's", l.all, l.n ? ", and " : "",
			 of_root.all, of_root.n > 1 ? "are" : "is");
		return;
	}
	if (l.n == 0) {
		snprintf(out, cap, "`mlsh setup` makes one, `mlsh adopt` joins one");
		return;
	}
	for (size_t i = 0; i < l.n && at + LABEL_MAX + 4 < cap; i++)
		at += (size_t)snprintf(out + at, cap - at, "%s%s", i ? ", " : "there is ", list[i]);
}

static void explain_missing(struct cli *c, const char *cluster, struct err *err)
{
	char path[STORE_PATH_MAX], names[LIST_MAX], other[160];

	if (roots_has(c, cluster)) {
		(void)!roots_refuse(c, cluster, err);
		return;
	}
	if (store_cluster_path(&c->store, cluster, STORE_CLUSTER, path, NULL) < 0)
		return;
	propose(c, cluster, names, sizeof(names));
	whose_other(c, cluster, other, sizeof(other));
	(void)err_set(err, err->code,
		      "there is no cluster %s on this machine (%.200s is missing): "
		      "%.160s%s%s",
		      cluster, path, names, *other && names[strlen(names) - 1] != '?' ? "." : "",
		      other);
}

/* The nearest folder above the files that can be looked at. */
static bool nearest(const char *dir, char path[STORE_PATH_MAX], struct stat *ret)
{
	snprintf(path, STORE_PATH_MAX, "%s", dir);
	while (stat(path, ret) < 0) {
		char *slash = strrchr(path, '/');

		if (!slash || slash == path)
			return false;
		*slash = '\0';
	}
	return true;
}

static void explain_owner(struct cli *c, struct err *err)
{
	char path[STORE_PATH_MAX], owner[32], advice[300], text[sizeof(err->text)];
	struct stat st, home;

	if (geteuid() == 0 || !*c->store.dir || !nearest(c->store.dir, path, &st) ||
	    st.st_uid == geteuid())
		return;
	snprintf(owner, sizeof(owner), st.st_uid == 0 ? "root" : "user id %u", st.st_uid);
	snprintf(text, sizeof(text), "%s", err->text);
	if (stat(cli_env("HOME", ""), &home) == 0 && home.st_uid == geteuid())
		snprintf(advice, sizeof(advice),
			 "use sudo, or make it yours again with `sudo "
			 "chown -R %u %.200s`",
			 geteuid(), path);
	else
		snprintf(advice, sizeof(advice), "%sset HOME to your own folder",
			 st.st_uid == 0 ? "use sudo, or " : "");
	(void)err_set(err, err->code, "%.200s. %.100s belongs to %s: %s", text, path, owner,
		      advice);
}

void whose_explain(struct cli *c, const char *cluster, bool joining, struct err *err)
{
	if (err->code == -EACCES && err->reason == 0)
		explain_owner(c, err);
	else if (err->code == -ENOENT && !joining && *c->store.dir &&
		 !store_has_cluster(c->host, &c->store, cluster))
		explain_missing(c, cluster, err);
}
