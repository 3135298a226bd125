/*
 * base/metrics_map.h - the table of all metrics; docs/observability.md lists the same table, and
 * make lint compares them.
 *
 * Names end in their unit: _seconds are counted in microseconds and printed in seconds.
 */
#ifndef BASE_METRICS_MAP_H
#define BASE_METRICS_MAP_H

/* id, type, name, label (or NULL), help */
#define METRICS_MAP(X)                                                                             \
    METRICS_HTTP_MAP(X) METRICS_ENGINE_MAP(X) METRICS_PARTS_MAP(X) METRICS_DATABASE_MAP(X)

/* The server. */
#define METRICS_HTTP_MAP(X)                                                                        \
    X(METRIC_HTTP_REQUESTS, COUNTER, "inferpipe_http_requests_total", "route",                     \
      "Requests answered, by the id of their route")                                               \
    X(METRIC_HTTP_RESPONSES, COUNTER, "inferpipe_http_responses_total", "status",                  \
      "Answers by the class of their status: 2xx to 5xx")                                          \
    X(METRIC_HTTP_ERRORS, COUNTER, "inferpipe_http_errors_total", "code",                          \
      "Answers with an error, by its code")                                                        \
    X(METRIC_HTTP_SECONDS, HISTOGRAM, "inferpipe_http_request_duration_seconds", "route",          \
      "From the first byte of a request to the last of its answer")                                \
    X(METRIC_HTTP_ACTIVE, GAUGE, "inferpipe_http_requests_active", NULL, "Requests under way")     \
    X(METRIC_HTTP_CONNECTIONS, GAUGE, "inferpipe_http_connections", NULL,                          \
      "Connections of clients that are open")                                                      \
    X(METRIC_HTTP_ACCEPTED, COUNTER, "inferpipe_http_connections_accepted_total", NULL,            \
      "Connections of clients accepted")                                                           \
    X(METRIC_HTTP_REFUSED, COUNTER, "inferpipe_http_connections_refused_total", NULL,              \
      "Connections refused because a limit was reached")                                           \
    X(METRIC_HTTP_BAD, COUNTER, "inferpipe_http_bad_requests_total", NULL,                         \
      "Requests that were no valid HTTP")                                                          \
    X(METRIC_HTTP_TIMEOUTS, COUNTER, "inferpipe_http_timeouts_total", NULL,                        \
      "Connections closed because the client was too slow")                                        \
    X(METRIC_HTTP_RECEIVED, COUNTER, "inferpipe_http_received_bytes_total", NULL,                  \
      "Bytes read from clients")                                                                   \
    X(METRIC_HTTP_SENT, COUNTER, "inferpipe_http_sent_bytes_total", NULL,                          \
      "Bytes written to clients")                                                                  \
    X(METRIC_AUTH_FAILURES, COUNTER, "inferpipe_auth_failures_total", NULL,                        \
      "Requests without a valid key")                                                              \
    X(METRIC_HTTP_INVOCATIONS, COUNTER, "inferpipe_http_invocations_created_total", NULL,          \
      "Ways through the interceptors that were not in the pool")                                   \
    X(METRIC_HTTP_INTERCEPTOR_FAILURES, COUNTER, "inferpipe_http_interceptor_failures_total",      \
      "interceptor", "Requests that an interceptor failed for")                                    \
    X(METRIC_HTTP_CIRCUITS, COUNTER, "inferpipe_http_circuits_opened_total", "route",              \
      "Times that a route failed so often that it was refused for a while")                        \
    X(METRIC_RATE_LIMITED, COUNTER, "inferpipe_rate_limited_total", NULL,                          \
      "Requests refused by the rate limit of their key")                                           \
    X(METRIC_REPLAYS, COUNTER, "inferpipe_idempotency_replays_total", NULL,                        \
      "Requests answered with what their idempotency key got before")

/* The worker of this process. */
#define METRICS_ENGINE_MAP(X)                                                                      \
    X(METRIC_STARTED, COUNTER, "inferpipe_executions_started_total", "via",                        \
      "Executions that this process started: api, child, local or cron")                           \
    X(METRIC_CLAIMED, COUNTER, "inferpipe_executions_claimed_total", NULL,                         \
      "Executions taken from the queue; one that waited long is taken again")                      \
    X(METRIC_ENDED, COUNTER, "inferpipe_executions_ended_total", "status",                         \
      "Executions that ended here: completed, failed or canceled")                                 \
    X(METRIC_EXECUTION_SECONDS, HISTOGRAM, "inferpipe_execution_duration_seconds", "workflow",     \
      "From the start of an execution to its end")                                                 \
    X(METRIC_START_LAG, HISTOGRAM, "inferpipe_start_lag_seconds", NULL,                            \
      "From the time an execution was ready to the time a worker had it")                          \
    X(METRIC_HELD, GAUGE, "inferpipe_executions_held", NULL, "Executions in memory: slots in use") \
    X(METRIC_SLOTS, GAUGE, "inferpipe_slots", NULL,                                                \
      "Executions that this process may have in memory")                                           \
    X(METRIC_ATTEMPTS, COUNTER, "inferpipe_step_attempts_total", "outcome",                        \
      "Attempts of steps: completed, failed, timed_out or lost")                                   \
    X(METRIC_STEPS, COUNTER, "inferpipe_steps_total", "outcome",                                   \
      "Steps that ended for good: completed or failed")                                            \
    X(METRIC_STEP_SECONDS, HISTOGRAM, "inferpipe_step_duration_seconds", "workflow",               \
      "How long the attempts of steps ran")                                                        \
    X(METRIC_TAKEOVERS, COUNTER, "inferpipe_workers_taken_over_total", NULL,                       \
      "Other workers that this one has found dead")                                                \
    X(METRIC_TAKEN_OVER, COUNTER, "inferpipe_executions_taken_over_total", NULL,                   \
      "Executions of dead workers that were freed")                                                \
    X(METRIC_LEASES_LOST, COUNTER, "inferpipe_leases_lost_total", NULL,                            \
      "Times that this worker was taken for dead and began anew")                                  \
    X(METRIC_FENCED, COUNTER, "inferpipe_commits_fenced_total", NULL,                              \
      "Commits refused because another worker owns the execution")                                 \
    X(METRIC_CLAIM_SECONDS, HISTOGRAM, "inferpipe_claim_duration_seconds", NULL,                   \
      "How long the statement of a claim took")                                                    \
    X(METRIC_CLAIM_SIZE, SIZES, "inferpipe_claim_executions", NULL, "Executions of a claim")       \
    X(METRIC_FLUSH_SECONDS, HISTOGRAM, "inferpipe_flush_duration_seconds", NULL,                   \
      "How long the statement of a group commit took")                                             \
    X(METRIC_FLUSH_SIZE, SIZES, "inferpipe_flush_executions", NULL,                                \
      "Executions of a group commit")                                                              \
    X(METRIC_FLUSH_ERRORS, COUNTER, "inferpipe_flush_errors_total", NULL,                          \
      "Group commits that failed and were sent again")

