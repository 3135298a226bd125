/*
 * store/dbclient.c - from settings to a client: limits, time limits, workspace.
 */
#include "store/dbclient.h"

int dbclient_open(const struct config *config, const char *conninfo, struct client *ret,
                  struct err *e)
{
    struct client_limits limits = {
        .payload_max = config_int(config, CONFIG_PAYLOAD_MAX),
        .payload_inline = config_int(config, CONFIG_PAYLOAD_INLINE),
        .idempotency_ttl_ms = config_int(config, CONFIG_IDEMPOTENCY_TTL),
    };
    int rc = client_open(ret, conninfo ? conninfo : config_text(config, CONFIG_DATABASE_URL),
                         config_text(config, CONFIG_WORKSPACE), &limits, e);

    if (rc != 0)
        return rc;
    ret->db_options.connect_timeout_ms = config_int(config, CONFIG_CONNECT_TIMEOUT);
    ret->db_options.statement_timeout_ms = config_int(config, CONFIG_STATEMENT_TIMEOUT);
    return 0;
}
