/* SPDX-License-Identifier: MIT */
/*
 * toml++ behind a C interface: the only C++ here. The document is flattened into a list of dotted
 * keys in the file's order; nothing is thrown past these functions.
 */
#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#define TOML_ENABLE_WINDOWS_COMPAT 0
#include <toml++/toml.hpp>

extern "C" {
#include "base/toml.h"
}

struct toml_item {
	std::string path;
	unsigned line, column;
	const toml::node *node; /* a table only when it is empty */
};

struct toml_doc {
	std::string name;
	toml::table root;
	std::vector<toml_item> items;
};

/* Quoted where a bare key can not be: "a.b" = 1 is not the path a.b. */
static std::string path_part(std::string_view key)
{
	bool bare = !key.empty();

	for (char c : key)
		bare = bare && ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c >= '0' && c <= '9') || c == '_' || c == '-');
	return bare ? std::string(key) : "\"" + std::string(key) + "\"";
}

static void flatten(toml_doc *d, const toml::table &table, const std::string &prefix)
{
	for (auto &&[key, node] : table) {
		std::string path = prefix + path_part(key.str());
		const toml::table *sub = node.as_table();

		if (sub && !sub->empty())
			flatten(d, *sub, path + ".");
		else
			d->items.push_back({ path, key.source().begin.line,
					     key.source().begin.column, &node });
	}
}

static const toml_item *find(const toml_doc *d, const char *key)
{
	for (const toml_item &item : d->items) {
		if (item.path == key)
			return &item;
	}
	return nullptr;
}

static int parse(toml_doc *d, std::string_view text, struct err *err)
{
	toml::parse_result result = toml::parse(text, d->name);

	if (!result) {
		const toml::parse_error &e = result.error();

		return err_set(err, -EINVAL, "%s:%u: %.*s.", d->name.c_str(),
			       (unsigned)e.source().begin.line, (int)e.description().size(),
			       e.description().data());
	}
	d->root = std::move(result).table();
	flatten(d, d->root, "");
	std::stable_sort(d->items.begin(), d->items.end(),
			 [](const toml_item &a, const toml_item &b) {
				 return a.line != b.line ? a.line < b.line : a.column < b.column;
			 });
	return 0;
}

int toml_parse(struct span text, const char *name, struct err *err, struct toml_doc **ret)
{
	toml_doc *d = nullptr;
	int r;

	if (text.len > TOML_TEXT_MAX)
		return err_set(err, -EFBIG, "%s is larger than %d bytes.", name, TOML_TEXT_MAX);
	if (std::count(text.data, text.data + text.len, '.') > TOML_DOTS_MAX)
		return err_set(err, -EINVAL, "%s has more than %d dots.", name, TOML_DOTS_MAX);
	try {
		d = new toml_doc;
		d->name = name;
		r = parse(d, std::string_view((const char *)text.data, text.len), err);
	} catch (...) {
		r = err_set(err, -ENOMEM, "%s: out of memory.", name);
	}
	if (r < 0) {
		delete d;
		return r;
	}
	*ret = d;
	return 0;
}

void toml_free(struct toml_doc *d)
{
	delete d;
}

bool toml_has(const struct toml_doc *d, const char *key)
{
	return find(d, key) != nullptr;
}

unsigned toml_line(const struct toml_doc *d, const char *key)
{
	const toml_item *item = find(d, key);

	return item ? item->line : 0;
}

int toml_err(const struct toml_doc *d, const char *key, struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	return err_set(err, -EINVAL, "%s:%u: %s: %s", d->name.c_str(), toml_line(d, key), key,
		       text);
}

static int missing(const toml_doc *d, const char *key, struct err *err)
{
	return err_set(err, -ENOENT, "%s: the key %s is missing.", d->name.c_str(), key);
}

static int copy_text(const toml_doc *d, const char *key, const toml::node &node, char *ret,
		     size_t cap, struct err *err)
{
	const auto *value = node.as_string();

	if (!value)
		return toml_err(d, key, err, "must be a text in quotes.");
	const std::string &s = value->get();
	if (s.size() >= cap)
		return toml_err(d, key, err, "longer than %zu bytes.", cap - 1);
	if (s.find('\0') != std::string::npos)
		return toml_err(d, key, err, "holds a NUL.");
	memcpy(ret, s.c_str(), s.size() + 1);
	return 0;
}

