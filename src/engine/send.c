/*
 * engine/send.c - ifp_send: a message from one execution to another, exactly once.
 *
 * It is a transactional step of the engine's own: the message goes into the other one's mailbox in
 * the transaction that records the step.  What no other attempt can mend (there is no such
 * execution, it has ended) fails the step for good.
 */
#include "base/ids.h"
#include "engine/call.h"
#include "engine/internal.h"

#include <assert.h>

static int send_body(ifp_step_ctx *step, struct pg_conn *db, const ifp_json *input,
                     const ifp_json **ret)
{
    const char *to = ifp_json_str(input, "/to", ""), *name = ifp_json_str(input, "/name", "");
    const ifp_json *message = ifp_json_get(input, "/message");
    int64_t id = 0;
    int rc;

    (void)db;
    assert(step->slot && message);
    if (ids_execution_parse(to, &id) != 0)
        return ifp_step_fail(step, "INVALID_INPUT", IFP_FINAL,
                             "send: \"%s\" is not an execution id", to);
    rc = txstep_send(step->slot->db, &step->tx, id, name, value_slice(message), &step->err);
    if (rc == IFP_ENOTFOUND || rc == IFP_ECONFLICT)
        return ifp_step_fail(step, ifp_error_name(rc), IFP_FINAL, "%s", step->err.text);
    *ret = NULL;
    return rc;
}

int ifp_send(ifp_run *run, const char *execution_id, const char *name, const ifp_json *message)
{
    const ifp_json *input, *nothing;
    size_t len = value_slice(message).len;
    int64_t max = engine_limit(run->engine, CONFIG_PAYLOAD_MAX);

    if (call_is_over(run))
        return call_over(run);
    if (!call_name_ok(name))
        return call_fatal(run, IFP_EINVALID, "send: name: not 1 to %d bytes of printable UTF-8",
                          CALL_NAME_MAX_BYTES);
    if ((int64_t)len > max)
        return call_fatal(run, IFP_ETOOLARGE,
                          "send: %zu bytes are over the limit of %lld (payload-max)", len,
                          (long long)max);
    if (ifp_json_build(run, &input, "{s:s, s:s, s:v}", "to", execution_id ? execution_id : "",
                       "name", name, "message", message) != 0)
        return call_fatal(run, IFP_EINVALID, "send: the execution's id is not UTF-8");
    return ifp_step_tx(run, name, send_body, input, &nothing);
}
