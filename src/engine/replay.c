/*
 * engine/replay.c - the workflow half of the public interface: what a workflow function may call.
 *
 * Keys: a step is known by its name and how often this name came before in the pass.  Waits have
 * keys of their own: a control character that no name can hold stands in front.
 * Everything that a pass makes lives in its arena, which the next pass resets.
 */
#include "engine/replay.h"

#include "base/clock.h"
#include "base/duration.h"
#include "base/ids.h"
#include "base/log.h"
#include "engine/internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { NAME_MAX_BYTES = 200, CODE_MAX_BYTES = 63, LOG_LINE_SIZE = 1024 };

/* How often each name came: open addressing on a hash; two names that share all 64 bits would share
 * a count, which is harmless: it stays the same on every pass. */
struct names {
    struct {
        int64_t hash;
        uint32_t count;
    } * slots;
    uint32_t cap, used;
};

enum { NAMES_FIRST = 16 };

static bool names_grow(struct ifp_run *run)
{
    struct names old = *run->names;
    uint32_t cap = old.cap ? old.cap * 2 : NAMES_FIRST;

    assert((cap & (cap - 1)) == 0 && old.used <= old.cap);
    run->names->slots = arena_zalloc(&run->pass, cap * sizeof(*run->names->slots));
    if (!run->names->slots)
        return false;
    run->names->cap = cap;
    for (uint32_t i = 0; i < old.cap; i++) {
        uint32_t at = (uint32_t)old.slots[i].hash & (cap - 1);

        if (old.slots[i].count == 0)
            continue;
        while (run->names->slots[at].count != 0)
            at = (at + 1) & (cap - 1);
        run->names->slots[at].hash = old.slots[i].hash;
        run->names->slots[at].count = old.slots[i].count;
    }
    return true;
}

/* The occurrence of a name, 1...; 0 when memory is out. */
static uint32_t occurrence(struct ifp_run *run, int64_t hash)
{
    struct names *names = run->names;
    uint32_t at;

    if (names->used * 4 >= names->cap * 3 && !names_grow(run))
        return 0;
    assert(names->used < names->cap); /* so each walk ends */
    at = (uint32_t)hash & (names->cap - 1);
    while (names->slots[at].count != 0 && names->slots[at].hash != hash)
        at = (at + 1) & (names->cap - 1);
    if (names->slots[at].count == 0)
        names->used++;
    names->slots[at].hash = hash;
    return ++names->slots[at].count;
}

/* ---- how a call begins and ends ------------------------------------------------------------- */

static void set_error(struct ifp_run *run, int error, const char *code, const char *message)
{
    run->error = (ifp_error_info){ .error = error, .code = code, .message = message, .step = "" };
}

/* Ends the execution: nothing that the function does later changes that. */
static int fatal(struct ifp_run *run, int error, const char *format, ...) PRINTF_LIKE(3, 4);
static int fatal(struct ifp_run *run, int error, const char *format, ...)
{
    char text[ERR_TEXT_SIZE];
    const char *kept;
    va_list args;

    assert(error < 0);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    kept = jsonscan_clean(&run->pass, text, sizeof(text));
    set_error(run, error, ifp_error_name(error), kept ? kept : ifp_error_text(error));
    run->action = (struct action){ .kind = ACT_END,
                                   .status = FLUSH_FAILED,
                                   .error_code = run->error.code,
                                   .error = run->error.message };
    return error;
}

/* Memory could not be had.  That says nothing about the execution: the pass counts for nothing, and
 * no call of it does anything from here on, as the function may have taken another way. */
static bool is_starved(const struct ifp_run *run)
{
    return (run->pass.broken && !run->pass.full) || (run->keep.broken && !run->keep.full);
}

/* The pass has its action already, or will not get one. */
static bool is_over(const struct ifp_run *run)
{
    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    assert(run->names); /* called from the workflow function, in its pass */
    return run->action.kind != ACT_NONE || is_starved(run);
}

static int over(const struct ifp_run *run)
{
    if (run->action.kind == ACT_NONE)
        return IFP_ENOMEM;
    assert(run->action.kind != ACT_END || run->error.error < 0);
    return run->action.kind == ACT_END ? run->error.error : IFP_SUSPENDED;
}

/* The name may lie on the workflow function's stack: the action outlives it. */
static int suspend(struct ifp_run *run, const struct action *action)
{
    const char *name = arena_strndup(&run->pass, action->call.name, strlen(action->call.name));

    assert(run->action.kind == ACT_NONE && action->kind != ACT_NONE);
    assert(action->call.seq == run->seq);
    if (!name)
        return fatal(run, IFP_ENOMEM, "call %d: out of memory", action->call.seq);
    run->action = *action;
    run->action.call.name = name;
    return IFP_SUSPENDED;
}

