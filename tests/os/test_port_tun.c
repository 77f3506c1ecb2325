/* SPDX-License-Identifier: MIT */
/*
 * What os/tun.h promises of super-packets, and os/udp.h of a socket that belongs to a device: many
 * datagrams of one flow pass as one, and nothing of them is lost, doubled or changed.
 */
#include "os/netconf.h"
#include "os/tun.h"
#include "os/udp.h"
#include "port_kit.h"

#define SELF 0x64600001u   /* 100.96.0.1 */
#define MEMBER 0x64600002u /* 100.96.0.2 */
#define HEADERS 28	   /* of IPv4 and UDP */
#define EACH 100
#define DATAGRAMS 20

static struct host *h;
static struct tun *tun;
static struct udp *ours;
static uint8_t buffer[TUN_READ_BYTES];

/* What came to a socket, or through the device: payload, in order. */
static struct {
	uint8_t data[4 * EACH * DATAGRAMS];
	size_t bytes, datagrams;
} got;

static void got_bytes(const uint8_t *data, size_t len)
{
	ck_assert_uint_le(got.bytes + len, sizeof(got.data));
	memcpy(got.data + got.bytes, data, len);
	got.bytes += len;
	got.datagrams++;
}

static void on_datagrams(void *ctx)
{
	struct udp_rx rx[UDP_BATCH_MAX];
	size_t n = udp_recv(*(struct udp **)ctx, rx, ARRAY_LEN(rx));

	for (size_t i = 0; i < n; i++)
		for (size_t at = 0; at < rx[i].len; at += rx[i].segment)
			got_bytes(rx[i].data + at, MIN(rx[i].segment, rx[i].len - at));
}

/* Read by the test itself. */
static void on_readable(void *ctx)
{
	(void)ctx;
	tun_pause(tun, true);
}

static bool begin(void)
{
	const struct tun_config cfg = { .name_prefix = NETCONF_DEVICE, .mtu_bytes = 1400 };
	const struct prefix4 member = { MEMBER, 32 };

	if (!port_network())
		return false;
	memset(&got, 0, sizeof(got));
	h = port_begin();
	PORT_OK(tun_open(h, &cfg, on_readable, NULL, NULL, &tun));
	PORT_OK(netconf_link_up(h, tun_ifindex(tun), NULL));
	PORT_OK(netconf_addr_add(h, tun_ifindex(tun), SELF, 32, NULL));
	PORT_OK(netconf_route_add(h, tun_ifindex(tun), member, SELF, NULL));
	PORT_OK(udp_open(h, &(struct udp_config){ .bind = addr_v4(SELF, 0) }, on_datagrams, &ours,
			 NULL, &ours));
	return true;
}

static void end(void)
{
	udp_close(ours);
	tun_close(tun);
	port_end();
}

static const uint8_t *payload(void)
{
	static uint8_t data[EACH * DATAGRAMS];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i / EACH + 7 * i);
	return data;
}

static bool all_came(void *ctx)
{
	(void)ctx;
	return got.bytes >= EACH * DATAGRAMS;
}

/* Packets of the device until all came; joined ones count as the datagrams that they stand for. */
static bool all_left(void *ctx)
{
	struct tun_packet p;
	int r;

	while ((r = tun_read(tun, buffer, &p)) > 0) {
		size_t each = p.gso == TUN_GSO_NONE ? EACH : p.gso_size;

		if (p.data[0] >> 4 != 4)
			continue;
		ck_assert(p.gso == TUN_GSO_NONE || p.gso == TUN_GSO_UDP4);
		ck_assert_uint_eq(each, EACH);
		for (size_t at = HEADERS; at < p.len; at += each)
			got_bytes(p.data + at, MIN(each, p.len - at));
	}
	PORT_OK(r);
	return all_came(ctx);
}

START_TEST(a_run_leaves_joined_or_one_by_one)
{
	const struct udp_tx tx = { .data = payload(),
				   .len = EACH * DATAGRAMS,
				   .segment = EACH,
				   .to = addr_v4(MEMBER, 7777) };

	if (!begin())
		return;
	ck_assert_uint_eq(udp_send(ours, &tx, 1), 1);
	port_wait(all_left, NULL, "the run at the device");
	ck_assert_uint_eq(got.datagrams, DATAGRAMS);
	ck_assert_mem_eq(got.data, payload(), EACH * DATAGRAMS);
	end();
}
END_TEST

