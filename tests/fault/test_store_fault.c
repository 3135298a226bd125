/*
 * tests/fault/test_store_fault.c - fails the n-th allocation, statement, answer and write of whole
 * scenarios, for n = 1, 2, ... until one goes through: whatever fails, the caller learns of it, the
 * same scenario succeeds afterwards, and nothing is lost or there twice.
 */
#include "base/fault.h"
#include "base/mem.h"
#include "lib/storetest.h"
#include "store/client.h"
#include "store/listing.h"
#include "store/migrate.h"
#include "store/txstep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define WORKER STORETEST_WORKER
enum { ROUNDS_MAX = 2000, ERRORS_MAX = 20 };

static int errors; /* of the present scenario: one fault may cost a few tries, not many */

static const enum fault_kind kinds[] = { FAULT_ALLOC, FAULT_STATEMENT, FAULT_REPLY, FAULT_WRITE };

static void disarm(void)
{
    for (int kind = 0; kind < FAULT_KINDS; kind++)
        fault_arm((enum fault_kind)kind, 0, false);
}

/* Runs the scenario with the n-th fault of each kind, until the n-th is not reached any more. */
static void each_fault(void (*scenario)(void *ctx), void *ctx)
{
    for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
        uint64_t n = 0, seen;

        do {
            n++;
            assert_true(n < ROUNDS_MAX);
            errors = 0;
            fault_arm(kinds[k], n, false);
            scenario(ctx);
            seen = fault_count(kinds[k]);
            disarm();
        } while (seen >= n);
    }
}

static int disarm_after(void **state)
{
    (void)state;
    disarm();
    return 0;
}

/* An error that a fault may cause, and no other. */
static bool faulty(int err)
{
    if (err && err != IFP_ENOMEM && err != IFP_EUNAVAILABLE)
        fail_msg("a fault led to %s", ifp_error_name(err));
    errors += err != 0;
    assert_true(errors < ERRORS_MAX);
    return err != 0;
}

/*
 * A backend whose connection was cut may still carry out what it was sent.  Waits until no other
 * backend of this database is in such a state.
 */
static void settle(const char *state)
{
    const int64_t limit = 20000;

    for (int64_t n = 0; n < limit; n++) {
        if (testdb_int8f("select count(*) from pg_stat_activity where pid <> pg_backend_pid()"
                         " and datname = current_database() and backend_type = 'client backend'"
                         " and %s",
                         state) == 0)
            return;
        testdb_exec("select pg_sleep(0.001)");
    }
    fail_msg("a backend did not come to rest");
}

/* ---- the client ----------------------------------------------------------------------------- */

struct caller {
    const char *url;
    int round;
};

static int open_client(struct caller *caller, struct client *c)
{
    const struct client_limits limits = { 4096, 16, 60000 };
    struct err e;

    return client_open(c, caller->url, "default", &limits, &e);
}

static void with_workflow(struct caller *caller)
{
    memset(caller, 0, sizeof(*caller));
    testdb_create(&caller->url);
    testdb_exec("select inferpipe.workflow_register(1, '{echo}', '{1}', '{default}', '{null}')");
}

/* With a key: repeated until it is acknowledged, it has started exactly one. */
static void start_with_key(void *ctx)
{
    static const char input[] = "\"longer than inline\"";
    struct caller *caller = ctx;
    struct client c;
    struct err e;
    char key[32];
    int64_t id = 0;
    bool created;
    int err;

    (void)snprintf(key, sizeof(key), "key-%d", ++caller->round);
    do {
        err = open_client(caller, &c);
        if (!err)
            err = client_start(&c, "echo", input, sizeof(input) - 1,
                               &(ifp_start_options){ .key = key }, &id, &created, &e);
        client_release(&c);
    } while (faulty(err));
    assert_int_equal(testdb_int8f("select count(*) from inferpipe._inferpipe_executions"
                                  " where exec_id = %lld and idem_key is not null",
                                  (long long)id),
                     1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_executions"),
                     caller->round);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_payloads"),
                     caller->round);
}

static void a_start_with_a_key_is_never_lost_nor_doubled(void **state)
{
    struct caller caller;

    (void)state;
    with_workflow(&caller);
    each_fault(start_with_key, &caller);
}

/* Without a key: acknowledged means there; not acknowledged means there at most once. */
static void start_without_key(void *ctx)
{
    struct caller *caller = ctx;
    int64_t before, after;
    struct client c;
    struct err e;
    int64_t id = 0;
    bool created;
    int err = open_client(caller, &c);

    if (faulty(err))
        return;
    before = testdb_int8("select count(*) from inferpipe._inferpipe_executions");
    err = client_start(&c, "echo", "1", 1, NULL, &id, &created, &e);
    client_release(&c);
    settle("true");
    after = testdb_int8("select count(*) from inferpipe._inferpipe_executions");
    if (faulty(err))
        assert_true(after - before <= (err == IFP_EUNAVAILABLE));
    else
        assert_int_equal(after - before, 1);
}

