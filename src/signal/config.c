/* SPDX-License-Identifier: AGPL-3.0-only */
/* Reads the server's configuration. */
#include "signal/config.h"

#include <stdio.h>

#include "base/toml.h"
#include "identity/codes.h"
#include "identity/identity.h"
#include "os/file.h"

#define CONFIG_FILE_MAX 65536
#define PEM_FILE_MAX 65536
#define CREDENTIAL_CERT "cert.pem"
#define CREDENTIAL_KEY "key.pem"

const char *const config_keys[] = {
	"db",
	"cluster_secret",
	"overlay_subnet",
	"log",
	"quic.bind",
	"quic.cert_path",
	"quic.key_path",
	"quic.second_port",
	"relay.node_rate",
	"relay.cluster_rate",
	NULL,
};

/* A value and where it came from, for messages: "file:line: key" or the variable's name. */
struct setting {
	char value[CONFIG_PATH_TEXT_MAX];
	char origin[CONFIG_PATH_TEXT_MAX + 64];
};

/* From the file, over a default. */
static int setting_read(const struct toml_doc *doc, const char *name, const char *key,
			struct setting *s, struct err *err)
{
	if (!doc || !toml_has(doc, key))
		return 0;
	snprintf(s->origin, sizeof(s->origin), "%s:%u: %s", name, toml_line(doc, key), key);
	return toml_get_text(doc, key, s->value, sizeof(s->value), err);
}

/* From the environment, over what the file says. */
static int setting_override(const char *variable, const char *value, struct setting *s,
			    struct err *err)
{
	if (!value || !*value)
		return 0;
	if (strlen(value) >= sizeof(s->value))
		return err_set(err, -EINVAL, "%s is longer than %zu bytes.", variable,
			       sizeof(s->value) - 1);
	strcpy(s->value, value);
	snprintf(s->origin, sizeof(s->origin), "%s", variable);
	return 0;
}

static struct setting setting_of(const char *value)
{
	struct setting s = { .origin = "built-in default" };

	snprintf(s.value, sizeof(s.value), "%s", value);
	return s;
}

static int read_doc(struct host *h, const struct config_env *env, const char **ret_name,
		    struct toml_doc **ret, struct err *err)
{
	bool asked_for = env->config && *env->config;
	const char *path = asked_for ? env->config : CONFIG_PATH_DEFAULT;
	struct buf text = { 0 };
	int r;

	*ret_name = path;
	r = file_read(h, path, CONFIG_FILE_MAX, err, &text);
	if (r == -ENOENT && !asked_for)
		return 0;
	if (r == -EACCES)
		(void)err_set(err, r,
			      "cannot read %s: permission denied. Let the group of the server's "
			      "user read it: sudo chgrp mlsh-signal %s && sudo chmod g+r %s",
			      path, path, path);
	if (r < 0)
		return asked_for ? err_prefix(err, "MLSH_SIGNAL_CONFIG") : r;
	r = toml_parse(span_of(text.data, text.len), path, err, ret);
	buf_free(&text);
	if (r == 0)
		r = toml_check_keys(*ret, config_keys, err);
	return r;
}

/* systemd hands over a file that only root can read as a copy with this name. */
static void prefer_credential(struct host *h, const struct config_env *env, const char *name,
			      struct setting *s)
{
	char path[CONFIG_PATH_TEXT_MAX];
	int n;

	if (!*s->value || !env->credentials || !*env->credentials)
		return;
	n = snprintf(path, sizeof(path), "%s/%s", env->credentials, name);
	if (n > 0 && (size_t)n < sizeof(path) && file_exists(h, path))
		strcpy(s->value, path);
}

static int read_pem(struct host *h, const struct setting *s, const char *credential,
		    struct buf *ret, struct err *err)
{
	int r = file_read(h, s->value, PEM_FILE_MAX, err, ret);

	if (r == -EACCES)
		return err_set(err, r,
			       "%s: cannot read %s: permission denied. Where only root can, let "
			       "systemd hand it over: `systemctl edit mlsh-signal`, [Service], "
			       "LoadCredential=%s:%s",
			       s->origin, s->value, credential, s->value);
	return r < 0 ? err_prefix(err, "%s", s->origin) : 0;
}

/* The operator's own certificate: both paths or none. */
static int read_identity(struct host *h, const struct setting *cert, const struct setting *key,
			 struct identity **ret, struct err *err)
{
	struct buf cert_pem = { 0 }, key_pem = { 0 };
	int r;

	if (!*cert->value && !*key->value)
		return 0;
	if (!*cert->value)
		return err_set(err, -EINVAL,
			       "%s is set, quic.cert_path is not: set both or "
			       "neither.",
			       key->origin);
	if (!*key->value)
		return err_set(err, -EINVAL,
			       "%s is set, quic.key_path is not: set both or "
			       "neither.",
			       cert->origin);
	r = read_pem(h, cert, CREDENTIAL_CERT, &cert_pem, err);
	if (r == 0)
		r = read_pem(h, key, CREDENTIAL_KEY, &key_pem, err);
	if (r == 0) {
		r = identity_from_pem(span_of(cert_pem.data, cert_pem.len),
				      span_of(key_pem.data, key_pem.len), true, err, ret);
		if (r < 0)
			r = err_prefix(err, "%s", cert->origin);
	}
	buf_free(&cert_pem);
	buf_free(&key_pem);
	return r;
}

