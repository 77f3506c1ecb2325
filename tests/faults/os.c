/* SPDX-License-Identifier: MIT */
/*
 * Calls of os/ that can fail, with an error that a real system gives. Not among them: sending and
 * receiving datagrams, since nobody reports their loss (tests/sim has networks that lose).
 */
#include <errno.h>

#include "base/err.h"
#include "inject.h"
#include "os/exchange.h"
#include "os/fence.h"
#include "os/file.h"
#include "os/local.h"
#include "os/loop.h"
#include "os/manager.h"
#include "os/netconf.h"
#include "os/resolve.h"
#include "os/splitdns.h"
#include "os/tcp.h"
#include "os/tun.h"
#include "os/udp.h"

#define FAILS(name) fault_here(#name, __builtin_return_address(0))

/* A call that returns a negative errno, and one that returns NULL. */
#define DOES(name, parameters, arguments, failure)                                                 \
	__typeof__(name) __real_##name, __wrap_##name;                                             \
	int __wrap_##name parameters                                                               \
	{                                                                                          \
		return FAILS(name) ? (failure) : __real_##name arguments;                          \
	}
#define MAKES(name, type, parameters, arguments, failure)                                          \
	__typeof__(name) __real_##name, __wrap_##name;                                             \
	type *__wrap_##name parameters                                                             \
	{                                                                                          \
		return FAILS(name) ? (failure) : __real_##name arguments;                          \
	}

static int refused(struct err *err, int code, const char *call)
{
	return err_set(err, code, "%s fails in this test: %s", call, strerror(-code));
}

DOES(udp_open,
     (struct host * h, const struct udp_config *cfg, loop_fn readable, void *ctx, struct err *err,
      struct udp **ret),
     (h, cfg, readable, ctx, err, ret), refused(err, -EMFILE, "udp_open"))
DOES(tun_open,
     (struct host * h, const struct tun_config *cfg, loop_fn readable, void *ctx, struct err *err,
      struct tun **ret),
     (h, cfg, readable, ctx, err, ret), refused(err, -EMFILE, "tun_open"))
DOES(tun_write, (struct tun * t, const struct tun_packet *p), (t, p), -EIO)
DOES(tcp_listen,
     (struct host * h, const struct addr *bind, loop_fn ready, void *ctx, struct err *err,
      struct tcp **ret),
     (h, bind, ready, ctx, err, ret), refused(err, -EMFILE, "tcp_listen"))
DOES(tcp_read, (struct tcp * t, void *out, size_t cap), (t, out, cap), -EIO)
DOES(tcp_write, (struct tcp * t, const void *data, size_t len), (t, data, len), -EIO)
DOES(file_read, (struct host * h, const char *path, size_t limit, struct err *err, struct buf *ret),
     (h, path, limit, err, ret), refused(err, -EIO, "file_read"))
DOES(file_read_private,
     (struct host * h, const char *path, size_t limit, struct err *err, struct buf *ret),
     (h, path, limit, err, ret), refused(err, -EIO, "file_read_private"))
DOES(file_write,
     (struct host * h, const char *path, const void *data, size_t len, unsigned mode,
      struct err *err),
     (h, path, data, len, mode, err), refused(err, -ENOSPC, "file_write"))
DOES(file_create,
     (struct host * h, const char *path, const void *data, size_t len, unsigned mode,
      struct err *err),
     (h, path, data, len, mode, err), refused(err, -ENOSPC, "file_create"))
DOES(file_add,
     (struct host * h, const char *path, size_t at, const void *data, size_t len, struct err *err),
     (h, path, at, data, len, err), refused(err, -ENOSPC, "file_add"))
DOES(file_remove, (struct host * h, const char *path), (h, path), -EIO)
DOES(file_forget, (struct host * h, const char *path), (h, path), -EIO)
DOES(file_lock,
     (struct host * h, const char *path, int *ret_pid, struct err *err, struct file_lock **ret),
     (h, path, ret_pid, err, ret), refused(err, -EIO, "file_lock"))
DOES(file_slot_open,
     (struct host * h, const char *path, unsigned mode, struct err *err, struct file_slot **ret),
     (h, path, mode, err, ret), refused(err, -ENOSPC, "file_slot_open"))
DOES(file_slot_write, (struct file_slot * s, const void *data, size_t len), (s, data, len), -ENOSPC)
DOES(dir_make, (struct host * h, const char *path, unsigned mode, struct err *err),
     (h, path, mode, err), refused(err, -ENOSPC, "dir_make"))
DOES(dir_remove, (struct host * h, const char *path), (h, path), -EIO)
DOES(dir_list,
     (struct host * h, const char *path, void (*fn)(void *ctx, const char *name), void *ctx,
      struct err *err),
     (h, path, fn, ctx, err), refused(err, -EIO, "dir_list"))
DOES(local_listen,
     (struct host * h, const char *path, struct local_limits limits, const struct local_ops *ops,
      void *(*accepted)(void *ctx, struct local_conn *c), void *ctx, struct err *err,
      struct local_listener **ret),
     (h, path, limits, ops, accepted, ctx, err, ret), refused(err, -EMFILE, "local_listen"))
