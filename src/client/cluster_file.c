/* SPDX-License-Identifier: MIT */
/* The cluster file: a node's membership of one cluster, as TOML. */
#include "client/cluster_file.h"

#include <stdio.h>

#include "base/toml.h"
#include "membership/hostport.h"

#define FILE_VERSION 1

const char *const cluster_file_keys[] = {
	"version",     "cluster.name", "cluster.id", "cluster.subnet", "node.name",
	"node.id",     "node.address", "node.token", "signal.host",    "signal.port",
	"signal.cert", "signal.key",   NULL
};

int cluster_file_encode(const struct cluster_file *f, char *out, size_t cap, size_t *ret_len)
{
	char cluster_id[2 * HASH_LEN + 1], token[2 * HASH_LEN + 1], cert[2 * HASH_LEN + 1];
	char key[2 * HASH_LEN + 1], node_id[NODE_ID_TEXT_MAX], address[IP4_TEXT_MAX];
	char subnet[PREFIX4_TEXT_MAX], host[2 * HOST_TEXT_MAX + 3];
	int n;

	if (toml_quote(f->signal_host, host, sizeof(host)) < 0)
		return -ENOSPC;
	hex_encode(f->cluster_id, HASH_LEN, cluster_id);
	hex_encode(f->node_token, HASH_LEN, token);
	hex_encode(f->signal_cert, HASH_LEN, cert);
	hex_encode(f->signal_key, HASH_LEN, key);
	n = snprintf(out, cap,
		     "# What mlsh knows of the cluster %s. Secret: anybody who has this file\n"
		     "# and the identity beside it can pose as this node.\n"
		     "version = %d\n"
		     "\n"
		     "[cluster]\n"
		     "name = \"%s\"\n"
		     "id = \"%s\"\n"
		     "subnet = \"%s\"\n"
		     "\n"
		     "[node]\n"
		     "name = \"%s\"\n"
		     "id = \"%s\"\n"
		     "address = \"%s\"\n"
		     "token = \"%s\"\n"
		     "\n"
		     "[signal]\n"
		     "host = %s\n"
		     "port = %u\n"
		     "cert = \"%s\"\n"
		     "key = \"%s\"\n",
		     f->cluster, FILE_VERSION, f->cluster, cluster_id,
		     prefix4_format(f->subnet, subnet), f->node_name,
		     node_id_format(&f->node_id, node_id), ip4_format(f->address, address), token,
		     host, (unsigned)f->signal_port, cert, key);
	secret_wipe(token, sizeof(token));
	if (n < 0 || (size_t)n >= cap) {
		secret_wipe(out, cap);
		return -ENOSPC;
	}
	*ret_len = (size_t)n;
	return 0;
}

static int need(const struct toml_doc *d, const char *key, struct err *err)
{
	if (toml_has(d, key))
		return 0;
	return toml_err(d, key, err, "this key is missing");
}

static int get_text(const struct toml_doc *d, const char *key, char *ret, size_t cap,
		    struct err *err)
{
	int r = need(d, key, err);

	return r < 0 ? r : toml_get_text(d, key, ret, cap, err);
}

static int get_uint(const struct toml_doc *d, const char *key, uint64_t max, uint64_t *ret,
		    struct err *err)
{
	int r = need(d, key, err);

	return r < 0 ? r : toml_get_uint(d, key, max, ret, err);
}

static int get_label(const struct toml_doc *d, const char *key, char ret[LABEL_MAX + 1],
		     struct err *err)
{
	int r = get_text(d, key, ret, LABEL_MAX + 1, err);

	if (r < 0)
		return r;
	if (!label_ok(span_str(ret)))
		return toml_err(d, key, err, "\"%s\" is not a name (a to z, digits, '-')", ret);
	return 0;
}

static int get_hex(const struct toml_doc *d, const char *key, uint8_t *ret, size_t len,
		   struct err *err)
{
	char text[2 * HASH_LEN + 1];
	int r = get_text(d, key, text, sizeof(text), err);

	if (r < 0)
		return r;
	r = hex_decode(text, strlen(text), ret, len);
	secret_wipe(text, sizeof(text));
	if (r < 0)
		return toml_err(d, key, err, "%zu lower-case hexadecimal digits are needed",
				2 * len);
	return 0;
}

static int get_address(const struct toml_doc *d, const char *key, ip4 *ret, struct err *err)
{
	char text[IP4_TEXT_MAX];
	int r = get_text(d, key, text, sizeof(text), err);

	if (r < 0)
		return r;
	if (ip4_parse(text, ret) < 0)
		return toml_err(d, key, err, "\"%s\" is not an IPv4 address", text);
	return 0;
}

