/* SPDX-License-Identifier: MIT */
/* Errors, arguments and progress, the same for every command. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/cli.h"
#include "proto/refusal.h"

void cli_complain(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	progress_clear();
	fprintf(stderr, "%s: ", program_invocation_short_name);
	options_wrap(stderr, text, strlen(program_invocation_short_name) + 2, 2);
	fputc('\n', stderr);
}

void cli_note(const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	options_wrap(stderr, text, 0, 0);
	fputc('\n', stderr);
}

int cli_fail(const struct err *err)
{
	cli_complain("%s", err->text[0] ? err->text : "failed for an unknown reason");
	return err->reason == REFUSAL_UNREACHABLE || err->reason == REFUSAL_TIMEOUT
		       ? EXIT_UNREACHABLE
		       : EXIT_FAILED;
}

int cli_usage(const char *command, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	cli_complain("%s", text);
	fprintf(stderr, "`mlsh %s --help` shows how it is used\n", command);
	return EXIT_USAGE;
}

const char *cli_env(const char *name, const char *otherwise)
{
	const char *v = getenv(name);

	return v && *v ? v : otherwise;
}

int cli_port_mapping(const char *text, bool *ret_no, struct err *err)
{
	bool off = strcmp(text, "off") == 0;

	if (!off && strcmp(text, "on") != 0)
		return err_set(err, -EINVAL, "port mapping can be 'on' or 'off', not '%s'", text);
	*ret_no = off;
	return 0;
}

int cli_log_level(const char *text, enum log_level *ret, struct err *err)
{
	int rc = log_level_parse(text, ret);

	return rc == 0 ? 0 : err_set(err, rc, "unknown log level '%s': it can be "
					      "error, warn, info or debug", text);
}

int cli_parse_seconds(const char *option, const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret, struct err *err)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && p - text < 12; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (p == text || *p || v < min || v > max)
		return err_set(err, -EINVAL, "%s takes whole seconds from %llu to %llu, not '%s'",
			       option, (unsigned long long)min, (unsigned long long)max, text);
	*ret = v;
	return 0;
}

int cli_read_secret(const char *what, const char *arg, char *out, size_t cap, struct err *err)
{
	size_t n = 0, from = 0; /* blanks around it are left out */
	ssize_t got = 1;

	if (strcmp(arg, "-") != 0) {
		n = strlen(arg);
		if (n >= cap)
			return err_set(err, -EFBIG, "the %s is too long (%zu characters)", what, n);
		memcpy(out, arg, n + 1);
		return 0;
	}
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Paste the %s and press Enter: ", what);
	while (n < cap - 1 && (got = read(STDIN_FILENO, out + n, 1)) == 1 && out[n] != '\n')
		n++;
	if (n == cap - 1) {
		secret_wipe(out, cap);
		return err_set(err, -EFBIG, "the %s on standard input is too long", what);
	}
	while (n && (out[n - 1] == '\r' || out[n - 1] == ' ' || out[n - 1] == '\t'))
		n--;
	while (from < n && (out[from] == ' ' || out[from] == '\t'))
		from++;
	memmove(out, out + from, n - from);
	n -= from;
	out[n] = '\0';
	if (!n)
		return err_set(err, -EINVAL, "no %s came on standard input", what);
	return 0;
}

int cli_node_name(struct cli *c, const char *name, char out[LABEL_MAX + 1], struct err *err)
{
	char host[256];

	if (name) {
		int rc = label_check("node name", name, err);

		if (rc == 0)
			snprintf(out, LABEL_MAX + 1, "%s", name);
		return rc;
	}
	if (host_name(c->host, host, sizeof(host)) < 0)
		host[0] = '\0';
	label_from_hostname(host, out);
	return 0;
}

void progress_show(const char *fmt, ...)
{
	char line[160];
	va_list ap;

	if (!isatty(STDERR_FILENO))
		return;
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_make_printable(line);
	fprintf(stderr, "\r\033[K%.78s", line);
}

void progress_clear(void)
{
	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr);
}
