/*
 * store/client_check.c - the rules for what callers hand in: names, keys, ranges, payloads.
 *
 * The functions of the schema check the same rules for callers from SQL; here they are checked
 * first, so that the error comes without a round trip and names the field.  Pure.
 */
#include "store/client_private.h"

#include "base/duration.h"
#include "base/traceparent.h"

#include <assert.h>
#include <string.h>

enum { SLUG_MAX = 63, NAME_MAX_BYTES = 200, VERSION_MAX = 63, KEY_MAX = 255 };
enum { METADATA_MAX = 16 * 1024 };
/* ---- names ---------------------------------------------------------------------------------- */

static bool slug_char(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'))
        return true;
    return !first && (c == '.' || c == '_' || c == '-');
}

int client_check_slug(const char *field, const char *text, struct err *e)
{
    size_t len = text ? strlen(text) : 0;
    bool good = len >= 1 && len <= SLUG_MAX;

    assert(field);
    for (size_t i = 0; good && i < len; i++)
        good = slug_char(text[i], i == 0);
    if (good)
        return 0;
    return err_set(e, IFP_EINVALID,
                   "%s: must be 1 to %d of a-z 0-9 . _ - and begin with a letter or digit", field,
                   SLUG_MAX);
}

/* In valid UTF-8: no control characters, neither C0, DEL nor C1 (U+0080 to U+009F). */
static bool printable(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)text[i];

        if (c < 0x20 || c == 0x7f)
            return false;
        if (c == 0xc2 && (unsigned char)text[i + 1] < 0xa0)
            return false;
    }
    return true;
}

static int check_text(const char *field, const char *text, size_t max, struct err *e)
{
    size_t len = text ? strlen(text) : 0;

    assert(field);
    if (len < 1 || len > max)
        return err_set(e, IFP_EINVALID, "%s: must be 1 to %zu bytes long", field, max);
    if (!jsonscan_utf8_ok(text, len) || !printable(text, len))
        return err_set(e, IFP_EINVALID, "%s: must be printable UTF-8", field);
    return 0;
}

int client_check_name(const char *field, const char *text, struct err *e)
{
    return check_text(field, text, NAME_MAX_BYTES, e);
}

int client_check_version(const char *text, struct err *e)
{
    return check_text("version", text, VERSION_MAX, e);
}

int client_check_key(const char *field, const char *text, struct err *e)
{
    size_t len;

    assert(field);
    if (!text)
        return 0;
    len = strlen(text);
    if (len < 1 || len > KEY_MAX)
        return err_set(e, IFP_EINVALID, "%s: must be 1 to %d bytes long", field, KEY_MAX);
    if (!jsonscan_utf8_ok(text, len))
        return err_set(e, IFP_EINVALID, "%s: must be UTF-8", field);
    return 0;
}

/* ---- payloads ------------------------------------------------------------------------------- */

int client_check_payload(const char *field, struct slice text, int64_t payload_max, struct err *e)
{
    assert(field && text.text);
    if ((int64_t)text.len > payload_max)
        return err_set(e, IFP_ETOOLARGE, "%s: %zu bytes, at most %lld are allowed", field, text.len,
                       (long long)payload_max);
    if (jsonscan_check(text.text, text.len, e) != 0)
        return err_wrap(e, "%s", field);
    return 0;
}

static int check_metadata(const char *text, struct err *e)
{
    struct slice value = { text, text ? strlen(text) : 0 };
    int err;

    if (!text)
        return 0;
    err = client_check_payload("metadata", value, METADATA_MAX, e);
    if (err)
        return err;
    if (jsonscan_type(value) != IFP_JSON_OBJECT)
        return err_set(e, IFP_EINVALID, "metadata: must be a JSON object");
    return 0;
}

static int check_traceparent(const char *text, struct err *e)
{
    struct traceparent ignored;

    if (!text || traceparent_parse(text, strlen(text), &ignored) == 0)
        return 0;
    return err_set(e, IFP_EINVALID, "traceparent: must be a W3C trace context (version 00)");
}

