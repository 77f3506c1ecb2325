/* SPDX-License-Identifier: MIT */
/*
 * Users and members of groups. Read from the files, not through the C library: its name service
 * loads shared libraries, which a static program must not. What a directory service adds is known
 * from the kernel's list of the peer's groups.
 */
#include <stdlib.h>
#include <unistd.h>

#include "os/file.h"
#include "os/posix/local_internal.h"
#include "os/posix/users.h"

#define DATABASE_MAX (4u << 20) /* bytes of /etc/group and /etc/passwd */
#define FIELDS_MAX 7

/*
 * The fields of the next line, which is cut at its colons in place; absent ones are "". Returns
 * false behind the last line.
 */
static bool next_line(char **text, const char *fields[FIELDS_MAX])
{
	char *line = strsep(text, "\n");
	if (!line)
		return false;
	for (size_t i = 0; i < FIELDS_MAX; i++) {
		char *field = strsep(&line, ":");
		fields[i] = field ? field : "";
	}
	return true;
}

static bool parse_id(const char *text, unsigned *ret)
{
	char *end;
	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end != '\0' || v > UINT32_MAX)
		return false;
	*ret = (unsigned)v;
	return true;
}

/* The line of the group: "name:password:gid:user,user". */
static bool find_group(char *text, const char *group, unsigned *ret_gid, const char **ret_users)
{
	const char *fields[FIELDS_MAX];
	while (next_line(&text, fields)) {
		if (strcmp(fields[0], group) == 0 && parse_id(fields[2], ret_gid)) {
			*ret_users = fields[3];
			return true;
		}
	}
	return false;
}

static bool is_listed(const char *users, const char *name)
{
	size_t len = strlen(name);
	while (*users) {
		size_t n = strcspn(users, ",");
		if (n == len && memcmp(users, name, len) == 0)
			return true;
		users += n + (users[n] == ',');
	}
	return false;
}

/* Lines "name:password:uid:gid:...": a uid may have several names. */
static bool any_name_belongs(char *text, unsigned uid, unsigned gid, const char *users)
{
	const char *fields[FIELDS_MAX];
	while (next_line(&text, fields)) {
		unsigned line_uid, line_gid;
		if (!*fields[0] || !parse_id(fields[2], &line_uid) || line_uid != uid)
			continue;
		if ((parse_id(fields[3], &line_gid) && line_gid == gid) ||
		    is_listed(users, fields[0]))
			return true;
	}
	return false;
}

int passwd_find(struct host *h, const char *name, unsigned *ret_uid, unsigned *ret_gid)
{
	struct buf users = { 0 };
	const char *fields[FIELDS_MAX];
	unsigned uid, gid;
	int r = file_read(h, "/etc/passwd", DATABASE_MAX, NULL, &users);
	if (r < 0)
		return r;
	char *text = (char *)users.data;
	r = -ENOENT;
	while (r == -ENOENT && next_line(&text, fields)) {
		if (strcmp(fields[0], name) == 0 && parse_id(fields[2], &uid) &&
		    parse_id(fields[3], &gid)) {
			*ret_uid = uid;
			*ret_gid = gid;
			r = 0;
		}
	}
	buf_free(&users);
	return r;
}

int user_home(struct host *h, struct user u, char *out, size_t cap)
{
	struct buf users = { 0 };
	const char *fields[FIELDS_MAX];
	unsigned id;
	int r = file_read(h, "/etc/passwd", DATABASE_MAX, NULL, &users);
	if (r < 0)
		return r;
	char *text = (char *)users.data;
	r = -ENOENT;
	while (r == -ENOENT && next_line(&text, fields)) {
		if (!*fields[5] || !parse_id(fields[2], &id) || id != u.id)
			continue;
		r = strlen(fields[5]) < cap ? 0 : -ENOSPC;
		if (r == 0)
			strcpy(out, fields[5]);
	}
	buf_free(&users);
	return r;
}

static bool kernel_says_so(const struct local_cred *cred, unsigned gid)
{
	if (cred->gid == gid)
		return true;
	for (size_t i = 0; i < cred->n_groups; i++)
		if (cred->groups[i] == gid)
			return true;
	return false;
}

bool local_cred_in_group(struct host *h, const struct local_cred *cred, const char *group)
{
	struct buf groups = { 0 }, users = { 0 };
	const char *listed = NULL;
	unsigned gid;
	bool in = false;
	if (file_read(h, "/etc/group", DATABASE_MAX, NULL, &groups) == 0 &&
	    find_group((char *)groups.data, group, &gid, &listed)) {
		in = kernel_says_so(cred, gid);
		if (!in && file_read(h, "/etc/passwd", DATABASE_MAX, NULL, &users) == 0)
			in = any_name_belongs((char *)users.data, cred->uid, gid, listed);
	}
	buf_free(&groups);
	buf_free(&users);
	return in;
}

struct user user_self(struct host *h)
{
	(void)h;
	return user_of_number(geteuid());
}

bool user_self_in_group(struct host *h, const char *group)
{
	struct local_cred own = { .uid = geteuid(), .gid = getegid() };
	int n = getgroups(LOCAL_GROUPS_MAX, own.groups);

	own.n_groups = n > 0 ? (size_t)n : 0;
	return local_cred_in_group(h, &own, group);
}
