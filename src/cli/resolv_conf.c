/* SPDX-License-Identifier: MIT */
/* The list of name servers of a container. */
#include "cli/resolv_conf.h"

#include <stdio.h>
#include <stdlib.h>

#include "os/paths.h"

#define RESOLV_CONF_MAX 65536
#define SERVERS_READ 3 /* MAXNS of glibc and musl: further lines are as good as none */
#define MARK "# the next line is by mlsh container\n"
#define SERVER_LINE "nameserver %s\n"
#define LINES_MAX (sizeof(MARK) + sizeof(SERVER_LINE) + IP4_TEXT_MAX)

static bool begins_with(struct span s, const char *text)
{
	size_t n = strlen(text);

	return s.len >= n && memcmp(s.data, text, n) == 0;
}

/* Without its first line. */
static struct span next_line(struct span s)
{
	const uint8_t *end = s.len ? memchr(s.data, '\n', s.len) : NULL;
	size_t n = end ? (size_t)(end - s.data) + 1 : s.len;

	return span_of(s.data + n, s.len - n);
}

int resolv_conf_make(struct span old, const ip4 *server, size_t n, struct buf *ret)
{
	size_t cap = n * LINES_MAX + old.len + 1;
	char ip[IP4_TEXT_MAX];

	*ret = (struct buf){ .data = malloc(cap) };
	if (!ret->data)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ret->len += (size_t)snprintf((char *)ret->data + ret->len, cap - ret->len,
					     MARK SERVER_LINE, ip4_format(server[i], ip));
	while (old.len) {
		struct span rest = next_line(old);

		if (begins_with(old, MARK)) {
			rest = next_line(rest);
		} else {
			memcpy(ret->data + ret->len, old.data, old.len - rest.len);
			ret->len += old.len - rest.len;
		}
		old = rest;
	}
	ret->data[ret->len] = '\0';
	return 0;
}

/* One of the others stays among those that are read: it knows the rest of the world. */
size_t resolv_conf_room(struct span old)
{
	bool others = false;

	for (struct span s = old; s.len; s = next_line(s)) {
		if (begins_with(s, MARK))
			s = next_line(s);
		else
			others |= begins_with(s, "nameserver");
	}
	return others ? SERVERS_READ - 1 : SERVERS_READ;
}

bool resolv_conf_names(struct cli *c, const char *address)
{
	struct buf b = { 0 };
	char line[sizeof(SERVER_LINE) + IP4_TEXT_MAX];
	bool found = false;

	snprintf(line, sizeof(line), SERVER_LINE, address);
	if (file_read(c->host, RESOLV_CONF, RESOLV_CONF_MAX, NULL, &b) == 0)
		for (struct span s = span_of(b.data, b.len); s.len && !found; s = next_line(s))
			found = begins_with(s, line);
	buf_free(&b);
	return found;
}

/*
 * An engine mounts the file over another one: it is written in its place. Returns how many servers
 * had room in it.
 */
static int replace(struct cli *c, const ip4 *server, size_t n, struct err *err)
{
	struct buf old = { 0 }, new = { 0 };
	struct file_slot *slot = NULL;
	int rc = file_read(c->host, RESOLV_CONF, RESOLV_CONF_MAX, err, &old);

	if (rc == -ENOENT)
		rc = 0;
	n = MIN(n, resolv_conf_room(span_of(old.data, old.len)));
	if (rc == 0)
		rc = resolv_conf_make(span_of(old.data, old.len), server, n, &new);
	bool same = rc == 0 && span_equal(span_of(old.data, old.len), span_of(new.data, new.len));
	if (rc == 0 && !same)
		rc = file_slot_open(c->host, RESOLV_CONF, 0644, err, &slot);
	if (rc == 0 && !same) {
		rc = file_slot_write(slot, new.data, new.len);
		if (rc < 0)
			(void)err_set(err, rc, RESOLV_CONF ": %s", strerror(-rc));
	}
	file_slot_close(slot);
	buf_free(&old);
	buf_free(&new);
	return rc < 0 ? rc : (int)n;
}

static void warn_left_out(struct cli *c, const struct cluster_names *names, size_t used)
{
	for (size_t i = used; i < names->n; i++)
		log_warn(host_log(c->host),
			 "programs in this container do not find the nodes of %s by name: they "
			 "read %d name servers of " RESOLV_CONF ". Give each cluster a container",
			 names->name[i], SERVERS_READ);
}

int resolv_conf_tell(struct cli *c, const struct cluster_names *names, struct err *err)
{
	ip4 server[NAMES_MAX];
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < names->n; i++) {
		struct cluster_file f = { 0 };

		rc = store_load_cluster(c->host, &c->store, names->name[i], &f, err);
		server[i] = f.address;
		secret_wipe(&f, sizeof(f));
	}
	if (rc < 0)
		return rc;
	rc = replace(c, server, names->n, err);
	if (rc < 0)
		return err_prefix(err, "programs in this container do not find nodes by name "
				       "(MLSH_DNS=off: it is not tried)");
	warn_left_out(c, names, (size_t)rc);
	return 0;
}

int resolv_conf_untell(struct cli *c, struct err *err)
{
	return replace(c, NULL, 0, err);
}
