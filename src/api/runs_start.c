/*
 * api/runs_start.c - the fields of a start.
 *
 *   body -> table of fields (body.h) -> rules between fields -> struct start
 *
 * Rare wishes go as one document into executions.options, so that plain starts carry nothing:
 * {"retry": {"attempts", "backoff", "maxDelayMs"}, "tags": {}, "webhookUrl": ""}.
 *
 * Two starts under one key are the same request when workflow, version, queue and input are, and
 * everything else that makes the execution what it is: that goes into `extra`, which is empty for a
 * plain start, so that such a key means the same from SQL and from the command line.  How a caller
 * waits (mode, timeoutMs) and traces does not count: who started synchronously and lost the answer
 * may ask again asynchronously.
 */
#include "api/runs_start.h"

#include "api/answer.h"
#include "base/crypto.h"
#include "base/duration.h"
#include "base/traceparent.h"
#include "core/retry.h"
#include "http/client.h"
#include "store/client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { KEY_BYTES = 255, URL_BYTES = 2048, VERSION_BYTES = 63, NAME_BYTES = 200 };
enum { METADATA_BYTES = 16384, TAGS_BYTES = 4096, TRACE_BYTES = 128, PRIORITY = 3 };

static const char *const modes[] = { "async", "sync", "stream", NULL };
static const char *const backoffs[] = { "exponential", "fixed", NULL };

static const struct body_field retry_fields[] = {
    BODY_FIELD("attempts", BODY_INT, struct run_wanted, attempts, .max = RETRY_ATTEMPTS_MAX,
               .required = true),
    BODY_FIELD("backoff", BODY_WORD, struct run_wanted, backoff, .words = backoffs),
    BODY_FIELD("maxDelayMs", BODY_INT, struct run_wanted, max_delay_ms, .min = 1,
               .max = DURATION_MAX_MS),
};
static const struct body_field trace_fields[] = {
    BODY_FIELD("parentId", BODY_TEXT, struct run_wanted, parent_id, .min = 1, .max = TRACE_BYTES),
    BODY_FIELD("tags", BODY_OBJECT, struct run_wanted, tags, .max = TAGS_BYTES),
};
static const struct body_field message_fields[] = {
    BODY_FIELD("name", BODY_TEXT, struct run_wanted, message, .min = 1, .max = NAME_BYTES,
               .required = true),
    BODY_FIELD("payload", BODY_VALUE, struct run_wanted, payload),
};

/* The first three are only of one start, the fourth only of an item of several. */
enum { ONE_FIELDS = 2, BULK_FIELDS = 1 };
static const struct body_field fields[] = {
    BODY_FIELD("mode", BODY_WORD, struct run_wanted, mode, .words = modes),
    BODY_FIELD("timeoutMs", BODY_INT, struct run_wanted, timeout_ms, .min = 1,
               .max = DURATION_MAX_MS),
    BODY_FIELD("input", BODY_VALUE, struct run_wanted, input),
    BODY_FIELD("metadata", BODY_OBJECT, struct run_wanted, metadata, .max = METADATA_BYTES),
    BODY_FIELD("idempotencyKey", BODY_TEXT, struct run_wanted, idempotency_key, .min = 1,
               .max = KEY_BYTES),
    { .name = "retry",
      .type = BODY_GROUP,
      .fields = retry_fields,
      .count = ARRAY_LEN(retry_fields) },
    { .name = "trace",
      .type = BODY_GROUP,
      .fields = trace_fields,
      .count = ARRAY_LEN(trace_fields) },
    { .name = "message",
      .type = BODY_GROUP,
      .fields = message_fields,
      .count = ARRAY_LEN(message_fields) },
    BODY_FIELD("webhookUrl", BODY_TEXT, struct run_wanted, webhook_url, .min = 1, .max = URL_BYTES),
    BODY_FIELD("priority", BODY_INT, struct run_wanted, priority, .min = 1, .max = 5),
    BODY_FIELD("queue", BODY_SLUG, struct run_wanted, queue),
    BODY_FIELD("version", BODY_TEXT, struct run_wanted, version, .min = 1, .max = VERSION_BYTES),
    BODY_FIELD("runAt", BODY_TIME, struct run_wanted, run_at_us),
    BODY_FIELD("delayMs", BODY_INT, struct run_wanted, delay_ms, .max = DURATION_MAX_MS),
    BODY_FIELD("deadlineMs", BODY_INT, struct run_wanted, deadline_ms, .min = -1,
               .max = DURATION_MAX_MS),
    BODY_FIELD("key", BODY_TEXT, struct run_wanted, queue_key, .min = 1, .max = KEY_BYTES),
    BODY_FIELD("workflowId", BODY_SLUG, struct run_wanted, workflow, .required = true),
};

