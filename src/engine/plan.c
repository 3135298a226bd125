/*
 * engine/plan.c - see the header.
 *
 * The first rows of a whole page of executions come with one statement; most journals end there.
 * The longer ones are read to their end one after the other.  Pages begin small and grow while what
 * they bring is little: large payloads make small pages.
 */
#include "engine/plan.h"

#include "base/ids.h"
#include "base/mem.h"
#include "engine/internal.h"
#include "engine/rehearse.h"
#include "store/live.h"

#include <assert.h>
#include <string.h>

enum { PAGE_EXECUTIONS = 64, PAGE_FIRST = 4, PAGE_ROWS = 16, PAGE_BYTES = 4 << 20, ROWS_MAX = 128 };

struct plan_lane { /* whose workflow this program has */
    int32_t lane;
    size_t line;                            /* in lines */
    const struct engine_workflow *workflow; /* borrowed */
};

struct plan {
    struct plan_options o;
    struct rehearse *rehearse; /* owned */
    struct plan_line *lines;   /* owned; their texts are in texts */
    struct plan_lane *lanes;   /* owned */
    int32_t *ids;              /* owned: the numbers of the lanes */
    size_t line_count, lane_count, cap;
    struct arena texts;
    struct rehearsal page[PAGE_EXECUTIONS]; /* by id */
    size_t count;
    int width;                 /* how many executions the next page has */
    size_t bytes;              /* that the present one has brought */
    int64_t after, last;       /* ids: how far it has come, and where it ends */
    int64_t left;              /* how many more it may look at */
    struct rehearsal *reading; /* borrowed: one of the page, whose long journal is being read */
    struct err *e;             /* borrowed, while plan_run is under way */
};

int plan_open(const struct plan_options *o, struct plan **ret, struct err *e)
{
    struct plan *p = mem_zalloc(sizeof(*p));
    int rc;

    assert(o->config && o->client && o->limit >= 0);
    if (!p)
        return err_set(e, IFP_ENOMEM, "out of memory");
    p->o = *o;
    p->left = o->limit ? o->limit : INT64_MAX;
    p->width = PAGE_FIRST;
    arena_init(&p->texts, 0);
    rc = rehearse_open(o->config, &p->rehearse, e);
    if (rc != 0) {
        plan_close(p);
        return rc;
    }
    *ret = p;
    return 0;
}

void plan_close(struct plan *p)
{
    if (!p)
        return;
    assert(p->count == 0);
    rehearse_close(p->rehearse);
    mem_free(p->lines);
    mem_free(p->lanes);
    mem_free(p->ids);
    arena_release(&p->texts);
    mem_free(p);
}

size_t plan_lines(const struct plan *p, const struct plan_line **ret)
{
    *ret = p->lines;
    return p->line_count;
}

static int out_of_memory(struct plan *p)
{
    return err_set(p->e, IFP_ENOMEM, "out of memory");
}

/* ---- what there is -------------------------------------------------------------------------- */

static int grow(struct plan *p)
{
    size_t cap = p->cap ? p->cap * 2 : 16;
    void *lines, *lanes, *ids;

    assert(p->line_count <= p->cap && p->lane_count <= p->cap);
    if (p->line_count < p->cap && p->lane_count < p->cap)
        return 0;
    lines = mem_resize(p->lines, cap, sizeof(*p->lines));
    if (lines)
        p->lines = lines;
    lanes = mem_resize(p->lanes, cap, sizeof(*p->lanes));
    if (lanes)
        p->lanes = lanes;
    ids = mem_resize(p->ids, cap, sizeof(*p->ids));
    if (ids)
        p->ids = ids;
    if (!lines || !lanes || !ids)
        return IFP_ENOMEM;
    p->cap = cap;
    return 0;
}

