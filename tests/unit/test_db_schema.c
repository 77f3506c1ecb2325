/* SPDX-License-Identifier: MIT */
/* The server's database of another version or program: what is refused, and what is brought up. */
#include "signal/db_schema.h"

#include <sqlite3.h>

#include "db_kit.h"
#include "signal/db_image.h"

#define CODE "ABCD-EFGH-JKMN"

static void sql(const char *statements)
{
	sqlite3 *s = NULL;

	ck_assert_int_eq(sqlite3_open(dbkit_path, &s), SQLITE_OK);
	ck_assert_int_eq(sqlite3_exec(s, statements, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(s);
}

START_TEST(db_refuses_what_is_not_its_own)
{
	struct db *d = NULL;
	char version[40];
	struct err err;
	FILE *f;

	dbkit_begin();
	ck_assert_int_eq(db_open(dbkit_path, false, &err, &d), -ENOENT);
	db_close(dbkit_open_db(dbkit_path));
	sql("PRAGMA user_version = 99");
	ck_assert_int_eq(db_open(dbkit_path, true, &err, &d), -EPROTONOSUPPORT);
	ck_assert_ptr_nonnull(strstr(err.text, dbkit_path));
	ck_assert_ptr_nonnull(strstr(err.text, "upgrade"));
	snprintf(version, sizeof(version), "PRAGMA user_version = %u", schema_version);
	sql(version);
	db_close(dbkit_open_db(dbkit_path)); /* nothing was changed */

	ck_assert_int_eq(unlink(dbkit_path), 0);
	sql("CREATE TABLE theirs (x)");
	ck_assert_int_eq(db_open(dbkit_path, true, &err, &d), -EINVAL);
	ck_assert_int_eq(unlink(dbkit_path), 0);
	f = fopen(dbkit_path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is not a database ", f);
	fclose(f);
	ck_assert_int_lt(db_open(dbkit_path, true, &err, &d), 0);
	ck_assert_int_eq(unlink(dbkit_path), 0);
	ck_assert_int_eq(symlink("/etc/passwd", dbkit_path), 0);
	ck_assert_int_lt(db_open(dbkit_path, true, &err, &d), 0);
	ck_assert_ptr_null(d);
	dbkit_end();
}
END_TEST

START_TEST(migrations_are_whole_or_not_at_all)
{
	static const char *const list[] = {
		"CREATE TABLE a (x); INSERT INTO a VALUES (5);",
		"CREATE TABLE b (x); INSERT INTO b SELECT x + 1 FROM a; DROP TABLE a;",
		"CREATE TABLE c (x); INSERT INTO b VALUES (7); SELECT nonsense FROM nowhere;",
	};
	static const char *const mended[] = { "", "", "UPDATE b SET x = x + 10;" };
	sqlite3_stmt *stmt;
	sqlite3 *s = NULL;
	struct err err;

	dbkit_begin();
	ck_assert_int_eq(sqlite3_open(":memory:", &s), SQLITE_OK);
	ck_assert_int_eq(schema_migrate(s, list, 1, &err), 0);
	ck_assert_int_eq(schema_migrate(s, list, 1, &err), 0); /* nothing to do */
	ck_assert_int_eq(schema_migrate(s, list, 3, &err), -EIO);
	ck_assert_ptr_nonnull(strstr(err.text, "nowhere"));
	/* the second is there, of the third nothing */
	ck_assert_int_eq(sqlite3_prepare_v2(s,
					    "SELECT (SELECT sum(x) FROM b), user_version, "
					    "(SELECT count(*) FROM sqlite_schema) "
					    "FROM pragma_user_version",
					    -1, &stmt, NULL),
			 SQLITE_OK);
	ck_assert_int_eq(sqlite3_step(stmt), SQLITE_ROW);
	ck_assert_int_eq(sqlite3_column_int(stmt, 0), 6);
	ck_assert_int_eq(sqlite3_column_int(stmt, 1), 2);
	ck_assert_int_eq(sqlite3_column_int(stmt, 2), 1);
	sqlite3_finalize(stmt);
	ck_assert_int_eq(schema_migrate(s, mended, 3, &err), 0);
	ck_assert_int_eq(schema_migrate(s, list, 2, &err), -EPROTONOSUPPORT);
	sqlite3_close(s);
	dbkit_end();
}
END_TEST

START_TEST(an_older_database_is_brought_up_with_its_data)
{
	struct code_info info;
	struct buf b = { 0 };
	sqlite3 *s = NULL;
	struct db *d;

	dbkit_begin();
	ck_assert_int_eq(sqlite3_open(dbkit_path, &s), SQLITE_OK);
	ck_assert_int_eq(schema_migrate(s, schema_migrations, 1, NULL), 0);
	ck_assert_int_eq(sqlite3_exec(s, "INSERT INTO setting VALUES ('a', x'0102')", NULL, NULL,
				      NULL),
			 SQLITE_OK);
	sqlite3_close(s);
	d = dbkit_open_db(dbkit_path);
	ck_assert_int_eq(db_setting_get(d, "a", &b, NULL), 0);
	ck_assert_uint_eq(b.len, 2);
	buf_free(&b);
	ck_assert_int_eq(db_code_find(d, CODE, 1, &info, NULL), 0);
	ck_assert_int_eq(info.state, CODE_UNKNOWN);
	db_close(d);
	dbkit_made_with_cluster();
	dbkit_end();
}
END_TEST

/* A backup from before an upgrade: it is read and restored as it is, and stays what it was. */
START_TEST(an_image_of_each_older_database_is_read)
{
	for (unsigned v = 1; v < schema_version; v++) {
		struct buf image = { 0 }, b = { 0 };
		struct err err = { .code = 0 };
		sqlite3 *s = NULL;
		struct db *d;
		int r;

		dbkit_begin();
		ck_assert_int_eq(sqlite3_open(dbkit_path, &s), SQLITE_OK);
		ck_assert_int_eq(schema_migrate(s, schema_migrations, v, NULL), 0);
		ck_assert_int_eq(sqlite3_exec(s, "INSERT INTO setting VALUES ('a', x'0102')", NULL,
					      NULL, NULL),
				 SQLITE_OK);
		sqlite3_close(s);
		r = db_image_take(dbkit_path, &err, NULL, &image);
		ck_assert_msg(r == 0, "%u: %s", v, err.text);
		ck_assert_uint_eq(image.data[63], v); /* user_version */
		r = db_image_open(span_of(image.data, image.len), dbkit_path, &err, &d);
		ck_assert_msg(r == 0, "%u: %s", v, err.text);
		ck_assert_int_eq(db_setting_get(d, "a", &b, NULL), 0);
		ck_assert_int_eq(db_waiting_count(d, NULL), 0);
		db_close(d);
		buf_free(&b);
		buf_free(&image);
		dbkit_end();
	}
}
END_TEST

UNIT_MAIN("signal/db_schema", db_refuses_what_is_not_its_own, migrations_are_whole_or_not_at_all,
	  an_older_database_is_brought_up_with_its_data, an_image_of_each_older_database_is_read)