static uint32_t sum_of(const uint8_t *data, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i += 2)
		sum += (uint32_t)(data[i] << 8 | data[i + 1]);
	return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	at[0] = (uint8_t)(sum >> 8);
	at[1] = (uint8_t)sum;
}

/* A super-packet of the member to our socket (RFC 791 section 3.1, RFC 768). */
static struct tun_packet super_packet(void)
{
	uint16_t len = HEADERS + EACH * DATAGRAMS, port = udp_local(ours).port;
	uint8_t *p = buffer + TUN_HEADROOM;
	const uint8_t header[HEADERS] = {
		0x45,
		0,
		(uint8_t)(len >> 8),
		(uint8_t)len,
		0,
		0,
		0x40,
		0,
		64,
		17,
		0,
		0,
		100,
		96,
		0,
		2,
		100,
		96,
		0,
		1,
		7777 >> 8,
		7777 & 0xff,
		(uint8_t)(port >> 8),
		(uint8_t)port,
		(uint8_t)((len - 20) >> 8),
		(uint8_t)(len - 20),
		0,
		0,
	};
	uint32_t sum;

	memcpy(p, header, HEADERS);
	memcpy(p + HEADERS, payload(), EACH * DATAGRAMS);
	sum = sum_of(p, 20);
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	put_sum(p + 10, ~sum & 0xffff);
	/* the pseudo-header's: addresses, protocol, length */
	put_sum(p + 26, sum_of(p + 12, 8) + 17 + len - 20);
	return (struct tun_packet){ .data = p,
				    .len = len,
				    .gso = TUN_GSO_UDP4,
				    .gso_size = EACH,
				    .hdr_len = HEADERS,
				    .csum_partial = true,
				    .csum_start = 20,
				    .csum_offset = 6 };
}

START_TEST(a_super_packet_arrives_as_its_datagrams)
{
	struct tun_packet p;

	if (!begin())
		return;
	p = super_packet();
	if (tun_can_join(tun, TUN_GSO_UDP4)) {
		PORT_OK(tun_write(tun, &p));
		port_wait(all_came, NULL, "the datagrams");
		ck_assert_uint_eq(got.datagrams, DATAGRAMS);
		ck_assert_mem_eq(got.data, payload(), EACH * DATAGRAMS);
	} else {
		ck_assert_int_eq(tun_write(tun, &p), -EINVAL);
	}
	end();
}
END_TEST

START_TEST(a_malformed_super_packet_is_refused)
{
	struct tun_packet p;

	if (!begin())
		return;
	p = super_packet();
	p.gso_size = 0;
	ck_assert_int_eq(tun_write(tun, &p), -EINVAL);
	p = super_packet();
	p.csum_start = (uint16_t)p.len;
	ck_assert_int_eq(tun_write(tun, &p), -EINVAL);
	p = super_packet();
	p.len = 0;
	ck_assert_int_eq(tun_write(tun, &p), -EINVAL);
	port_pass(20 * NS_PER_MS);
	ck_assert_uint_eq(got.datagrams, 0);
	end();
}
END_TEST

static bool one_came(void *ctx)
{
	(void)ctx;
	return got.datagrams > 0;
}

/* Datagrams of this host to another of its addresses do not come to it. */
START_TEST(a_socket_of_a_device_hears_that_device_only)
{
	struct udp *bound;

	if (!begin())
		return;
	const struct udp_config cfg = { .device = tun_name(tun) };
	struct udp_tx tx = { .data = (const uint8_t *)"x", .len = 1, .segment = 1 };

	PORT_OK(udp_open(h, &cfg, on_datagrams, &bound, NULL, &bound));
	tx.to = port_address(udp_local(bound).port);
	ck_assert_uint_eq(udp_send(ours, &tx, 1), 1);
	tx.local = tx.to;
	port_pass(20 * NS_PER_MS);
	ck_assert_uint_eq(got.datagrams, 0);
	tx.local = (struct addr){ 0 };
	tx.to = addr_v4(SELF, udp_local(bound).port);
	ck_assert_uint_eq(udp_send(ours, &tx, 1), 1);
	port_wait(one_came, NULL, "what was sent to the device's address");
	udp_close(bound);
	end();
}
END_TEST

UNIT_MAIN("port/tun", a_run_leaves_joined_or_one_by_one, a_super_packet_arrives_as_its_datagrams,
	  a_malformed_super_packet_is_refused, a_socket_of_a_device_hears_that_device_only)
