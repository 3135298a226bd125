/*
 * store/statements.h - every SQL statement of store/ in one table: its name (also the prepared
 * statement's) and its text.  Asynchronous and blocking operations share it, so a function of the
 * schema is called from exactly one text.  Every parameter is cast: the texts are typed the same
 * with and without preparing.
 */
#ifndef STORE_STATEMENTS_H
#define STORE_STATEMENTS_H

#include "pg/pgconn.h"

enum statement {
    /* worker, on the control connection */
    STATEMENT_REGISTER,
    STATEMENT_LANES,
    STATEMENT_BEAT,
    STATEMENT_TICK,
    STATEMENT_REAP_MARK,
    STATEMENT_REAP_RELEASE,
    STATEMENT_LEAVE,
    STATEMENT_MAINTAIN,
    STATEMENT_ROSTER,
    /* executions, on the pool */
    STATEMENT_RETAIN,
    STATEMENT_CLAIM,
    STATEMENT_START_LOCAL,
    STATEMENT_OWNED,
    STATEMENT_CLAIM_LIMITED,
    STATEMENT_QUEUE_REPORT,
    STATEMENT_JOURNAL,
    STATEMENT_FLUSH,
    /* transactional steps */
    STATEMENT_TX_ID,
    STATEMENT_TX_RECORD,
    STATEMENT_TX_SEND,
    /* callers */
    STATEMENT_WORKSPACE,
    STATEMENT_START,
    STATEMENT_START_MANY,
    STATEMENT_SEND,
    STATEMENT_CANCEL,
    STATEMENT_RETRY,
    STATEMENT_DELETE,
    STATEMENT_RETENTION_SET,
    STATEMENT_RETENTION_GET,
    STATEMENT_FORK,
    STATEMENT_MATCHING,
    STATEMENT_REPAIR,
    STATEMENT_GET,
    STATEMENT_STATE,
    /* listings */
    STATEMENT_LIST_ALL,
    STATEMENT_LIST_LIVE,
    STATEMENT_LIST_ENDED,
    STATEMENT_LIST_STEPS,
    STATEMENT_LIST_WORKFLOWS,
    STATEMENT_LIST_WORKERS,
    STATEMENT_DOCTOR,
    STATEMENT_DOCTOR_REPAIR,
    STATEMENT_DB_CLOCK,
    STATEMENT_WORKER_DEAD,
    /* schedules */
    STATEMENT_CRON_LOCK,
    STATEMENT_CRON_DECLARE,
    STATEMENT_CRON_DUE,
    STATEMENT_CRON_FIRE,
    STATEMENT_CRON_RELEASE,
    STATEMENT_CRON_NOW,
    STATEMENT_CRON_PUT,
    STATEMENT_CRON_PAUSE,
    STATEMENT_CRON_TRIGGER,
    STATEMENT_CRON_DELETE,
    STATEMENT_CRON_GET,
    STATEMENT_CRON_HISTORY,
    /* migrations */
    STATEMENT_MIGRATE_LOCK,
    STATEMENT_MIGRATE_UNLOCK,
    STATEMENT_MIGRATE_KNOWN,
    STATEMENT_MIGRATE_APPLIED,
    STATEMENT_MIGRATE_RECORD,
    STATEMENT_MIGRATE_IN_USE,
    STATEMENTS
};

/* Never NULL; lives for ever. */
const struct pgstmt *statements_get(enum statement id);

#endif
