/* SPDX-License-Identifier: MIT */
/*
 * Where this system keeps what mlsh uses. A port has its own places here, and nothing else names
 * any but in words for people.
 */
#ifndef MLSH_OS_PATHS_H
#define MLSH_OS_PATHS_H

#define CONTROL_SOCKET "/run/mlsh/mlshtund.sock" /* the daemon's local socket */
#define DAEMON_STATE_DIR "/var/lib/mlsh"	 /* where the daemon keeps what it knows */

#define SIGNAL_CONFIG_FILE "/etc/mlsh-signal/config.toml"
#define SIGNAL_DATABASE "/var/lib/mlsh-signal/signal.db"

#define RESOLV_CONF "/etc/resolv.conf" /* the name servers of this machine */

/* A user's folder: in the one that the environment names for configuration, or in the home. */
#define USER_FOLDER "/mlsh"
#define USER_FOLDER_IN_HOME "/.config/mlsh"

#endif
