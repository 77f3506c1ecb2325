/* SPDX-License-Identifier: MIT */
/* "nas", "nas.homelab" or "100.64.0.2": which node of which connected cluster is meant? And what to
 * say when no cluster is connected. */
#include "cli/target.h"

#include <stdio.h>
#include <unistd.h>

#include "cli/daemon_status.h"
#include "cli/roots.h"
#include "cli/table.h"
#include "cli/whose.h"

#define NAME_MAX_LEN (2 * LABEL_MAX + 1) /* node.cluster */

/* The name of the peer that `text` means in this cluster, or NULL. */
static const char *peer_in(struct json_object *cluster, const char *text)
{
	struct json_object *peers = json_object_object_get(cluster, "peers");
	size_t n = peers ? json_object_array_length(peers) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *p = json_object_array_get_idx(peers, i);

		if (strcmp(js(p, "name"), text) == 0 || strcmp(js(p, "address"), text) == 0)
			return js(p, "name");
	}
	return NULL;
}

/* The name of a peer that `text` is probably a misspelling of; NULL if no name is near. */
static const char *peer_near(struct json_object *list, const char *text)
{
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *peers =
			json_object_object_get(json_object_array_get_idx(list, i), "peers");

		for (size_t k = 0; peers && k < json_object_array_length(peers); k++) {
			const char *name = js(json_object_array_get_idx(peers, k), "name");

			if (options_near(text, &name, 1, 0))
				return name;
		}
	}
	return NULL;
}

/* Clusters that `mlsh connect` would connect. */
struct idle {
	struct json_object *list; /* the daemon's */
	size_t n;
	bool of_root; /* the first one; the caller is not root */
	char first[LABEL_MAX + 1], others[200];
	const char *wanted;	  /* NULL if no name was given */
	char near[LABEL_MAX + 1]; /* a name that is like the wanted one, or "" */
};

static void idle_add(void *ctx, const char *cluster)
{
	struct idle *idle = ctx;
	size_t at = strlen(idle->others);

	if (idle->wanted && options_near(idle->wanted, &cluster, 1, 0))
		snprintf(idle->near, sizeof(idle->near), "%s", cluster);
	if (idle->n++ == 0)
		snprintf(idle->first, sizeof(idle->first), "%s", cluster);
	else
		snprintf(idle->others + at, sizeof(idle->others) - at, "%s%s", at ? ", " : "",
			 cluster);
}

static bool is_listed(struct json_object *list, const char *cluster)
{
	size_t n = list ? json_object_array_length(list) : 0;

	for (size_t i = 0; i < n; i++)
		if (strcmp(js(json_object_array_get_idx(list, i), "name"), cluster) == 0)
			return true;
	return false;
}

/* The daemon has said already what is to be said of those that it knows. */
static void idle_add_file(void *ctx, const char *cluster)
{
	struct idle *idle = ctx;

	if (!is_listed(idle->list, cluster))
		idle_add(idle, cluster);
}

static void idle_find(struct cli *c, struct json_object *list, struct idle *ret)
{
	size_t n = list ? json_object_array_length(list) : 0;

	*ret = (struct idle){ .list = list };
	for (size_t i = 0; i < n; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (!status_is_stopped(one))
			continue;
		ret->of_root |= ret->n == 0 && roots_is(one);
		idle_add(ret, js(one, "name"));
	}
	store_each_cluster(c->host, &c->store, idle_add_file, ret);
}

static int none_anywhere(struct cli *c, const char *of_yours, struct err *err)
{
	char text[STORE_PATH_MAX + 80];

	snprintf(text, sizeof(text), "no cluster%s is connected, and %s has none", of_yours,
		 c->store.dir);
	return whose_none(c, text, -ESRCH, err);
}

