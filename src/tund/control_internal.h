/* SPDX-License-Identifier: MIT */
/* What the files of the local socket's server share. */
#ifndef MLSH_TUND_CONTROL_INTERNAL_H
#define MLSH_TUND_CONTROL_INTERNAL_H

#include "os/local.h"
#include "proto/control.h"
#include "tund/control.h"
#include "tund/intake.h"
#include "tund/slices.h"
#include "tund/upload.h"

struct control {
	struct daemon *daemon;
	struct local_listener *listener;
	struct list conns;
	struct upload_debts debts;
};

struct control_conn {
	struct list link;
	struct control *control;
	struct local_conn *conn;
	char watching[LABEL_MAX + 1];
	struct ping *ping;
	struct submit *submit; /* its answer is to come */
	/* a status request that waits for the tunnels' answers */
	struct control_request status;
	unsigned looks; /* left; 0 if no look is left */
	struct timer *look_timer;
	/* its user and CONTROL_GROUP, as of its last request for which that counted */
	enum { GROUP_UNKNOWN, GROUP_MEMBER, GROUP_STRANGER } group;
	bool stuck; /* does not read: a reply was not taken whole, so none may follow */
	bool deaf;  /* its upload failed: what still comes are pieces of it, not requests */
	/* a connect request whose files are awaited */
	enum { UPLOAD_NONE, UPLOAD_WAITS, UPLOAD_RUNS, UPLOAD_JUDGED } upload_state;
	char uploading[LABEL_MAX + 1];
	struct upload upload;
	uint64_t upload_deadline;
	struct timer *upload_timer;
	/* they are here, and are being read */
	struct intake *intake;
	struct user upload_user; /* whose; it is asked for when the connection is gone, too */
	struct slice_job slice;
	uint64_t sign_at; /* when the caller is to be told that this goes on */
	/* a log that it asked for: how far it was sent */
	struct {
		bool runs;
		char cluster[LABEL_MAX + 1];
		uint64_t edition, generation, next;
		struct slice_job slice;
	} log;
};

/* A reply in pieces that fit the socket's messages. A caller that does not read gets no more. */
void control_reply(struct control_conn *c, const void *data, size_t len);
/* The same of a part of one, with or without its end. */
void control_reply_part(struct control_conn *c, const void *data, size_t len, bool last);
void control_reply_json(struct control_conn *c,
			char *json); /* takes it over; NULL without memory */
void control_reply_result(struct control_conn *c, int rc, const struct err *err);

/* May the caller connect clusters that were not connected here before? */
bool control_may_create(struct control_conn *c);

/* --- control_upload.c --- */

void control_connect(struct control_conn *c, struct daemon_cluster *cl,
		     const struct control_request *r);
/* What the connection carries while its upload_state is not UPLOAD_NONE. */
void upload_message(struct control_conn *c, struct span piece);
/* Begins the uploads that wait and now may, in the order in which their connections came. */
void uploads_start(struct control *ctl);
void upload_drop(struct control_conn *c);

/* Requests to one tunnel (control_tunnel.c). */
typedef void control_run(struct control_conn *c, struct daemon_cluster *cl,
			 const struct control_request *r);
control_run control_nodes, control_log, control_invite_made, control_ping, control_netcheck,
	control_why, control_submit;

#endif