static bool name_ok(const char *name)
{
    size_t len = name ? strlen(name) : 0;

    if (len < 1 || len > NAME_MAX_BYTES || !jsonscan_utf8_ok(name, len))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)name[i] < 0x20 || name[i] == 0x7f)
            return false;
    return true;
}

/* The key of the present occurrence of (prefix, name); prefix 0 for steps. */
static bool make_key(struct ifp_run *run, char prefix, const char *name, struct journal_call *call,
                     int64_t *ret_intent)
{
    char text[NAME_MAX_BYTES + 2] = { 0 };
    size_t len = strlen(name), at = prefix != 0;
    uint32_t nth;

    assert(len <= NAME_MAX_BYTES && run->names);
    text[0] = prefix;
    memcpy(text + at, name, len + 1);
    nth = occurrence(run, ids_step_key(text, len + at, 1));
    if (nth == 0)
        return false;
    call->step_key = ids_step_key(text, len + at, nth);
    if (ret_intent) {
        text[0] = (char)JOURNAL_INTENT;
        *ret_intent = ids_step_key(text, len + at, nth);
    }
    return true;
}

/* Numbers the call and asks the journal: *ret_row stays NULL when it is not there yet. */
static int begin(struct ifp_run *run, struct journal_call *call, const struct journal_row **ret_row,
                 int64_t *ret_intent)
{
    bool is_step = call->kind == JOURNAL_STEP || call->kind == JOURNAL_TX;
    struct err e;
    int rc;

    assert(!*ret_row && run->seq >= 0);
    if (!name_ok(call->name))
        return fatal(run, IFP_EINVALID, "call %d: name: not 1 to %d bytes of printable UTF-8",
                     run->seq + 1, NAME_MAX_BYTES);
    if (!make_key(run, is_step ? '\0' : (char)call->kind, call->name, call, ret_intent))
        return fatal(run, IFP_ENOMEM, "call %d: out of memory", run->seq + 1);
    call->seq = ++run->seq;
    rc = journal_answer(&run->journal, call, ret_row, &e);
    return rc < 0 ? fatal(run, rc, "%s", e.text) : 0;
}

/* Gives a recorded row to the caller: its value, or its failure. */
static int answer(struct ifp_run *run, const struct journal_row *row, const ifp_json **ret)
{
    if (row->status == JOURNAL_OK) {
        const ifp_json *value =
            value_wrap(&run->pass, row->result.text ? row->result : (struct slice){ "null", 4 });

        if (!value)
            return fatal(run, IFP_ENOMEM, "call %d: out of memory", row->seq);
        *ret = value;
        return 0;
    }
    run->error = (ifp_error_info){
        .error = row->status == JOURNAL_TIMED_OUT ? IFP_ETIMEOUT : IFP_ESTEP_FAILED,
        .code = row->error_code ? row->error_code : "TIMEOUT",
        .message = row->error ? row->error : "no message came in time",
        .step = row->name,
        .attempts = row->attempts,
    };
    return run->error.error;
}

/* ---- steps ---------------------------------------------------------------------------------- */

static int any_step(struct ifp_run *run, struct action *action, const ifp_json **ret,
                    const ifp_step_options *options)
{
    const struct journal_row *row = NULL;
    struct err e;
    int rc;

    assert(action->call.kind == (action->tx_fn ? JOURNAL_TX : JOURNAL_STEP));
    if (is_over(run))
        return over(run);
    rc = begin(run, &action->call, &row, NULL);
    if (rc < 0)
        return rc;
    if (row)
        return answer(run, row, ret);
    if (retry_resolve(options, &run->workflow->step, &action->retry, &e) != 0)
        return fatal(run, e.code, "step \"%s\": %s", action->call.name, e.text);
    action->kind = ACT_STEP;
    action->on_loop = options && (options->flags & IFP_INLINE) != 0;
    return suspend(run, action);
}

int ifp_step_with(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                  const ifp_json **ret_output, const ifp_step_options *options)
{
    struct action action = { .call = { .kind = JOURNAL_STEP, .name = name },
                             .fn = fn,
                             .input = input };

    assert(fn && ret_output);
    return any_step(run, &action, ret_output, options);
}

int ifp_step(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
             const ifp_json **ret_output)
{
    return ifp_step_with(run, name, fn, input, ret_output, NULL);
}

int ifp_step_tx_with(ifp_run *run, const char *name, ifp_step_tx_fn *fn, const ifp_json *input,
                     const ifp_json **ret_output, const ifp_step_options *options)
{
    struct action action = { .call = { .kind = JOURNAL_TX, .name = name },
                             .tx_fn = fn,
                             .input = input };
    int rc;

    assert(fn && ret_output);
    rc = any_step(run, &action, ret_output, options);
    run->action.on_loop = false; /* it blocks on its connection */
    return rc;
}

