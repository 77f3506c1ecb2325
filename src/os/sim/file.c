/* SPDX-License-Identifier: MIT */
/* A machine's files, in memory: they survive its processes. */
#include "os/file.h"

#include <stdio.h>

#include "os/sim/sim.h"

#define PATH_MAX_BYTES 512

struct file {
	struct list in_machine; /* sorted by path */
	char path[PATH_MAX_BYTES];
	unsigned mode, uid;
	uint64_t id; /* another one each time that the name is given to a new file */
	uint8_t *data;
	size_t len;
};

struct folder {
	struct list in_machine;
	char path[PATH_MAX_BYTES];
	unsigned mode;
};

static struct file *file_find(const struct machine *m, const char *path)
{
	list_for_each(it, &m->files) {
		struct file *f = list_entry(it, struct file, in_machine);

		if (strcmp(f->path, path) == 0)
			return f;
	}
	return NULL;
}

static struct folder *folder_find(const struct machine *m, const char *path)
{
	list_for_each(it, &m->folders) {
		struct folder *f = list_entry(it, struct folder, in_machine);

		if (strcmp(f->path, path) == 0)
			return f;
	}
	return NULL;
}

static void folder_add(struct machine *m, const char *path, unsigned mode)
{
	struct folder *f = sim_alloc(sizeof(*f));

	if (strlen(path) >= PATH_MAX_BYTES)
		world_die(m->world, "%s: path too long: %s", m->name, path);
	strcpy(f->path, path);
	f->mode = mode;
	list_append(&m->folders, &f->in_machine);
}

void machine_files_init(struct machine *m)
{
	static const char *const there[] = {
		"/", "/etc", "/home", "/root", "/run", "/tmp", "/var", "/var/lib",
	};

	list_init(&m->files);
	list_init(&m->folders);
	list_init(&m->locks);
	for (size_t i = 0; i < ARRAY_LEN(there); i++)
		folder_add(m, there[i], 0755);
}

static void file_free(struct file *f)
{
	list_remove(&f->in_machine);
	free(f->data);
	free(f);
}

void machine_files_free(struct machine *m)
{
	list_for_each(it, &m->files)
		file_free(list_entry(it, struct file, in_machine));
	list_for_each(it, &m->folders)
		free(list_entry(it, struct folder, in_machine));
}

void buf_free(struct buf *b)
{
	if (!b || !b->data)
		return;
	secret_wipe(b->data, b->len);
	free(b->data);
	*b = (struct buf){ 0 };
}

static struct buf buf_copy(const void *data, size_t len)
{
	struct buf b = { sim_alloc(len + 1), len };

	if (len > 0)
		memcpy(b.data, data, len);
	return b;
}

int file_read(struct host *h, const char *path, size_t limit, struct err *err, struct buf *ret)
{
	const struct file *f = file_find(h->machine, path);

	if (!f && folder_find(h->machine, path))
		return err_set(err, -EINVAL, "%s is not a regular file", path);
	if (!f)
		return err_set(err, -ENOENT, "cannot open %s: %s", path, strerror(ENOENT));
	if (f->len > limit)
		return err_set(err, -EFBIG, "%s is larger than %zu bytes", path, limit);
	*ret = buf_copy(f->data, f->len);
	return 0;
}

int file_read_private(struct host *h, const char *path, size_t limit, struct err *err,
		      struct buf *ret)
{
	const struct file *f = file_find(h->machine, path);

	if (f && (f->mode & 077))
		return err_set(err, -EACCES,
			       "%s holds a secret and others may use it (mode %04o): "
			       "run chmod 600 on it",
			       path, f->mode);
	if (f && f->uid != 0 && f->uid != h->uid)
		return err_set(err, -EPERM, "%s belongs to user %u, not to user %u", path, f->uid,
			       h->uid);
	return file_read(h, path, limit, err, ret);
}

static void insert_sorted(struct machine *m, struct file *f)
{
	list_for_each(it, &m->files) {
		if (strcmp(list_entry(it, struct file, in_machine)->path, f->path) > 0) {
			list_append(it, &f->in_machine); /* in front of it */
			return;
		}
	}
	list_append(&m->files, &f->in_machine);
}

bool machine_has_folder_of(const struct machine *m, const char *path)
{
	const char *slash = strrchr(path, '/');
	char parent[PATH_MAX_BYTES] = "/";

	if (slash && slash > path) {
		memcpy(parent, path, (size_t)(slash - path));
		parent[slash - path] = '\0';
	}
	return folder_find(m, parent);
}

