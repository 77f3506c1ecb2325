/* SPDX-License-Identifier: MIT */
/* A server's database in a folder of its own, with entries that are numbered, and counting them. */
#ifndef MLSH_TESTS_DB_KIT_H
#define MLSH_TESTS_DB_KIT_H

#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "signal/backup.h"
#include "unit.h"

#define ENTRY_BYTES 700

extern char dbkit_dir[64], dbkit_path[128], dbkit_copy[128];
extern const uint8_t dbkit_cluster[HASH_LEN];
extern const struct node_id dbkit_node;

void dbkit_begin(void);
void dbkit_remove_all(const char *file);
void dbkit_end(void);
struct db *dbkit_open_db(const char *file);

/* A server in another process that serves the database. */
struct server {
	pid_t pid;
	char text[32]; /* "process 123", as messages name it */
};

struct server dbkit_server_start(void);
void dbkit_server_kill(const struct server *s);
void dbkit_made_with_cluster(void);
void dbkit_make_file(const char *name, const char *suffix, const char *content);

/* Entry n with its address, as an admission is stored, and what the server does behind it. */
int dbkit_store(struct db *d, uint64_t n);

uint64_t dbkit_entries_of(const char *file);
uint64_t dbkit_entries_in(struct span image);
struct host *dbkit_real_host(void);

#endif
