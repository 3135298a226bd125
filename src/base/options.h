/*
 * base/options.h - the options of workers and commands, half of the table of base/config.h.
 */
#ifndef BASE_OPTIONS_H
#define BASE_OPTIONS_H

/* id, flag, environment, type, default, minimum, maximum, doc */
#define OPTIONS_MAP(X)                                                                             \
    X(DATABASE_URL, "database-url", "DATABASE_URL", CONFIG_SECRET, "", 0, 4096,                    \
      "PostgreSQL connection string; empty: PGHOST, PGPORT, PGDATABASE, PGUSER")                   \
    X(WORKSPACE, "workspace", "INFERPIPE_WORKSPACE", CONFIG_TEXT, "default", 1, 63,                \
      "workspace that commands act in and workers serve")                                          \
    X(PROCESSES, "processes", "INFERPIPE_PROCESSES", CONFIG_INT, "1", 1, 256,                      \
      "worker processes that one command runs and watches")                                        \
    X(SLOTS, "slots", "INFERPIPE_SLOTS", CONFIG_INT, "2000", 1, 100000,                            \
      "executions in memory at once, a process")                                                   \
    X(THREADS, "threads", "INFERPIPE_THREADS", CONFIG_INT, "16", 1, 512,                           \
      "threads for steps that may block, a process")                                               \
    X(CONNECTIONS, "connections", "INFERPIPE_CONNECTIONS", CONFIG_INT, "4", 1, 64,                 \
      "database connections for claims and commits, a process, beside the control connection")     \
    X(TX_CONNECTIONS, "tx-connections", "INFERPIPE_TX_CONNECTIONS", CONFIG_INT, "8", 1, 256,       \
      "database connections for transactional steps, a process, opened when needed")               \
    X(DB_QUEUE, "db-queue", "INFERPIPE_DB_QUEUE", CONFIG_INT, "10000", 10, 1000000,                \
      "statements that may wait for a connection, a process")                                      \
    X(CLAIM_BATCH, "claim-batch", "INFERPIPE_CLAIM_BATCH", CONFIG_INT, "500", 1, 1000,             \
      "executions taken by one claim")                                                             \
    X(FLUSH_BATCH, "flush-batch", "INFERPIPE_FLUSH_BATCH", CONFIG_INT, "500", 1, 5000,             \
      "executions written by one commit")                                                          \
    X(LEASE, "lease", "INFERPIPE_LEASE", CONFIG_DURATION, "10s", 1000, 600000,                     \
      "how long a silent worker keeps its executions")                                             \
    X(TICK, "tick", "INFERPIPE_TICK", CONFIG_DURATION, "600ms", 50, 60000,                         \
      "heartbeat, look at the other workers, due check; at most a quarter of the lease")           \
    X(DRAIN, "drain", "INFERPIPE_DRAIN", CONFIG_DURATION, "30s", 0, 3600000,                       \
      "time that running steps get after SIGTERM before they are handed back")                     \
    X(LISTEN, "listen", "INFERPIPE_LISTEN", CONFIG_BOOL, "on", 0, 1,                               \
      "wake up by NOTIFY; off for poolers in transaction mode")                                    \
    X(PREPARE, "prepare", "INFERPIPE_PREPARE", CONFIG_BOOL, "on", 0, 1,                            \
      "use prepared statements; off for poolers without them")                                     \
    X(CRASH_LIMIT, "crash-limit", "INFERPIPE_CRASH_LIMIT", CONFIG_INT, "5", 1, 1000,               \
      "take-overs without progress before an execution runs alone and then fails")                 \
    X(PAYLOAD_INLINE, "payload-inline", "INFERPIPE_PAYLOAD_INLINE", CONFIG_SIZE, "32KiB", 0,       \
      1048576, "payloads up to this size stay in the row")                                         \
    X(PAYLOAD_MAX, "payload-max", "INFERPIPE_PAYLOAD_MAX", CONFIG_SIZE, "4MiB", 1024, 67108864,    \
      "largest input, message or result")                                                          \
    X(EVENT_MAX, "event-max", "INFERPIPE_EVENT_MAX", CONFIG_SIZE, "64KiB", 64, 1048576,            \
      "largest event of a stream")                                                                 \
    X(EVENTS_MAX, "events-max", "INFERPIPE_EVENTS_MAX", CONFIG_INT, "100000", 1, 10000000,         \
      "events of one execution")                                                                   \
    X(STATE_MAX, "state-max", "INFERPIPE_STATE_MAX", CONFIG_SIZE, "64KiB", 64, 1048576,            \
      "largest live state of an execution, or progress of a step")                                 \
    X(RUN_MEMORY, "run-memory", "INFERPIPE_RUN_MEMORY", CONFIG_SIZE, "128MiB", 65536, 4294967296,  \
      "memory for one execution's input and journal")                                              \
    X(JOURNAL_PAGE, "journal-page", "INFERPIPE_JOURNAL_PAGE", CONFIG_INT, "1000", 1, 100000,       \
      "journal rows read by one statement")                                                        \
    X(JOURNAL_MAX, "journal-max", "INFERPIPE_JOURNAL_MAX", CONFIG_INT, "100000", 10, 10000000,     \
      "journal rows of one execution")                                                             \
    X(SPAWN_BATCH, "spawn-batch", "INFERPIPE_SPAWN_BATCH", CONFIG_INT, "1000", 1, 10000,           \
      "children that one execution starts in one commit; more go in several")                      \
    X(IDEMPOTENCY_TTL, "idempotency-ttl", "INFERPIPE_IDEMPOTENCY_TTL", CONFIG_DURATION, "24h",     \
      60000, 31536000000, "how long a start's idempotency key is remembered")                      \
    X(CONNECT_TIMEOUT, "connect-timeout", "INFERPIPE_CONNECT_TIMEOUT", CONFIG_DURATION, "10s",     \
      100, 600000, "to reach the database")                                                        \
    X(STATEMENT_TIMEOUT, "statement-timeout", "INFERPIPE_STATEMENT_TIMEOUT", CONFIG_DURATION,      \
      "10s", 100, 3600000, "one statement of the runtime")                                         \
    X(CRON, "cron", "INFERPIPE_CRON", CONFIG_BOOL, "on", 0, 1,                                     \
      "workers fire the schedules of their workspace")                                             \
    X(CRON_BATCH, "cron-batch", "INFERPIPE_CRON_BATCH", CONFIG_INT, "500", 1, 5000,                \
      "schedules fired by one statement")                                                          \
    X(CRON_GRACE, "cron-grace", "INFERPIPE_CRON_GRACE", CONFIG_DURATION, "1m", 1000, 86400000,     \
      "how late a scheduled time may fire without counting as missed")                             \
    X(CRON_LEASE, "cron-lease", "INFERPIPE_CRON_LEASE", CONFIG_DURATION, "30s", 1000, 600000,      \
      "lease of the lock of the schedules, renewed at a third of it")                              \
    X(LOG_LEVEL, "log-level", "INFERPIPE_LOG_LEVEL", CONFIG_TEXT, "info", 1, 8,                    \
      "debug, info, warn, error or off")                                                           \
    X(LOG_FORMAT, "log-format", "INFERPIPE_LOG_FORMAT", CONFIG_TEXT, "logfmt", 1, 8,               \
      "logfmt or json")                                                                            \
    X(DATA_DIR, "data", "INFERPIPE_DATA", CONFIG_TEXT, ".inferpipe", 1, 80,                        \
      "folder of dev's private PostgreSQL")

#endif
