/*
 * engine/replay.c - the workflow half of the public interface: what a workflow function may call.
 *
 * What all calls have in common is in call.c.
 */
#include "engine/replay.h"

#include "base/duration.h"
#include "base/ids.h"
#include "base/log.h"
#include "engine/call.h"
#include "engine/generation.h"
#include "engine/internal.h"
#include "engine/patch.h"
#include "engine/unwind.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LOG_LINE_SIZE = 1024 };

/* ---- steps ---------------------------------------------------------------------------------- */

int replay_step(struct ifp_run *run, struct action *action, const ifp_json **ret,
                const ifp_step_options *options)
{
    const struct journal_row *row = NULL;
    struct err e;
    int rc;

    assert(action->call.kind == (action->tx_fn ? JOURNAL_TX : JOURNAL_STEP));
    if (call_is_over(run))
        return call_over(run);
    rc = call_begin(run, &action->call, &row, NULL);
    if (rc < 0)
        return rc;
    if (row)
        return call_answer(run, row, ret);
    if (retry_resolve(options, &run->step_defaults, &action->retry, &e) != 0)
        return call_fatal(run, e.code, "step \"%s\": %s", action->call.name, e.text);
    action->kind = ACT_STEP;
    action->on_loop = options && (options->flags & IFP_INLINE) != 0;
    return call_suspend(run, action);
}

int ifp_step_with(ifp_run *run, const char *name, ifp_step_fn *fn, const ifp_json *input,
                  const ifp_json **ret_output, const ifp_step_options *options)
{
    struct action action = { .call = { .kind = JOURNAL_STEP, .name = name },
                             .fn = fn,
                             .input = input };

    assert(fn && ret_output);
    return replay_step(run, &action, ret_output, options);
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
    rc = replay_step(run, &action, ret_output, options);
    run->action.on_loop = false; /* it blocks on its connection */
    return rc;
}

int ifp_step_tx(ifp_run *run, const char *name, ifp_step_tx_fn *fn, const ifp_json *input,
                const ifp_json **ret_output)
{
    return ifp_step_tx_with(run, name, fn, input, ret_output, NULL);
}

/* ---- waits ---------------------------------------------------------------------------------- */

int ifp_sleep_ms(ifp_run *run, int64_t ms)
{
    struct action action = { .kind = ACT_SLEEP,
                             .call = { .kind = JOURNAL_SLEEP, .name = "sleep" },
                             .wait_ms = ms };
    const struct journal_row *row = NULL;
    int rc;

    if (call_is_over(run))
        return call_over(run);
    if (ms < 0 || ms > DURATION_MAX_MS)
        return call_fatal(run, IFP_EINVALID, "sleep: %" PRId64 " ms is not between 0 and 100 years",
                          ms);
    rc = call_begin(run, &action.call, &row, NULL);
    if (rc < 0)
        return rc;
    if (row && run->journal.marker)
        return unwind_slept(run, row->seq) ? unwind_meet(run, row->seq) : 0;
    if (row && row->wake_us <= engine_db_now(run->engine))
        return 0;
    if (row)
        action.wake_us = row->wake_us;
    else if ((rc = call_record(run, &(struct journal_row){ .step_key = action.call.step_key,
                                                           .seq = action.call.seq,
                                                           .kind = JOURNAL_SLEEP,
                                                           .name = "sleep",
                                                           .sleep_ms = ms,
                                                           .pending = true })) != 0)
        return rc;
    assert(!row || action.wake_us > 0);
    return call_suspend(run, &action);
}

int ifp_sleep(ifp_run *run, const char *duration)
{
    int64_t ms = 0;
    int rc;

    if (call_is_over(run))
        return call_over(run);
    rc = call_duration(run, "sleep", duration, &ms);
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
    if (call_is_over(run))
        return call_over(run);
    rc = timeout ? call_duration(run, "receive", timeout, &action.wait_ms) : 0;
    if (rc != 0)
        return rc;
    rc = call_begin(run, &action.call, &row, &action.intent_key);
    if (rc < 0)
        return rc;
    return row ? call_answer(run, row, ret_message) : call_suspend(run, &action);
}

/* ---- recorded and derived values ------------------------------------------------------------ */

int64_t ifp_now(ifp_run *run)
{
    struct journal_call call = { .kind = JOURNAL_NOW, .name = "now" };
    const struct journal_row *row = NULL;
    int64_t now_ms = 0;
    char text[24];
    int len;

    if (call_is_over(run) || call_begin(run, &call, &row, NULL) < 0)
        return 0;
    if (row)
        return jsonscan_int(row->result, &now_ms) == 0 ? now_ms : 0;
    now_ms = engine_db_now(run->engine) / 1000;
    len = snprintf(text, sizeof(text), "%" PRId64, now_ms);
    if (call_record(run, &(struct journal_row){ .step_key = call.step_key,
                                                .seq = call.seq,
                                                .kind = JOURNAL_NOW,
                                                .name = "now",
                                                .result = { text, (size_t)len },
                                                .sleep_ms = -1,
                                                .pending = true }) != 0)
        return 0;
    return now_ms;
}