int target_none_connected(struct cli *c, struct json_object *list, struct err *err)
{
	/* The daemon tells each user of their own clusters, root of all, the group of root's. */
	const char *of_yours = geteuid() == 0 ? "" : " of yours";
	struct idle idle;

	idle_find(c, list, &idle);
	if (idle.n == 0 && !*c->store.dir)
		return err_set(err, -ESRCH,
			       "no cluster%s is connected, and without HOME or XDG_CONFIG_HOME "
			       "mlsh cannot find your clusters' files",
			       of_yours);
	if (idle.n == 0)
		return none_anywhere(c, of_yours, err);
	if (idle.n == 1)
		return err_set(err, -ESRCH,
			       "the cluster %s is not connected; run: %smlsh connect %s",
			       idle.first, idle.of_root ? "sudo " : whose_sudo(), idle.first);
	return err_set(err, -ESRCH, "no cluster%s is connected; run: %smlsh connect %s (or %s)",
		       of_yours, idle.of_root ? "sudo " : whose_sudo(), idle.first, idle.others);
}

static int no_such_node(struct cli *c, struct json_object *list, const char *text, struct err *err)
{
	const char *meant = peer_near(list, text);
	struct idle idle;

	idle_find(c, list, &idle);
	if (meant)
		return err_set(err, -ESRCH,
			       "no connected cluster has another node %s: did you "
			       "mean %s?",
			       text, meant);
	return err_set(err, -ESRCH,
		       "no connected cluster has another node %s; `mlsh status` lists "
		       "them%s%s%s%s",
		       text, idle.n ? ". Not connected: " : "", idle.first,
		       *idle.others ? ", " : "", idle.others);
}

static int search(struct cli *cli, struct json_object *status, const char *text, struct target *ret,
		  struct err *err)
{
	struct json_object *list = json_object_object_get(status, "clusters");
	size_t n = list ? json_object_array_length(list) : 0;
	const char *self = NULL; /* the cluster in which that is this node */
	unsigned found = 0, connected = 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_object_array_get_idx(list, i);
		const char *name = peer_in(c, text);

		connected += !status_is_stopped(c);
		if (strcmp(js(c, "node"), text) == 0 || strcmp(js(c, "address"), text) == 0)
			self = js(c, "name");
		if (!name || found++ > 0)
			continue;
		snprintf(ret->cluster, sizeof(ret->cluster), "%s", js(c, "name"));
		snprintf(ret->node, sizeof(ret->node), "%s", name);
	}
	if (found == 1)
		return 0;
	if (found > 1)
		return err_set(err, -EINVAL, "several clusters have a node %s; say which: %s.%s",
			       text, text, ret->cluster);
	if (self)
		return err_set(err, -ESRCH,
			       "%s is this machine itself, in the cluster %s; name "
			       "another node",
			       text, self);
	return connected ? no_such_node(cli, list, text, err)
			 : target_none_connected(cli, list, err);
}

static int ask_all(struct cli *c, struct json_object **ret, struct err *err)
{
	int rc = daemon_status(c, NULL, err, ret);

	if (rc == 0 && !*ret)
		rc = err->code;
	return rc;
}

/* As names in DNS are: upper case is lower case, and a dot may end it. -EINVAL. */
static int plain_name(const char *typed, char out[NAME_MAX_LEN + 1], struct err *err)
{
	size_t n = strlen(typed);

	if (n > 1 && typed[n - 1] == '.')
		n--;
	if (n > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "'%.40s...' is too long for the name of a node",
			       typed);
	for (size_t i = 0; i < n; i++)
		out[i] = typed[i] >= 'A' && typed[i] <= 'Z' ? (char)(typed[i] + 32) : typed[i];
	out[n] = '\0';
	return 0;
}

/* Other things than "nas", "nas.homelab" and "100.64.0.1" that people type. -EINVAL. */
static int check_form(const char *text, struct err *err)
{
	const char *dot = strchr(text, '.');
	struct addr ip;

	if (addr_parse_ip(text, &ip) == 0)
		return addr_is_v4(&ip) ? 0
				       : err_set(err, -EINVAL,
						 "%s is an IPv6 address; overlay "
						 "addresses are IPv4, see `mlsh status`",
						 text);
	if (dot && strpbrk(text, "0123456789") && strspn(text, "0123456789.") == strlen(text))
		return err_set(err, -EINVAL, "'%.40s' is not an IPv4 address", text);
	if (dot && strchr(dot + 1, '.'))
		return err_set(err, -EINVAL,
			       "'%.40s' cannot be used: a node is given as <node> or "
			       "<node>.<cluster>",
			       text);
	return 0;
}

