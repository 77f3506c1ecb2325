/* SPDX-License-Identifier: MIT */
/* "nas", "nas.homelab" or "100.64.0.2": which node of which connected cluster is meant? */
#include "cli/target.h"

#include <stdio.h>

#include "cli/table.h"

#define NAME_MAX_LEN (2 * LABEL_MAX + 1) /* node.cluster */

/* The name of the peer that `text` means in this cluster; NULL: none. */
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

static int search(struct json_object *status, const char *text, struct target *ret, struct err *err)
{
	struct json_object *list = json_object_object_get(status, "clusters");
	size_t n = list ? json_object_array_length(list) : 0;
	const char *self = NULL;	/* the cluster in which that is this node */
	unsigned found = 0;

	for (size_t i = 0; i < n; i++) {
		struct json_object *c = json_object_array_get_idx(list, i);
		const char *name = peer_in(c, text);

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
		return err_set(err, -ESRCH, "%s is this machine itself, in the cluster %s; name "
			       "another node", text, self);
	return err_set(err, -ESRCH, n ? "no connected cluster has another node %s; `mlsh status` "
					 "lists them"
				       : "no cluster is connected, so %s can not be asked; `mlsh "
					 "connect <cluster>` connects one", text);
}

static int ask_all(struct cli *c, struct json_object **ret, struct err *err)
{
	struct control_request r = { .verb = CONTROL_STATUS };
	struct daemon_reply reply = { 0 };
	int rc = daemon_call(c, &r, NULL, 0, err, &reply);

	if (rc == 0)
		rc = daemon_reply_check(&reply, err);
	if (rc == 0) {
		*ret = json_tokener_parse((const char *)reply.data);
		rc = *ret ? 0 : err_set(err, -EBADMSG, "mlshtund's answer was not understood");
	}
	daemon_reply_free(&reply);
	return rc;
}

/* As names in DNS are: upper case is lower case, and a dot may end it. -EINVAL. */
static int plain_name(const char *typed, char out[NAME_MAX_LEN + 1], struct err *err)
{
	size_t n = strlen(typed);

	if (n > 1 && typed[n - 1] == '.')
		n--;
	if (n > NAME_MAX_LEN)
		return err_set(err, -EINVAL, "'%.80s...' is too long for a name of a node", typed);
	for (size_t i = 0; i < n; i++)
		out[i] = typed[i] >= 'A' && typed[i] <= 'Z' ? (char)(typed[i] + 32) : typed[i];
	out[n] = '\0';
	return 0;
}

int target_find(struct cli *c, const char *typed, struct target *ret, struct err *err)
{
	char text[NAME_MAX_LEN + 1];
	struct json_object *status;
	const char *dot;
	struct addr ip;
	int rc = plain_name(typed, text, err);

	*ret = (struct target){ 0 };
	if (rc < 0)
		return rc;
	dot = strchr(text, '.');
	if (dot && addr_parse_ip(text, &ip) < 0) {
		if ((size_t)(dot - text) >= sizeof(ret->node))
			return err_set(err, -EINVAL, "'%s' is no name of a node", text);
		memcpy(ret->node, text, (size_t)(dot - text));
		rc = label_check("node name", ret->node, err);
		if (rc == 0)
			rc = label_check("cluster name", dot + 1, err);
		if (rc == 0)
			snprintf(ret->cluster, sizeof(ret->cluster), "%s", dot + 1);
		return rc;
	}
	rc = dot ? 0 : label_check("node name", text, err);
	if (rc == 0)
		rc = ask_all(c, &status, err);
	if (rc < 0)
		return rc;
	rc = search(status, text, ret, err);
	json_object_put(status);
	return rc;
}

int target_clusters(struct cli *c, char (*out)[LABEL_MAX + 1], size_t max, struct err *err)
{
	struct json_object *status, *list;
	int rc = ask_all(c, &status, err);
	size_t n;

	if (rc < 0)
		return rc;
	list = json_object_object_get(status, "clusters");
	n = MIN(list ? json_object_array_length(list) : 0, max);
	for (size_t i = 0; i < n; i++)
		snprintf(out[i], sizeof(out[i]), "%s",
			 js(json_object_array_get_idx(list, i), "name"));
	json_object_put(status);
	return (int)n;
}