static int parse_subnet(const struct setting *s, struct prefix4 *ret, struct err *err)
{
	int r = prefix4_parse(s->value, ret, err);

	if (r == 0)
		r = overlay_subnet_check(*ret, err);
	return r < 0 ? err_prefix(err, "%s", s->origin) : 0;
}

static int parse_small(struct signal_config *c, const struct setting *bind,
		       const struct setting *secret, const struct setting *log, struct err *err)
{
	if (addr_parse(bind->value, &c->bind) < 0 || c->bind.port == 0)
		return err_set(err, -EINVAL,
			       "%s: \"%s\" is not an address and port like [::]:4433 or "
			       "192.0.2.1:4433.",
			       bind->origin, bind->value);
	if (*secret->value && bootstrap_code_normalise(secret->value, c->secret) < 0)
		return err_set(err, -EINVAL,
			       "%s: not a code of the form XXXX-XXXX-XXXX (digits and letters "
			       "without I, L, O and U).",
			       secret->origin);
	if (log_level_parse(log->value, &c->log_level) < 0)
		return err_set(err, -EINVAL,
			       "%s: unknown log level '%.40s': it can be " LOG_LEVELS ".",
			       log->origin, log->value);
	return 0;
}

/* In bytes per second; stays 0, no fixed rate, if the file does not say. */
static int read_rate(const struct toml_doc *doc, const char *key, uint64_t *ret, struct err *err)
{
	if (!doc || !toml_has(doc, key))
		return 0;
	return toml_get_uint(doc, key, CONFIG_RELAY_RATE_MAX, ret, err);
}

/* 0 turns the second port off. The first port is known here. */
static int read_second_port(const struct toml_doc *doc, struct signal_config *c, struct err *err)
{
	const char *key = "quic.second_port";
	uint64_t port = 0;
	int r;

	if (!doc || !toml_has(doc, key))
		return 0;
	r = toml_get_uint(doc, key, UINT16_MAX, &port, err);
	if (r == 0 && port == c->bind.port)
		return toml_err(doc, key, err, "it is the port of quic.bind; choose another, or 0");
	c->no_second_port = r == 0 && port == 0;
	c->second_port = (uint16_t)port;
	return r;
}

static int config_read(struct host *h, const struct config_env *env, struct toml_doc **doc,
		       struct signal_config *c, struct err *err)
{
	struct setting db = setting_of(CONFIG_DB_DEFAULT), bind = setting_of(CONFIG_BIND_DEFAULT),
		       subnet = setting_of(CONFIG_SUBNET_DEFAULT), log = setting_of("info"),
		       secret = setting_of(""), cert = setting_of(""), key = setting_of("");
	const char *name;
	int r;

	if ((r = read_doc(h, env, &name, doc, err)) < 0 ||
	    (r = setting_read(*doc, name, "db", &db, err)) < 0 ||
	    (r = setting_read(*doc, name, "cluster_secret", &secret, err)) < 0 ||
	    (r = setting_read(*doc, name, "overlay_subnet", &subnet, err)) < 0 ||
	    (r = setting_read(*doc, name, "log", &log, err)) < 0 ||
	    (r = setting_read(*doc, name, "quic.bind", &bind, err)) < 0 ||
	    (r = setting_read(*doc, name, "quic.cert_path", &cert, err)) < 0 ||
	    (r = setting_read(*doc, name, "quic.key_path", &key, err)) < 0 ||
	    (r = read_rate(*doc, "relay.node_rate", &c->relay_node_rate, err)) < 0 ||
	    (r = read_rate(*doc, "relay.cluster_rate", &c->relay_cluster_rate, err)) < 0 ||
	    (r = setting_override("MLSH_SIGNAL_DB", env->db, &db, err)) < 0 ||
	    (r = setting_override("MLSH_CLUSTER_SECRET", env->secret, &secret, err)) < 0 ||
	    (r = setting_override("MLSH_OVERLAY_SUBNET", env->subnet, &subnet, err)) < 0 ||
	    (r = setting_override("MLSH_LOG", env->log, &log, err)) < 0 ||
	    (r = parse_small(c, &bind, &secret, &log, err)) < 0 ||
	    (r = read_second_port(*doc, c, err)) < 0 ||
	    (r = parse_subnet(&subnet, &c->subnet, err)) < 0)
		goto out;
	prefer_credential(h, env, CREDENTIAL_CERT, &cert);
	prefer_credential(h, env, CREDENTIAL_KEY, &key);
	snprintf(c->path, sizeof(c->path), "%s", name);
	strcpy(c->db_path, db.value);
	strcpy(c->cert_path, cert.value);
	strcpy(c->key_path, key.value);
	r = read_identity(h, &cert, &key, &c->identity, err);
out:
	secret_wipe(&secret, sizeof(secret));
	return r;
}

int config_load(struct host *h, const struct config_env *env, struct signal_config *ret,
		struct err *err)
{
	struct signal_config c = { 0 };
	struct toml_doc *doc = NULL;
	int r = config_read(h, env, &doc, &c, err);

	toml_free(doc);
	if (r < 0) {
		config_fini(&c);
		return r;
	}
	*ret = c;
	secret_wipe(&c, sizeof(c));
	return 0;
}

void config_fini(struct signal_config *c)
{
	if (!c)
		return;
	identity_free(c->identity);
	secret_wipe(c, sizeof(*c));
}
