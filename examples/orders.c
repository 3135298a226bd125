/*
 * orders.c - an order that waits for a manager, then charges a card.
 *
 *   fetch -> sleep 2 s -> receive "manager-approval" (48 h) -> charge (5 attempts)
 *                                   \-- no answer or a refusal --> cancel -> failed
 *
 * By hand, in two terminals:
 *
 *   build/inferpipe dev --worker build/examples/orders
 *
 *   . .inferpipe/env
 *   id=$(build/examples/orders execution start process-order --input '{"id": "o-7"}')
 *   build/examples/orders execution send $id manager-approval '{"approved": true}'
 *   build/examples/orders execution watch $id
 *
 * The approval may come before the order asks for it: it is kept.  Stop dev and start it again at
 * any moment: the order goes on behind its last completed step.
 *
 * Input: {"id": text, "approve_within": "48h", "declines": 0}.  The two optional members are for
 * trying things out: a shorter wait, and how many attempts the card service refuses.
 */
#include <inferpipe.h>

static int fetch_items(ifp_step_ctx *step, const ifp_json *order, const ifp_json **items)
{
    const char *id = ifp_json_str(order, "/id", NULL);

    if (!id)
        return ifp_step_fail(step, "INVALID_ORDER", IFP_FINAL, "order has no /id");
    return ifp_json_build(step, items, "{s:s, s:i, s:I}", "order", id, "count", 3, "declines",
                          ifp_json_int(order, "/declines", 0));
}

/* Stands for a payment service: it knows a repeated request by its key, which is the same on every
 * attempt, and charges once. */
static int charge_card(ifp_step_ctx *step, const ifp_json *items, const ifp_json **receipt)
{
    int attempt = ifp_step_attempt(step);

    if (attempt <= ifp_json_int(items, "/declines", 0))
        return ifp_step_fail(step, "CARD_BUSY", IFP_RETRY, "attempt %d was declined", attempt);
    return ifp_json_build(step, receipt, "{s:s, s:s, s:i}", "order",
                          ifp_json_str(items, "/order", ""), "key", ifp_step_key(step), "attempt",
                          attempt);
}

static int cancel_order(ifp_step_ctx *step, const ifp_json *items, const ifp_json **ret)
{
    return ifp_json_build(step, ret, "{s:s}", "canceled", ifp_json_str(items, "/order", ""));
}

/* Undoes what was reserved, as a step like any other, then fails the execution. */
static int give_up(ifp_run *run, const ifp_json *items, const char *code, const char *why)
{
    const ifp_json *canceled;

    IFP_TRY(ifp_step(run, "cancel", cancel_order, items, &canceled));
    return ifp_fail(run, code, "order %s: %s", ifp_json_str(items, "/order", ""), why);
}

static int process_order(ifp_run *run, const ifp_json *order, const ifp_json **result)
{
    const char *within = ifp_json_str(order, "/approve_within", "48h");
    const ifp_json *items, *approval;
    int rc;

    IFP_TRY(ifp_step(run, "fetch", fetch_items, order, &items));
    IFP_TRY(ifp_sleep(run, "2s"));
    rc = ifp_receive(run, "manager-approval", within, &approval);
    if (rc == IFP_ETIMEOUT)
        return give_up(run, items, "NOT_APPROVED", "nobody has answered in time");
    IFP_TRY(rc);
    if (!ifp_json_bool(approval, "/approved", false))
        return give_up(run, items, "REFUSED", ifp_json_str(approval, "/why", "no reason given"));
    return ifp_step_with(
        run, "charge", charge_card, items, result,
        &(ifp_step_options){ .attempts = 5, .backoff = IFP_EXPONENTIAL, .delay_ms = 200 });
}

int main(int argc, char **argv)
{
    ifp_app *app = ifp_app_new("orders");

    ifp_workflow(app, "process-order", process_order, NULL);
    return ifp_main(app, argc, argv);
}