static void a_start_without_a_key_is_there_when_acknowledged(void **state)
{
    struct caller caller;

    (void)state;
    with_workflow(&caller);
    each_fault(start_without_key, &caller);
}

static int count_execution(void *ctx, const struct listing_execution *row)
{
    assert_non_null(row->status);
    ++*(int *)ctx;
    return 0;
}

/* Everything else that a caller does: what fails may be asked again. */
static int use_client(struct client *c, int64_t id, int *ret_listed, struct err *e)
{
    const struct listing_filter all = { .limit = 10 };
    ifp_execution x;
    char *input = NULL;
    bool answer;

    IFP_TRY(client_send(c, id, "go", "\"longer than inline\"", 20, "once", &answer, e));
    IFP_TRY(client_get(c, id, &x, &input, e));
    assert_string_equal(x.workflow, "echo");
    assert_string_equal(input, "1");
    ifp_execution_release(&x);
    mem_free(input);
    *ret_listed = 0;
    return listing_executions(c, &all, count_execution, ret_listed, e);
}

static void use(void *ctx)
{
    struct caller *caller = ctx;
    int64_t id = testdb_int8("select exec_id from inferpipe._inferpipe_runs");
    struct client c;
    struct err e;
    int listed = 0, err = open_client(caller, &c);

    if (faulty(err))
        return;
    while (faulty(use_client(&c, id, &listed, &e)))
        ;
    client_release(&c);
    assert_int_equal(listed, 1);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_messages"), 1);
}

static void what_a_caller_does_may_be_repeated_after_any_fault(void **state)
{
    struct caller caller;

    (void)state;
    with_workflow(&caller);
    testdb_exec("select inferpipe.start('echo', '1')");
    each_fault(use, &caller);
}

/* ---- the asynchronous store ----------------------------------------------------------------- */

struct batch {
    struct storetest t; /* first */
    struct flush f;
    int32_t seq;
    enum flush_verdict verdict;
};

static void build(struct batch *b)
{
    struct store_claimed *c = &b->t.claimed[0];

    flush_add_run(
        &b->f, &(struct flush_run){ .exec_id = c->exec_id, .fence = c->fence, .move = FLUSH_KEEP });
    flush_add_row(&b->f, &(struct flush_row){ .step_key = b->seq,
                                              .seq = b->seq,
                                              .kind = STORE_STEP,
                                              .attempts = 1,
                                              .name = "s",
                                              .result = { "\"long\"", 6 },
                                              .wake_ms = -1 });
    flush_add_attempt(&b->f, &(struct flush_attempt){
                                 .step_key = b->seq, .seq = b->seq, .attempt = 1, .next_ms = 5 });
}

static void read_verdict(const struct store_op *op, void *ctx)
{
    struct batch *b = ctx;

    assert_int_equal(op->rows, 1);
    b->verdict = flush_answer_at(&b->f, 0).verdict;
}

/*
 * As the engine does it: a lost answer is followed by the same batch, lost memory by a new one.
 * The backend whose connection was cut may still be at its commit: the same batch then finds the
 * run locked, and comes again.
 */
static void commit_a_step(void *ctx)
{
    struct batch *b = ctx;
    int err;

    b->seq++;
    build(b);
    for (;;) {
        b->t.read = read_verdict;
        b->t.ctx = b;
        flush_send(&b->f, WORKER, storetest_done);
        err = storetest_wait(&b->t);
        if (!faulty(err) && b->verdict != FLUSH_LOCKED)
            break;
        if (err == IFP_ENOMEM) {
            flush_reset(&b->f);
            build(b);
        }
    }
    assert_int_equal(b->verdict, FLUSH_WRITTEN);
    flush_reset(&b->f);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_steps"), b->seq);
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_attempts"), b->seq);
}

static void a_group_commit_is_written_once_whatever_fails(void **state)
{
    static struct batch b;

    (void)state;
    memset(&b, 0, sizeof(b));
    storetest_start(&b.t);
    flush_init(&b.f, b.t.store, 3);
    (void)storetest_claimed(&b.t, "echo");
    each_fault(commit_a_step, &b);
    flush_release(&b.f);
    storetest_close(&b.t);
}

/* A claim whose answer was lost is found by asking what the worker owns. */
static void claim_one(void *ctx)
{
    struct storetest *t = ctx;
    int64_t id = storetest_execution("echo");
    struct store_probe probe = { 1, (int16_t)(id % 8), 3, INT64_MIN };

    for (;;) {
        store_claim(&t->op, WORKER, &probe, 1, 1, storetest_done);
        if (!faulty(storetest_wait(t)))
            break;
    }
    settle("state <> 'idle'");
    while (store_owned(&t->op, WORKER, storetest_done), faulty(storetest_wait(t)))
        ;
    assert_int_equal(t->rows, testdb_int8("select count(*) from inferpipe._inferpipe_runs"
                                          " where owner <> 0 and fence = 1"));
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_runs where owner = 0"),
                     0);
}