/* ---- rules ---------------------------------------------------------------------------------- */

static void point(char ret[BODY_POINTER_MAX], const char *at, const char *field)
{
    int len = snprintf(ret, BODY_POINTER_MAX, "%s%s", at, field);

    assert(len > 0 && len < BODY_POINTER_MAX);
}

static void refuse(struct body *b, const char *at, const char *field, const char *rule)
{
    char pointer[BODY_POINTER_MAX];

    point(pointer, at, field);
    body_refuse(b, pointer, "%s", rule);
}

/* A text goes to the database as it is: the rules of client_check.c. */
static void check_name(struct body *b, const char *at, const char *field, const char *text)
{
    struct err e;

    if (text && client_check_name("", text, &e) != 0)
        refuse(b, at, field, e.text + strlen(": "));
}

static void check_payload(struct body *b, const char *at, const char *field, struct slice value,
                          int64_t max)
{
    char pointer[BODY_POINTER_MAX];

    if ((int64_t)value.len <= max)
        return;
    point(pointer, at, field);
    body_refuse(b, pointer, "has %zu bytes, at most %lld are allowed (payload-max)", value.len,
                (long long)max);
}

static void check_tags(struct body *b, const char *at, struct slice tags)
{
    struct slice key, value;
    size_t pos = 0;

    while (tags.text && jsonscan_each(tags, &pos, &key, &value))
        if (jsonscan_type(value) != IFP_JSON_STRING) {
            refuse(b, at, "/trace/tags", "must have texts as values");
            return;
        }
}

/* A whole trace context, or the 32 digits of a trace. */
static bool read_parent(const char *text, struct traceparent *ret)
{
    char whole[TRACEPARENT_SIZE] = "00-";
    size_t len = strlen(text);

    if (len != TRACE_ID_SIZE - 1)
        return traceparent_parse(text, len, ret) == 0;
    memcpy(whole + 3, text, len);
    memcpy(whole + 3 + len, "-0000000000000001-01", sizeof("-0000000000000001-01"));
    if (traceparent_parse(whole, strlen(whole), ret) != 0)
        return false;
    ret->span = traceparent_span();
    return true;
}

static void check_rules(struct body *b, const char *at, const struct run_limits *limits,
                        const struct run_wanted *w)
{
    struct traceparent t;
    struct err why;

    check_payload(b, at, "/input", w->input, limits->payload_max);
    check_payload(b, at, "/message/payload", w->payload, limits->payload_max);
    check_name(b, at, "/message/name", w->message);
    check_name(b, at, "/version", w->version);
    check_tags(b, at, w->tags);
    if (w->parent_id && !read_parent(w->parent_id, &t))
        refuse(b, at, "/trace/parentId",
               "must be a W3C trace context (version 00) or the 32 digits of a trace");
    if (w->timeout_ms > limits->sync_max_ms)
        body_refuse(b, "/timeoutMs", "must be at most %lld (sync-max)",
                    (long long)limits->sync_max_ms);
    if (w->run_at_us && w->delay_ms)
        refuse(b, at, "/runAt", "not together with delayMs");
    if (w->run_at_us < 0)
        refuse(b, at, "/runAt", "must not be before 1970");
    if (w->webhook_url && http_url_check(w->webhook_url, &why) != 0)
        refuse(b, at, "/webhookUrl", why.text);
}

int runs_start_read(struct body *b, struct slice json, const char *at, bool bulk,
                    const struct run_limits *limits, struct run_wanted *ret, struct err *e)
{
    static const struct slice null = { "null", 4 };
    int err;

    *ret = (struct run_wanted){
        .input = null, .payload = null, .priority = PRIORITY, .attempts = -1, .max_delay_ms = -1
    };
    if (bulk)
        err = body_read_checked(b, json, at, fields + ONE_FIELDS, ARRAY_LEN(fields) - ONE_FIELDS,
                                ret, e);
    else
        err = body_read(b, json, at, fields, ARRAY_LEN(fields) - BULK_FIELDS, ret, e);
    if (err == IFP_ENOMEM || (b->error_count > 0 && b->errors[0].pointer[0] == '\0'))
        return err; /* it is no JSON object at all */
    check_rules(b, at, limits, ret);
    return body_result(b, e);
}

