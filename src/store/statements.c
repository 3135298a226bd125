/*
 * store/statements.c - the table.  One function of schema `inferpipe` each, but for the listings:
 * those are plain reads, and start from the table whose index has the order asked for (runs for
 * what lives, results for what has ended), never from a view over everything.
 */
#include "store/statements.h"

#include <assert.h>

/* One number for all versions of all binaries: it keeps two migrators apart. */
#define MIGRATE_LOCK "4985412034879"

#define CLAIMED                                                                                    \
    "exec_id, fence, lane, shard, prio, ready_at, flags, crashes, has_journal, deadline, "         \
    "created_at, seed, input, now, options, traceparent"
#define LEASE "$1::int8, $2::int4, $3::int8, $4::bool, $5::text, $6::int4, $7::text, $8::text"

/* A page of ids, $1 workspace, $2 workflow or null, $3 id before which, $4 limit ... */
#define IN_WORKFLOW(lane)                                                                          \
    "case when $2::text is null then " lane " not in (select l.lane_id"                            \
    " from inferpipe._inferpipe_lanes l join inferpipe._inferpipe_workflows w using (workflow_id)" \
    " where w.workspace_id = $1::int4 and pg_catalog.starts_with(w.name, 'inferpipe.'))"           \
    " else " lane " in (select l.lane_id from inferpipe._inferpipe_lanes l"                        \
    " join inferpipe._inferpipe_workflows w using (workflow_id)"                                   \
    " where w.workspace_id = $1::int4 and w.name = $2::text) end"
#define IN_QUEUE(lane, name)                                                                       \
    "(" name "::text is null or " lane " in (select l.lane_id from inferpipe._inferpipe_lanes l"   \
    " join inferpipe._inferpipe_queues q using (queue_id)"                                         \
    " where q.workspace_id = $1::int4 and q.name = " name "::text))"
/* ... and what is shown of each. */
#define LIST_PAGE                                                                                  \
    " select e.exec_id, w.name, w.version, q.name,"                                                \
    " inferpipe.status_text(f.status, r.owner, r.fence),"                                          \
    " case r.state when 2 then 'timer' when 3 then 'message' when 4 then 'retry'"                  \
    " when 6 then 'child' when 7 then 'slot' end::text,"                                           \
    " f.error_code, f.error, e.created_at, f.finished_at, r.ready_at,"                             \
    " coalesce(r.owner, 0::int8), coalesce(r.crashes, 0::int2), e.parent_id"                       \
    " from page p join inferpipe._inferpipe_executions e on e.exec_id = p.exec_id"                 \
    " join inferpipe._inferpipe_lanes l on l.lane_id = e.lane"                                     \
    " join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id"                      \
    " join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id"                               \
    " left join inferpipe._inferpipe_runs r on r.exec_id = p.exec_id"                              \
    " left join inferpipe._inferpipe_results f on f.exec_id = p.exec_id"                           \
    " order by e.exec_id desc"
/* The children of one execution; ids grow, so none is older than its parent.  The laterals keep a
 * plan from the days of empty tables from reading them whole. */
#define CHILDREN_OF(parent)                                                                        \
    " from inferpipe._inferpipe_executions x"                                                      \
    " left join lateral (select y.owner, y.fence from inferpipe._inferpipe_runs y"                 \
    " where y.exec_id = x.exec_id limit 1) r on true"                                              \
    " left join lateral (select y.status from inferpipe._inferpipe_results y"                      \
    " where y.exec_id = x.exec_id limit 1) f on true"                                              \
    " where x.parent_id = " parent " and x.exec_id > " parent

/* Keys as people may see them; scopes as one text. */
#define API_KEYS                                                                                   \
    "select k.prefix, k.name, array_to_string(k.scopes, ' '), k.rate_per_min, k.burst,"            \
    " k.created_at, k.expires_at, k.revoked_at, k.last_used_at, k.rotated_from, k.state"           \
    " from inferpipe."
#define JWT_KEYS                                                                                   \
    "select k.kid, k.alg, k.issuer, k.audience, array_to_string(k.scopes, ' '), k.rate_per_min,"   \
    " k.burst, k.created_at from inferpipe."