/* Why can no file of this name be made? 0 when it can. */
static int write_refused(const struct machine *m, const char *path)
{
	if (m->disk_full)
		return -ENOSPC;
	if (strlen(path) >= PATH_MAX_BYTES)
		return -ENAMETOOLONG;
	if (folder_find(m, path))
		return -EISDIR;
	return machine_has_folder_of(m, path) ? 0 : -ENOENT;
}

int file_write(struct host *h, const char *path, const void *data, size_t len, unsigned mode,
	       struct err *err)
{
	struct machine *m = h->machine;
	struct file *f;
	int rc = write_refused(m, path);

	if (rc < 0)
		return err_set(err, rc, "cannot write %s: %s", path, strerror(-rc));
	if (!world_host_step(h))
		return 0;
	f = file_find(m, path);
	if (f) {
		free(f->data);
	} else {
		f = sim_alloc(sizeof(*f));
		strcpy(f->path, path);
		insert_sorted(m, f);
	}
	f->mode = mode;
	f->uid = h->uid;
	f->id = ++m->files_made;
	f->data = sim_copy(data, len);
	f->len = len;
	world_trace(m->world, "%s: writes %s, %zu bytes", m->name, path, len);
	return 0;
}

int file_add(struct host *h, const char *path, size_t at, const void *data, size_t len,
	     struct err *err)
{
	struct file *f = file_find(h->machine, path);
	int rc = !f ? -ENOENT : f->len < at ? -ESTALE : write_refused(h->machine, path);

	if (!f && folder_find(h->machine, path))
		rc = -EINVAL;
	if (rc < 0)
		return err_set(err, rc, "cannot add to %s: %s", path, strerror(-rc));
	if (!h->alive)
		return 0;
	uint8_t *whole = sim_alloc(at + len + 1);
	memcpy(whole, f->data, at);
	if (len > 0)
		memcpy(whole + at, data, len);
	free(f->data);
	f->data = whole;
	f->len = at + len;
	world_trace(h->machine->world, "%s: adds %zu bytes to %s", h->machine->name, len, path);
	return 0;
}

struct file_slot {
	struct host *host;
	uint64_t id; /* of the file */
};

int file_slot_open(struct host *h, const char *path, unsigned mode, struct err *err,
		   struct file_slot **ret)
{
	int rc = write_refused(h->machine, path);
	struct file_slot *s;

	if (rc < 0)
		return err_set(err, rc == -EISDIR ? -EINVAL : rc, "cannot write %s: %s", path,
			       strerror(-rc));
	if (!file_find(h->machine, path))
		rc = file_write(h, path, "", 0, mode, err);
	if (rc < 0)
		return rc;
	s = sim_alloc(sizeof(*s));
	s->host = h;
	s->id = h->alive ? file_find(h->machine, path)->id : 0;
	*ret = s;
	return 0;
}

static struct file *file_of_slot(const struct file_slot *s)
{
	list_for_each(it, &s->host->machine->files) {
		struct file *f = list_entry(it, struct file, in_machine);

		if (f->id == s->id)
			return f;
	}
	return NULL;
}

int file_slot_write(struct file_slot *s, const void *data, size_t len)
{
	struct machine *m = s->host->machine;
	struct file *f = file_of_slot(s);

	if (m->disk_full)
		return -ENOSPC;
	if (!world_host_step(s->host) || !f)
		return 0;
	free(f->data);
	f->data = sim_copy(data, len);
	f->len = len;
	world_trace(m->world, "%s: writes %s, %zu bytes", m->name, f->path, len);
	return 0;
}

void file_slot_close(struct file_slot *s)
{
	free(s);
}

int file_create(struct host *h, const char *path, const void *data, size_t len, unsigned mode,
		struct err *err)
{
	if (file_exists(h, path))
		return err_set(err, -EEXIST, "cannot write %s: %s", path, strerror(EEXIST));
	return file_write(h, path, data, len, mode, err);
}

int file_remove(struct host *h, const char *path)
{
	struct file *f = file_find(h->machine, path);

	if (!f)
		return folder_find(h->machine, path) ? -EISDIR : -ENOENT;
	if (world_host_step(h))
		file_free(f);
	return 0;
}

int file_forget(struct host *h, const char *path)
{
	int r = file_remove(h, path);

	return r == -ENOENT ? 0 : r;
}

/* Of a process that crashed: it holds nothing. */
struct file_lock {
	struct list in_machine;
	const struct host *host;
	char path[PATH_MAX_BYTES];
};

