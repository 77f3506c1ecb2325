/* SPDX-License-Identifier: MIT */
/* Reads a UDP socket's queue of errors. */
#include "os/linux/udp_icmp.h"

#include <errno.h>
#include <time.h>

#include <linux/errqueue.h> /* behind time.h, which it lacks */

#define ERRORS_MAX 16 /* in one call */

/* The part of a message from the queue of errors that says what happened, and who says so. */
static const struct sock_extended_err *error_of(struct msghdr *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if ((c->cmsg_level == SOL_IP && c->cmsg_type == IP_RECVERR) ||
		    (c->cmsg_level == SOL_IPV6 && c->cmsg_type == IPV6_RECVERR))
			return (const void *)CMSG_DATA(c);
	}
	return NULL;
}

static struct addr offender_of(const struct sock_extended_err *e)
{
	union name name = { 0 };
	memcpy(&name, SO_EE_OFFENDER(e), sizeof(name));
	struct addr none = { 0 };
	if (name.any.sa_family != AF_INET && name.any.sa_family != AF_INET6)
		return none;
	struct addr a = addr_of_name(&name);
	a.port = 0;
	return a;
}

/* Reads one error of a datagram that was sent. Returns false if there is no more. */
static bool icmp_take(int fd, struct udp_notes *notes, uint64_t now)
{
	union {
		uint8_t data[CMSG_SPACE(sizeof(struct sock_extended_err) + sizeof(union name)) +
			     CMSG_SPACE(sizeof(struct in6_pktinfo)) +
			     CMSG_SPACE(sizeof(struct in_pktinfo)) + 3 * CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	union name to = { 0 };
	struct msghdr m = { .msg_name = &to,
			    .msg_namelen = sizeof(to),
			    .msg_control = &control,
			    .msg_controllen = sizeof(control) };
	if (recvmsg(fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
		return false;
	const struct sock_extended_err *e = error_of(&m);
	if (!e || e->ee_errno == 0 || m.msg_namelen == 0)
		return true;
	struct addr at = addr_of_name(&to);
	struct udp_refusal why = { .code = -(int)e->ee_errno,
				   .by_network = e->ee_origin == SO_EE_ORIGIN_ICMP ||
						 e->ee_origin == SO_EE_ORIGIN_ICMP6 };
	if (why.by_network)
		why.by = offender_of(e);
	udp_note(notes, now, &at, &why);
	return true;
}

void udp_icmp_take(int fd, struct udp_notes *notes, uint64_t now)
{
	for (int n = 0; n < ERRORS_MAX && icmp_take(fd, notes, now); n++)
		;
}

void udp_icmp_clear(int fd)
{
	int code;
	socklen_t len = sizeof(code);

	(void)!getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len);
}

static bool turn_on(int fd, int level, int name)
{
	const int on = 1;

	return setsockopt(fd, level, name, &on, sizeof(on)) == 0;
}

bool udp_icmp_listen(int fd, bool v6)
{
	bool r = turn_on(fd, SOL_IP, IP_RECVERR);

	if (v6)
		r |= turn_on(fd, SOL_IPV6, IPV6_RECVERR);
	return r;
}