/* What stands beside it. */
#define METRICS_PARTS_MAP(X)                                                                       \
    X(METRIC_LOOP_LAG, HISTOGRAM, "inferpipe_loop_lag_seconds", NULL,                              \
      "How late the timers of the event loop came")                                                \
    X(METRIC_DB_CONNECTIONS, GAUGE, "inferpipe_db_connections", NULL,                              \
      "Database connections that are up")                                                          \
    X(METRIC_DB_CONNECTS, COUNTER, "inferpipe_db_connects_total", NULL,                            \
      "Database connections made")                                                                 \
    X(METRIC_DB_LOST, COUNTER, "inferpipe_db_connections_lost_total", NULL,                        \
      "Database connections lost or refused")                                                      \
    X(METRIC_DB_STATEMENTS, COUNTER, "inferpipe_db_statements_total", NULL,                        \
      "Statements sent over asynchronous connections")                                             \
    X(METRIC_DB_ERRORS, COUNTER, "inferpipe_db_errors_total", "class",                             \
      "Statements that failed, by the class of their SQLSTATE")                                    \
    X(METRIC_DB_WAIT, HISTOGRAM, "inferpipe_db_wait_seconds", NULL,                                \
      "How long statements waited for a connection, those that had to")                            \
    X(METRIC_CRON_FIRED, COUNTER, "inferpipe_cron_fired_total", NULL,                              \
      "Executions started by schedules")                                                           \
    X(METRIC_CRON_LATE, HISTOGRAM, "inferpipe_cron_lateness_seconds", NULL,                        \
      "From the time a schedule was due to the start of its execution")                            \
    X(METRIC_CRON_MISSED, COUNTER, "inferpipe_cron_missed_total", NULL,                            \
      "Times that a schedule was found to have missed what will not be made up for")               \
    X(METRIC_WEBHOOK_ATTEMPTS, COUNTER, "inferpipe_webhook_attempts_total", "outcome",             \
      "Attempts to deliver a webhook: delivered, refused, failed or gone")                         \
    X(METRIC_WEBHOOK_SECONDS, HISTOGRAM, "inferpipe_webhook_duration_seconds", NULL,               \
      "How long an attempt to deliver a webhook took")                                             \
    X(METRIC_SPANS, COUNTER, "inferpipe_spans_exported_total", NULL, "Spans that were taken")      \
    X(METRIC_SPANS_DROPPED, COUNTER, "inferpipe_spans_dropped_total", "why",                       \
      "Spans that nobody took: queue_full, refused, unreachable or no_memory")                     \
    X(METRIC_CPU, COUNTER_TIME, "process_cpu_seconds_total", NULL,                                 \
      "Processor time of this process")                                                            \
    X(METRIC_RSS, GAUGE, "process_resident_memory_bytes", NULL, "Memory of this process")          \
    X(METRIC_FDS, GAUGE, "process_open_fds", NULL, "File descriptors that are open")               \
    X(METRIC_BORN, GAUGE_TIME, "process_start_time_seconds", NULL,                                 \
      "When this process began, since 1970")

/* The database as a whole, read at most every 5 seconds; of the workspace of this process. */
#define METRICS_DATABASE_MAP(X)                                                                    \
    X(METRIC_DB_READ, GAUGE, "inferpipe_database_up", NULL,                                        \
      "1 when the gauges below could be read, else 0 and they are absent")                         \
    X(METRIC_DEPTH, GAUGE, "inferpipe_queue_depth", "queue",                                       \
      "Executions that wait for a worker, counted up to 10000 a queue")                            \
    X(METRIC_OLDEST, GAUGE_TIME, "inferpipe_oldest_runnable_age_seconds", "queue",                 \
      "How long the oldest of them has waited")                                                    \
    X(METRIC_LIVE, GAUGE, "inferpipe_executions_live", "state",                                    \
      "Live executions by what they wait for, estimated above 10000")                              \
    X(METRIC_STRANDED, GAUGE, "inferpipe_executions_stranded", NULL,                               \
      "Runnable executions whose workflow no live worker has")                                     \
    X(METRIC_WORKERS, GAUGE, "inferpipe_workers_alive", NULL, "Workers with a lease")              \
    X(METRIC_DEFAULT_ROWS, GAUGE, "inferpipe_default_partition_rows", NULL,                        \
      "Rows of history that no weekly partition has, estimated")

#endif
