/* SPDX-License-Identifier: MIT */
/*
 * As much of UPnP as mapping a UDP port takes (UPnP Device Architecture 1.1, Internet Gateway
 * Device: WANIPConnection): SSDP to find the gateway's description, HTTP to read it, three SOAP
 * calls. What gateways say is searched for the few things that matter, never copied into a request
 * but for the path of their control point, which is printable text without spaces.
 */
#ifndef MLSH_PROTO_UPNP_H
#define MLSH_PROTO_UPNP_H

#include "base/addr.h"

#define UPNP_SEARCH_PORT 1900
#define UPNP_SEARCH_GROUP 0xeffffffau /* 239.255.255.250 */
#define UPNP_REQUEST_MAX 2048
#define UPNP_PATH_MAX 256
#define UPNP_ERROR_CONFLICT 718 /* the port is somebody else's */
#define UPNP_ERROR_PERMANENT_ONLY 725

/* http://1.2.3.4:5000/path; names are not resolved. */
struct upnp_url {
	struct addr host;
	char path[UPNP_PATH_MAX];
};

enum upnp_service { UPNP_IP1, UPNP_IP2, UPNP_PPP1, UPNP_SERVICES };

/* Where calls go. */
struct upnp_control {
	struct upnp_url url;
	enum upnp_service service;
};

enum upnp_action { UPNP_ADDRESS, UPNP_ADD, UPNP_DELETE };

struct upnp_call {
	enum upnp_action action;
	uint16_t external_port; /* ADD, DELETE */
	uint16_t internal_port; /* ADD */
	ip4 client;		/* ADD: our address */
	uint32_t lease_s;	/* ADD; 0: for good */
};

struct upnp_answer {
	unsigned status; /* of HTTP */
	unsigned error;	 /* errorCode, or 0 */
	ip4 external;	 /* of ADDRESS, or 0 */
};

/* Bytes of the request; -ENOSPC. */
ptrdiff_t upnp_search_encode(void *buf, size_t cap) MUST_CHECK;
ptrdiff_t upnp_get_encode(const struct upnp_url *u, void *buf, size_t cap) MUST_CHECK;
ptrdiff_t upnp_call_encode(const struct upnp_control *c, const struct upnp_call *call, void *buf,
			   size_t cap) MUST_CHECK;
/* -EBADMSG for all three. An answer to a search: where the description is. */
int upnp_search_decode(struct span in, struct upnp_url *ret) MUST_CHECK;
/* The description, which came from `from`: control points of other hosts do not count. -ENOENT */
int upnp_description_decode(struct span in, const struct upnp_url *from, struct upnp_control *ret)
	MUST_CHECK;
int upnp_answer_decode(struct span in, struct upnp_answer *ret) MUST_CHECK;

#endif
