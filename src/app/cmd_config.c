/*
 * app/cmd_config.c - `config`: each setting with its value and where that comes from.  Secrets are
 * never printed, only whether there is one.
 */
#include "app/cmd.h"

static const char *const sources[] = {
    [CONFIG_FROM_DEFAULT] = "default",
    [CONFIG_FROM_FILE] = "file",
    [CONFIG_FROM_ENV] = "environment",
    [CONFIG_FROM_FLAG] = "flag",
};

static const struct table_column columns[] = {
    { "name", "NAME" },
    { "value", "VALUE" },
    { "source", "SOURCE" },
    { "environment", "ENV" },
    { 0 },
};

int cmd_config_show(struct cli *c, struct err *e)
{
    struct table t;

    table_init(&t, columns, c->json);
    for (int i = 0; i < CONFIG_COUNT; i++) {
        enum config_id id = (enum config_id)i;
        const struct config_option *o = config_option(id);
        const char *text = config_text(&c->config, id);

        table_str(&t, o->flag);
        table_str(&t, o->type == CONFIG_SECRET && *text ? "[redacted]" : text);
        table_str(&t, sources[c->config.values[id].source]);
        table_str(&t, o->env);
    }
    return cmd_print_table(c, &t, "settings", e);
}
