/* SPDX-License-Identifier: MIT */
/* The server's configuration: what is read, and messages that name file, line and key. */
#include "signal/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include "crypto/init.h"
#include "identity/identity.h"
#include "os/file.h"
#include "unit.h"

static struct host *host;
static char dir[64], path[128];

static void begin(void)
{
	const char *tmp = getenv("TMPDIR");

	snprintf(dir, sizeof(dir), "%.40s/mlsh-config-XXXXXX", tmp ? tmp : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/config.toml", dir);
	ck_assert_int_eq(crypto_init(NULL), 0);
	ck_assert_int_eq(host_new(NULL, &host), 0);
}

static void end(void)
{
	static const char *const names[] = { "config.toml", "cert.pem", "key.pem" };
	char file[200];

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]);
		unlink(file);
	}
	ck_assert_int_eq(rmdir(dir), 0);
	host_free(host);
}

static void write_text(const char *file, const char *text)
{
	ck_assert_int_eq(file_write(host, file, text, strlen(text), 0600, NULL), 0);
}

static int load(const char *text, struct signal_config *c, struct err *err)
{
	struct config_env env = { .config = path };

	write_text(path, text);
	return config_load(host, &env, c, err);
}

/* Refused, with this message behind the file's name. */
static void refused(const char *text, const char *want)
{
	struct signal_config c = { .bind = { .port = 7 } };
	struct err err = { .code = 0 };
	char message[700];

	ck_assert_int_lt(load(text, &c, &err), 0);
	snprintf(message, sizeof(message), "%s%s", path, want);
	ck_assert_msg(strncmp(err.text, message, strlen(message)) == 0, "%s\nnot %s", err.text,
		      message);
	ck_assert_uint_eq(c.bind.port, 7); /* untouched */
}

START_TEST(config_has_defaults)
{
	struct signal_config c;
	char text[PREFIX4_TEXT_MAX];

	begin();
	ck_assert_int_eq(load("", &c, NULL), 0);
	ck_assert_str_eq(c.db_path, "/var/lib/mlsh-signal/signal.db");
	ck_assert_str_eq(prefix4_format(c.subnet, text), "100.64.0.0/10");
	ck_assert_uint_eq(c.bind.port, 4433);
	ck_assert_str_eq(c.secret, "");
	ck_assert_int_eq(c.log_level, LOG_LEVEL_INFO);
	ck_assert_ptr_null(c.identity);
	ck_assert(!c.no_second_port);
	ck_assert_uint_eq(c.second_port, 0);
	ck_assert_uint_eq(c.relay_node_rate, 0); /* as in config.h */
	ck_assert_uint_eq(c.relay_cluster_rate, 0);
	config_fini(&c);
	end();
}
END_TEST

START_TEST(config_reads_every_key)
{
	struct signal_config c;
	char text[ADDR_TEXT_MAX];

	begin();
	ck_assert_int_eq(load("db = \"/x/y.db\"\noverlay_subnet = \"10.7.0.0/16\"\n"
			      "cluster_secret = \"abcd-efgh-jkmo\"\nlog = \"debug\"\n"
			      "[quic]\nbind = \"192.0.2.1:99\"\nsecond_port = 0\n"
			      "[relay]\nnode_rate = 1000\ncluster_rate = 10_000_000_000\n",
			      &c, NULL),
			 0);
	ck_assert_str_eq(c.db_path, "/x/y.db");
	ck_assert_str_eq(prefix4_format(c.subnet, text), "10.7.0.0/16");
	ck_assert_str_eq(addr_format(&c.bind, text), "192.0.2.1:99");
	ck_assert_str_eq(c.secret, "ABCD-EFGH-JKM0");
	ck_assert_int_eq(c.log_level, LOG_LEVEL_DEBUG);
	ck_assert(c.no_second_port);
	ck_assert_uint_eq(c.relay_node_rate, 1000);
	ck_assert_uint_eq(c.relay_cluster_rate, CONFIG_RELAY_RATE_MAX);
	config_fini(&c);
	ck_assert_str_eq(c.secret, "");
	end();
}
END_TEST

