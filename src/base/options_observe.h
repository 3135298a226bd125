/*
 * base/options_observe.h - the options of metrics and traces, a part of the table of
 * base/config.h.
 */
#ifndef BASE_OPTIONS_OBSERVE_H
#define BASE_OPTIONS_OBSERVE_H

/* id, flag, environment, type, default, minimum, maximum, doc */
#define OPTIONS_OBSERVE_MAP(X)                                                                     \
    X(METRICS_PORT, "metrics-port", "INFERPIPE_METRICS_PORT", CONFIG_INT, "-1", -1, 65535,         \
      "port for /metrics and /health alone, without a key; 0: any free one, -1: none")             \
    X(METRICS_HOST, "metrics-host", "INFERPIPE_METRICS_HOST", CONFIG_TEXT, "127.0.0.1", 1, 253,    \
      "address that it listens on")                                                                \
    X(OTLP_ENDPOINT, "otlp-endpoint", "INFERPIPE_OTLP_ENDPOINT", CONFIG_TEXT, "", 0, 2048,         \
      "OpenTelemetry collector that traces go to; empty: OTEL_EXPORTER_OTLP_ENDPOINT or none")     \
    X(OTLP_HEADERS, "otlp-headers", "INFERPIPE_OTLP_HEADERS", CONFIG_SECRET, "", 0, 4096,          \
      "headers for it, name=value with commas between; empty: OTEL_EXPORTER_OTLP_HEADERS")         \
    X(OTLP_QUEUE, "otlp-queue", "INFERPIPE_OTLP_QUEUE", CONFIG_INT, "8192", 1, 1000000,            \
      "spans that may wait for it, a process; more are dropped")                                   \
    X(OTLP_TIMEOUT, "otlp-timeout", "INFERPIPE_OTLP_TIMEOUT", CONFIG_DURATION, "10s", 100, 60000,  \
      "time that it has to take a batch; also how long a process that ends waits for it")

#endif
