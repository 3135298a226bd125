/*
 * prim/schedule.c - a short list of zones, looked through from the last one used: jobs come in runs
 * of the same zone.
 */
#include "prim/schedule.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/tzfile.h"

#include <assert.h>
#include <stdbool.h>
#include <string.h>

#define FRESH_US INT64_C(3600000000)

struct schedule_zone {
    struct schedule_zone *next;
    int64_t read_us;
    struct zone zone;
    char name[TZFILE_NAME_MAX + 1];
};

void schedule_zones_init(struct schedule_zones *zones)
{
    *zones = (struct schedule_zones){ .first = NULL };
}

static void free_zone(struct schedule_zone *z)
{
    zone_release(&z->zone);
    mem_free(z);
}

void schedule_zones_release(struct schedule_zones *zones)
{
    for (struct schedule_zone *z; (z = zones->first) != NULL;) {
        zones->first = z->next;
        free_zone(z);
    }
    zones->count = 0;
}

/* Takes the zone out of the list, or gives NULL. */
static struct schedule_zone *take(struct schedule_zones *zones, const char *name)
{
    for (struct schedule_zone **at = &zones->first; *at; at = &(*at)->next) {
        struct schedule_zone *z = *at;

        if (strcmp(z->name, name) != 0)
            continue;
        *at = z->next;
        zones->count--;
        return z;
    }
    return NULL;
}

static int read_zone(const char *name, struct zone *ret, struct err *e)
{
    struct buf bytes;
    int rc;

    if (strcmp(name, "UTC") == 0) {
        zone_utc(ret); /* works without tz data */
        return 0;
    }
    buf_init(&bytes);
    rc = tzfile_read(name, &bytes, e);
    if (rc == 0) {
        rc = zone_parse(bytes.data, bytes.len, ret, e);
        if (rc != 0)
            err_wrap(e, "timezone: %s", name);
    }
    buf_release(&bytes);
    return rc;
}

static struct schedule_zone *new_zone(const char *name, struct err *e)
{
    struct schedule_zone *z = mem_zalloc(sizeof(*z));

    if (!z) {
        (void)err_set(e, IFP_ENOMEM, "out of memory");
        return NULL;
    }
    zone_utc(&z->zone);
    if (read_zone(name, &z->zone, e) != 0) {
        mem_free(z);
        return NULL;
    }
    assert(strlen(name) < sizeof(z->name)); /* it was read, or it is UTC */
    memcpy(z->name, name, strlen(name));
    z->read_us = clock_mono_us();
    return z;
}

static int find_zone(struct schedule_zones *zones, const char *name, const struct zone **ret,
                     struct err *e)
{
    struct schedule_zone *z = take(zones, name);

    if (z && clock_mono_us() - z->read_us > FRESH_US) {
        free_zone(z);
        z = NULL;
    }
    if (!z && zones->count >= SCHEDULE_ZONES_MAX)
        schedule_zones_release(zones);
    if (!z)
        z = new_zone(name, e);
    if (!z)
        return e->code;
    z->next = zones->first;
    zones->first = z;
    zones->count++;
    *ret = &z->zone;
    return 0;
}

int schedule_open(struct schedule_zones *zones, const char *expression, const char *timezone,
                  struct schedule *ret, struct err *e)
{
    struct schedule s;
    int rc = cron_parse(expression, &s.cron, e);

    if (rc == 0)
        rc = find_zone(zones, timezone, &s.zone, e);
    if (rc == 0)
        *ret = s;
    return rc;
}

int schedule_next(const struct schedule *s, int64_t utc, int64_t *ret, struct err *e)
{
    int64_t next = cron_next(&s->cron, s->zone, utc);

    if (next == CRON_NEVER)
        return err_set(e, IFP_EINVALID, "schedule: it never fires in this time zone");
    *ret = next;
    return 0;
}
