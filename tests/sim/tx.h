/*
 * tests/sim/tx.h - the transactions of transactional steps.
 */
#ifndef TESTS_SIM_TX_H
#define TESTS_SIM_TX_H

struct pg_conn;

/* What a step writes in its transaction: one effect, there exactly when the step's row is. */
void tx_effect(struct pg_conn *conn);

#endif
