/* SPDX-License-Identifier: AGPL-3.0-only */
/* The server's database: clusters, their logs, addresses. */
#include "signal/db_internal.h"

int db_cluster_add(struct db *d, const struct db_cluster *c, int64_t now_s, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "INSERT INTO cluster (id, net, bits, created_s) VALUES (?, ?, ?, ?)",
			   &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, c->id, sizeof(c->id), SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, c->subnet.net);
	sqlite3_bind_int64(stmt, 3, c->subnet.bits);
	sqlite3_bind_int64(stmt, 4, now_s);
	return db_write(d, stmt, err);
}

static int cluster_row(sqlite3_stmt *stmt, struct db_cluster *ret, struct err *err)
{
	int64_t net = sqlite3_column_int64(stmt, 1), bits = sqlite3_column_int64(stmt, 2);

	if (db_column_copy(stmt, 0, ret->id, sizeof(ret->id)) < 0 || net < 0 || net > UINT32_MAX ||
	    bits < 0 || bits > 32)
		return err_set(err, -EIO,
			       "the database holds a cluster with an invalid id or subnet: it is "
			       "damaged. Put a backup in its place.");
	ret->subnet = (struct prefix4){ (ip4)net, (uint8_t)bits };
	return 0;
}

int db_clusters(struct db *d, int (*fn)(void *ctx, const struct db_cluster *c), void *ctx,
		struct err *err)
{
	struct db_cluster c;
	sqlite3_stmt *stmt;
	int step = SQLITE_DONE;
	int r = db_prepare(d, "SELECT id, net, bits FROM cluster ORDER BY created_s, id", &stmt,
			   err);

	if (r < 0)
		return r;
	while (r == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = cluster_row(stmt, &c, err);
		if (r == 0)
			r = fn(ctx, &c);
	}
	if (r == 0 && step != SQLITE_DONE)
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

int db_record_add(struct db *d, const uint8_t cluster_id[HASH_LEN], uint64_t seq,
		  struct span record, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "INSERT INTO record (cluster, seq, bytes) VALUES (?, ?, ?)", &stmt,
			   err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)seq);
	sqlite3_bind_blob64(stmt, 3, record.data, record.len, SQLITE_STATIC);
	return db_write(d, stmt, err);
}

int db_records_drop(struct db *d, const uint8_t cluster_id[HASH_LEN], uint64_t from,
		    struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "DELETE FROM record WHERE cluster = ? AND seq >= ?", &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_int64(stmt, 2, (int64_t)from);
	return db_write(d, stmt, err);
}

int db_records(struct db *d, const uint8_t cluster_id[HASH_LEN],
	       int (*fn)(void *ctx, uint64_t seq, struct span record), void *ctx, struct err *err)
{
	sqlite3_stmt *stmt;
	int step = SQLITE_DONE;
	int r = db_prepare(d, "SELECT seq, bytes FROM record WHERE cluster = ? ORDER BY seq", &stmt,
			   err);

	if (r < 0)
		return r;
	sqlite3_bind_blob(stmt, 1, cluster_id, HASH_LEN, SQLITE_STATIC);
	while (r == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW)
		r = fn(ctx, (uint64_t)sqlite3_column_int64(stmt, 0),
		       span_of(sqlite3_column_blob(stmt, 1),
			       (size_t)sqlite3_column_bytes(stmt, 1)));
	if (r == 0 && step != SQLITE_DONE)
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

int db_address_highest(struct db *d, struct prefix4 subnet, ip4 *ret, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "SELECT max(ip) FROM address WHERE ip BETWEEN ? AND ?", &stmt, err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, prefix4_first(subnet));
	sqlite3_bind_int64(stmt, 2, prefix4_last(subnet));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		*ret = (ip4)sqlite3_column_int64(stmt, 0); /* 0 for NULL */
	else
		r = db_fail(d, "it cannot be read", err);
	sqlite3_finalize(stmt);
	return r;
}

int db_address_add(struct db *d, ip4 address, const uint8_t cluster_id[HASH_LEN],
		   const struct node_id *node, struct err *err)
{
	sqlite3_stmt *stmt;
	int r = db_prepare(d, "INSERT INTO address (ip, cluster, node) VALUES (?, ?, ?)", &stmt,
			   err);

	if (r < 0)
		return r;
	sqlite3_bind_int64(stmt, 1, address);
	sqlite3_bind_blob(stmt, 2, cluster_id, HASH_LEN, SQLITE_STATIC);
	sqlite3_bind_blob(stmt, 3, node->bytes, sizeof(node->bytes), SQLITE_STATIC);
	return db_write(d, stmt, err);
}