/* Lanes come by workflow and version, so the line of this one is the last one or new. */
static int find_line(struct plan *p, const struct live_lane *lane, struct plan_line **ret)
{
    struct plan_line *last = p->line_count ? &p->lines[p->line_count - 1] : NULL;
    const char *workflow, *version;

    if (!last || strcmp(last->workflow, lane->workflow) != 0 ||
        strcmp(last->version, lane->version) != 0) {
        workflow = arena_strndup(&p->texts, lane->workflow, strlen(lane->workflow));
        version = arena_strndup(&p->texts, lane->version, strlen(lane->version));
        if (!workflow || !version)
            return IFP_ENOMEM;
        last = &p->lines[p->line_count++];
        *last = (struct plan_line){ .workflow = workflow, .version = version };
    }
    *ret = last;
    return 0;
}

static const struct engine_workflow *find_workflow(const struct plan *p, const struct plan_line *l)
{
    for (size_t i = 0; i < p->o.workflow_count; i++)
        if (strcmp(p->o.workflows[i].name, l->workflow) == 0 &&
            strcmp(p->o.workflows[i].version, l->version) == 0)
            return &p->o.workflows[i];
    return NULL;
}

static int on_lane(void *ctx, const struct live_lane *lane)
{
    struct plan *p = ctx;
    const struct engine_workflow *w;
    struct plan_line *line;

    if (grow(p) != 0 || find_line(p, lane, &line) != 0)
        return out_of_memory(p);
    assert(lane->executions > 0 && p->line_count <= p->cap);
    line->live += lane->executions;
    w = find_workflow(p, line);
    if (!w) {
        line->verdicts[IFP_UNKNOWN] += lane->executions;
        return 0;
    }
    p->last = MAX(p->last, lane->last);
    p->ids[p->lane_count] = lane->lane;
    p->lanes[p->lane_count++] = (struct plan_lane){ lane->lane, p->line_count - 1, w };
    return 0;
}

/* ---- findings ------------------------------------------------------------------------------- */

static int tell(const struct plan *p, const ifp_plan_finding *finding)
{
    return p->o.found ? p->o.found(p->o.ctx, finding) : 0;
}

static int tell_unknown(const struct plan *p)
{
    int rc = 0;

    for (size_t i = 0; i < p->line_count && rc == 0; i++) {
        const struct plan_line *l = &p->lines[i];

        if (l->verdicts[IFP_UNKNOWN] > 0)
            rc = tell(p, &(ifp_plan_finding){ .verdict = IFP_UNKNOWN,
                                              .workflow = l->workflow,
                                              .version = l->version,
                                              .executions = l->verdicts[IFP_UNKNOWN],
                                              .message = "this program does not have it" });
    }
    return rc;
}

static const struct plan_lane *lane_of(const struct plan *p, int32_t lane)
{
    size_t i = 0;

    while (p->lanes[i].lane != lane) {
        i++;
        assert(i < p->lane_count);
    }
    return &p->lanes[i];
}

/* The journal is complete: judges the execution and forgets it. */
static int conclude(struct plan *p, struct rehearsal *x)
{
    struct plan_line *line = &p->lines[lane_of(p, x->run->lane)->line];
    struct rehearsal_end end;
    int rc = rehearse_end(x, &end);

    if (rc != 0)
        return out_of_memory(p);
    assert((end.verdict == IFP_CONTINUES) == (end.text[0] == '\0'));
    line->verdicts[end.verdict]++;
    p->bytes += x->run->keep.used;
    if (end.verdict != IFP_CONTINUES)
        rc = tell(p, &(ifp_plan_finding){ .verdict = end.verdict,
                                          .workflow = line->workflow,
                                          .version = line->version,
                                          .id = x->run->id,
                                          .executions = 1,
                                          .calls = end.calls,
                                          .message = end.text });
    rehearse_drop(x);
    return rc;
}

/* ---- a page --------------------------------------------------------------------------------- */