int file_lock(struct host *h, const char *path, int *ret_pid, struct err *err,
	      struct file_lock **ret)
{
	struct file_lock *l;
	int r;

	list_for_each(it, &h->machine->locks) {
		l = list_entry(it, struct file_lock, in_machine);
		if (!l->host->alive || strcmp(l->path, path) != 0)
			continue;
		*ret_pid = l->host->pid;
		return err_set(err, -EBUSY, "%s is held by process %d", path, *ret_pid);
	}
	if (folder_find(h->machine, path))
		return err_set(err, -EMLINK, "%s is not a file with one name: remove it", path);
	r = file_find(h->machine, path) ? 0 : file_write(h, path, "", 0, 0600, err);
	if (r < 0)
		return r;
	l = sim_alloc(sizeof(*l));
	l->host = h;
	snprintf(l->path, sizeof(l->path), "%s", path);
	list_append(&h->machine->locks, &l->in_machine);
	*ret = l;
	return 0;
}

void file_unlock(struct file_lock *l)
{
	if (!l)
		return;
	list_remove(&l->in_machine);
	free(l);
}

bool file_exists(struct host *h, const char *path)
{
	return file_find(h->machine, path) || folder_find(h->machine, path);
}

int dir_make(struct host *h, const char *path, unsigned mode, struct err *err)
{
	struct machine *m = h->machine;
	char part[PATH_MAX_BYTES];

	if (strlen(path) >= sizeof(part))
		return err_set(err, -ENAMETOOLONG, "cannot make the folder %s: name too long",
			       path);
	for (size_t i = 1; path[i - 1] != '\0'; i++) {
		if (path[i] != '/' && path[i] != '\0')
			continue;
		memcpy(part, path, i);
		part[i] = '\0';
		if (file_find(m, part))
			return err_set(err, -ENOTDIR, "cannot make the folder %s: %s is a file",
				       path, part);
		if (!folder_find(m, part) && h->alive)
			folder_add(m, part, mode);
	}
	return 0;
}

/* Does anything lie in the folder, or in a folder of it? */
static bool is_empty(const struct machine *m, const char *folder)
{
	size_t len = strlen(folder);

	list_for_each(it, &m->files) {
		const char *path = list_entry(it, struct file, in_machine)->path;

		if (strncmp(path, folder, len) == 0 && path[len] == '/')
			return false;
	}
	list_for_each(it, &m->folders) {
		const char *path = list_entry(it, struct folder, in_machine)->path;

		if (strncmp(path, folder, len) == 0 && path[len] == '/')
			return false;
	}
	return true;
}

int dir_remove(struct host *h, const char *path)
{
	struct machine *m = h->machine;
	struct folder *f = folder_find(m, path);

	if (!f)
		return file_find(m, path) ? -ENOTDIR : -ENOENT;
	if (!is_empty(m, path))
		return -ENOTEMPTY;
	if (world_host_step(h)) {
		list_remove(&f->in_machine);
		free(f);
	}
	return 0;
}

/* The file's name when it lies directly in the folder, else NULL. */
static const char *name_in(const struct file *f, const char *folder)
{
	size_t len = strlen(folder);
	const char *name;

	if (len == 1 && folder[0] == '/')
		len = 0;
	if (strncmp(f->path, folder, len) != 0 || f->path[len] != '/')
		return NULL;
	name = f->path + len + 1;
	return strchr(name, '/') || name[0] == '.' ? NULL : name;
}

int dir_list(struct host *h, const char *path, void (*fn)(void *ctx, const char *name), void *ctx,
	     struct err *err)
{
	const struct machine *m = h->machine;
	char(*names)[PATH_MAX_BYTES] = NULL;
	size_t n = 0;

	if (file_find(m, path))
		return err_set(err, -ENOTDIR, "cannot list %s: %s", path, strerror(ENOTDIR));
	list_for_each(it, &m->files) {
		const char *name = name_in(list_entry(it, struct file, in_machine), path);

		if (name)
			strcpy(sim_array_add(&names, &n, sizeof(*names)), name);
	}
	for (size_t i = 0; i < n; i++)
		fn(ctx, names[i]); /* may write and remove files */
	free(names);
	return 0;
}

int world_file_mode(struct host *h, const char *path)
{
	const struct file *file = file_find(h->machine, path);
	const struct folder *folder = folder_find(h->machine, path);

	if (file)
		return (int)file->mode;
	return folder ? (int)folder->mode : -ENOENT;
}

void world_host_disk_full(struct host *h, bool full)
{
	h->machine->disk_full = full;
}