/* ---- the start ------------------------------------------------------------------------------ */

static void write_options(struct answer *a, const struct run_wanted *w)
{
    answer_object(a, NULL);
    if (w->attempts >= 0) {
        answer_object(a, "retry");
        answer_int(a, "attempts", w->attempts > 0 ? w->attempts : 1);
        answer_text(a, "backoff", backoffs[w->backoff]);
        if (w->max_delay_ms > 0)
            answer_int(a, "maxDelayMs", w->max_delay_ms);
        answer_close(a);
    }
    answer_raw(a, "tags", w->tags);
    answer_text(a, "webhookUrl", w->webhook_url);
    answer_close(a);
}

static bool has_options(const struct run_wanted *w)
{
    return w->attempts >= 0 || w->tags.text || w->webhook_url;
}

static bool is_plain(const struct run_wanted *w)
{
    return !has_options(w) && !w->metadata.text && w->priority == PRIORITY && !w->run_at_us &&
           !w->delay_ms && !w->deadline_ms && !w->queue_key && !w->message;
}

/* What must be equal beside workflow, version, queue and input: a hash of it all. */
static int hash_extra(struct arena *arena, const struct run_wanted *w, struct slice *ret)
{
    uint8_t hash[CRYPTO_SHA256_SIZE];
    struct answer a;
    struct slice text;
    int err;

    answer_begin(&a, arena);
    answer_object(&a, NULL);
    answer_array(&a, "options");
    write_options(&a, w);
    answer_close(&a);
    answer_raw(&a, "metadata", w->metadata);
    answer_int(&a, "priority", w->priority);
    answer_int(&a, "runAt", w->run_at_us);
    answer_int(&a, "delay", w->delay_ms);
    answer_int(&a, "deadline", w->deadline_ms);
    answer_text(&a, "key", w->queue_key);
    answer_text(&a, "message", w->message);
    answer_raw(&a, "payload", w->payload);
    answer_close(&a);
    text = answer_end(&a);
    if (!text.text)
        return IFP_ENOMEM;
    err = crypto_sha256(text.text, text.len, hash);
    if (err)
        return err;
    *ret = (struct slice){ arena_strndup(arena, (const char *)hash, sizeof(hash)), sizeof(hash) };
    return ret->text ? 0 : IFP_ENOMEM;
}

static const char *parent_of(struct arena *a, const struct run_wanted *w, const char *traceparent)
{
    struct traceparent t;
    char *text;

    if (!w->parent_id || !read_parent(w->parent_id, &t))
        return traceparent;
    text = arena_alloc(a, TRACEPARENT_SIZE);
    if (text)
        traceparent_format(&t, text);
    return text;
}

int runs_start_fill(struct arena *arena, const struct run_wanted *w, const struct caller *caller,
                    const char *key, const char *traceparent, struct start *ret, struct err *e)
{
    struct answer options;
    int err = 0;

    *ret = (struct start){
        .workspace_id = caller->workspace_id,
        .workflow = w->workflow,
        .version = w->version,
        .queue = w->queue,
        .input = w->input,
        .prio = (int16_t)w->priority,
        .delay_ms = w->delay_ms,
        .run_at_us = w->run_at_us,
        .deadline_ms = w->deadline_ms,
        .key = key,
        .metadata = w->metadata,
        .traceparent = parent_of(arena, w, traceparent),
        .queue_key = w->queue_key,
        .message = w->message,
        .payload = w->message ? w->payload : (struct slice){ 0 },
    };
    if (w->mode != RUN_ASYNC)
        ret->flags |= STARTS_FLAG_AWAITED;
    if (w->webhook_url)
        ret->flags |= STARTS_FLAG_WEBHOOK;
    if (has_options(w)) {
        answer_begin(&options, arena);
        write_options(&options, w);
        ret->options = answer_end(&options);
    }
    if (key && !is_plain(w))
        err = hash_extra(arena, w, &ret->extra);
    if (err || arena->broken)
        return err_set(e, err ? err : IFP_ENOMEM, "start: out of memory");
    return 0;
}