static int on_execution(void *ctx, const struct store_claimed *row)
{
    struct plan *p = ctx;

    assert(p->count < PAGE_EXECUTIONS && row->exec_id > p->after);
    p->after = row->exec_id;
    p->left--;
    if (rehearse_begin(p->rehearse, row, lane_of(p, row->lane)->workflow, &p->page[p->count]) != 0)
        return out_of_memory(p);
    p->count++;
    return 0;
}

static int on_row(void *ctx, const struct store_journal_row *row)
{
    struct plan *p = ctx;
    size_t low = 0, high = p->count;

    while (low + 1 < high) {
        size_t mid = (low + high) / 2;

        if (p->page[mid].run->exec_id <= row->exec_id)
            low = mid;
        else
            high = mid;
    }
    assert(p->page[low].run && p->page[low].run->exec_id == row->exec_id);
    return rehearse_row(&p->page[low], row) == 0 ? 0 : out_of_memory(p);
}

static int on_long_row(void *ctx, const struct store_journal_row *row)
{
    struct plan *p = ctx;

    return rehearse_row(p->reading, row) == 0 ? 0 : out_of_memory(p);
}

/* The rest of a journal; one that cannot be taken in needs no more of it. */
static int read_on(struct plan *p, struct rehearsal *x)
{
    int limit = (int)MIN(config_int(p->o.config, CONFIG_JOURNAL_PAGE), ROWS_MAX), rc;

    assert(limit >= 1 && x->run->load_rows == PAGE_ROWS);
    p->reading = x;
    do {
        x->run->load_rows = 0;
        rc = live_journals(p->o.client, &x->run->exec_id, &x->run->load_after, 1, limit,
                           on_long_row, p, p->e);
    } while (rc == 0 && !x->refused && x->run->load_rows == limit);
    return rc;
}

static int read_journals(struct plan *p)
{
    int64_t exec[PAGE_EXECUTIONS], after[PAGE_EXECUTIONS];
    int rc;

    assert(p->count >= 1 && p->count <= PAGE_EXECUTIONS);
    for (size_t i = 0; i < p->count; i++) {
        exec[i] = p->page[i].run->exec_id;
        after[i] = p->page[i].run->load_after;
    }
    rc = live_journals(p->o.client, exec, after, p->count, PAGE_ROWS, on_row, p, p->e);
    for (size_t i = 0; i < p->count && rc == 0; i++) {
        struct rehearsal *x = &p->page[i];

        if (x->run->load_rows == PAGE_ROWS)
            rc = read_on(p, x);
        if (rc == 0)
            rc = conclude(p, x);
    }
    return rc;
}

static void drop_page(struct plan *p)
{
    for (size_t i = 0; i < p->count; i++)
        rehearse_drop(&p->page[i]);
    p->count = 0;
}

static int read_page(struct plan *p)
{
    struct live_range range = { .lanes = p->ids,
                                .lane_count = p->lane_count,
                                .after = p->after,
                                .last = p->last,
                                .limit = (int)MIN(p->left, p->width) };
    int64_t left = p->left;
    int rc = live_begin(p->o.client, p->e);

    assert(p->count == 0 && left > 0 && p->width >= 1);
    p->bytes = 0;
    if (rc != 0)
        return rc;
    rc = live_executions(p->o.client, &range, on_execution, p, p->e);
    if (rc == 0 && p->count > 0)
        rc = read_journals(p);
    live_end(p->o.client);
    drop_page(p);
    p->width = p->bytes > PAGE_BYTES ? MAX(p->width / 2, 1) : MIN(p->width * 2, PAGE_EXECUTIONS);
    if (left - p->left < range.limit)
        p->left = 0; /* it was the last one */
    return rc;
}

int plan_run(struct plan *p, struct err *e)
{
    int rc;

    assert(p->line_count == 0 && p->count == 0);
    p->e = e;
    rc = live_lanes(p->o.client, p->o.workflow, p->o.queue, on_lane, p, e);
    if (rc == 0)
        rc = tell_unknown(p);
    if (p->lane_count == 0)
        return rc;
    while (rc == 0 && p->left > 0)
        rc = read_page(p);
    return rc;
}