int toml_get_text(const struct toml_doc *d, const char *key, char *ret, size_t cap,
		  struct err *err)
{
	const toml_item *item = find(d, key);

	return item ? copy_text(d, key, *item->node, ret, cap, err) : missing(d, key, err);
}

int toml_get_uint(const struct toml_doc *d, const char *key, uint64_t max, uint64_t *ret,
		  struct err *err)
{
	const toml_item *item = find(d, key);

	if (!item)
		return missing(d, key, err);
	const auto *value = item->node->as_integer();
	if (!value)
		return toml_err(d, key, err, "must be a whole number.");
	if (value->get() < 0 || (uint64_t)value->get() > max)
		return toml_err(d, key, err, "must be from 0 to %llu.", (unsigned long long)max);
	*ret = (uint64_t)value->get();
	return 0;
}

int toml_get_bool(const struct toml_doc *d, const char *key, bool *ret, struct err *err)
{
	const toml_item *item = find(d, key);

	if (!item)
		return missing(d, key, err);
	const auto *value = item->node->as_boolean();
	if (!value)
		return toml_err(d, key, err, "must be true or false.");
	*ret = value->get();
	return 0;
}

int toml_get_count(const struct toml_doc *d, const char *key, size_t max, size_t *ret,
		   struct err *err)
{
	const toml_item *item = find(d, key);

	if (!item)
		return missing(d, key, err);
	const toml::array *array = item->node->as_array();
	if (!array)
		return toml_err(d, key, err, "must be a list of texts in brackets.");
	if (array->size() > max)
		return toml_err(d, key, err, "has more than %zu elements.", max);
	*ret = array->size();
	return 0;
}

int toml_get_text_at(const struct toml_doc *d, const char *key, size_t i, char *ret, size_t cap,
		     struct err *err)
{
	const toml_item *item = find(d, key);
	const toml::array *array = item ? item->node->as_array() : nullptr;

	if (!array || i >= array->size())
		return missing(d, key, err);
	return copy_text(d, key, (*array)[i], ret, cap, err);
}

bool toml_next_key(const struct toml_doc *d, size_t *pos, const char **ret_key, unsigned *ret_line)
{
	if (*pos >= d->items.size())
		return false;
	*ret_key = d->items[*pos].path.c_str();
	*ret_line = d->items[*pos].line;
	++*pos;
	return true;
}

/* A known key, or an empty table in which known keys may stand. */
static bool is_known(const toml_item &item, const char *const *known)
{
	for (; *known; known++) {
		size_t len = item.path.size();

		if (item.path == *known)
			return true;
		if (item.node->is_table() && strncmp(*known, item.path.c_str(), len) == 0 &&
		    (*known)[len] == '.')
			return true;
	}
	return false;
}

int toml_check_keys(const struct toml_doc *d, const char *const *known, struct err *err)
{
	for (const toml_item &item : d->items) {
		if (!is_known(item, known))
			return err_set(err, -EINVAL, "%s:%u: %s: unknown key.", d->name.c_str(),
				       item.line, item.path.c_str());
	}
	return 0;
}

ptrdiff_t toml_quote(const char *text, char *out, size_t cap)
{
	size_t n = 0;
	bool fits = true;
	auto put = [&](char c) {
		if (n < cap)
			out[n++] = c;
		else
			fits = false;
	};

	put('"');
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\') {
			put('\\');
			put((char)c);
		} else if (c < 0x20 || c == 0x7f) { /* \u00XX */
			for (const char *p = "\\u00"; *p; p++)
				put(*p);
			put("0123456789ABCDEF"[c >> 4]);
			put("0123456789ABCDEF"[c & 15]);
		} else {
			put((char)c);
		}
	}
	put('"');
	put('\0');
	return fits ? (ptrdiff_t)n - 1 : -ENOSPC;
}
