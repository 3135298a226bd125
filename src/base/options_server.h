/*
 * base/options_server.h - the options of the HTTP server, the other half of the table of
 * base/config.h.
 */
#ifndef BASE_OPTIONS_SERVER_H
#define BASE_OPTIONS_SERVER_H

/* id, flag, environment, type, default, minimum, maximum, doc */
#define OPTIONS_SERVER_MAP(X)                                                                      \
    X(HOST, "host", "INFERPIPE_HOST", CONFIG_TEXT, "127.0.0.1", 1, 253,                            \
      "address that the server listens on; :: and 0.0.0.0 are all")                                \
    X(PORT, "port", "INFERPIPE_PORT", CONFIG_INT, "8787", 0, 65535,                                \
      "port of the server; 0: any free one")                                                       \
    X(TLS_CERT, "tls-cert", "INFERPIPE_TLS_CERT", CONFIG_TEXT, "", 0, 4096,                        \
      "certificate chain (PEM); empty: no TLS")                                                    \
    X(TLS_KEY, "tls-key", "INFERPIPE_TLS_KEY", CONFIG_TEXT, "", 0, 4096,                           \
      "private key of the certificate (PEM)")                                                      \
    X(HTTP_CONNECTIONS, "http-connections", "INFERPIPE_HTTP_CONNECTIONS", CONFIG_INT, "20000", 1,  \
      1000000, "connections of clients at once, a process")                                        \
    X(HTTP_PER_ADDRESS, "http-per-address", "INFERPIPE_HTTP_PER_ADDRESS", CONFIG_INT, "1000", 1,   \
      1000000, "connections of one address at once")                                               \
    X(HTTP_PER_KEY, "http-per-key", "INFERPIPE_HTTP_PER_KEY", CONFIG_INT, "1000", 1, 1000000,      \
      "connections of one key at once")                                                            \
    X(HTTP_HEAD_MAX, "http-head-max", "INFERPIPE_HTTP_HEAD_MAX", CONFIG_SIZE, "16KiB", 1024,       \
      262144, "largest head of a request")                                                         \
    X(HTTP_HEADERS_MAX, "http-headers-max", "INFERPIPE_HTTP_HEADERS_MAX", CONFIG_INT, "100", 8,    \
      1000, "headers of one request")                                                              \
    X(HTTP_TARGET_MAX, "http-target-max", "INFERPIPE_HTTP_TARGET_MAX", CONFIG_SIZE, "8KiB", 256,   \
      65536, "largest path and query")                                                             \
    X(HTTP_BODY_MAX, "http-body-max", "INFERPIPE_HTTP_BODY_MAX", CONFIG_SIZE, "1MiB", 1024,        \
      67108864, "largest body of a request")                                                       \
    X(HTTP_HEAD_TIME, "http-head-time", "INFERPIPE_HTTP_HEAD_TIME", CONFIG_DURATION, "10s", 100,   \
      600000, "from the first byte of a request to the end of its head")                           \
    X(HTTP_BODY_TIME, "http-body-time", "INFERPIPE_HTTP_BODY_TIME", CONFIG_DURATION, "30s", 100,   \
      3600000, "from the head of a request to the end of its body")                                \
    X(HTTP_IDLE_TIME, "http-idle-time", "INFERPIPE_HTTP_IDLE_TIME", CONFIG_DURATION, "75s", 100,   \
      3600000, "how long a connection may wait for its next request")                              \
    X(HTTP_WRITE_TIME, "http-write-time", "INFERPIPE_HTTP_WRITE_TIME", CONFIG_DURATION, "30s",     \
      100, 3600000, "how long a client may take nothing of its answer")                            \
    X(HTTP_TIMEOUT, "http-timeout", "INFERPIPE_HTTP_TIMEOUT", CONFIG_DURATION, "30s", 100,         \
      3600000, "for a request to be answered, but those that wait or stream")                      \
    X(HTTP_BREAKER_FAILURES, "http-breaker-failures", "INFERPIPE_HTTP_BREAKER_FAILURES",           \
      CONFIG_INT, "20", 0, 1000000,                                                                \
      "failures of a route in a row that open its circuit; 0: never")                              \
    X(HTTP_BREAKER_TIME, "http-breaker-time", "INFERPIPE_HTTP_BREAKER_TIME", CONFIG_DURATION,      \
      "2s", 100, 600000, "how long an open circuit refuses before it tries again")                 \
    X(HTTP_CHAIN, "http-chain", "INFERPIPE_HTTP_CHAIN", CONFIG_TEXT, "", 0, 4096,                  \
      "interceptors of routes; empty: all of them")                                                \
    X(HTTP_DB_CONNECTIONS, "http-db-connections", "INFERPIPE_HTTP_DB_CONNECTIONS", CONFIG_INT,     \
      "4", 1, 64, "database connections of the server, a process")                                 \
    X(HTTP_OFFLOAD, "http-offload", "INFERPIPE_HTTP_OFFLOAD", CONFIG_INT, "4", 1, 64,              \
      "threads for requests that look up much, each with a connection")                            \
    X(HTTP_OFFLOAD_QUEUE, "http-offload-queue", "INFERPIPE_HTTP_OFFLOAD_QUEUE", CONFIG_INT,        \
      "1000", 1, 100000, "requests that may wait for such a thread")                               \
    X(SYNC_TIME, "sync-time", "INFERPIPE_SYNC_TIME", CONFIG_DURATION, "30s", 1, 3600000,           \
      "how long a synchronous start waits when it does not say")                                   \
    X(SYNC_MAX, "sync-max", "INFERPIPE_SYNC_MAX", CONFIG_DURATION, "10m", 1, 3600000,              \
      "the longest that it may ask for")                                                           \
    X(WAITS_MAX, "waits-max", "INFERPIPE_WAITS_MAX", CONFIG_INT, "20000", 1, 1000000,              \
      "requests that wait for or follow executions, a process")                                    \
    X(EGRESS_ALLOW, "egress-allow", "INFERPIPE_EGRESS_ALLOW", CONFIG_TEXT, "", 0, 4096,            \
      "addresses inside that outgoing requests may reach: CIDR[:port] or host:port, ...")          \
    X(WEBHOOKS, "webhooks", "INFERPIPE_WEBHOOKS", CONFIG_BOOL, "on", 0, 1,                         \
      "workers deliver webhooks")                                                                  \
    X(WEBHOOK_SECRET, "webhook-secret", "INFERPIPE_WEBHOOK_SECRET", CONFIG_SECRET, "", 0, 256,     \
      "signs webhooks to the webhookUrl of executions where a workspace has no secret")            \
    X(WEBHOOK_TIMEOUT, "webhook-timeout", "INFERPIPE_WEBHOOK_TIMEOUT", CONFIG_DURATION, "15s",     \
      100, 300000, "for a receiver to answer")                                                     \
    X(WEBHOOK_RETRY_FIRST, "webhook-retry-first", "INFERPIPE_WEBHOOK_RETRY_FIRST",                 \
      CONFIG_DURATION, "5s", 1, 86400000, "before the second attempt; then twice that, ...")       \
    X(WEBHOOK_RETRY_MAX, "webhook-retry-max", "INFERPIPE_WEBHOOK_RETRY_MAX", CONFIG_DURATION,      \
      "1h", 1, 86400000, "between two attempts at most")                                           \
    X(WEBHOOK_RETRY_FOR, "webhook-retry-for", "INFERPIPE_WEBHOOK_RETRY_FOR", CONFIG_DURATION,      \
      "24h", 1000, 2592000000, "how long a delivery is tried in all")                              \
    X(ENGINE, "engine", "INFERPIPE_ENGINE", CONFIG_BOOL, "on", 0, 1,                               \
      "the server also runs executions")                                                           \
    X(PUBLIC_DOCS, "public-docs", "INFERPIPE_PUBLIC_DOCS", CONFIG_BOOL, "off", 0, 1,               \
      "/docs and /openapi.json without a key")                                                     \
    X(TRACE_URL, "trace-url", "INFERPIPE_TRACE_URL", CONFIG_TEXT, "", 0, 2048,                     \
      "where people look at traces, with {traceId} in it")                                         \
    X(PUBLIC_URL, "public-url", "INFERPIPE_PUBLIC_URL", CONFIG_TEXT, "", 0, 2048,                  \
      "how clients reach the server, for links; empty: relative links")                            \
    X(SECRET_KEY, "secret-key", "INFERPIPE_SECRET_KEY", CONFIG_SECRET, "", 0, 512,                 \
      "seals stored secrets: 32 bytes in hex or base64; older ones follow, with commas")           \
    X(KEY_CACHE_TIME, "key-cache-time", "INFERPIPE_KEY_CACHE_TIME", CONFIG_DURATION, "5s", 100,    \
      60000, "how long a key is good without another look at the database")                        \
    X(KEY_CACHE, "key-cache", "INFERPIPE_KEY_CACHE", CONFIG_INT, "10000", 10, 1000000,             \
      "keys kept in memory, a process")                                                            \
    X(AUTH_FAILURES, "auth-failures", "INFERPIPE_AUTH_FAILURES", CONFIG_INT, "60", 1, 1000000,     \
      "attempts without a valid key that one address has in a minute")                             \
    X(RATE_LEASE, "rate-lease", "INFERPIPE_RATE_LEASE", CONFIG_INT, "10", 1, 100,                  \
      "percent of a key's burst that one process may hold unused")

#endif