static void a_claimed_execution_is_never_lost(void **state)
{
    static struct storetest t;

    (void)state;
    storetest_start(&t);
    each_fault(claim_one, &t);
    storetest_close(&t);
}

/* The control connection's statements may all be repeated. */
static void live_a_little(void *ctx)
{
    struct storetest *t = ctx;
    const int32_t lane = 1;
    const int64_t exec = 1, after = INT64_MIN;

    while (store_register(&t->op, storetest_workflows, 2, storetest_done),
           faulty(storetest_wait(t)))
        ;
    while (store_beat(&t->op, WORKER, true, storetest_done), faulty(storetest_wait(t)))
        ;
    while (store_lanes(&t->op, storetest_workflows, 2, storetest_done), faulty(storetest_wait(t)))
        ;
    while (store_tick(&t->op, WORKER, true, &lane, 1, true, storetest_done),
           faulty(storetest_wait(t)))
        ;
    while (store_journal(&t->op, &exec, &after, 1, 10, storetest_done), faulty(storetest_wait(t)))
        ;
    while (store_reap_release(&t->op, 5, 10, storetest_done), faulty(storetest_wait(t)))
        ;
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_workers"
                                 " where state = 0 and hungry"),
                     1);
}

static void a_worker_lives_through_any_fault(void **state)
{
    static struct storetest t;

    (void)state;
    storetest_start(&t);
    each_fault(live_a_little, &t);
    storetest_close(&t);
}

static void on_closed(void *ctx)
{
    loop_stop(ctx);
}

static void open_and_close(void *ctx)
{
    struct storetest t;
    struct store_options o = storetest_options(&t, *(const char **)ctx);
    struct store *s = NULL;
    struct loop *l;
    struct err e;

    if (faulty(loop_open(&l, &e)))
        return;
    if (!faulty(store_open(l, &o, &s, &e))) {
        store_close(s, on_closed, l);
        loop_run(l);
    }
    loop_close(l);
}

static void a_store_that_cannot_be_opened_leaves_nothing(void **state)
{
    const char *url;

    (void)state;
    testdb_create(&url);
    each_fault(open_and_close, &url);
}

/* ---- migrations and transactional steps ----------------------------------------------------- */

static int try_migration(const char *url)
{
    struct pgsync_options o = { .conninfo = url,
                                .application = "fault",
                                .connect_timeout_ms = 5000 };
    struct pgsync *db;
    struct err e;
    int version, err = pgsync_open(&o, &db, &e);

    if (err)
        return err;
    err = migrate_up(db, false, NULL, NULL, &version, &e);
    if (!err)
        err = migrate_check(db, &e);
    if (!err)
        assert_int_equal(version, migrate_latest());
    pgsync_close(db);
    return err;
}

/* All or nothing, and nothing more when it was not acknowledged to be there. */
static void migrate_or_fail(void *ctx)
{
    bool failed = faulty(try_migration(ctx)), there;

    settle("true");
    there = testdb_int8("select count(*) from pg_namespace where nspname = 'inferpipe'") == 1;
    assert_true(failed || there);
    if (!there)
        return;
    assert_int_equal(testdb_int8("select count(*) from inferpipe._inferpipe_migrations"),
                     migrate_latest());
    testdb_exec("drop schema inferpipe cascade");
}

static void a_migration_happens_wholly_or_not_at_all(void **state)
{
    const char *url;
    char conninfo[1024];

    (void)state;
    testdb_create_empty(&url);
    (void)snprintf(conninfo, sizeof(conninfo), "%s", url);
    each_fault(migrate_or_fail, conninfo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_start_with_a_key_is_never_lost_nor_doubled, disarm_after),
        cmocka_unit_test_teardown(a_start_without_a_key_is_there_when_acknowledged, disarm_after),
        cmocka_unit_test_teardown(what_a_caller_does_may_be_repeated_after_any_fault, disarm_after),
        cmocka_unit_test_teardown(a_group_commit_is_written_once_whatever_fails, disarm_after),
        cmocka_unit_test_teardown(a_claimed_execution_is_never_lost, disarm_after),
        cmocka_unit_test_teardown(a_worker_lives_through_any_fault, disarm_after),
        cmocka_unit_test_teardown(a_store_that_cannot_be_opened_leaves_nothing, disarm_after),
        cmocka_unit_test_teardown(a_migration_happens_wholly_or_not_at_all, disarm_after),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