/* ---- a start -------------------------------------------------------------------------------- */

static int check_span(const char *field, int64_t ms, struct err *e)
{
    if (ms >= 0 && ms <= DURATION_MAX_MS)
        return 0;
    return err_set(e, IFP_EINVALID, "%s: must be 0 to 100 years", field);
}

static int check_run_at(const ifp_start_options *o, struct err *e)
{
    if (o->run_at_ms < 0 || o->run_at_ms > 2 * DURATION_MAX_MS)
        return err_set(e, IFP_EINVALID, "run_at: must be a time from 1970 to 2169");
    if (o->run_at_ms && o->delay_ms)
        return err_set(e, IFP_EINVALID, "run_at: not together with a delay");
    return 0;
}

static int check_debounce(const ifp_start_options *o, struct err *e)
{
    int err = client_check_key("debounce_key", o->debounce_key, e);

    if (!err && (o->debounce_key != NULL) != (o->debounce_ms != 0))
        err = err_set(e, IFP_EINVALID, "debounce: a key and a span of time go together");
    if (!err && o->debounce_max_ms && !o->debounce_key)
        err = err_set(e, IFP_EINVALID, "debounce_max: goes with a debounce key");
    if (!err && o->debounce_key && (o->delay_ms || o->run_at_ms))
        err = err_set(e, IFP_EINVALID, "debounce_key: not together with a delay or run_at");
    if (!err)
        err = check_span("debounce", o->debounce_ms, e);
    if (!err)
        err = check_span("debounce_max", o->debounce_max_ms, e);
    return err;
}

static int check_options(const ifp_start_options *o, struct err *e)
{
    int err = 0;

    if (o->workspace)
        err = client_check_slug("workspace", o->workspace, e);
    if (!err && o->version)
        err = client_check_version(o->version, e);
    if (!err && o->queue)
        err = client_check_slug("queue", o->queue, e);
    if (!err)
        err = client_check_key("key", o->key, e);
    if (!err)
        err = client_check_key("queue_key", o->queue_key, e);
    if (!err)
        err = check_run_at(o, e);
    if (!err)
        err = check_debounce(o, e);
    if (!err && (o->priority < 0 || o->priority > 5)) /* 0 stands for the default */
        err = err_set(e, IFP_EINVALID, "priority: must be 1 (first) to 5");
    if (!err)
        err = check_span("delay", o->delay_ms, e);
    if (!err && o->deadline_ms != -1) /* none, whatever the workflow's */
        err = check_span("deadline", o->deadline_ms, e);
    if (!err)
        err = check_metadata(o->metadata, e);
    if (!err)
        err = check_traceparent(o->traceparent, e);
    return err;
}

int client_check_start(const char *workflow, struct slice input, const ifp_start_options *o,
                       int64_t payload_max, struct err *e)
{
    int err = client_check_slug("workflow", workflow, e);

    assert(payload_max > 0);
    if (!err)
        err = client_check_payload("input", input, payload_max, e);
    if (!err)
        err = check_options(o, e);
    return err;
}

/* ---- a child -------------------------------------------------------------------------------- */

int client_check_child(const char *workflow, const ifp_child_options *o, struct err *e)
{
    int err = client_check_slug("workflow", workflow, e);

    if (err || !o)
        return err;
    if (o->on_parent_end != IFP_CHILD_CANCEL && o->on_parent_end != IFP_CHILD_LEAVE)
        return err_set(e, IFP_EINVALID, "on_parent_end: must be IFP_CHILD_CANCEL or _LEAVE");
    err = client_check_key("queue_key", o->queue_key, e);
    if (!err)
        err = check_options(&(ifp_start_options){ .version = o->version,
                                                  .queue = o->queue,
                                                  .priority = o->priority,
                                                  .delay_ms = o->delay_ms,
                                                  .deadline_ms = o->deadline_ms,
                                                  .metadata = o->metadata },
                            e);
    return err;
}
