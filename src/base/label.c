/* SPDX-License-Identifier: MIT */
/* What may be the name of a cluster or a node. */
#include "base/label.h"

/* Character classes without <ctype.h>, which depends on the locale. */
static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

/* What is wrong with a label, as the end of a sentence; NULL if nothing is. */
static const char *label_fault(struct span s)
{
	const char *c = (const char *)s.data;

	if (s.len == 0)
		return "it is empty";
	if (s.len > LABEL_MAX)
		return "it is longer than 63 characters";
	for (size_t i = 0; i < s.len; i++) {
		if (is_upper(c[i]))
			return "it has capital letters; write it in lower case";
		if (c[i] == '.')
			return "it has a dot; give a single word";
		if (!is_lower(c[i]) && !is_digit(c[i]) && c[i] != '-')
			return "only the letters a to z, digits and '-' are allowed";
	}
	if (c[0] == '-' || c[s.len - 1] == '-')
		return "it begins or ends with '-'";
	/* RFC 5891 section 4.2.3.1: "xn--" and its like are reserved for encoded names */
	if (s.len >= 4 && c[2] == '-' && c[3] == '-')
		return "it has \"--\" as third and fourth character, which DNS reserves";
	return NULL;
}

bool label_ok(struct span s)
{
	return label_fault(s) == NULL;
}

int label_check(const char *what, const char *s, struct err *err)
{
	const char *fault = label_fault(span_str(s));

	if (!fault)
		return 0;
	return err_set(err, -EINVAL, "%s \"%.48s\" cannot be used: %s.", what, s, fault);
}

struct special_name {
	const char *name;
	const char *why;
};

/*
 * Top-level names that resolvers treat in a way of their own:
 * https://www.iana.org/assignments/special-use-domain-names
 */
static const struct special_name special_names[] = {
	{ "alt", "RFC 9476 keeps it for names outside of DNS" },
	{ "arpa", "RFC 3172 keeps it for the infrastructure of the Internet" },
	{ "example", "RFC 6761 keeps it for documentation" },
	{ "invalid", "RFC 6761 says that it never resolves" },
	{ "local", "RFC 6762 gives it to multicast DNS (Bonjour, Avahi)" },
	{ "localhost", "RFC 6761 says that it always means the machine itself" },
	{ "onion", "RFC 7686 gives it to Tor" },
	{ "test", "RFC 6761 keeps it for tests of DNS software" },
};

/*
 * Does it look like the last part of an IPv4 address? "10.1" and "10.0x1" are addresses to
 * inet_aton and to browsers (WHATWG URL, "ends in a number"), so a node "10" in a cluster "1" would
 * never be found, or somebody else would.
 */
static bool label_is_number(const char *s)
{
	if (s[0] == '0' && s[1] == 'x')
		return s[2 + strspn(s + 2, "0123456789abcdef")] == '\0';
	return s[strspn(s, "0123456789")] == '\0';
}

int cluster_name_check(const char *s, struct err *err)
{
	int r = label_check("cluster name", s, err);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_LEN(special_names); i++) {
		if (strcmp(s, special_names[i].name) == 0)
			return err_set(err, -EINVAL,
				       "cluster name \"%s\" cannot be used: %s. Choose another, "
				       "such as \"homelab\".",
				       s, special_names[i].why);
	}
	if (label_is_number(s))
		return err_set(err, -EINVAL,
			       "cluster name \"%s\" cannot be used: programs take names that "
			       "end in a number for IPv4 addresses. Choose one with a letter, "
			       "such as \"homelab\".",
			       s);
	return 0;
}

bool cluster_name_is_public_tld(const char *s)
{
	/* two letters: a country's, today or tomorrow (ISO 3166-1 alpha-2) */
	if (is_lower(s[0]) && is_lower(s[1]) && s[2] == '\0')
		return true;
	for (size_t i = 0; public_tlds[i]; i++) {
		if (strcmp(s, public_tlds[i]) == 0)
			return true;
	}
	return false;
}

/* RFC 6762 appendix G, and what resolvers of distributions make up. */
bool cluster_name_is_of_lans(const char *s)
{
	static const char *const names[] = { "corp", "home",	    "internal", "intranet",
					     "lan",  "localdomain", "private" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(s, names[i]) == 0)
			return true;
	}
	return false;
}

void label_from_hostname(const char *hostname, char out[LABEL_MAX + 1])
{
	size_t len = 0;

	/* never two '-' in a row, so the result cannot look like an encoded name either */
	for (const char *c = hostname; *c && *c != '.' && len < LABEL_MAX; c++) {
		if (is_lower(*c) || is_digit(*c))
			out[len++] = *c;
		else if (is_upper(*c))
			out[len++] = (char)(*c - 'A' + 'a');
		else if (len > 0 && out[len - 1] != '-')
			out[len++] = '-';
	}
	while (len > 0 && out[len - 1] == '-')
		len--;
	out[len] = '\0';
	if (len == 0)
		strcpy(out, "node");
}