static int get_subnet(const struct toml_doc *d, const char *key, struct prefix4 *ret,
		      struct err *err)
{
	char text[PREFIX4_TEXT_MAX];
	struct err why = { 0 };
	int r = get_text(d, key, text, sizeof(text), err);

	if (r < 0)
		return r;
	if (prefix4_parse(text, ret, &why) < 0 || overlay_subnet_check(*ret, &why) < 0)
		return toml_err(d, key, err, "%s", why.text);
	return 0;
}

/* The host goes into invites and messages: only what hostport_parse lets through. */
static int get_host(const struct toml_doc *d, struct cluster_file *f, struct err *err)
{
	char text[HOST_TEXT_MAX + 1];
	uint16_t default_port = 0, port;
	struct err why = { 0 };
	int r = get_text(d, "signal.host", text, sizeof(text), err);

	if (r < 0)
		return r;
	r = hostport_parse(text, default_port, f->signal_host, &port, &why);
	if (r < 0)
		return toml_err(d, "signal.host", err, "%s", why.text);
	if (port != default_port)
		return toml_err(d, "signal.host", err, "the port belongs into signal.port");
	return 0;
}

static int decode_doc(const struct toml_doc *d, struct cluster_file *f, struct err *err)
{
	uint64_t version, port;
	int r;

	if ((r = get_uint(d, "version", UINT32_MAX, &version, err)) < 0)
		return r;
	if (version > FILE_VERSION) {
		(void)toml_err(d, "version", err,
			       "this file of version %llu was written by a "
			       "newer mlsh; upgrade this one",
			       (unsigned long long)version);
		if (err)
			err->code = -EPROTONOSUPPORT;
		return -EPROTONOSUPPORT;
	}
	if (version != FILE_VERSION)
		return toml_err(d, "version", err, "0 is not a version");
	if ((r = toml_check_keys(d, cluster_file_keys, err)) < 0 ||
	    (r = get_label(d, "cluster.name", f->cluster, err)) < 0 ||
	    (r = get_hex(d, "cluster.id", f->cluster_id, HASH_LEN, err)) < 0 ||
	    (r = get_subnet(d, "cluster.subnet", &f->subnet, err)) < 0 ||
	    (r = get_label(d, "node.name", f->node_name, err)) < 0 ||
	    (r = get_hex(d, "node.id", f->node_id.bytes, NODE_ID_LEN, err)) < 0 ||
	    (r = get_address(d, "node.address", &f->address, err)) < 0 ||
	    (r = get_hex(d, "node.token", f->node_token, HASH_LEN, err)) < 0 ||
	    (r = get_host(d, f, err)) < 0 ||
	    (r = get_uint(d, "signal.port", UINT16_MAX, &port, err)) < 0 ||
	    (r = get_hex(d, "signal.cert", f->signal_cert, HASH_LEN, err)) < 0 ||
	    (r = get_hex(d, "signal.key", f->signal_key, HASH_LEN, err)) < 0)
		return r;
	if (port == 0)
		return toml_err(d, "signal.port", err, "0 is not a port");
	if (f->address < prefix4_first(f->subnet) || f->address > prefix4_last(f->subnet))
		return toml_err(d, "node.address", err, "it lies outside of cluster.subnet");
	f->signal_port = (uint16_t)port;
	return 0;
}

/* mlsh writes nothing else, and toml++ 3.4 has undefined behaviour for U+FEEF and others. */
static int check_ascii(struct span text, const char *name, struct err *err)
{
	unsigned line = 1;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] == '\n')
			line++;
		if (text.data[i] >= 0x80)
			return err_set(err, -EINVAL,
				       "%s:%u: only ASCII characters are allowed in "
				       "this file",
				       name, line);
	}
	return 0;
}

int cluster_file_decode(struct span text, const char *name, struct cluster_file *ret,
			struct err *err)
{
	struct cluster_file f = { 0 };
	struct toml_doc *d;
	int r;

	if (text.len > CLUSTER_FILE_MAX)
		return err_set(err, -EFBIG, "%s is larger than %d bytes", name, CLUSTER_FILE_MAX);
	r = check_ascii(text, name, err);
	if (r < 0)
		return r;
	r = toml_parse(text, name, err, &d);
	if (r < 0)
		return r;
	r = decode_doc(d, &f, err);
	toml_free(d);
	if (r == 0)
		*ret = f;
	secret_wipe(&f, sizeof(f));
	return r;
}
