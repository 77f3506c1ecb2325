/* SPDX-License-Identifier: MIT */
/*
 * TOML files (toml.io, version 1.0) read through typed getters whose messages name file, line and
 * key. Keys are dotted paths as they stand in the file's tables ("quic.bind"). Behind it is toml++.
 */
#ifndef MLSH_BASE_TOML_H
#define MLSH_BASE_TOML_H

#include "base/bytes.h"
#include "base/err.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TOML_TEXT_MAX 65536 /* bytes of a file */
#define TOML_DOTS_MAX 4096  /* in all of it: dotted keys nest, the parser recurses */

struct toml_doc;

/* `name` is what messages call the file; copied. -EINVAL with file and line, -EFBIG, -ENOMEM. */
int toml_parse(struct span text, const char *name, struct err *err, struct toml_doc **ret)
	MUST_CHECK;
void toml_free(struct toml_doc *d); /* NULL allowed */

bool toml_has(const struct toml_doc *d, const char *key);
/* The line where the key stands, from 1; 0 when it is not there. */
unsigned toml_line(const struct toml_doc *d, const char *key);

/*
 * -ENOENT when the key is not there, -EINVAL when it is of another type or out of bounds; `ret`
 * stays as it was then. Whether a key that may be left out is there says toml_has. `cap` includes
 * the NUL; a text with an embedded NUL is refused.
 */
int toml_get_text(const struct toml_doc *d, const char *key, char *ret, size_t cap, struct err *err)
	MUST_CHECK;
int toml_get_uint(const struct toml_doc *d, const char *key, uint64_t max, uint64_t *ret,
		  struct err *err) MUST_CHECK;

/* "file:line: key: " and the message, for what a getter cannot know to be wrong. -EINVAL. */
int toml_err(const struct toml_doc *d, const char *key, struct err *err, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

/* Is every key one of `known` (NULL-terminated)? -EINVAL names the first that is not. */
int toml_check_keys(const struct toml_doc *d, const char *const *known, struct err *err) MUST_CHECK;

/* Writes `text` as a quoted TOML string with a NUL, for files that mlsh writes. Length, -ENOSPC. */
ptrdiff_t toml_quote(const char *text, char *out, size_t cap) MUST_CHECK;

#ifdef __cplusplus
}
#endif

#endif
