/* SPDX-License-Identifier: MIT */
/* UPnP: what is said, what is found in what routers say, and what is refused. */
#include <errno.h>

#include "proto/upnp.h"
#include "unit.h"

#define OK "HTTP/1.1 200 OK\r\n"

static struct upnp_url url(void)
{
	return (struct upnp_url){ addr_v4(0xc0a80101, 5000), "/rootDesc.xml" };
}

static int search(const char *text, struct upnp_url *ret)
{
	return upnp_search_decode(span_str(text), ret);
}

START_TEST(searches_are_answered_with_a_place)
{
	struct upnp_url u, want = url();
	static const char *const bad[] = {
		"",
		"HTTP/1.1 200 OK\r\n",
		OK "\r\n",
		OK "ST: x\r\n\r\n",
		"HTTP/1.1 404 Not\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
		"NOTIFY * HTTP/1.1\r\nLOCATION: http://192.168.1.1/\r\n\r\n",
		OK "LOCATION: https://192.168.1.1/\r\n\r\n",
		OK "LOCATION: http://router.lan/\r\n\r\n",
		OK "LOCATION: http://192.168.1.1:0/\r\n\r\n",
		OK "LOCATION: http://192.168.1.1:65536/\r\n\r\n",
		OK "LOCATION: http://192.168.1.1:/\r\n\r\n",
		OK "LOCATION: http://[fe80::1]/\r\n\r\n",
		OK "LOCATION: http://192.168.1.1/a b\r\n\r\n",
		OK "LOCATION: http://192.168.1.1/a\rb\r\n\r\n",
		OK "LOCATION: http://192.168.1.1/",
	};
	char request[UPNP_REQUEST_MAX], text[1024];

	ck_assert_int_eq(upnp_search_encode(request, 20), -ENOSPC);
	ck_assert_int_gt(upnp_search_encode(request, sizeof(request)), 0);
	ck_assert_ptr_nonnull(strstr(request, "\r\nMAN: \"ssdp:discover\"\r\n"));
	ck_assert_int_eq(search(OK "CACHE-CONTROL: max-age=120\r\nlocation:  "
				   "http://192.168.1.1:5000/rootDesc.xml \r\nX: y\r\n\r\n",
				&u),
			 0);
	ck_assert(addr_equal(&u.host, &want.host));
	ck_assert_str_eq(u.path, want.path);
	ck_assert_int_eq(search(OK "LOCATION: http://192.168.1.1\r\n\r\n", &u), 0);
	ck_assert_uint_eq(u.host.port, 80);
	ck_assert_str_eq(u.path, "/");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(search(bad[i], &u) == -EBADMSG, "%zu", i);
	snprintf(text, sizeof(text), OK "LOCATION: http://192.168.1.1/%0300d\r\n\r\n", 0);
	ck_assert_int_eq(search(text, &u), -EBADMSG);
}
END_TEST

#define IP1 "urn:schemas-upnp-org:service:WANIPConnection:1"
#define SERVICE(type, path)                                                                        \
	"<service>\n<serviceType> " type "</serviceType><controlURL>" path "</controlURL></service>"

static int describe(const char *body, struct upnp_control *ret)
{
	struct upnp_url from = url();
	char text[2048];

	snprintf(text, sizeof(text), OK "Content-Length: %zu\r\n\r\n%s", strlen(body), body);
	return upnp_description_decode(span_str(text), &from, ret);
}

START_TEST(the_control_point_is_found)
{
	struct upnp_control c;
	struct upnp_url from = url();

	ck_assert_int_eq(describe("<root>" SERVICE("urn:x:1", "/no") SERVICE(IP1, "/ctl") "</root>",
				  &c),
			 0);
	ck_assert_int_eq(c.service, UPNP_IP1);
	ck_assert_str_eq(c.url.path, "/ctl");
	ck_assert(addr_equal(&c.url.host, &from.host));
	ck_assert_int_eq(describe(SERVICE("urn:schemas-upnp-org:service:WANPPPConnection:1", "x"),
				  &c),
			 0);
	ck_assert_int_eq(c.service, UPNP_PPP1);
	ck_assert_str_eq(c.url.path, "/x");
	ck_assert_int_eq(describe(SERVICE(IP1, "http://192.168.1.1:49152/c"), &c), 0);
	ck_assert_uint_eq(c.url.host.port, 49152);
	/* another host, broken ones, none */
	ck_assert_int_eq(describe(SERVICE(IP1, "http://192.168.1.2:5000/c"), &c), -ENOENT);
	ck_assert_int_eq(describe(SERVICE(IP1, "http://evil.example/c"), &c), -ENOENT);
	ck_assert_int_eq(describe(SERVICE(IP1, "/a\r\nX-Evil: 1"), &c), -ENOENT);
	ck_assert_int_eq(describe("<service><serviceType>" IP1 "</serviceType></service>", &c),
			 -ENOENT);
	ck_assert_int_eq(describe("<service><service><service>", &c), -ENOENT);
	ck_assert_int_eq(describe("", &c), -ENOENT);
	/* cut off; not there */
	ck_assert_int_eq(upnp_description_decode(
				 span_str(OK "Content-Length: 999\r\n\r\n" SERVICE(IP1, "/c")),
				 &from, &c),
			 -EBADMSG);
	ck_assert_int_eq(upnp_description_decode(
				 span_str("HTTP/1.1 404 No\r\nA: b\r\n\r\n" SERVICE(IP1, "/c")),
				 &from, &c),
			 -EBADMSG);
}
END_TEST

