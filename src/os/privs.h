/* SPDX-License-Identifier: MIT */
/* Giving up privileges, before the first byte from the network is read. */
#ifndef MLSH_OS_PRIVS_H
#define MLSH_OS_PRIVS_H

#include "os/host.h"

enum privs_role {
	/* Keeps the rights to change the network and to bind low ports (DNS on 53). */
	PRIVS_DAEMON,
	PRIVS_SIGNAL, /* keeps nothing */
	PRIVS_CLI     /* keeps nothing */
};

#define PRIVS_PATHS_MAX 8

/*
 * What a role may still reach in the file system; each list ends at the first NULL. Paths that do
 * not exist are passed over.
 */
struct privs_paths {
	const char *folders[PRIVS_PATHS_MAX]; /* read, written, files made and removed */
	const char *written[PRIVS_PATHS_MAX]; /* files: the same for the folders they lie in */
	const char *sockets[PRIVS_PATHS_MAX]; /* local sockets, made and removed */
	/* files that other programs replace by new ones: their folders are read, also behind
	   symbolic links */
	const char *replaced[PRIVS_PATHS_MAX];
};

/*
 * Drops every right that the role does not need, for this process and what it may start, shuts its
 * memory to others, and confines it to `paths` (NULL: to none in particular) and to the system
 * calls that the role uses, where the system can do that. Says once, at level info, what is in
 * force. Irreversible. Without any privilege it only does what an ordinary user may. -EPERM with a
 * message when the kernel refuses.
 */
int privs_drop(struct host *h, enum privs_role role, const struct privs_paths *paths,
	       struct err *err) MUST_CHECK;
/*
 * Does the process have what a tunnel needs (the right to make a device, and the device)? The
 * message says what is missing. -EPERM: the right; root has it. Another error: the device.
 */
int privs_check_tunnel(struct host *h, struct err *err) MUST_CHECK;

/* The account of a server on a machine that has no user for it: no other account has this id. */
#define PRIVS_UNNAMED_ID 61044

/* A file with secrets of a server that was started as root. */
struct privs_file {
	const char *user; /* the name of the user whose it will be */
	const char *path;
	const char *const *companions; /* suffixes of files beside it that share its fate; NULL
					   ends */
	const char *made;	       /* one of them that is made, empty, if it is missing; NULL:
					   none is */
};

/* The account that the process will go on as. */
struct privs_account {
	bool differs; /* false: the process stays what it is, privs_become does nothing */
	bool reaches; /* the account reaches the folder of the file by its path */
	/*
	 * The account may write to the folder, but a folder above, in which others can exchange
	 * names, is closed to it: privs_become leaves it the right to search (and read), until
	 * privs_drop, so that nobody has to open the file by its path as root.
	 */
	bool searches;
	unsigned id, group_id;
};

/*
 * Started as root: makes the file's folder (mode 0700) if it is missing and gives the file, its
 * companions and the folder to the user, or to PRIVS_UNNAMED_ID. A folder that holds anything else
 * is left alone. Never follows a symbolic link that is not root's, and makes nothing behind one.
 * -EPERM if the account cannot use the folder and others could exchange what root would open there.
 * Where the process cannot change its user or a file's (a container, a user namespace, a file
 * system without owners) it says so in the log and `differs` is false, as it is for processes of
 * other users. -EMLINK if a file has
 * several names, -EINVAL if it is not a regular file: either may be a trap. -errno if the folder
 * cannot be made or opened.
 */
int privs_take_over(struct host *h, const struct privs_file *f, struct err *err,
		    struct privs_account *ret) MUST_CHECK;
/*
 * For a second program beside the server: the account is the owner of the file, if that is not
 * root; otherwise as privs_take_over. -ENOENT if the file is missing.
 */
int privs_account_of(struct host *h, const struct privs_file *f, struct err *err,
		     struct privs_account *ret) MUST_CHECK;
/* What a tunnel daemon that root starts gives to a user of its own. */
struct privs_state {
	const char *user;   /* its name */
	const char *folder; /* made, mode 0700, if it is missing; NULL if it keeps no state */
	/*
	 * What may be in it: files with one of these suffixes ("lock" is one, too), folders that
	 * are named as such a file without it, and what file_write leaves behind. NULL ends.
	 */
	const char *const *suffixes;
	const char *socket; /* its local socket, if it exists; NULL: see privs_give_socket */
};

/*
 * Started as root: gives the folder and all in it that is root's to the user, and the folder of the
 * socket if nothing else is in it. Follows no symbolic links but root's in the path of the folder;
 * files with several names, and those of third users, keep their owner. A folder that holds
 * anything else is left alone, and `differs` is false.
 *
 * Where the user is missing or cannot do its work (the TUN device or the folder is closed to it,
 * the process cannot change its user, the file system has no owners) `differs` is false, and what
 * was given is root's again. Says in the log which it is. Does nothing for processes of other
 * users. -ELOOP: a part of the folder's path is a link that is not root's; other -errno if the
 * folder cannot be opened.
 */
int privs_give_state(struct host *h, const struct privs_state *s, struct err *err,
		     struct privs_account *ret) MUST_CHECK;
/*
 * Gives the folder of the socket, once it exists, to the account, if nothing else is in it; part of
 * privs_give_state for those that keep state. Does nothing if the account does not differ.
 */
void privs_give_socket(const char *socket, const struct privs_account *a);
/*
 * Becomes the account, without root's groups. Does nothing if it does not differ. Keeps the rights
 * to have large socket buffers and ports below 1024, and what privs_drop needs, until that is
 * called.
 */
int privs_become(struct host *h, const struct privs_account *a, struct err *err) MUST_CHECK;

#endif