static const struct pgstmt statements[STATEMENTS] = {
    [STATEMENT_REGISTER] = {
        "register",
        "select w.id from inferpipe.workspace_id($1::text) as w(id) cross join lateral "
        "inferpipe.workflow_register(w.id, $2::text[], $3::text[], $4::text[], $5::int8[]) as r",
    },
    [STATEMENT_LANES] = {
        "lanes",
        "select lane, workflow, version, queue, quota, paused"
        " from inferpipe.lanes($1::int4, $2::text[], $3::text[])",
    },
    [STATEMENT_BEAT] = { "beat", "select inferpipe.worker_beat(" LEASE ")" },
    [STATEMENT_TICK] = {
        "tick",
        "select kind, id, n, m, at from inferpipe.tick(" LEASE ", $9::int4[], $10::bool)",
    },
    [STATEMENT_REAP_MARK] = {
        "reap_mark",
        "select inferpipe.reap_mark($1::int8, $2::int8, $3::text)",
    },
    [STATEMENT_REAP_RELEASE] = {
        "reap_release",
        "select released, remaining from inferpipe.reap_release($1::int2, $2::int4)",
    },
    [STATEMENT_LEAVE] = { "leave", "select inferpipe.worker_leave($1::int8)" },
    [STATEMENT_ROSTER] = {
        "roster",
        "select inferpipe.worker_roster($1::int8, $2::int4, $3::text[], $4::text[],"
        " $5::timestamptz)",
    },
    [STATEMENT_MAINTAIN] = { "maintain", "select inferpipe.maintain()" },

    [STATEMENT_RETAIN] = { "retain", "select removed, more from inferpipe.retain()" },
    [STATEMENT_CLAIM] = {
        "claim",
        "select " CLAIMED " from inferpipe.claim($1::int8, $2::int4[], $3::int2[], $4::int2[],"
        " $5::timestamptz[], $6::int4)",
    },
    [STATEMENT_START_LOCAL] = {
        "start_local",
        "select " CLAIMED " from inferpipe.start_local($1::int8, $2::int4, $3::text, $4::text,"
        " $5::int2, $6::bytea[])",
    },
    [STATEMENT_OWNED] = { "owned", "select " CLAIMED " from inferpipe.owned($1::int8)" },
    [STATEMENT_CLAIM_LIMITED] = {
        "claim_limited",
        "select " CLAIMED " from inferpipe.claim_limited($1::int8, $2::int4, $3::int4[], $4::int4,"
        " $5::int4, $6::int8, $7::int8)",
    },
    [STATEMENT_QUEUE_REPORT] = {
        "queue_report",
        "select inferpipe.queue_report($1::int8, $2::int4, $3::int4, $4::int8, $5::int8)",
    },
    [STATEMENT_JOURNAL] = {
        "journal",
        "select exec_id, step_key, seq, kind, status, attempts, done_at, wake_at, name, result,"
        " error_code, error from inferpipe.journal($1::int8[], $2::int8[], $3::int4)",
    },
    [STATEMENT_JOURNAL_ENDS] = {
        "journal_ends",
        "select exec_id, step_key, seq, kind, status, attempts, done_at, wake_at, name, result,"
        " error_code, error from inferpipe.journal_ends($1::int8[], $2::int8[])",
    },
    [STATEMENT_FLUSH] = {
        "flush",
        "select exec_id, verdict, flags, wake_at, got, payload from inferpipe.flush($1::int8,"
        " $2::int8[], $3::int4[], $4::int2[], $5::int2[], $6::int2[], $7::timestamptz[],"
        " $8::int8[], $9::int2[], $10::bytea[], $11::text[], $12::text[],"
        " $13::int8[], $14::int8[], $15::int4[], $16::text[], $17::int8[],"
        " $18::int8[], $19::int8[], $20::int4[], $21::int2[], $22::int2[], $23::int2[],"
        " $24::text[], $25::int2[], $26::bytea[], $27::text[], $28::text[], $29::int8[],"
        " $30::int8[],"
        " $31::int8[], $32::int8[], $33::int4[], $34::int2[], $35::text[], $36::text[],"
        " $37::int8[],"
        " $38::int8[], $39::bytea[], $40::bytea[],"
        " $41::int8[], $42::int2[], $43::int8[], $44::int4[], $45::int2[], $46::int4[],"
        " $47::text[], $48::text[], $49::bytea[], $50::int8[], $51::int8[],"
        " $52::int8[], $53::int8[], $54::int4[], $55::text[], $56::text[], $57::text[],"
        " $58::text[], $59::text[], $60::int2[], $61::int8[], $62::int8[], $63::int2[],"
        " $64::int2[], $65::bytea[], $66::bytea[], $67::text[])",
    },

    [STATEMENT_NOTES] = {
        "notes",
        "select exec_id, verdict, events from inferpipe.notes($1::int8, $2::int8[], $3::int4[],"
        " $4::int8[], $5::int2[], $6::int8[], $7::int4[], $8::int2[], $9::int4[], $10::text[],"
        " $11::text[], $12::bytea[], $13::int8[], $14::int8[])",
    },

    [STATEMENT_TX_ID] = { "tx_id", "select pg_catalog.pg_current_xact_id()::text" },
    [STATEMENT_TX_RECORD] = {
        "tx_record",
        "select inferpipe.step_tx_commit($1::int8, $2::int8, $3::int4, $4::int8, $5::int4,"
        " $6::text, $7::int2, $8::int8, $9::int2, $10::bytea, $11::bytea, $12::text)",
    },
    [STATEMENT_TX_SEND] = {
        "tx_send",
        "select inferpipe.step_send($1::int8, $2::int8, $3::text, $4::bytea, $5::bytea)",
    },

    [STATEMENT_WORKSPACE] = { "workspace", "select inferpipe.workspace_id($1::text)" },
    [STATEMENT_START] = {
        "start",
        "select exec_id, created from inferpipe.execution_start($1::int4, $2::text, $3::text,"
        " $4::text, $5::int2, $6::int8, $7::int8, $8::text, $9::int8, $10::bytea, $11::bytea,"
        " $12::text, $13::text, $14::text, $15::timestamptz, $16::text, $17::int8, $18::int8)",
    },
    [STATEMENT_START_MANY] = {
        "start_many",
        "select exec_id, created from inferpipe.execution_start_many($1::int4, $2::text[],"
        " $3::text[], $4::text[], $5::int4[], $6::int2[], $7::int8[], $8::int8[], $9::text[],"
        " $10::int8, $11::bytea[], $12::bytea[], $13::text[], $14::text[], $15::text[],"
        " $16::timestamptz[])",
    },
    [STATEMENT_START_BATCH] = {
        "start_batch",
        "select exec_id, created, code, detail from inferpipe.execution_start_batch($1::int4,"
        " $2::text[], $3::text[], $4::text[], $5::int8[], $6::int8[], $7::int4[], $8::int2[],"
        " $9::int8[], $10::int8[], $11::int2[], $12::text[], $13::int8, $14::bytea[],"
        " $15::bytea[], $16::bytea[], $17::text[], $18::text[], $19::text[], $20::timestamptz[],"
        " $21::text[], $22::text[], $23::bytea[], $24::bytea[])",
    },
    [STATEMENT_DRAW_IDS] = {
        "draw_ids",
        "select inferpipe.id_new() from generate_series(1, $1::int4)",
    },
    [STATEMENT_AWAIT] = { "await", "select inferpipe.execution_await($1::int8[])" },
    /* Of these executions those that have ended. */
    [STATEMENT_ENDED] = {
        "ended",
        "select x.pos, f.exec_id, f.status, w.name, w.version, e.traceparent, e.created_at,"
        " f.started_at, f.finished_at, case f.codec when 0 then f.output else"
        " inferpipe.payload_read(f.exec_id, f.output) end, f.error_code, f.error, c.tokens,"
        " c.usd::text"
        " from (select * from unnest($1::int8[]) with ordinality u(id, pos) offset 0) x"
        " cross join lateral (select r.* from inferpipe._inferpipe_results r"
        " where r.exec_id = x.id limit 1) f"
        " cross join lateral (select y.* from inferpipe._inferpipe_executions y"
        " where y.exec_id = x.id limit 1) e"
        " join inferpipe._inferpipe_lanes l on l.lane_id = e.lane"
        " join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id"
        " cross join lateral (select sum(t.tokens)::int8 as tokens, sum(t.usd) as usd from ("
        "select s.tokens, s.usd from inferpipe._inferpipe_steps s where s.exec_id = x.id"
        " union all select a.tokens, a.usd from inferpipe._inferpipe_attempts a"
        " where a.exec_id = x.id) t) c",
    },
    /* A page of the stream of each of these executions from behind a number, in all at most
     * $4 bytes each (but one event at least); one row without an event for what has none. */
    [STATEMENT_FOLLOW] = {
        "follow",
        "select x.pos, f.exec_id is not null, p.seq, p.at, p.kind, p.data, p.total,"
        " coalesce((select max(m.seq) from inferpipe._inferpipe_events m"
        " where m.exec_id = x.id), 0)"
        " from (select * from unnest($1::int8[], $2::int4[]) with ordinality u(id, after, pos)"
        " offset 0) x"
        " left join lateral (select r.exec_id from inferpipe._inferpipe_results r"
        " where r.exec_id = x.id limit 1) f on true"
        " left join lateral (select q.*, sum(octet_length(q.data)) over (order by q.seq)"
        " - octet_length(q.data) as before, count(*) over () as total"
        " from (select e.seq, e.at, e.kind, e.data from inferpipe._inferpipe_events e"
        " where e.exec_id = x.id and e.seq > x.after order by e.seq limit $3::int4) q) p"
        " on p.before < $4::int8"
        " order by x.pos, p.seq",
    },
    [STATEMENT_ANSWER_CLAIM] = {
        "answer_claim",
        "select claimed, status, body from inferpipe.answer_claim($1::int4, $2::text, $3::bytea,"
        " $4::int8, $5::int8)",
    },
    [STATEMENT_ANSWER_KEEP] = {
        "answer_keep",
        "select inferpipe.answer_keep($1::int4, $2::text, $3::int8, $4::int2, $5::bytea,"
        " $6::int8)",
    },
    [STATEMENT_ANSWER_RELEASE] = {
        "answer_release",
        "select inferpipe.answer_release($1::int4, $2::text, $3::int8)",
    },
    [STATEMENT_HAS] = {
        "has",
        "select e.traceparent from inferpipe._inferpipe_executions e"
        " where e.exec_id = $2::int8 and e.workspace_id = $1::int4",
    },
    /* All of one execution. */
    [STATEMENT_STATUS] = {
        "status",
        "select inferpipe.status_text(f.status, r.owner, r.fence)"
        " from inferpipe._inferpipe_executions e"
        " left join inferpipe._inferpipe_runs r on r.exec_id = e.exec_id"
        " left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id"
        " where e.workspace_id = $1::int4 and e.exec_id = $2::int8",
    },
    [STATEMENT_SHOW] = {
        "show",
        "select inferpipe.status_text(f.status, r.owner, r.fence), w.name, w.version, q.name,"
        " inferpipe.waiting_text(r.state), case f.codec when 0 then f.output else"
        " inferpipe.payload_read(e.exec_id, f.output) end, f.error_code, f.error, e.created_at,"
        " coalesce(f.started_at, r.started_at), f.finished_at, c.tokens, c.usd::text,"
        " coalesce(f.finished_at, c.latest, r.started_at, e.created_at), e.traceparent,"
        " e.metadata::text, case e.codec when 0 then e.input else"
        " inferpipe.payload_read(e.exec_id, e.input) end, e.parent_id, e.forked_from,"
        " e.prio, coalesce(r.flags & 1 <> 0, false), e.options::text"
        " from inferpipe._inferpipe_executions e"
        " join inferpipe._inferpipe_lanes l on l.lane_id = e.lane"
        " join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id"
        " join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id"
        " left join inferpipe._inferpipe_runs r on r.exec_id = e.exec_id"
        " left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id"
        " cross join lateral (select sum(t.tokens)::int8 as tokens, sum(t.usd) as usd,"
        " max(t.at) as latest from (select s.tokens, s.usd, s.done_at as at"
        " from inferpipe._inferpipe_steps s where s.exec_id = e.exec_id union all"
        " select a.tokens, a.usd, a.failed_at from inferpipe._inferpipe_attempts a"
        " where a.exec_id = e.exec_id) t) c"
        " where e.exec_id = $2::int8 and e.workspace_id = $1::int4",
    },
    [STATEMENT_SEND] = {
        "send",
        "select inferpipe.execution_send($1::int4, $2::int8, $3::text, $4::bytea, $5::bytea,"
        " $6::text)",
    },
    [STATEMENT_CANCEL] = {
        "cancel",
        "select inferpipe.execution_cancel($1::int4, $2::int8, $3::bool)",
    },
    [STATEMENT_DELETE] = {
        "delete",
        "select inferpipe.execution_delete($1::int4, $2::int8, $3::bool)",
    },
    [STATEMENT_RETENTION_SET] = {
        "retention_set",
        "select inferpipe.retention_set($1::text, $2::int8 * interval '1 millisecond')",
    },
    [STATEMENT_RETENTION_GET] = {
        "retention_get",
        "select status, (extract(epoch from keep) * 1000)::int8 from inferpipe.retention_policy()",
    },
    [STATEMENT_RETRY] = { "retry", "select inferpipe.execution_retry($1::int4, $2::int8)" },
    [STATEMENT_FORK] = {
        "fork",
        "select exec_id, created from inferpipe.execution_fork($1::int4, $2::int8, $3::text,"
        " $4::text, $5::bytea, $6::bytea, $7::text[], $8::bytea[], $9::bytea[], $10::text,"
        " $11::int8)",
    },
    [STATEMENT_MATCHING] = {
        "matching",
        "select m from inferpipe.executions_matching($1::int4, $2::text, $3::text, $4::text,"
        " $5::text, $6::text, $7::int8, $8::int8, $9::int8, $10::int4) m",
    },
    [STATEMENT_REPAIR] = {
        "repair",
        "select exec_id, code, detail, fork from inferpipe.executions_repair($1::int4, $2::text,"
        " $3::int8[], $4::bool, $5::text, $6::text, $7::text, $8::int8)",
    },
    [STATEMENT_GET] = {
        "get",
        "select v.status, v.workflow, v.version, v.queue, v.waiting_for, v.output::text,"
        " v.error_code, v.error, v.created_at, v.finished_at,"
        " v.forked_from, case when $3::bool then v.input::text end, v.tokens, v.usd::text,"
        " v.parent, v.continued"
        " from inferpipe.executions v"
        " where v.exec_id = $2::int8 and v.workspace = $1::text",
    },
    [STATEMENT_CHILDREN] = {
        "children",
        "select n.* from inferpipe._inferpipe_executions e cross join lateral ("
        "select count(*) filter (where s.status = 'queued'),"
        " count(*) filter (where s.status = 'running'),"
        " count(*) filter (where s.status = 'completed'),"
        " count(*) filter (where s.status = 'failed'),"
        " count(*) filter (where s.status = 'canceled') from ("
        "select inferpipe.status_text(f.status, r.owner, r.fence) as status"
        CHILDREN_OF("e.exec_id") ") s) n where e.exec_id = $2::int8 and e.workspace_id = $1::int4",
    },

    [STATEMENT_EVENTS] = {
        "events",
        "with page as (select x.seq, x.at, x.kind, x.step, x.attempt, x.data"
        " from inferpipe._inferpipe_events x where x.exec_id = $2::int8 and x.seq > $3::int4"
        " order by x.seq limit $4::int4)"
        " select p.seq, p.at, p.kind, p.step, p.attempt, p.data, f.exec_id is not null"
        " from inferpipe._inferpipe_executions e"
        " left join inferpipe._inferpipe_results f on f.exec_id = e.exec_id"
        " left join page p on true"
        " where e.exec_id = $2::int8 and e.workspace_id = $1::int4 order by p.seq",
    },
    [STATEMENT_STATE] = {
        "state",
        "select s.data from inferpipe._inferpipe_executions e"
        " left join inferpipe._inferpipe_states s on s.exec_id = e.exec_id and s.step_key = 0"
        " where e.exec_id = $2::int8 and e.workspace_id = $1::int4",
    },

    [STATEMENT_LIST_ALL] = {
        "list_all",
        "with page as (select x.exec_id from inferpipe._inferpipe_executions x"
        " where x.workspace_id = $1::int4 and x.exec_id < $3::int8 and " IN_WORKFLOW("x.lane")
        " and " IN_QUEUE("x.lane", "$5")
        " order by x.exec_id desc limit $4::int4)" LIST_PAGE,
    },
    [STATEMENT_LIST_LIVE] = {
        "list_live",
        "with page as (select x.exec_id from inferpipe._inferpipe_runs x"
        " where x.workspace_id = $1::int4 and x.exec_id < $3::int8 and " IN_WORKFLOW("x.lane")
        " and (x.owner = 0 and x.fence = 0) = $5::bool and " IN_QUEUE("x.lane", "$6")
        " order by x.exec_id desc limit $4::int4)" LIST_PAGE,
    },
    [STATEMENT_LIST_ENDED] = {
        "list_ended",
        "with page as (select x.exec_id from inferpipe._inferpipe_results x"
        " join inferpipe._inferpipe_executions y on y.exec_id = x.exec_id"
        " where x.workspace_id = $1::int4 and x.exec_id < $3::int8 and " IN_WORKFLOW("y.lane")
        " and x.status = $5::int2 and " IN_QUEUE("y.lane", "$6")
        " order by x.exec_id desc limit $4::int4)" LIST_PAGE,
    },
    [STATEMENT_LIST_CHILDREN] = {
        "list_children",
        "with page as (select x.exec_id" CHILDREN_OF("$5::int8")
        " and x.workspace_id = $1::int4 and x.exec_id < $3::int8 and " IN_WORKFLOW("x.lane")
        " and ($6::text is null or inferpipe.status_text(f.status, r.owner, r.fence) = $6::text)"
        " and " IN_QUEUE("x.lane", "$7")
        " order by x.exec_id desc limit $4::int4)" LIST_PAGE,
    },
    [STATEMENT_LIST_STEPS] = {
        "list_steps",
        "select v.seq, v.attempts, v.name, v.kind, v.status, v.result::text, v.error_code, v.error,"
        " v.done_at, v.wake_at, v.took_us, coalesce(v.nth, 0), v.tokens, v.usd::text,"
        " v.progress::text"
        " from inferpipe._inferpipe_executions e"
        " left join (select s.*, row_number() over (partition by s.name, s.kind in ('child end',"
        " 'continued') order by s.seq) as nth from inferpipe.steps s where s.exec_id = $2::int8) v"
        " on v.seq > $3::int4 or v.kind = 'continued'"
        " where e.exec_id = $2::int8 and e.workspace_id = $1::int4"
        " order by v.seq fetch first ($4::int8) rows with ties",
    },
    [STATEMENT_LIST_WORKFLOWS] = {
        "list_workflows",
        "select w.name, w.version, w.queue, w.deadline_ms, w.registered_at, count(r.exec_id),"
        " (select count(*) from inferpipe._inferpipe_worker_workflows k"
        " join inferpipe._inferpipe_workers a on a.worker_id = k.worker_id and a.state = 0"
        " where k.workflow_id = w.workflow_id)"
        " from inferpipe._inferpipe_workflows w"
        " left join inferpipe._inferpipe_lanes l using (workflow_id)"
        " left join inferpipe._inferpipe_runs r on r.lane = l.lane_id"
        " where w.workspace_id = $1::int4 and not pg_catalog.starts_with(w.name, 'inferpipe.')"
        " group by w.workflow_id"
        " order by w.name collate \"C\", w.registered_at desc, w.workflow_id desc",
    },
    [STATEMENT_LIST_WORKERS] = {
        "list_workers",
        "with held as (select r.owner, count(*) as n from inferpipe._inferpipe_runs r"
        " where r.owner <> 0 group by r.owner)"
        " select w.worker_id, case w.state when 0 then 'alive' when 1 then 'dead' else 'gone'"
        " end::text, w.host, w.program, w.version, w.died_of, w.pid, w.started_at, w.seen_at,"
        " coalesce(held.n, 0::int8), (select pg_catalog.string_agg(f.name || '/' || f.version, ' '"
        " order by f.name, f.version) from inferpipe._inferpipe_worker_workflows k"
        " join inferpipe._inferpipe_workflows f on f.workflow_id = k.workflow_id"
        " and not pg_catalog.starts_with(f.name, 'inferpipe.')"
        " where k.worker_id = w.worker_id) from inferpipe._inferpipe_workers w"
        " left join held on held.owner = w.worker_id where w.workspace_id = $1::int4"
        " order by w.state, w.started_at desc, w.worker_id",
    },
    [STATEMENT_QUEUE_LIST] = {
        "queue_list",
        "select q.name, q.paused, q.used::int8, q.ready, q.running, q.waiting, q.waiting_for_slot,"
        " q.oldest_ready_at, q.concurrency::int8, q.rate::int8, q.rate_period_ms,"
        " q.rate_burst::int8, q.key_concurrency::int8, q.key_rate::int8, q.key_period_ms,"
        " q.key_burst::int8, q.key_window::int8, q.waiting_max::int8 from inferpipe.queues q"
        " where q.workspace = $1::text and ($2::text is null or q.name = $2::text)"
        " order by q.name collate \"C\"",
    },
    [STATEMENT_QUEUE_LIMIT] = {
        "queue_limit",
        "select inferpipe.limit(p_workspace => $1::text, p_queue => $2::text,"
        " p_concurrency => $3::int8::int4, p_rate => $4::int8::int4,"
        " p_period => $5::int8 * interval '1 millisecond', p_burst => $6::int8::int4,"
        " p_key_concurrency => $7::int8::int4, p_key_rate => $8::int8::int4,"
        " p_key_period => $9::int8 * interval '1 millisecond', p_key_burst => $10::int8::int4,"
        " p_key_window => $11::int8::int4, p_waiting_max => $12::int8::int4)",
    },
    [STATEMENT_QUEUE_PAUSE] = {
        "queue_pause",
        "select inferpipe.pause(p_workspace => $1::text, p_queue => $2::text)",
    },
    [STATEMENT_QUEUE_RESUME] = {
        "queue_resume",
        "select inferpipe.resume(p_workspace => $1::text, p_queue => $2::text)",
    },
    [STATEMENT_QUEUE_DELETE] = {
        "queue_delete",
        "select inferpipe.queue_delete(p_workspace => $1::text, p_queue => $2::text)",
    },
    [STATEMENT_WEBHOOK_LOAD] = {
        "webhook_load",
        "select * from inferpipe.webhook_load($1::int8)",
    },
    [STATEMENT_WEBHOOK_GONE] = {
        "webhook_gone",
        "select inferpipe.webhook_gone($1::int8, $2::text)",
    },
    [STATEMENT_WEBHOOK_CREATE] = {
        "webhook_create",
        "select inferpipe.webhook_create($1::int4, $2::int8, $3::text, $4::text, $5::int2,"
        " $6::bytea)",
    },
    [STATEMENT_WEBHOOK_CHANGE] = {
        "webhook_change",
        "select inferpipe.webhook_change($1::int4, $2::int8, $3::text, $4::text, $5::int2,"
        " $6::bool)",
    },
    [STATEMENT_WEBHOOK_ROTATE] = {
        "webhook_rotate",
        "select inferpipe.webhook_rotate($1::int4, $2::int8, $3::bytea, $4::int8)",
    },
    [STATEMENT_WEBHOOK_OWN] = {
        "webhook_own",
        "select coalesce((select h.webhook_id from inferpipe._inferpipe_webhooks h"
        " where h.workspace_id = $1::int4 and h.url is null), 0)::int8",
    },
    [STATEMENT_WEBHOOK_DELETE] = {
        "webhook_delete",
        "select inferpipe.webhook_delete($1::int4, $2::int8)",
    },
    [STATEMENT_WEBHOOK_REDELIVER] = {
        "webhook_redeliver",
        "select inferpipe.webhook_redeliver($1::int4, $2::int8, $3::int8)",
    },
    [STATEMENT_WEBHOOK_PING] = {
        "webhook_ping",
        "select inferpipe.webhook_ping($1::int4, $2::int8)",
    },
    [STATEMENT_WEBHOOK_LIST] = {
        "webhook_list",
        "select h.webhook_id, h.url, h.workflow, h.events,"
        " coalesce(h.before_until > inferpipe.clock(), false), h.created_at, h.disabled_at,"
        " h.disabled_why from inferpipe._inferpipe_webhooks h where h.workspace_id = $1::int4"
        " and h.url is not null and ($2::int8 = 0 or h.webhook_id = $2::int8)"
        " order by h.created_at, h.webhook_id",
    },
    /* Of one that lives the last failed attempt is told, of one that failed how. */
    [STATEMENT_WEBHOOK_DELIVERIES] = {
        "webhook_deliveries",
        "select d.exec_id, d.target_id, d.event, inferpipe.webhook_type(d.status),"
        " inferpipe.status_text(f.status, r.owner, r.fence),"
        " (select count(*) from inferpipe._inferpipe_attempts a where a.exec_id = d.exec_id)"
        " + (select count(*) from inferpipe._inferpipe_steps s where s.exec_id = d.exec_id"
        " and s.kind = 1), coalesce(f.error_code, a.error_code), coalesce(f.error, a.error),"
        " e.created_at, f.finished_at, case when r.owner = 0 then r.ready_at end"
        " from inferpipe._inferpipe_deliveries d"
        " join inferpipe._inferpipe_executions e on e.exec_id = d.exec_id"
        " left join inferpipe._inferpipe_runs r on r.exec_id = d.exec_id"
        " left join inferpipe._inferpipe_results f on f.exec_id = d.exec_id"
        " left join lateral (select x.error_code, x.error from inferpipe._inferpipe_attempts x"
        " where x.exec_id = d.exec_id order by x.attempt desc, x.fence desc limit 1) a"
        " on r.exec_id is not null"
        " where d.workspace_id = $1::int4 and d.webhook_id = $2::int8 and d.exec_id < $3::int8"
        " order by d.exec_id desc limit $4::int4",
    },
    [STATEMENT_LIVE_LANES] = {
        "live_lanes",
        "select l.lane_id, w.name, w.version, r.n, r.last from (select x.lane, count(*) as n,"
        " max(x.exec_id) as last from inferpipe._inferpipe_runs x where x.workspace_id = $1::int4"
        " group by x.lane) r join inferpipe._inferpipe_lanes l on l.lane_id = r.lane"
        " join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id"
        " join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id"
        " where ($2::text is null and not pg_catalog.starts_with(w.name, 'inferpipe.')"
        " or w.name = $2::text) and ($3::text is null or q.name = $3::text)"
        " order by w.name, w.version, l.lane_id",
    },
    /* As a claim would give them. */
    [STATEMENT_LIVE_PAGE] = {
        "live_page",
        "with page as (select x.* from inferpipe._inferpipe_runs x"
        " where x.exec_id > $1::int8 and x.exec_id <= $2::int8 and x.lane = any ($3::int4[])"
        " order by x.exec_id limit $4::int4)"
        " select r.exec_id, r.fence + 1, r.lane, r.shard, r.prio, r.ready_at, r.flags, r.crashes,"
        " r.has_journal, r.deadline, e.created_at, e.seed, case e.codec when 0 then e.input else ("
        "select p.data from inferpipe._inferpipe_payloads p"
        " where p.exec_id = e.exec_id and p.hash = e.input) end, inferpipe.clock(),"
        " e.options::text, e.traceparent from page r"
        " join inferpipe._inferpipe_executions e on e.exec_id = r.exec_id order by r.exec_id",
    },
    [STATEMENT_DOCTOR] = {
        "doctor",
        "select check_name, severity, subject, detail from inferpipe.doctor(inferpipe.id_floor("
        "inferpipe.clock() - $1::int8 * interval '1 millisecond'), null)",
    },
    [STATEMENT_DOCTOR_REPAIR] = {
        "doctor_repair",
        "select subject, detail from inferpipe.doctor_repair($1::text)",
    },
    [STATEMENT_DB_CLOCK] = {
        "db_clock",
        "select (extract(epoch from pg_catalog.clock_timestamp()) * 1000000)::int8",
    },
    [STATEMENT_GAUGES] = {
        "gauges",
        "select gauge, label, value from inferpipe.gauges($1::text)",
    },
    [STATEMENT_WORKER_DEAD] = {
        "worker_dead",
        "select inferpipe.worker_dead($1::int8, $2::text)",
    },

    [STATEMENT_CRON_LOCK] = {
        "cron_lock",
        "select inferpipe.cron_lock(inferpipe.cron_lock_name($1::int4), $2::int8, $3::int8)",
    },
    [STATEMENT_CRON_DECLARE] = {
        "cron_declare",
        "select inferpipe.cron_declare($1::int4, $2::text, $3::text[], $4::text[], $5::text[],"
        " $6::timestamptz[], $7::text[], $8::text[], $9::text[], $10::int2[], $11::bytea[],"
        " $12::int2[], $13::int2[], $14::int4[], $15::int8[])",
    },
    [STATEMENT_CRON_DUE] = {
        "cron_due",
        "select job_id, next_at, now, catchup, catchup_max, name, schedule, timezone"
        " from inferpipe.cron_due($1::int4, $2::int4[], $3::int4)",
    },
    [STATEMENT_CRON_FIRE] = {
        "cron_fire",
        "select fired, started, next_at from inferpipe.cron_fire($1::int4, $2::int4[],"
        " $3::timestamptz[], $4::timestamptz[], $5::int4[], $6::int4[], $7::timestamptz[])",
    },
    [STATEMENT_CRON_RELEASE] = {
        "cron_release",
        "select inferpipe.cron_release($1::int4, $2::int4)",
    },
    [STATEMENT_CRON_NOW] = { "cron_now", "select inferpipe.clock()" },
    [STATEMENT_CRON_PUT] = {
        "cron_put",
        "select bool_or(p.made) from unnest($2::text[], $3::text[], $4::text[],"
        " $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::int2[], $10::bytea[],"
        " $11::int2[], $12::int2[], $13::int4[], $14::int8[]) x(name, schedule, timezone, next,"
        " workflow, version, queue, prio, input, overlap, catchup, catchup_max, jitter)"
        " cross join lateral inferpipe.cron_put($1::int4, x.name, x.schedule, x.timezone, x.next,"
        " x.workflow, x.version, x.queue, x.prio, x.input, x.overlap, x.catchup, x.catchup_max,"
        " x.jitter, $15::bool, null, $16::bool) p(made)",
    },
    [STATEMENT_CRON_PAUSE] = {
        "cron_pause",
        "select inferpipe.cron_pause($1::int4, $2::text, $3::bool, $4::text, $5::text,"
        " $6::timestamptz)",
    },
    [STATEMENT_CRON_TRIGGER] = {
        "cron_trigger",
        "select inferpipe.cron_trigger($1::int4, $2::text)",
    },
    [STATEMENT_CRON_DELETE] = {
        "cron_delete",
        "select inferpipe.cron_delete($1::int4, $2::text)",
    },
    [STATEMENT_CRON_GET] = {
        "cron_get",
        "select v.name, v.schedule, v.timezone, v.workflow, v.version, v.queue, v.priority,"
        " v.input::text, v.overlap, v.catchup, v.catchup_max, v.jitter_ms, v.paused, v.waiting,"
        " v.program, v.declared, v.next_at, v.last_at, v.last_outcome, v.created_at"
        " from inferpipe.cron_jobs v where v.workspace = $1::text"
        " and v.name collate \"C\" > $2::text and ($3::text is null or v.name = $3::text)"
        " order by v.name collate \"C\" limit $4::int4",
    },
    [STATEMENT_CRON_HISTORY] = {
        "cron_history",
        "select v.scheduled_time, v.fired_at, v.outcome, v.manual, v.id, v.status, v.error_code,"
        " (extract(epoch from v.duration) * 1000)::int8"
        " from inferpipe.cron_executions v where v.workspace = $1::text and v.job = $2::text"
        " order by v.scheduled_time desc limit $3::int4",
    },
    [STATEMENT_KEY_CREATE] = {
        "key_create",
        API_KEYS "key_create($1::int4, $2::text, $3::bytea, $4::text,"
                 " string_to_array($5::text, ' '), $6::int8, $7::int4, $8::int4) k",
    },
    [STATEMENT_KEY_LIST] = {
        "key_list",
        API_KEYS "key_list($1::int4, $2::text, $3::text, $4::int4) k",
    },
    [STATEMENT_KEY_REVOKE] = {
        "key_revoke",
        API_KEYS "key_revoke($1::int4, $2::text) k",
    },
    [STATEMENT_KEY_ROTATE] = {
        "key_rotate",
        API_KEYS "key_rotate($1::int4, $2::text, $3::text, $4::bytea, $5::int8) k",
    },
    [STATEMENT_KEY_FIND] = {
        "key_find",
        "select k.prefix, k.key_id, k.workspace_id, k.workspace, k.name, k.hash,"
        " array_to_string(k.scopes, ' '), k.rate_per_min, k.burst, k.expires_at, k.revoked, k.now"
        " from inferpipe.key_find($1::text[]) k",
    },
    [STATEMENT_KEYS_USED] = {
        "keys_used",
        "select inferpipe.keys_used($1::int8[])",
    },
    [STATEMENT_JWT_KEY_CREATE] = {
        "jwt_key_create",
        JWT_KEYS "jwt_key_create($1::int4, $2::text, $3::text, $4::text, $5::text, $6::bytea,"
                 " string_to_array($7::text, ' '), $8::int4, $9::int4) k",
    },
    [STATEMENT_JWT_KEY_LIST] = {
        "jwt_key_list",
        JWT_KEYS "jwt_key_list($1::int4, $2::text, $3::int4) k",
    },
    [STATEMENT_JWT_KEY_DELETE] = {
        "jwt_key_delete",
        "select inferpipe.jwt_key_delete($1::int4, $2::text)",
    },
    [STATEMENT_JWT_KEY_FIND] = {
        "jwt_key_find",
        "select k.workspace, k.kid, k.key_id, k.workspace_id, k.alg, k.issuer, k.audience,"
        " k.material, array_to_string(k.scopes, ' '), k.rate_per_min, k.burst, k.now"
        " from inferpipe.jwt_key_find($1::text[], $2::text[]) k",
    },
    [STATEMENT_RATES_TAKE] = {
        "rates_take",
        "select t.bucket, t.granted, t.remaining, t.burst, t.next_ms, t.full_ms"
        " from inferpipe.rates_take($1::int8[], $2::int4[]) t",
    },
    [STATEMENT_WORKSPACE_CREATE] = {
        "workspace_create",
        "select w.slug, w.created_at, w.new from inferpipe.workspace_create($1::text) w",
    },
    [STATEMENT_WORKSPACE_LIST] = {
        "workspace_list",
        "select w.slug, w.created_at, w.keys from inferpipe.workspace_list() w",
    },

    [STATEMENT_MIGRATE_LOCK] = {
        "migrate_lock",
        "select pg_catalog.pg_advisory_lock(" MIGRATE_LOCK ")",
    },
    [STATEMENT_MIGRATE_UNLOCK] = {
        "migrate_unlock",
        "select pg_catalog.pg_advisory_unlock(" MIGRATE_LOCK ")",
    },
    [STATEMENT_MIGRATE_KNOWN] = {
        "migrate_known",
        "select pg_catalog.to_regclass('inferpipe._inferpipe_migrations') is not null",
    },
    [STATEMENT_MIGRATE_APPLIED] = {
        "migrate_applied",
        "select version, name, checksum from inferpipe._inferpipe_migrations order by version",
    },
    [STATEMENT_READY] = {
        "ready",
        "select coalesce(max(version), 0)::int4 from inferpipe._inferpipe_migrations",
    },
    [STATEMENT_MIGRATE_IN_USE] = {
        "migrate_in_use",
        "select (select count(*) from inferpipe._inferpipe_workers w"
        " where w.state = 0 and w.expires_at > inferpipe.clock()),"
        " (select count(*) from inferpipe._inferpipe_runs)",
    },
    [STATEMENT_MIGRATE_RECORD] = {
        "migrate_record",
        "insert into inferpipe._inferpipe_migrations(version, name, checksum)"
        " values ($1::int4, $2::text, $3::text)",
    },
};

const struct pgstmt *statements_get(enum statement id)
{
    assert(id < STATEMENTS);
    assert(statements[id].name && statements[id].sql);
    return &statements[id];
}