START_TEST(environment_goes_before_the_file)
{
	struct config_env env = { .config = path,
				  .db = "/env.db",
				  .subnet = "172.16.0.0/12",
				  .secret = "0000-0000-0001",
				  .log = "warn" };
	struct signal_config c;
	char text[PREFIX4_TEXT_MAX];

	begin();
	write_text(path, "db = \"/file.db\"\noverlay_subnet = \"10.7.0.0/16\"\nlog = \"debug\"\n");
	ck_assert_int_eq(config_load(host, &env, &c, NULL), 0);
	ck_assert_str_eq(c.db_path, "/env.db");
	ck_assert_str_eq(prefix4_format(c.subnet, text), "172.16.0.0/12");
	ck_assert_str_eq(c.secret, "0000-0000-0001");
	ck_assert_int_eq(c.log_level, LOG_LEVEL_WARN);
	config_fini(&c);
	env.db = ""; /* empty is not set */
	ck_assert_int_eq(config_load(host, &env, &c, NULL), 0);
	ck_assert_str_eq(c.db_path, "/file.db");
	config_fini(&c);
	end();
}
END_TEST

START_TEST(wrong_settings_are_named_with_their_line)
{
	begin();
	refused("[quic]\nbind = \"[::]:1\"\nbnd = 1\n", ":3: quic.bnd: unknown key");
	refused("\n\nport = 1\n", ":3: port: unknown key");
	refused("quic.second_port = 65536\n", ":1: quic.second_port: ");
	refused("quic.second_port = 4433\n", ":1: quic.second_port: it is the port of quic.bind");
	refused("quic.second_port = \"off\"\n", ":1: quic.second_port: ");
	refused("relay.node_rate = -1\n", ":1: relay.node_rate: ");
	refused("relay.cluster_rate = 10_000_000_001\n", ":1: relay.cluster_rate: ");
	refused("relay.cluster_rate = \"fast\"\n", ":1: relay.cluster_rate: ");
	refused("overlay_subnet = \"100.64.0.0/33\"\n", ":1: overlay_subnet: ");
	refused("\noverlay_subnet = \"100.64.0.1/10\"\n", ":2: overlay_subnet: ");
	refused("overlay_subnet = \"8.8.8.0/24\"\n", ":1: overlay_subnet: ");
	refused("overlay_subnet = \"nonsense\"\n", ":1: overlay_subnet: ");
	refused("overlay_subnet = 5\n", ":1: overlay_subnet: must be a text");
	refused("[quic]\nbind = \"localhost:4433\"\n", ":2: quic.bind: ");
	refused("[quic]\nbind = \"[::]:0\"\n", ":2: quic.bind: ");
	refused("log = \"loud\"\n", ":1: log: ");
	refused("cluster_secret = \"short\"\n", ":1: cluster_secret: ");
	refused("a = \n", ":1: ");
	refused("[quic]\ncert_path = \"/x\"\n", ":2: quic.cert_path is set, quic.key_path is not");
	refused("[quic]\nkey_path = \"/x\"\n", ":2: quic.key_path is set, quic.cert_path is not");
	refused("[quic]\nkey_path = \"/nowhere\"\ncert_path = \"/nowhere\"\n",
		":3: quic.cert_path: ");
	end();
}
END_TEST

START_TEST(wrong_variables_are_named)
{
	static char longer[CONFIG_PATH_TEXT_MAX + 1];
	struct signal_config c;
	struct err err;

	begin();
	write_text(path, "");
	memset(longer, 'x', CONFIG_PATH_TEXT_MAX);
	{
		const struct config_env wrong[] = {
			{ .config = path, .subnet = "1.2.3.4" },
			{ .config = path, .log = "all" },
			{ .config = path, .secret = "ABCD" },
			{ .config = path, .db = longer },
		};
		static const char *const names[] = { "MLSH_OVERLAY_SUBNET", "MLSH_LOG",
						     "MLSH_CLUSTER_SECRET", "MLSH_SIGNAL_DB" };

		for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
			ck_assert_int_lt(config_load(host, &wrong[i], &c, &err), 0);
			ck_assert_msg(strncmp(err.text, names[i], strlen(names[i])) == 0, "%s",
				      err.text);
		}
	}
	/* a secret is not repeated in the message */
	ck_assert_int_lt(config_load(host,
				     &(struct config_env){ .config = path, .secret = "MYSECRETX" },
				     &c, &err),
			 0);
	ck_assert_ptr_null(strstr(err.text, "MYSECRET"));
	/* a file that was asked for must be there */
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(config_load(host, &(struct config_env){ .config = path }, &c, &err),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, path));
	end();
}
END_TEST