int target_split(const char *typed, struct target *ret, struct err *err)
{
	char text[NAME_MAX_LEN + 1];
	const char *dot;
	struct addr ip;
	size_t n;
	int rc = plain_name(typed, text, err);

	*ret = (struct target){ 0 };
	if (rc == 0)
		rc = check_form(text, err);
	if (rc < 0)
		return rc;
	if (addr_parse_ip(text, &ip) == 0) {
		snprintf(ret->node, sizeof(ret->node), "%.*s", IP4_TEXT_MAX, text);
		return 0;
	}
	dot = strchr(text, '.');
	n = dot ? (size_t)(dot - text) : strlen(text);
	if (n >= sizeof(ret->node))
		return err_set(err, -EINVAL, "'%s' is not the name of a node", text);
	memcpy(ret->node, text, n);
	rc = label_check("node name", ret->node, err);
	if (rc == 0 && dot)
		rc = label_check("cluster name", dot + 1, err);
	if (rc == 0 && dot)
		snprintf(ret->cluster, sizeof(ret->cluster), "%s", dot + 1);
	return rc;
}

int target_find(struct cli *c, const char *typed, struct target *ret, struct err *err)
{
	char text[sizeof(ret->node)];
	struct json_object *status;
	int rc = target_split(typed, ret, err);

	if (rc < 0 || ret->cluster[0])
		return rc;
	snprintf(text, sizeof(text), "%s", ret->node);
	rc = ask_all(c, &status, err);
	if (rc < 0)
		return rc;
	rc = search(c, status, text, ret, err);
	json_object_put(status);
	return rc;
}

void target_no_cluster(struct cli *c, const char *cluster, struct err *err)
{
	struct json_object *status = NULL, *list;
	struct idle all = { .wanted = cluster };
	struct err ignored = { 0 };
	char other[160] = "", none[LABEL_MAX + 60];
	size_t n;

	if (err->code != -ENOENT || store_has_cluster(c->host, &c->store, cluster) ||
	    ask_all(c, &status, &ignored) < 0)
		return;
	list = json_object_object_get(status, "clusters");
	n = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < n; i++)
		idle_add(&all, js(json_object_array_get_idx(list, i), "name"));
	all.list = list;
	store_each_cluster(c->host, &c->store, idle_add_file, &all);
	snprintf(none, sizeof(none), "there is no cluster %.63s here, and no other", cluster);
	/* Users with clusters of their own work without sudo. */
	if (geteuid() == 0)
		whose_other(c, cluster, other, sizeof(other));
	if (is_listed(list, cluster))
		; /* the daemon has its reason */
	else if (*all.near)
		(void)err_set(err, -ENOENT, "there is no cluster %s here: did you mean %s?",
			      cluster, all.near);
	else if (all.n == 0)
		(void)!whose_none(c, none, -ENOENT, err);
	else
		(void)err_set(err, -ENOENT, "there is no cluster %s here; there is %s%s%s%s%s",
			      cluster, all.first, *all.others ? ", " : "", all.others,
			      *other ? "." : "", other);
	json_object_put(status);
}

int target_clusters(struct cli *c, char (*out)[LABEL_MAX + 1], size_t max, struct err *err)
{
	struct json_object *status, *list;
	int rc = ask_all(c, &status, err);
	size_t n, found = 0;

	if (rc < 0)
		return rc;
	list = json_object_object_get(status, "clusters");
	n = list ? json_object_array_length(list) : 0;
	for (size_t i = 0; i < n && found < max; i++) {
		struct json_object *one = json_object_array_get_idx(list, i);

		if (!status_is_stopped(one))
			snprintf(out[found++], sizeof(out[0]), "%s", js(one, "name"));
	}
	rc = found ? (int)found : target_none_connected(c, list, err);
	json_object_put(status);
	return rc;
}