int ifp_step_tx(ifp_run *run, const char *name, ifp_step_tx_fn *fn, const ifp_json *input,
                const ifp_json **ret_output)
{
    return ifp_step_tx_with(run, name, fn, input, ret_output, NULL);
}

/* ---- waits ---------------------------------------------------------------------------------- */

/* Records a call that the function answers itself; it is durable with the next commit. */
static int record(struct ifp_run *run, const struct journal_row *row)
{
    int rc = journal_add(&run->journal, row);

    assert(row->pending && row->seq == run->seq);
    if (rc == IFP_ETOOLARGE)
        return fatal(run, rc, "call %d: the journal is over its %u rows (journal-max)", row->seq,
                     run->journal.rows_max);
    return rc == 0 ? 0 : fatal(run, rc, "call %d: out of memory", row->seq);
}

int ifp_sleep_ms(ifp_run *run, int64_t ms)
{
    struct action action = { .kind = ACT_SLEEP,
                             .call = { .kind = JOURNAL_SLEEP, .name = "sleep" },
                             .wait_ms = ms };
    const struct journal_row *row = NULL;
    int rc;

    if (is_over(run))
        return over(run);
    if (ms < 0 || ms > DURATION_MAX_MS)
        return fatal(run, IFP_EINVALID, "sleep: %" PRId64 " ms is not between 0 and 100 years", ms);
    rc = begin(run, &action.call, &row, NULL);
    if (rc < 0)
        return rc;
    if (row && row->wake_us <= engine_db_now(run->engine))
        return 0;
    if (row)
        action.wake_us = row->wake_us;
    else if ((rc = record(run, &(struct journal_row){ .step_key = action.call.step_key,
                                                      .seq = action.call.seq,
                                                      .kind = JOURNAL_SLEEP,
                                                      .name = "sleep",
                                                      .sleep_ms = ms,
                                                      .pending = true })) != 0)
        return rc;
    return suspend(run, &action);
}

/* A duration that is given as text; a mistake in it is the program's: it ends the execution. */
static int parse_duration(struct ifp_run *run, const char *what, const char *text, int64_t *ret_ms)
{
    struct err e;

    if (!text)
        return fatal(run, IFP_EINVALID, "%s: no duration is given", what);
    if (duration_parse(text, ret_ms, &e) != 0)
        return fatal(run, e.code, "%s: %s", what, e.text);
    assert(*ret_ms >= 0);
    return 0;
}

int ifp_sleep(ifp_run *run, const char *duration)
{
    int64_t ms = 0;
    int rc;

    if (is_over(run))
        return over(run);
    rc = parse_duration(run, "sleep", duration, &ms);
    return rc == 0 ? ifp_sleep_ms(run, ms) : rc;
}

int ifp_receive(ifp_run *run, const char *name, const char *timeout, const ifp_json **ret_message)
{
    struct action action = { .kind = ACT_RECEIVE,
                             .call = { .kind = JOURNAL_MESSAGE, .name = name },
                             .wait_ms = DURATION_MAX_MS };
    const struct journal_row *row = NULL;
    int rc;

    assert(ret_message);
    if (is_over(run))
        return over(run);
    rc = timeout ? parse_duration(run, "receive", timeout, &action.wait_ms) : 0;
    if (rc != 0)
        return rc;
    rc = begin(run, &action.call, &row, &action.intent_key);
    if (rc < 0)
        return rc;
    return row ? answer(run, row, ret_message) : suspend(run, &action);
}

/* ---- recorded and derived values ------------------------------------------------------------ */

int64_t ifp_now(ifp_run *run)
{
    struct journal_call call = { .kind = JOURNAL_NOW, .name = "now" };
    const struct journal_row *row = NULL;
    int64_t now_ms = 0;
    char text[24];
    int len;

    if (is_over(run) || begin(run, &call, &row, NULL) < 0)
        return 0;
    if (row)
        return jsonscan_int(row->result, &now_ms) == 0 ? now_ms : 0;
    now_ms = engine_db_now(run->engine) / 1000;
    len = snprintf(text, sizeof(text), "%" PRId64, now_ms);
    if (record(run, &(struct journal_row){ .step_key = call.step_key,
                                           .seq = call.seq,
                                           .kind = JOURNAL_NOW,
                                           .name = "now",
                                           .result = { text, (size_t)len },
                                           .sleep_ms = -1,
                                           .pending = true }) != 0)
        return 0;
    return now_ms;
}

uint64_t ifp_random(ifp_run *run)
{
    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    return ids_derive(run->seed, ++run->randoms, 0);
}

