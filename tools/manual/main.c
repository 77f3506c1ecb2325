/* SPDX-License-Identifier: MIT */
/*
 * manual SOURCES PAGES TEMPLATES COMPLETIONS: writes all man pages and completions into the folders
 * PAGES and COMPLETIONS.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/daemon_options.h"
#include "client/cluster_file.h"
#include "signal/config.h"
#include "signal/usage.h"

#include "manual.h"

void manual_die(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("manual: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	exit(1);
}

FILE *manual_open(const char *folder, const char *name, const char *mode)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	f = fopen(path, mode);
	if (!f)
		manual_die("%s cannot be opened: %m", path);
	return f;
}

void manual_close(FILE *f, const char *name)
{
	int lost = ferror(f);

	if (fclose(f) != 0 || lost)
		manual_die("%s could not be written: %m", name);
}

static void write_pages(const char *sources, const char *pages)
{
	static const struct page_subject others[] = {
		{ .name = "mlsh", .section = '1' },
		{ .name = "mlshtund", .section = '8', .o = &daemon_options },
		{ .name = "mlsh-signal",
		  .section = '8',
		  .o = &usage_options,
		  .has_commands = true },
		{ .name = "mlsh-signal.toml", .section = '5', .keys = config_keys },
		{ .name = "mlsh-cluster.toml", .section = '5', .keys = cluster_file_keys },
	};

	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		page_write(sources, pages, &others[i]);
	for (size_t g = 0; g < COMMAND_GROUPS; g++) {
		for (size_t i = 0; command_groups[g].command[i]; i++) {
			const struct command *c = command_groups[g].command[i];
			char name[40];

			snprintf(name, sizeof(name), "mlsh-%s", c->name);
			page_write(sources, pages,
				   &(struct page_subject){ .name = name,
							   .section = '1',
							   .summary = c->summary,
							   .o = &c->options });
		}
	}
}

static struct completed command_line(void)
{
	struct completed c = { .program = "mlsh", .helps = true };

	for (size_t g = 0; g < COMMAND_GROUPS; g++) {
		for (size_t i = 0; command_groups[g].command[i]; i++, c.commands++) {
			const struct command *one = command_groups[g].command[i];

			c.command[c.commands].name = one->name;
			c.command[c.commands].summary = one->summary;
			c.command[c.commands].o = &one->options;
		}
	}
	return c;
}

static struct completed server(void)
{
	struct completed c = { .program = "mlsh-signal", .own = &usage_options };

	for (; c.commands < USAGE_COMMANDS; c.commands++) {
		c.command[c.commands].name = usage_commands[c.commands].name;
		c.command[c.commands].summary = usage_commands[c.commands].summary;
		c.command[c.commands].o = usage_commands[c.commands].options;
	}
	return c;
}

static void write_completions(const char *templates, const char *folder)
{
	struct completed c[] = { command_line(),
				 { .program = "mlshtund", .own = &daemon_options },
				 server() };
	static const struct {
		const char *before, *behind; /* the name of the program */
		void (*write)(FILE *f, const char *templates, const struct completed *c);
	} shells[] = { { "", ".bash", bash_write },
		       { "_", "", zsh_write },
		       { "", ".fish", fish_write } };

	for (size_t i = 0; i < ARRAY_LEN(c); i++) {
		for (size_t k = 0; k < ARRAY_LEN(shells); k++) {
			char name[40];
			FILE *f;

			snprintf(name, sizeof(name), "%s%s%s", shells[k].before, c[i].program,
				 shells[k].behind);
			f = manual_open(folder, name, "w");
			shells[k].write(f, templates, &c[i]);
			manual_close(f, name);
		}
	}
}

int main(int argc, char **argv)
{
	if (argc != 5)
		manual_die("usage: manual SOURCES PAGES TEMPLATES COMPLETIONS");
	write_pages(argv[1], argv[2]);
	write_completions(argv[3], argv[4]);
	return 0;
}
