/* tests/lib/fronttest.c - see fronttest.h. */
#include "lib/fronttest.h"

#include "lib/looptest.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

void fronttest_set(struct fronttest *t, enum config_id id, const char *value)
{
    struct err e;

    err_clear(&e);
    if (config_set(&t->config, id, value, CONFIG_FROM_FLAG, &e) != 0)
        fail_msg("%s", e.text);
}

void fronttest_open(struct fronttest *t, struct fronttest *beside)
{
    struct err e;

    memset(t, 0, sizeof(*t));
    if (beside) {
        t->url = beside->url;
        t->loop = beside->loop;
    } else {
        testdb_create(&t->url);
        t->loop = looptest_open();
    }
    assert_int_equal(config_init(&t->config, &e), 0);
    fronttest_set(t, CONFIG_DATABASE_URL, t->url);
    assert_int_equal(front_open(t->loop, &t->config, &t->front, &e), 0);
}

void fronttest_closed(void *ctx)
{
    ((struct fronttest *)ctx)->closed++;
}

void fronttest_close(struct fronttest *t, struct fronttest *beside)
{
    t->closed = 0;
    front_close(t->front, fronttest_closed, t);
    looptest_count(t->loop, &t->closed, 1);
    config_release(&t->config);
    if (beside)
        return;
    looptest_close(t->loop);
    testdb_give_back(t->url);
}

static bool is_listening(void *ctx)
{
    struct fronttest *t = ctx;

    return front_listening(t->front);
}

void fronttest_listening(struct fronttest *t)
{
    looptest_until(t->loop, is_listening, t);
}
