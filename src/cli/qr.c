/* SPDX-License-Identifier: MIT */
/* QR codes on a terminal, two modules in one character cell. */
#include <qrcodegen/qrcodegen.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/cli.h"

#define QUIET 2 /* light modules around the code */

/* Elsewhere the blocks are three wrong characters each. */
static bool is_utf8(void)
{
	const char *v = cli_env("LC_ALL", cli_env("LC_CTYPE", cli_env("LANG", "")));

	return strcasestr(v, "utf-8") || strcasestr(v, "utf8");
}

bool qr_print(const char *text)
{
	/* upper half, lower half: dark modules are printed as background, so that it reads on a
	 * dark terminal */
	static const char *const cells[2][2] = { { "\xe2\x96\x88", "\xe2\x96\x80" },
						 { "\xe2\x96\x84", " " } };
	if (!is_utf8()) {
		puts("(no QR code: the locale is not UTF-8)");
		return true;
	}
	uint8_t *code = malloc(2 * qrcodegen_BUFFER_LEN_MAX);
	bool ok = code && qrcodegen_encodeText(text, code + qrcodegen_BUFFER_LEN_MAX, code,
					       qrcodegen_Ecc_LOW, qrcodegen_VERSION_MIN,
					       qrcodegen_VERSION_MAX, qrcodegen_Mask_AUTO, true);

	if (ok) {
		int size = qrcodegen_getSize(code);
		struct winsize ws = { 0 };

		if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col &&
		    ws.ws_col < size + 2 * QUIET) {
			printf("(no QR code: it needs %d columns, this terminal has %d)\n",
			       size + 2 * QUIET, ws.ws_col);
			size = -2 * QUIET; /* nothing to draw */
		}

		for (int y = -QUIET; y < size + QUIET; y += 2) {
			for (int x = -QUIET; x < size + QUIET; x++)
				fputs(cells[qrcodegen_getModule(code, x, y)]
					   [qrcodegen_getModule(code, x, y + 1)],
				      stdout);
			putchar('\n');
		}
	}
	if (code)
		secret_wipe(code, 2 * qrcodegen_BUFFER_LEN_MAX);
	free(code);
	return ok;
}
