/*
 * app/cmd_fork.c - `execution fork`: a new execution with the journal of another one up to a step.
 *
 * The id of the fork is printed as that of a start is; --set may be given once for each step.
 */
#include "app/cmd.h"
#include "app/cmd_repair.h"
#include "base/ids.h"
#include "base/mem.h"

#include <string.h>

/* What the options refer to. */
struct fork_values {
    struct buf input;
    ifp_fork_result set[CLI_TAKEN_MAX];
    char *steps[CLI_TAKEN_MAX]; /* owned */
};

static void values_release(struct fork_values *v)
{
    for (size_t i = 0; i < ARRAY_LEN(v->steps); i++)
        mem_free(v->steps[i]);
    buf_release(&v->input);
}

static int take_set(struct fork_values *v, const char *text, size_t at, struct err *e)
{
    const char *equals = strchr(text, '=');

    if (!equals || equals == text)
        return err_set(e, IFP_EINVALID, "--set: \"%s\" is not STEP=JSON", text);
    v->steps[at] = mem_strndup(text, (size_t)(equals - text));
    if (!v->steps[at])
        return err_set(e, IFP_ENOMEM, "out of memory");
    v->set[at] = (ifp_fork_result){ .step = v->steps[at], .result = equals + 1 };
    return 0;
}

static int take_options(const struct cli *c, struct fork_values *v, ifp_fork_options *ret,
                        struct err *e)
{
    const char *input = cli_value(c, "input"), *text;
    int rc = 0, pos = 0;

    *ret = (ifp_fork_options){ .from = cli_value(c, "from"),
                               .version = cli_value(c, "version"),
                               .key = cli_value(c, "key"),
                               .set = v->set };
    while (rc == 0 && (text = cli_next_value(c, "set", &pos)) != NULL)
        rc = take_set(v, text, ret->set_count++, e);
    if (rc == 0 && input)
        rc = cmd_value(c, "input", input, &v->input, e);
    if (rc == 0 && input)
        ret->input = buf_cstr(&v->input);
    return rc;
}

static int print_fork(const struct cli *c, int64_t fork, bool created, struct err *e)
{
    char id[IFP_ID_SIZE];
    struct jsondoc *doc;

    ids_execution_format(fork, id);
    if (!c->json) {
        puts(id);
        return 0;
    }
    doc = jsondoc_object();
    jsondoc_add_str(doc, "id", id);
    jsondoc_add_str(doc, "forked_from", cli_arg(c, 0));
    jsondoc_add_bool(doc, "created", created);
    return cmd_print(doc, e);
}

int cmd_execution_fork(struct cli *c, struct err *e)
{
    struct fork_values values = { 0 };
    ifp_fork_options options;
    struct client client;
    int64_t id = 0, fork = 0;
    bool created = false;
    int rc;

    if (cmd_repair_wanted(c))
        return cmd_repair_run(c, REPAIR_FORK, e);
    buf_init(&values.input);
    rc = cmd_repair_check_single(c, e);
    if (rc == 0)
        rc = cmd_id(c, &id, e);
    if (rc == 0)
        rc = take_options(c, &values, &options, e);
    if (rc == 0)
        rc = cmd_client_ready(c, &client, e);
    if (rc == 0) {
        rc = client_fork(&client, id, &options, &fork, &created, e);
        client_release(&client);
    }
    if (rc == 0)
        rc = print_fork(c, fork, created, e);
    values_release(&values);
    return rc;
}
