/*
 * tests/sim/flows.c - the workflow and the bodies of its steps.
 *
 * A body that fails by chance is tried again without end, so every execution completes unless it is
 * canceled.
 */
#include "sim/flows.h"

#include "base/ids.h"
#include "sim/check.h"
#include "sim/sim.h"
#include "sim/tx.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t bodies;

void flows_open(void)
{
    bodies = 0;
}

/* ifp_step_lease: "exe_....WORKER.FENCE"; ifp_step_key: "exe_...-KEY in hex". */
static void tell(const ifp_step_ctx *step)
{
    const char *lease = ifp_step_lease(step), *key = ifp_step_key(step);
    struct check_body b = { 0 };
    char id[IFP_ID_SIZE] = { 0 };
    char *end;
    int rc;

    memcpy(id, lease, IFP_ID_SIZE - 1);
    rc = ids_execution_parse(id, &b.exec_id);
    assert(rc == 0);
    (void)rc;
    b.worker = strtoll(lease + IFP_ID_SIZE, &end, 10);
    b.fence = (int32_t)strtol(end + 1, NULL, 10);
    b.key = (int64_t)strtoull(key + IFP_ID_SIZE, NULL, 16);
    check_body(&b);
}

static int body(ifp_step_ctx *step, const ifp_json *input, const ifp_json **ret)
{
    (void)input;
    tell(step);
    sim.result.bodies++;
    if (world_chance(150))
        return ifp_step_fail(step, "UNLUCKY", IFP_RETRY, "attempt %d", ifp_step_attempt(step));
    return ifp_json_build(step, ret, "{s:i}", "n", (int)++bodies);
}

static int tx_body(ifp_step_ctx *step, struct pg_conn *conn, const ifp_json *input,
                   const ifp_json **ret)
{
    tx_effect(conn);
    return body(step, input, ret);
}

static int go_on_with(ifp_run *run, const char *program, const ifp_json *input)
{
    const ifp_json *next;

    IFP_TRY(ifp_json_build(run, &next, "{s:s, s:I}", "program", program, "ms",
                           ifp_json_int(input, "/ms", 100)));
    return ifp_continue_as_new(run, next);
}

static int one_letter(ifp_run *run, char letter, const ifp_json *input, const ifp_json **ret)
{
    const ifp_step_options options = { .attempts = -1,
                                       .delay_ms = 50,
                                       .max_delay_ms = 1500,
                                       .flags = letter == 'i' ? IFP_INLINE : 0 };
    int rc;

    *ret = NULL;
    switch (letter) {
    case 's':
        return ifp_sleep_ms(run, ifp_json_int(input, "/ms", 100));
    case 'r':
        return ifp_receive(run, "go", NULL, ret);
    case 't':
        rc = ifp_receive(run, "never", "700ms", ret);
        return rc == IFP_ETIMEOUT ? 0 : rc;
    case 'h':
        return ifp_receive(run, "hang", NULL, ret);
    case 'x':
        return ifp_step_tx_with(run, "transaction", tx_body, input, ret, &options);
    default:
        return ifp_step_with(run, "work", body, input, ret, &options);
    }
}

static int interpret(ifp_run *run, const ifp_json *input, const ifp_json **ret)
{
    const char *program = ifp_json_str(input, "/program", "");
    const ifp_json *all, *one;

    IFP_TRY(ifp_json_build(run, &all, "i", 0));
    for (; *program; program++) {
        if (*program == 'n')
            return go_on_with(run, program + 1, input);
        IFP_TRY(one_letter(run, *program, input, &one));
        if (one)
            IFP_TRY(ifp_json_build(run, &all, "[v, v]", all, one));
    }
    *ret = all;
    return 0;
}

const struct engine_workflow *flows_all(size_t *ret_count)
{
    static const struct engine_workflow all[] = {
        { .name = "interpret", .version = "1", .queue = "default", .fn = interpret },
    };

    *ret_count = ARRAY_LEN(all);
    return all;
}

void flows_draw(bool hangs, char program[FLOWS_PROGRAM_MAX], char *input, size_t size)
{
    static const char letters[] = "wwwwiisrrtxxn";
    int64_t len = world_between(1, FLOWS_PROGRAM_MAX - 2);

    for (int64_t i = 0; i < len; i++)
        program[i] = letters[world_between(0, (int64_t)sizeof(letters) - 2)];
    if (hangs)
        program[len++] = 'h';
    program[len] = '\0';
    (void)snprintf(input, size, "{\"program\": \"%s\", \"ms\": %" PRId64 "}", program,
                   world_chance(500) ? world_between(1, 900) : world_between(1000, 6000));
}
