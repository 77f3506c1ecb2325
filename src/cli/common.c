/* SPDX-License-Identifier: MIT */
/* Errors, arguments and progress, the same for every command. */
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/duration.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/pasted.h"
#include "membership/invite_url.h"
#include "proto/refusal.h"

#define PASTE_WAIT_MS 100
#define LINE_CLEAR "\r\033[K"

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

int cli_fixed_port(const char *text, uint16_t *ret, struct err *err)
{
	uint64_t n = 0;
	int rc = text ? cli_parse_number("--port (or MLSH_PORT)", text, 1, UINT16_MAX, &n, err) : 0;

	*ret = (uint16_t)n;
	return rc;
}

int cli_port_mapping(const char *text, bool *ret_no, struct err *err)
{
	bool off = strcmp(text, "off") == 0;

	if (!off && strcmp(text, "on") != 0)
		return err_set(err, -EINVAL, "port mapping can be 'on' or 'off', not '%.40s'",
			       text);
	*ret_no = off;
	return 0;
}

int cli_log_level(const char *text, enum log_level *ret, struct err *err)
{
	int rc = log_level_parse(text, ret);

	return rc == 0 ? 0
		       : err_set(err, rc, "unknown log level '%.40s': it can be " LOG_LEVELS, text);
}

int cli_parse_seconds(const char *option, const char *text, uint64_t min, uint64_t max,
		      uint64_t *ret, struct err *err)
{
	uint64_t s;

	if (duration_parse(text, &s) < 0 || s < min || s > max)
		return err_set(err, -EINVAL,
			       "%s takes " DURATION_FORMS ", from %llu to %llu s, not '%.40s'",
			       option, (unsigned long long)min, (unsigned long long)max, text);
	*ret = s;
	return 0;
}

int cli_parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
		     uint64_t *ret, struct err *err)
{
	uint64_t v = 0;
	const char *p = text;

	for (; *p >= '0' && *p <= '9' && p - text < 12; p++)
		v = v * 10 + (uint64_t)(*p - '0');
	if (p == text || *p || v < min || v > max)
		return err_set(err, -EINVAL,
			       "%s takes a whole number from %llu to %llu, not '%.40s'", option,
			       (unsigned long long)min, (unsigned long long)max, text);
	*ret = v;
	return 0;
}

/* One line of standard input without its end. Returns its length, -EFBIG if it is longer. */
static ptrdiff_t read_line(char *out, size_t cap)
{
	size_t n = 0;

	while (n < cap - 1 && read(STDIN_FILENO, out + n, 1) == 1 && out[n] != '\n')
		n++;
	if (n == cap - 1)
		return -EFBIG;
	out[n] = '\0';
	return (ptrdiff_t)n;
}

/* A URL that was broken into lines arrives at once: the rest is there already. */
static bool has_more_pasted(const char *text)
{
	struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
	struct invite_url whole;

	if (strncmp(text, "mlsh://", 7) != 0)
		return false;
	if (invite_url_parse(text, &whole, NULL) == 0) {
		invite_url_wipe(&whole);
		return false;
	}
	return poll(&p, 1, PASTE_WAIT_MS) == 1;
}

static ptrdiff_t read_pasted(char *out, size_t cap)
{
	ptrdiff_t n = read_line(out, cap), more;

	if (n < 0)
		return n;
	pasted_clean(out);
	while (has_more_pasted(out)) {
		size_t len = strlen(out);

		more = read_line(out + len, cap - len);
		if (more < 0)
			return more;
		pasted_clean(out + len);
		if (!pasted_continues(out + len)) {
			out[len] = '\0';
			break;
		}
	}
	return (ptrdiff_t)strlen(out);
}

int cli_read_secret(const char *what, const char *arg, char *out, size_t cap, struct err *err)
{
	ptrdiff_t n = (ptrdiff_t)strlen(arg);

	if (strcmp(arg, "-") != 0) {
		if ((size_t)n >= cap)
			return err_set(err, -EFBIG, "the %s is too long (%td characters)", what, n);
		memcpy(out, arg, (size_t)n + 1);
		pasted_clean(out);
		return 0;
	}
	if (isatty(STDIN_FILENO))
		fprintf(stderr, "Paste the %s and press Enter: ", what);
	n = read_pasted(out, cap);
	if (n < 0)
		secret_wipe(out, cap);
	if (n < 0)
		return err_set(err, -EFBIG, "the %s on standard input is too long", what);
	return n ? 0 : err_set(err, -EINVAL, "standard input was empty: paste the %s there", what);
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

static const char *interrupt_words = "";

void progress_at_interrupt(const char *words)
{
	interrupt_words = words;
}

/* Ctrl-C leaves no half line behind on which the shell's prompt would appear. */
static void on_interrupt(int number)
{
	(void)!write(STDERR_FILENO, LINE_CLEAR, strlen(LINE_CLEAR));
	(void)!write(STDERR_FILENO, interrupt_words, strlen(interrupt_words));
	if (getpid() == 1) /* of a container: the kernel keeps the signal from it */
		_exit(128 + number);
	signal(number, SIG_DFL);
	raise(number);
}

static void clear_at_interrupt(void)
{
	if (!signal_is_ignored(SIGINT))
		signal(SIGINT, on_interrupt);
}

static bool progress_shown; /* a line stands on the terminal */

/* Without the escape sequence, lines would pile up one beside the other. */
static bool can_rewrite(void)
{
	return isatty(STDERR_FILENO) && strcmp(cli_env("TERM", "dumb"), "dumb") != 0;
}

void progress_show(const char *fmt, ...)
{
	char line[160];
	va_list ap;

	if (!can_rewrite())
		return;
	progress_shown = true;
	clear_at_interrupt();
	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	text_make_printable(line);
	fprintf(stderr, LINE_CLEAR "%.78s", line);
}

void progress_clear(void)
{
	if (progress_shown)
		fputs(LINE_CLEAR, stderr);
	progress_shown = false;
}