START_TEST(an_operators_certificate_is_read)
{
	struct identity *id = NULL, *other = NULL;
	struct buf cert = { 0 }, key = { 0 }, unused = { 0 }, other_key = { 0 };
	struct signal_config c;
	char cert_path[200], key_path[200], text[600], want[300];

	begin();
	ck_assert_int_eq(identity_new(host, NULL, &id), 0);
	ck_assert_int_eq(identity_new(host, NULL, &other), 0);
	ck_assert_int_eq(identity_to_pem(id, &cert, &key, NULL), 0);
	ck_assert_int_eq(identity_to_pem(other, &unused, &other_key, NULL), 0);
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	write_text(cert_path, (const char *)cert.data);
	write_text(key_path, (const char *)key.data);
	snprintf(text, sizeof(text), "[quic]\ncert_path = \"%s\"\nkey_path = \"%s\"\n", cert_path,
		 key_path);
	ck_assert_int_eq(load(text, &c, NULL), 0);
	ck_assert_mem_eq(identity_cert_sha256(c.identity), identity_cert_sha256(id), HASH_LEN);
	config_fini(&c);

	snprintf(want, sizeof(want), ":2: quic.cert_path");
	write_text(key_path, (const char *)other_key.data); /* they do not belong together */
	refused(text, want);
	write_text(cert_path, "-----BEGIN NONSENSE-----\n");
	refused(text, want);
	ck_assert_int_eq(unlink(key_path), 0);
	refused(text, ":3: quic.key_path");
	buf_free(&cert);
	buf_free(&key);
	buf_free(&unused);
	buf_free(&other_key);
	identity_free(id);
	identity_free(other);
	end();
}
END_TEST

/* systemd's copies of files that only root may read; those of the configuration are not there. */
START_TEST(credentials_go_before_the_files)
{
	struct identity *id = NULL;
	struct buf cert = { 0 }, key = { 0 };
	struct config_env env = { .config = path, .credentials = dir };
	struct signal_config c;
	struct err err = { 0 };
	char cert_path[200], key_path[200];

	begin();
	ck_assert_int_eq(identity_new(host, NULL, &id), 0);
	ck_assert_int_eq(identity_to_pem(id, &cert, &key, NULL), 0);
	snprintf(cert_path, sizeof(cert_path), "%s/cert.pem", dir);
	snprintf(key_path, sizeof(key_path), "%s/key.pem", dir);
	write_text(path, "[quic]\ncert_path = \"/none/cert\"\nkey_path = \"/none/key\"\n");
	ck_assert_int_eq(config_load(host, &env, &c, &err), -ENOENT);
	write_text(cert_path, (const char *)cert.data);
	ck_assert_int_eq(config_load(host, &env, &c, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "/none/key"));
	write_text(key_path, (const char *)key.data);
	ck_assert_int_eq(config_load(host, &env, &c, NULL), 0);
	ck_assert_mem_eq(identity_cert_sha256(c.identity), identity_cert_sha256(id), HASH_LEN);
	ck_assert_str_eq(c.cert_path, cert_path);
	ck_assert_str_eq(c.key_path, key_path);
	config_fini(&c);
	write_text(path, ""); /* they are not asked for */
	ck_assert_int_eq(config_load(host, &env, &c, NULL), 0);
	ck_assert_ptr_null(c.identity);
	config_fini(&c);
	buf_free(&cert);
	buf_free(&key);
	identity_free(id);
	end();
}
END_TEST

UNIT_MAIN("signal/config", config_has_defaults, config_reads_every_key,
	  environment_goes_before_the_file, wrong_settings_are_named_with_their_line,
	  wrong_variables_are_named, an_operators_certificate_is_read,
	  credentials_go_before_the_files)
