/* tests/lib/fronttest.c - see fronttest.h. */
#include "lib/fronttest.h"

#include "lib/looptest.h"
#include "lib/testdb.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    if (t->listening)
        front_unsubscribe(t->front, &t->sub);
    front_close(t->front, fronttest_closed, t);
    looptest_count(t->loop, &t->closed, 1);
    config_release(&t->config);
    if (beside)
        return;
    looptest_close(t->loop);
    testdb_give_back(t->url);
}

static void on_notified(void *ctx, const char *payload)
{
    struct fronttest *t = ctx;

    (void)snprintf(t->heard, sizeof(t->heard), "%s", payload);
}

static void on_missed(void *ctx)
{
    ((struct fronttest *)ctx)->listening++;
}

void fronttest_hear(struct fronttest *t, const char *channel)
{
    t->sub = (struct front_sub){
        .channel = channel, .notified = on_notified, .missed = on_missed, .ctx = t
    };
    front_subscribe(t->front, &t->sub);
    looptest_count(t->loop, &t->listening, 1);
}

struct hearing {
    const struct fronttest *t;
    const char *payload;
};

static bool is_heard(void *ctx)
{
    const struct hearing *h = ctx;

    return strcmp(h->t->heard, h->payload) == 0;
}

void fronttest_until_heard(struct fronttest *t, const char *payload)
{
    struct hearing h = { t, payload };

    looptest_until(t->loop, is_heard, &h);
}