/* Half 0 or 1 of the random number at hand; other generations have others. */
static uint64_t draw(const struct ifp_run *run, uint64_t half)
{
    return ids_derive(run->seed, run->randoms, half + 2 * (uint64_t)run->journal.generation);
}

uint64_t ifp_random(ifp_run *run)
{
    assert(run->owner.magic == VALUE_OWNER_MAGIC);
    run->randoms++;
    return draw(run, 0);
}

const char *ifp_uuid(ifp_run *run)
{
    uint64_t words[2];
    uint8_t bytes[16];
    char *text = arena_alloc(&run->pass, IDS_UUID_SIZE);

    assert(run->owner.magic == VALUE_OWNER_MAGIC && run->names);
    run->randoms++;
    words[0] = draw(run, 0);
    words[1] = draw(run, 1);
    memcpy(bytes, words, sizeof(bytes));
    if (!text) {
        call_fatal(run, IFP_ENOMEM, "uuid: out of memory");
        return "";
    }
    ids_uuid4(bytes, text);
    return text;
}

void ifp_log(ifp_run *run, const char *format, ...)
{
    char text[LOG_LINE_SIZE];
    va_list args;

    if (run->engine->o.rehearsal || call_is_over(run) || (uint32_t)run->seq < run->journal.count)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    LOG_INFO(text, LOG_STR("workflow", run->workflow->name), LOG_RUN(run));
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

    if (call_is_over(run))
        return call_over(run);
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    kept_code = jsonscan_clean(&run->pass, code ? code : "FAILED", CALL_CODE_MAX_BYTES);
    kept_text = jsonscan_clean(&run->pass, text, sizeof(text));
    if (!kept_code || !kept_text)
        return call_fatal(run, IFP_ENOMEM, "fail: out of memory");
    call_set_error(run, IFP_ESTEP_FAILED, kept_code, kept_text);
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

/* The function has returned for good: how the execution would end. */
static void settle(struct ifp_run *run, int rc, const ifp_json *output)
{
    struct err e;

    assert(run->action.kind == ACT_NONE && !run->job);
    if (rc > 0)
        call_fatal(run, IFP_EINVALID, "the workflow returned %d, but no call was waiting", rc);
    else if (!run->journal.marker && !run->stopped &&
             journal_finish(&run->journal, run->seq, &e) != 0)
        patch_missed(run, run->seq + 1, &e);
    else if (rc < 0)
        end_failed(run, rc);
    else if (run->journal.marker && !run->stop)
        call_fatal(run, IFP_ENONDETERMINISTIC, "expected a failure, found the end of the workflow");
    else if (value_slice(output).len > (size_t)engine_limit(run->engine, CONFIG_PAYLOAD_MAX))
        call_fatal(run, IFP_ETOOLARGE,
                   "output: %zu bytes are over the limit of %" PRId64 " (payload-max)",
                   value_slice(output).len, engine_limit(run->engine, CONFIG_PAYLOAD_MAX));
    else
        run->action = (struct action){ .kind = ACT_END,
                                       .status = FLUSH_COMPLETED,
                                       .output = value_slice(output) };
}

static void finish(struct ifp_run *run, int rc, const ifp_json *output)
{
    assert(run->names && !run->unwinding);
    if (!call_is_starved(run) && !(rc == IFP_ENOMEM && !run->pass.full && !run->keep.full)) {
        if (run->action.kind == ACT_NONE)
            settle(run, rc, output);
        if (run->action.kind == ACT_END) {
            unwind_pass(run);
            patch_leave(run);
        } else if (rc != IFP_SUSPENDED) {
            call_fatal(run, IFP_EINVALID,
                       "the workflow returned %d after a call gave IFP_SUSPENDED", rc);
        }
    }
    /* What the run keeps stays broken once it was; a pass begins afresh. */
    if (call_is_starved(run) || run->action.kind == ACT_NONE)
        run->action = (struct action){ .kind = run->keep.broken ? ACT_BACK : ACT_AGAIN };
}

void replay_pass(struct ifp_run *run)
{
    const ifp_json *input, *output = NULL;
    struct names names = { 0 };
    int rc;

    assert(sm_is(&run->sm, RUN_READY) && run->workflow);
    assert(!run->job && !run->names);
    arena_reset(&run->pass);
    run->action = (struct action){ .kind = ACT_NONE };
    run->seq = 0;
    run->randoms = 0;
    run->fatal = false;
    run->names = &names;
    run->patches = NULL;
    run->missed = 0;
    unwind_prepare(run);
    call_set_error(run, 0, "", "");
    input = generation_input(run);
    rc = input ? run->workflow->fn(run, input, &output) : IFP_ENOMEM;
    finish(run, rc, output);
    run->names = NULL;
    assert(run->action.kind != ACT_NONE);
    assert(run->seq >= 0);
    assert(run->action.call.seq <= run->seq || run->action.kind == ACT_LEAVE);
}
