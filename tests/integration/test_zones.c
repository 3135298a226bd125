/*
 * tests/integration/test_zones.c - our time zones beside PostgreSQL's, from 1970 to 2100, for every
 * zone that PostgreSQL names.
 *
 * Both ways: offsets at regular samples and on both sides of each change that we know; and local
 * times around each change, those that do not exist and those that occur twice among them.  A
 * change that only PostgreSQL knew would show in the samples.
 *
 * Samples are 16 days apart; INFERPIPE_TEST_ZONES=hours makes it six hours (`make zones`).
 */
#include "base/buf.h"
#include "base/tzfile.h"
#include "core/civil.h"
#include "core/zone.h"
#include "lib/testdb.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define FROM INT64_C(0)
#define TO INT64_C(4133980800) /* 2101-01-01 */

enum { ZONES_MAX = 2000, LOCALS_PER_CHANGE = 6 };

static char *zones[ZONES_MAX];
static int zone_count;

static int setup(void **state)
{
    const char *url;
    char *all, *rest = NULL;

    (void)state;
    testdb_create(&url);
    /* What stands in a folder of its own there is the same again, or counts leap seconds. */
    all = strdup(testdb_text("select string_agg(name, ' ' order by name) from pg_timezone_names"
                             " where name !~ '^(posix|right)/' and name not in ('localtime',"
                             " 'posixrules', 'leapseconds')"));
    for (char *name = strtok_r(all, " ", &rest); name; name = strtok_r(NULL, " ", &rest)) {
        assert_true(zone_count < ZONES_MAX);
        zones[zone_count++] = strdup(name);
    }
    free(all);
    testdb_exec("create function off(t int8) returns int4 language sql stable as $$"
                " select extract(timezone from to_timestamp(t))::int4 $$;"
                "create function back(l int8) returns int8 language sql stable as $$"
                " select extract(epoch from"
                "  (timestamp '1970-01-01' + l * interval '1 second')::timestamptz)::int8 $$");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    for (int i = 0; i < zone_count; i++)
        free(zones[i]);
    return 0;
}

static struct zone open_zone(const char *name)
{
    struct zone zone;
    struct buf bytes;
    struct err e;

    buf_init(&bytes);
    if (tzfile_read(name, &bytes, &e) != 0 || zone_parse(bytes.data, bytes.len, &zone, &e) != 0)
        fail_msg("%s: %s", name, e.text);
    buf_release(&bytes);
    return zone;
}

/* As the session's zone, names are names: after `at time zone`, CET would be an abbreviation. */
static struct zone open_both(const char *name)
{
    testdb_execf("set timezone to '%s'", name);
    return open_zone(name);
}

/* "time:offset " wherever a sample's offset differs from the one before. */
static void our_samples(const struct zone *z, int64_t step, struct buf *text)
{
    int32_t before = INT32_MIN;

    for (int64_t t = FROM; t < TO; t += step) {
        int32_t offset = zone_offset(z, t);

        if (offset != before)
            buf_printf(text, "%lld:%d ", (long long)t, offset);
        before = offset;
    }
}

static void check_samples(const char *name, int64_t step)
{
    struct zone zone = open_both(name);
    struct buf ours, query;
    const char *theirs;

    buf_init(&ours);
    buf_init(&query);
    our_samples(&zone, step, &ours);
    buf_printf(&query,
               "select string_agg(t || ':' || o || ' ', '' order by t) from ("
               " select t, o, lag(o) over (order by t) as b from ("
               "  select t, off(t) as o from generate_series(%lld, %lld, %lld::int8) t) s) q"
               " where o is distinct from b",
               (long long)FROM, (long long)TO - 1, (long long)step);
    theirs = testdb_text(buf_cstr(&query));
    if (strcmp(theirs, buf_cstr(&ours)) != 0)
        fail_msg("%s: samples differ\n ours   %.800s\n theirs %.800s", name, ours.data, theirs);
    buf_release(&query);
    buf_release(&ours);
    zone_release(&zone);
}