START_TEST(calls_are_as_routers_want_them)
{
	struct upnp_control c = { .url = { addr_v4(0xc0a80101, 5000), "/ctl" } };
	struct upnp_call add = { .action = UPNP_ADD,
				 .external_port = 50000,
				 .internal_port = 40000,
				 .client = 0xc0a80102,
				 .lease_s = 3600 };
	char text[UPNP_REQUEST_MAX], length[64];
	const char *body;

	for (int i = UPNP_ADDRESS; i <= UPNP_DELETE; i++) {
		add.action = (enum upnp_action)i;
		ck_assert_int_gt(upnp_call_encode(&c, &add, text, sizeof(text)), 0);
		ck_assert(strncmp(text, "POST /ctl HTTP/1.0\r\nHost: 192.168.1.1:5000\r\n", 44) ==
			  0);
		body = strstr(text, "\r\n\r\n") + 4;
		snprintf(length, sizeof(length), "\r\nContent-Length: %zu\r\n", strlen(body));
		ck_assert_ptr_nonnull(strstr(text, length));
		ck_assert_int_eq(upnp_call_encode(&c, &add, text, 100), -ENOSPC);
	}
	add.action = UPNP_ADD;
	ck_assert_int_gt(upnp_call_encode(&c, &add, text, sizeof(text)), 0);
	ck_assert_ptr_nonnull(strstr(text, "\r\nSOAPAction: \"" IP1 "#AddPortMapping\"\r\n"));
	ck_assert_ptr_nonnull(strstr(text, "<NewExternalPort>50000</NewExternalPort>"));
	ck_assert_ptr_nonnull(strstr(text, "<NewInternalPort>40000</NewInternalPort>"));
	ck_assert_ptr_nonnull(strstr(text, "<NewInternalClient>192.168.1.2</NewInternalClient>"));
	ck_assert_ptr_nonnull(strstr(text, "<NewLeaseDuration>3600</NewLeaseDuration>"));
	/* the longest path fits */
	memset(c.url.path, 'a', sizeof(c.url.path) - 1);
	ck_assert_int_gt(upnp_call_encode(&c, &add, text, sizeof(text)), 0);
}
END_TEST

static int answer(const char *text, struct upnp_answer *ret)
{
	return upnp_answer_decode(span_str(text), ret);
}

START_TEST(answers_are_read)
{
	struct upnp_answer a;

	ck_assert_int_eq(answer(OK "A: b\r\n\r\n<x><NewExternalIPAddress>203.0.113.7"
				   "</NewExternalIPAddress></x>",
				&a),
			 0);
	ck_assert(a.status == 200 && a.error == 0 && a.external == 0xcb007107);
	ck_assert_int_eq(answer(OK "A: b\r\n\r\n<NewExternalIPAddress></NewExternalIPAddress>", &a),
			 0);
	ck_assert_uint_eq(a.external, 0);
	ck_assert_int_eq(answer("HTTP/1.1 500 Internal Server Error\r\nA: b\r\n\r\n"
				"<errorCode> 718 </errorCode>",
				&a),
			 0);
	ck_assert(a.status == 500 && a.error == UPNP_ERROR_CONFLICT);
	ck_assert_int_eq(answer(OK "A: b\r\n\r\n<errorCode>99999</errorCode>", &a), -EBADMSG);
	ck_assert_int_eq(answer(OK "A: b\r\n\r\n<errorCode>x</errorCode>", &a), -EBADMSG);
	ck_assert_int_eq(answer(OK "Content-Length: 5\r\n\r\nabcd", &a), -EBADMSG);
	ck_assert_int_eq(answer(OK "Content-Length: -1\r\n\r\nabcd", &a), -EBADMSG);
	ck_assert_int_eq(answer(OK "Content-Length: 99999999999\r\n\r\nabcd", &a), -EBADMSG);
	ck_assert_int_eq(answer("HTTP/1.1 2x0 OK\r\nA: b\r\n\r\n", &a), -EBADMSG);
	ck_assert_int_eq(answer("ICY 200 OK\r\nA: b\r\n\r\n", &a), -EBADMSG);
}
END_TEST

UNIT_MAIN("unit/proto_upnp", searches_are_answered_with_a_place, the_control_point_is_found,
	  calls_are_as_routers_want_them, answers_are_read)