DOES(local_connect,
     (struct host * h, const char *path, const struct local_ops *ops, void *ctx, struct err *err,
      struct local_conn **ret),
     (h, path, ops, ctx, err, ret), refused(err, -EMFILE, "local_connect"))
DOES(local_send, (struct local_conn * c, const void *data, size_t len), (c, data, len), -ENOBUFS)
MAKES(fence_new, struct fence, (struct host * h, const char *device, loop_fn changed, void *ctx),
      (h, device, changed, ctx), NULL)
DOES(fence_address, (struct fence * f, ip4 address, bool fenced), (f, address, fenced), -ENOBUFS)
DOES(fence_redirect, (struct fence * f, ip4 address, uint16_t port, uint16_t udp, uint16_t tcp),
     (f, address, port, udp, tcp), -ENOBUFS)
DOES(netif_list, (struct host * h, struct netif_addr *out, size_t max), (h, out, max), -ENOBUFS)
MAKES(netwatch_new, struct netwatch, (struct host * h, const struct netwatch_config *cfg), (h, cfg),
      NULL)
DOES(netwatch_own, (struct netwatch * w, unsigned ifindex, ip4 self), (w, ifindex, self), -ENOMEM)
DOES(netwatch_look,
     (struct netwatch * w, const struct netuses **ret_uses, const struct netown **ret_own),
     (w, ret_uses, ret_own), -ENOBUFS)
DOES(netconf_conflict, (struct host * h, struct prefix4 p, char *ret_what), (h, p, ret_what),
     -ENOBUFS)
DOES(netconf_address_used,
     (struct host * h, ip4 ip, unsigned ignore_ifindex, bool for_self, char *ret_what),
     (h, ip, ignore_ifindex, for_self, ret_what), -ENOBUFS)
DOES(netconf_gateway, (struct host * h, struct gateway *ret), (h, ret), -ENOBUFS)
DOES(netconf_link_up, (struct host * h, unsigned ifindex, struct err *err), (h, ifindex, err),
     refused(err, -ENOBUFS, "netconf_link_up"))
DOES(netconf_link_mtu, (struct host * h, unsigned ifindex, unsigned mtu_bytes, struct err *err),
     (h, ifindex, mtu_bytes, err), refused(err, -ENOBUFS, "netconf_link_mtu"))
DOES(netconf_link_rename, (struct host * h, unsigned ifindex, const char *name, struct err *err),
     (h, ifindex, name, err), refused(err, -ENOBUFS, "netconf_link_rename"))
DOES(netconf_addr_add, (struct host * h, unsigned ifindex, ip4 ip, uint8_t bits, struct err *err),
     (h, ifindex, ip, bits, err), refused(err, -ENOBUFS, "netconf_addr_add"))
DOES(netconf_route_add,
     (struct host * h, unsigned ifindex, struct prefix4 p, ip4 source, struct err *err),
     (h, ifindex, p, source, err), refused(err, -ENOBUFS, "netconf_route_add"))
DOES(netconf_route_del, (struct host * h, unsigned ifindex, struct prefix4 p), (h, ifindex, p),
     -ENOBUFS)
DOES(netconf_rules_add, (struct host * h, struct prefix4 subnet, struct err *err), (h, subnet, err),
     refused(err, -ENOBUFS, "netconf_rules_add"))
DOES(netconf_guard_add, (struct host * h, ip4 ip, struct err *err), (h, ip, err),
     refused(err, -ENOBUFS, "netconf_guard_add"))
DOES(netconf_guard_del, (struct host * h, ip4 ip), (h, ip), -ENOBUFS)
DOES(netconf_cleanup, (struct host * h, struct err *err), (h, err),
     refused(err, -ENOBUFS, "netconf_cleanup"))
DOES(resolve_start,
     (struct host * h, const char *name, uint16_t port, uint64_t timeout_ns, resolve_fn fn,
      void *ctx, struct err *err, struct resolve **ret),
     (h, name, port, timeout_ns, fn, ctx, err, ret), refused(err, -ENOMEM, "resolve_start"))
DOES(splitdns_start,
     (struct host * h, unsigned ifindex, const char *zone, ip4 server, loop_fn changed, void *ctx,
      struct err *err, struct splitdns **ret),
     (h, ifindex, zone, server, changed, ctx, err, ret), refused(err, -ENOMEM, "splitdns_start"))
MAKES(manager_new, struct manager, (struct host * h, manager_status_fn status, void *ctx),
      (h, status, ctx), NULL)
MAKES(timer_new, struct timer, (struct host * h, loop_fn fn, void *ctx), (h, fn, ctx), NULL)
MAKES(deferred_new, struct deferred, (struct host * h, loop_fn fn, void *ctx), (h, fn, ctx), NULL)
DOES(exchange_start,
     (struct host * h, const struct addr *to, struct span request, uint64_t timeout_ns,
      exchange_fn fn, void *ctx, struct exchange **ret),
     (h, to, request, timeout_ns, fn, ctx, ret), -EMFILE)
