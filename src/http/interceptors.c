/* http/interceptors.c - opens them by the options and puts them in their order. */
#include "http/interceptors.h"

#include "base/mem.h"
#include "http/access_log.h"
#include "http/breaker.h"
#include "http/compress.h"
#include "http/deadline.h"
#include "http/mediatype.h"
#include "http/meter.h"
#include "http/shield.h"

struct interceptors {
    struct access_log log;
    struct deadline *deadline; /* owned */
    struct breaker *breaker;   /* owned */
    struct gzip *gzip;         /* owned */
};

int interceptors_open(struct loop *l, const struct config *config,
                      const char *(*caller)(const struct http_request *r),
                      struct interceptors **ret, struct err *e)
{
    struct interceptors *i = mem_zalloc(sizeof(*i));
    int rc;

    *ret = NULL;
    if (!i)
        return err_set(e, IFP_ENOMEM, "interceptors: out of memory");
    i->log.caller = caller;
    rc = deadline_open(l, config->values[CONFIG_HTTP_TIMEOUT].num, &i->deadline, e);
    if (rc == 0)
        rc = breaker_open(config->values[CONFIG_HTTP_BREAKER_FAILURES].num,
                          config->values[CONFIG_HTTP_BREAKER_TIME].num, &i->breaker, e);
    if (rc == 0)
        rc = gzip_open(&i->gzip, e);
    if (rc < 0) {
        interceptors_close(i);
        return rc;
    }
    *ret = i;
    return 0;
}

void interceptors_close(struct interceptors *i)
{
    if (!i)
        return;
    gzip_close(i->gzip);
    breaker_close(i->breaker);
    deadline_close(i->deadline);
    mem_free(i);
}

int interceptors_add_outer(struct interceptors *i, struct chain *c, struct err *e)
{
    int rc = chain_add(c, &access_log_interceptor, &i->log, e);

    if (rc == 0)
        rc = chain_add(c, &meter_interceptor, NULL, e);
    if (rc == 0)
        rc = chain_add(c, &shield_interceptor, NULL, e);
    if (rc == 0)
        rc = chain_add(c, &deadline_interceptor, i->deadline, e);
    return rc;
}

int interceptors_add_inner(struct interceptors *i, struct chain *c, struct err *e)
{
    int rc = chain_add(c, &breaker_interceptor, i->breaker, e);

    if (rc == 0)
        rc = chain_add(c, &mediatype_interceptor, NULL, e);
    if (rc == 0)
        rc = chain_add(c, &compress_interceptor, i->gzip, e);
    return rc;
}
