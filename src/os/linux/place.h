/* SPDX-License-Identifier: MIT */
/*
 * Files of an account that root hands over, and whether the account gets at them. The folder may
 * belong to somebody else, who can put links into it at any moment. So each part of a path is
 * opened by itself, without following.
 */
#ifndef MLSH_OS_LINUX_PLACE_H
#define MLSH_OS_LINUX_PLACE_H

#include "os/privs.h"

#define PATH_LEN_MAX 4096

struct place {
	char folder[PATH_LEN_MAX];
	const char *name; /* of the file, in the caller's path */
	int fd;		  /* of the folder, O_RDONLY */
	unsigned self;	  /* the account that all this is for */
	bool shared;	  /* others than root and the account can exchange names on the way */
};

/* Takes the path of a file apart: folder and name. -ENAMETOOLONG. */
int place_split(const char *path, struct place *p, struct err *err) MUST_CHECK;
/*
 * Opens the folder (mode 0700 if it has to be made) and sets `fd`, which the caller closes, and
 * `shared`. -ELOOP if a part of the path is a link that is not root's; other -errno.
 */
int place_open(struct place *p, struct err *err) MUST_CHECK;
/* Returns true if the folder holds the file, its companions and nothing else. */
bool place_is_own(const struct place *p);

/* Drops root's groups, and tries whether root can become the account. */
bool account_can_become(struct host *h, const struct privs_account *a);
/* Returns true if the account may do `mode` (R_OK and the like) to a path below `fd`. */
bool account_may(const struct privs_account *a, int fd, const char *path, int mode);

#endif
