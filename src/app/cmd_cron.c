/*
 * app/cmd_cron.c - the commands of schedules.
 *
 * `cron next` needs neither configuration nor database: it reads this machine's tz data and clock.
 */
#include "app/cmd.h"
#include "base/clock.h"
#include "core/civil.h"
#include "prim/schedule.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

enum { NEXT_DEFAULT = 5, NEXT_MAX = 1000, LOCAL_SIZE = 40 };

/* ---- next ----------------------------------------------------------------------------------- */

static const struct table_column next_columns[] = {
    { "at", "AT" },
    { "local", "LOCAL TIME" },
    { 0 },
};

/* "2026-03-08 03:00:00 -04:00" */
static void format_local(int64_t utc, int32_t offset, char ret[LOCAL_SIZE])
{
    int64_t local = utc + offset, day = civil_day_of(local), second = local - day * CIVIL_DAY;
    struct civil d = civil_date(day);
    int east = offset < 0 ? -offset : offset;

    (void)snprintf(ret, LOCAL_SIZE, "%04d-%02d-%02d %02d:%02d:%02d %c%02d:%02d", (int)d.year,
                   d.month, d.day, (int)(second / 3600), (int)(second / 60 % 60),
                   (int)(second % 60), offset < 0 ? '-' : '+', east / 3600, east / 60 % 60);
}

static int add_times(const struct schedule *s, int64_t utc, int64_t count, struct table *t,
                     struct err *e)
{
    char local[LOCAL_SIZE];
    int rc;

    for (int64_t i = 0; i < count; i++) {
        rc = schedule_next(s, utc, &utc, e);
        if (rc != 0)
            return rc;
        format_local(utc, zone_offset(s->zone, utc), local);
        table_time(t, utc * 1000);
        table_str(t, local);
    }
    return 0;
}

/* Now, or --from as seconds since 1970. */
static int parse_from(const struct cli *c, int64_t *ret, struct err *e)
{
    const char *text = cli_value(c, "from");
    struct civil d;
    int year, hour, minute, second, end = 0;

    *ret = clock_real_us() / 1000000;
    if (!text)
        return 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &d.month, &d.day, &hour, &minute, &second,
               &end) != 6 ||
        end != 20 || text[end] != '\0' || d.month < 1 || d.month > 12 || d.day < 1 || d.day > 31 ||
        hour > 23 || minute > 59 || second > 59)
        return err_set(e, IFP_EINVALID, "--from: \"%.40s\" is not a time like 2026-03-08T07:00:00Z",
                       text);
    *ret = civil_days(year, d.month, d.day) * CIVIL_DAY + hour * 3600 + minute * 60 + second;
    return 0;
}

int cmd_cron_next(struct cli *c, struct err *e)
{
    const char *zone = cli_value(c, "zone");
    struct schedule_zones zones;
    struct schedule s;
    struct table t;
    int64_t count, from;
    int rc = cli_int(c, "count", 1, NEXT_MAX, NEXT_DEFAULT, &count, e);

    if (rc == 0)
        rc = parse_from(c, &from, e);
    if (rc != 0)
        return rc;
    schedule_zones_init(&zones);
    table_init(&t, next_columns, c->json);
    rc = schedule_open(&zones, cli_arg(c, 0), zone ? zone : "UTC", &s, e);
    if (rc == 0)
        rc = add_times(&s, from, count, &t, e);
    if (rc == 0)
        rc = cmd_print_table(c, &t, "times", e);
    else
        table_release(&t);
    schedule_zones_release(&zones);
    return rc;
}