static void offsets_agree_at_regular_samples(void **state)
{
    const char *how = getenv("INFERPIPE_TEST_ZONES");
    int64_t step = how && strcmp(how, "hours") == 0 ? 6 * 3600 : 16 * 86400 + 3600;

    (void)state;
    assert_true(zone_count > 400);
    for (int i = 0; i < zone_count; i++)
        check_samples(zones[i], step);
}

/* ---- around each change --------------------------------------------------------------------- */

struct probe {
    struct buf instants, locals; /* as elements of arrays */
    struct buf offsets;          /* ours, at the instants */
    int changes;
};

static void add_change(struct probe *p, const struct zone *z, int64_t at)
{
    int32_t before = zone_offset(z, at - 1), after = zone_offset(z, at);
    int64_t low = at + MIN(before, after), high = at + MAX(before, after);
    int64_t locals[LOCALS_PER_CHANGE] = { low - 1,  low,  low + (high - low) / 2,
                                          high - 1, high, high + 1 };

    assert_true(before != after);
    buf_printf(&p->instants, "%s%lld,%lld", p->changes ? "," : "", (long long)at - 1,
               (long long)at);
    buf_printf(&p->offsets, "%d %d ", before, after);
    for (int i = 0; i < LOCALS_PER_CHANGE; i++)
        buf_printf(&p->locals, "%s%lld", p->changes || i ? "," : "", (long long)locals[i]);
    p->changes++;
}

/* The wall at `instant` shows `local`, or jumped over it just then; and it did so for the first
 * time, as PostgreSQL, which takes one of the two in a time that occurs twice, is never earlier. */
static void check_local(const char *name, const struct zone *z, int64_t local, int64_t theirs)
{
    int64_t ours = zone_instant(z, local), shows = ours + zone_offset(z, ours);
    bool exists = theirs + zone_offset(z, theirs) == local;

    if (exists && shows == local && ours <= theirs)
        return;
    if (!exists && shows > local && ours - 1 + zone_offset(z, ours - 1) < local)
        return;
    fail_msg("%s: local %lld is %lld, PostgreSQL says %lld", name, (long long)local,
             (long long)ours, (long long)theirs);
}

static void check_locals(const char *name, const struct zone *z, struct probe *p)
{
    const char *theirs = testdb_text(buf_cstr(&p->locals));
    char *end;

    for (int i = 0; i < p->changes * LOCALS_PER_CHANGE; i++) {
        int64_t local = strtoll(theirs, &end, 10);

        assert_int_equal(*end, ':');
        check_local(name, z, local, strtoll(end + 1, &end, 10));
        assert_int_equal(*end, ' ');
        theirs = end + 1;
    }
    assert_int_equal(*theirs, '\0');
}

static void check_changes(const char *name)
{
    struct zone zone = open_both(name);
    struct probe p = { .changes = 0 };
    const char *theirs;

    buf_init(&p.instants);
    buf_init(&p.locals);
    buf_init(&p.offsets);
    buf_puts(&p.instants, "select string_agg(off(t) || ' ', '' order by n) from"
                          " (values (array[");
    buf_puts(&p.locals, "select string_agg(l || ':' || back(l) || ' ', '' order by n) from"
                        " (values (array[");
    for (int64_t at = zone_change(&zone, FROM); at < TO; at = zone_change(&zone, at))
        add_change(&p, &zone, at);
    buf_printf(&p.instants, "]::int8[])) v(a), unnest(a) with ordinality x(t, n)");
    buf_printf(&p.locals, "]::int8[])) v(a), unnest(a) with ordinality x(l, n)");
    if (p.changes) {
        theirs = testdb_text(buf_cstr(&p.instants));
        if (strcmp(theirs, buf_cstr(&p.offsets)) != 0)
            fail_msg("%s: changes differ\n ours   %.800s\n theirs %.800s", name, p.offsets.data,
                     theirs);
        check_locals(name, &zone, &p);
    }
    buf_release(&p.instants);
    buf_release(&p.locals);
    buf_release(&p.offsets);
    zone_release(&zone);
}

static void every_change_and_the_local_times_around_it_agree(void **state)
{
    (void)state;
    for (int i = 0; i < zone_count; i++)
        check_changes(zones[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(offsets_agree_at_regular_samples),
        cmocka_unit_test(every_change_and_the_local_times_around_it_agree),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
