/* SPDX-License-Identifier: MIT */
/* Why a connection to the signal server was closed. */
#include "client/rpc_end.h"

#include "client/refuse.h"

#define CONNECTION_REFUSED 0x2 /* RFC 9000 section 20.1 */

static const char *close_words(uint64_t app_error)
{
	switch (app_error) {
	case SIGNAL_CLOSE_BYE:
		return "it said good-bye";
	case SIGNAL_CLOSE_MALFORMED:
		return "it could not read what we sent; are both of the same version?";
	case SIGNAL_CLOSE_REPLACED:
		return "another session of this same node took its place. Is it running twice, or "
		       "was its identity copied to another machine?";
	case SIGNAL_CLOSE_REMOVED:
		return "it says that this node was removed from the cluster, and has shown no "
		       "record of that";
	case SIGNAL_CLOSE_SHUTDOWN:
		return "it is shutting down";
	case SIGNAL_CLOSE_SLOW:
		return "this node was too slow to take what it sent";
	case SIGNAL_CLOSE_UNAUTHENTICATED:
		return "joining took too long";
	case SIGNAL_CLOSE_LIMIT:
		return "it has too many connections";
	default:
		return "for a reason that this version of mlsh does not know";
	}
}

static void end_by_app(struct rpc_end *end, uint64_t app_error, const char *server)
{
	end->closed_by_server = true;
	end->app_error = app_error;
	refuse(&end->err, 0,
	       app_error == SIGNAL_CLOSE_REMOVED ? REFUSAL_NOT_MEMBER : REFUSAL_UNREACHABLE,
	       "the signal server %s closed the connection: %s", server, close_words(app_error));
}

static void end_by_fault(struct rpc_end *end, const struct quic_event *ev, const char *server)
{
	refuse(&end->err, 0, REFUSAL_UNREACHABLE,
	       "the connection to the signal server %s broke: %s (error %llu)", server,
	       ev->detail[0] ? ev->detail : "no reason given", (unsigned long long)ev->error);
}

/* The server takes no more connections, from here or at all: as if it had answered busy. */
static void end_by_refusal(struct rpc_end *end, const char *server)
{
	end->refused = true;
	refuse(&end->err, 0, REFUSAL_BUSY,
	       "the signal server %s takes no more connections at this moment", server);
}

struct rpc_end rpc_end_of(const struct quic_event *ev, const char *server)
{
	struct rpc_end end = { .refused = false };

	switch (ev->reason) {
	case QUIC_CLOSE_REMOTE_APP:
		end_by_app(&end, ev->error, server);
		break;
	case QUIC_CLOSE_TIMEOUT:
	case QUIC_CLOSE_HANDSHAKE_TIMEOUT:
		refuse(&end.err, 0, REFUSAL_TIMEOUT,
		       "the signal server %s does not answer any more", server);
		break;
	case QUIC_CLOSE_RESET:
		end.restarted = true;
		refuse(&end.err, 0, REFUSAL_UNREACHABLE, "the signal server %s was restarted",
		       server);
		break;
	case QUIC_CLOSE_REMOTE:
		if (ev->error == CONNECTION_REFUSED)
			end_by_refusal(&end, server);
		else
			end_by_fault(&end, ev, server);
		break;
	case QUIC_CLOSE_PIN:
	case QUIC_CLOSE_LOCAL:
	case QUIC_CLOSE_TLS:
	case QUIC_CLOSE_PROTOCOL:
	case QUIC_CLOSE_INTERNAL:
		end_by_fault(&end, ev, server);
		break;
	}
	return end;
}
