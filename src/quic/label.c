/* SPDX-License-Identifier: MIT */
/* Synthetic addresses fd77::/16: labels and generations as ngtcp2 sees them. */
#include "quic/label.h"

#define LABEL_PORT 7

/* fd77:<which>:0:0:<number> */
static void address_set(struct sockaddr_in6 *sa, uint8_t which, uint64_t number)
{
	memset(sa, 0, sizeof(*sa));
	sa->sin6_family = AF_INET6;
	sa->sin6_port = htons(LABEL_PORT);
	sa->sin6_addr.s6_addr[0] = 0xfd;
	sa->sin6_addr.s6_addr[1] = 0x77;
	sa->sin6_addr.s6_addr[3] = which;
	store_be64(sa->sin6_addr.s6_addr + 8, number);
}

static uint64_t address_number(const ngtcp2_addr *a)
{
	const struct sockaddr_in6 *sa = (const struct sockaddr_in6 *)(const void *)a->addr;

	return load_be64(sa->sin6_addr.s6_addr + 8);
}

void label_path_set(struct label_path *p, path_label label, uint64_t generation)
{
	address_set(&p->local, 1, generation);
	address_set(&p->remote, 2, label);
	p->path = (ngtcp2_path){
		.local = { (ngtcp2_sockaddr *)&p->local, sizeof(p->local) },
		.remote = { (ngtcp2_sockaddr *)&p->remote, sizeof(p->remote) },
	};
}

path_label label_of(const ngtcp2_path *path)
{
	return address_number(&path->remote);
}

uint64_t label_generation_of(const ngtcp2_path *path)
{
	return address_number(&path->local);
}
