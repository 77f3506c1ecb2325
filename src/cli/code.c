/* SPDX-License-Identifier: MIT */
/* Asks for a recovery code; prints one before anything is sent. */
#include "cli/code.h"

#include <json-c/json.h>
#include <stdio.h>
#include <termios.h>
#include <unistd.h>

#include "cli/table.h"
#include "identity/codes.h"

/* One line of standard input, not shown if that is a terminal. */
static int read_line(char out[RECOVERY_CODE_TEXT_MAX], struct err *err)
{
	struct termios shown, hidden;
	bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
	char typed[2 * RECOVERY_CODE_TEXT_MAX];
	int rc;

	if (terminal) {
		hidden = shown;
		/* ^C would leave the terminal like this: it ends the line instead */
		hidden.c_lflag &= ~(tcflag_t)(ECHO | ISIG);
		hidden.c_cc[VEOL] = 3;
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
	}
	rc = cli_read_secret("recovery code", "-", typed, sizeof(typed), err);
	if (terminal) {
		(void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
		fputc('\n', stderr);
	}
	if (rc == 0 && recovery_code_normalise(typed, out) < 0)
		rc = err_set(
			err, -EINVAL,
			"this is not a recovery code: one has seven groups of four letters and "
			"digits, joined by '-'");
	secret_wipe(typed, sizeof(typed));
	return rc;
}

int code_read(const uint8_t salt[32], uint8_t ret_seed[SIGN_SEED_LEN], uint8_t ret_key[KEY_LEN],
	      struct err *err)
{
	char code[RECOVERY_CODE_TEXT_MAX];
	int rc = read_line(code, err);

	if (rc < 0)
		return rc;
	rc = recovery_code_seed(code, salt, ret_seed);
	if (rc == 0)
		rc = seed_public(ret_seed, ret_key);
	secret_wipe(code, sizeof(code));
	return rc < 0 ? err_set(err, rc, "the recovery code needs 64 MiB of memory for a moment")
		      : 0;
}

uint64_t code_record(const struct mlog *log)
{
	struct record r;
	struct entry e;
	uint64_t seq = mlog_count(log) - 1;

	while (seq > 0 && mlog_get(log, seq, &r, &e) == 0 && e.type != ENTRY_RECOVER &&
	       e.type != ENTRY_RENEW)
		seq--;
	return seq;
}

int code_refuse(const struct mlog *log, struct err *err)
{
	const char *cluster = mlog_genesis(log)->name;
	uint64_t seq = code_record(log);
	int rc = err_set(err, -EACCES,
			 "the recovery code is not the one of cluster %s that is in force",
			 cluster);

	if (seq == 0)
		return rc;
	return err_set(err, -EACCES,
		       "the recovery code is not the one of cluster %s that is in force: that was "
		       "printed for record %llu (`mlsh log %s` says when, and who made it)",
		       cluster, (unsigned long long)seq, cluster);
}

bool code_print(const char *cluster, const char *code, bool first, bool json)
{
	struct json_object *o;

	if (!json) {
		printf("%s:\n\n    %s\n\n",
		       first ? "Recovery code (shown only now; keep it on paper: `mlsh recover`\n"
			       "replaces lost admins with it)"
			     : "New recovery code (shown only now; keep it on paper in place of\n"
			       "the old one)",
		       code);
		return fflush(stdout) == 0;
	}
	o = json_object_new_object();
	json_object_object_add(o, "state", json_object_new_string("code"));
	json_object_object_add(o, "cluster", json_object_new_string(cluster));
	json_object_object_add(o, "recovery_code", json_object_new_string(code));
	json_print(o);
	return fflush(stdout) == 0;
}

int code_void(int code)
{
	cli_note("The code that was printed just now is worth nothing: throw it away.");
	return code;
}

int code_announce(struct cli *c, const struct mlog *log, const char *command, bool yes, bool json,
		  const char *question, uint8_t ret_key[KEY_LEN])
{
	const struct genesis *g = mlog_genesis(log);
	char text[RECOVERY_CODE_TEXT_MAX];
	bool printed;
	int code;

	if (!yes && !cli_can_ask())
		return cli_confirm(command, false, question);
	if (recovery_code_new(c->host, g->random, text, ret_key) < 0) {
		cli_complain("cannot make a recovery code: it takes 64 MiB of memory for a moment");
		return EXIT_FAILED;
	}
	printed = code_print(g->name, text, false, json);
	secret_wipe(text, sizeof(text));
	if (!printed) {
		cli_complain("the new recovery code could not be printed; nothing was sent");
		return EXIT_FAILED;
	}
	code = cli_confirm(command, yes, question);
	return code == EXIT_OK ? code : code_void(code);
}