const char *ifp_uuid(ifp_run *run)
{
    uint64_t words[2];
    uint8_t bytes[16];
    char *text = arena_alloc(&run->pass, IDS_UUID_SIZE);

    assert(run->owner.magic == VALUE_OWNER_MAGIC && run->names);
    run->randoms++;
    words[0] = ids_derive(run->seed, run->randoms, 0);
    words[1] = ids_derive(run->seed, run->randoms, 1);
    memcpy(bytes, words, sizeof(bytes));
    if (!text) {
        fatal(run, IFP_ENOMEM, "uuid: out of memory");
        return "";
    }
    ids_uuid4(bytes, text);
    return text;
}

void ifp_log(ifp_run *run, const char *format, ...)
{
    char text[LOG_LINE_SIZE];
    va_list args;

    if (is_over(run) || (uint32_t)run->seq < run->journal.count)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    LOG_INFO(text, LOG_STR("workflow", run->workflow->name), LOG_STR("execution", run->id));
}

const char *ifp_run_id(const ifp_run *run)
{
    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    return run->id;
}

const ifp_error_info *ifp_error(const ifp_run *run)
{
    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    return &run->error;
}

int ifp_fail(ifp_run *run, const char *code, const char *format, ...)
{
    char text[LOG_LINE_SIZE];
    const char *kept_code, *kept_text;
    va_list args;

    if (is_over(run))
        return over(run);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    kept_code = jsonscan_clean(&run->pass, code ? code : "FAILED", CODE_MAX_BYTES);
    kept_text = jsonscan_clean(&run->pass, text, sizeof(text));
    if (!kept_code || !kept_text)
        return fatal(run, IFP_ENOMEM, "fail: out of memory");
    set_error(run, IFP_ESTEP_FAILED, kept_code, kept_text);
    return IFP_ESTEP_FAILED;
}

/* ---- the pass ------------------------------------------------------------------------------- */

/* The function returned an error of its own accord. */
static void end_failed(struct ifp_run *run, int rc)
{
    const char *code = ifp_error_name(rc), *text = ifp_error_text(rc);

    assert(rc < 0 && run->action.kind == ACT_NONE);
    if (run->error.error == rc) {
        code = run->error.code;
        text = run->error.message;
        if (run->error.step[0] != '\0')
            text = arena_printf(&run->pass, "step \"%s\": %s", run->error.step, text);
    }
    run->action = (struct action){
        .kind = ACT_END, .status = FLUSH_FAILED, .error_code = code, .error = text
    };
}

static void finish(struct ifp_run *run, int rc, const ifp_json *output)
{
    struct err e;

    if (is_starved(run) || (rc == IFP_ENOMEM && !run->pass.full && !run->keep.full)) {
        /* What the run keeps stays broken once it was; a pass begins afresh. */
        run->action = (struct action){ .kind = run->keep.broken ? ACT_BACK : ACT_AGAIN };
        return;
    }
    if (run->action.kind == ACT_END)
        return;
    if (run->action.kind != ACT_NONE) {
        if (rc != IFP_SUSPENDED)
            fatal(run, IFP_EINVALID, "the workflow returned %d after a call gave IFP_SUSPENDED",
                  rc);
        return;
    }
    if (rc > 0)
        fatal(run, IFP_EINVALID, "the workflow returned %d, but no call was waiting", rc);
    else if (journal_finish(&run->journal, run->seq, &e) != 0)
        fatal(run, e.code, "%s", e.text);
    else if (rc < 0)
        end_failed(run, rc);
    else if (value_slice(output).len > (size_t)engine_limit(run->engine, CONFIG_PAYLOAD_MAX))
        fatal(run, IFP_ETOOLARGE,
              "output: %zu bytes are over the limit of %" PRId64 " (payload-max)",
              value_slice(output).len, engine_limit(run->engine, CONFIG_PAYLOAD_MAX));
    else
        run->action = (struct action){ .kind = ACT_END,
                                       .status = FLUSH_COMPLETED,
                                       .output = value_slice(output) };
}

void replay_pass(struct ifp_run *run)
{
    const ifp_json *output = NULL;
    struct names names = { 0 };
    int rc;

    assert(sm_is(&run->sm, RUN_READY) && run->workflow && run->input);
    assert(!run->job && !run->names);
    arena_reset(&run->pass);
    run->action = (struct action){ .kind = ACT_NONE };
    run->seq = 0;
    run->randoms = 0;
    run->names = &names;
    set_error(run, 0, "", "");
    rc = run->workflow->fn(run, run->input, &output);
    finish(run, rc, output);
    run->names = NULL;
    assert(run->action.kind != ACT_NONE);
    assert(run->seq >= 0 && run->action.call.seq <= run->seq);
}
