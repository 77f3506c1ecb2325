/* SPDX-License-Identifier: MIT */
/* Gathers datagrams into runs of one size and destination, and hands the runs to the UDP socket. */
#include "quic/tx.h"

#include <stdlib.h>

#define TX_BUF_BYTES (256 * 1024)

int tx_init(struct tx *tx, struct udp *udp)
{
	*tx = (struct tx){ .udp = udp };
	tx->buf = malloc(TX_BUF_BYTES);
	return tx->buf ? 0 : -ENOMEM;
}

void tx_fini(struct tx *tx)
{
	free(tx->buf);
	tx->buf = NULL;
}

void tx_flush(struct tx *tx)
{
	tx->run_open = false;
	if (tx->n_gone < tx->n_runs)
		tx->n_gone += udp_send(tx->udp, tx->run + tx->n_gone, tx->n_runs - tx->n_gone);
	tx->blocked = tx->n_gone < tx->n_runs;
	if (!tx->blocked)
		tx->used = tx->n_runs = tx->n_gone = 0;
}

uint8_t *tx_reserve(struct tx *tx, size_t need)
{
	if (!tx->blocked && (tx->used + need > TX_BUF_BYTES || tx->n_runs == UDP_BATCH_MAX))
		tx_flush(tx);
	return tx->blocked ? NULL : tx->buf + tx->used;
}

bool tx_room(struct tx *tx, size_t bytes, size_t runs)
{
	if (!tx->blocked && (tx->used + bytes > TX_BUF_BYTES || tx->n_runs + runs > UDP_BATCH_MAX))
		tx_flush(tx);
	return !tx->blocked;
}

static bool run_can_grow(const struct tx *tx, size_t len, const struct addr *to,
			 const struct addr *local, uint8_t ecn)
{
	const struct udp_tx *run = &tx->run[tx->n_runs - 1];

	return tx->run_open && len <= run->segment && run->len + len <= UDP_GSO_BYTES_MAX &&
	       run->len / run->segment < UDP_GSO_SEGMENTS_MAX && run->ecn == ecn &&
	       addr_equal(&run->to, to) && addr_equal(&run->local, local);
}

void tx_commit(struct tx *tx, size_t len, const struct addr *to, const struct addr *local,
	       uint8_t ecn)
{
	uint8_t *data = tx->buf + tx->used;
	struct udp_tx *run;

	if (tx->n_runs > 0 && run_can_grow(tx, len, to, local, ecn)) {
		run = &tx->run[tx->n_runs - 1];
		run->len += len;
	} else {
		run = &tx->run[tx->n_runs++];
		*run = (struct udp_tx){ data, len, len, *to, *local, ecn, 0 };
	}
	tx->run_open = len == run->segment; /* a shorter one is the last of its run */
	tx->used += len;
}

void tx_send(struct tx *tx, const void *data, size_t len, const struct addr *to,
	     const struct addr *local)
{
	uint8_t *at = tx_reserve(tx, len);

	if (!at) {
		tx->dropped++;
		return;
	}
	memcpy(at, data, len);
	tx_commit(tx, len, to, local, 0);
}
