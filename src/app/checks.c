/*
 * app/checks.c - the table of doctor's checks.
 */
#include "app/checks.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

const struct check checks_table[] = {
    { "lease_over", true,
      "A worker's lease ended more than a minute ago and nobody has taken over from it. Other "
      "workers do that, so none is alive, or none can reach the database.",
      "Start workers. --repair marks it as dead, so that its executions are released." },
    { "owner_not_alive", true,
      "An execution belongs to a worker that is dead or gone. As a warning: a take-over is under "
      "way. As an error: the release was lost; nobody works on it.",
      "--repair releases it. If it was an error, please report it." },
    { "run_or_result", true,
      "An execution has both a run (it lives) and a result (it has ended), or neither. A promise "
      "is broken: it may never end.",
      "--repair removes the run of one that has ended, and lets one with neither go on from its "
      "journal. Please report it, with the row." },
    { "run_without_execution", false,
      "A run whose row in executions is missing: its input is lost, so nobody can execute it.",
      "Restore the row from a backup, or cancel the run by force. Please report it." },
    { "waits_with_mail", true,
      "An execution waits for a message that is in its mailbox. A wake-up was lost.",
      "--repair makes it due: its code runs again and takes the message. Please report it." },
    { "no_reason_to_wake", true,
      "An execution sleeps beyond its deadline, or beyond 100 years: nothing will wake it.",
      "--repair makes it due: its code runs again and waits anew. Please report it." },
    { "queue_place_of_nobody", true,
      "A worker that is gone is counted as having executions of a queue with a limit: the places "
      "are lost to the others.",
      "--repair counts anew. Please report it." },
    { "queue_places", false,
      "A worker has more executions of a queue than it is counted with. Its next claim or tick "
      "tells the true number.",
      "Look again in a minute. If it stays: is that worker alive (worker list)?" },
    { "queue_key_places", true,
      "The places that a queue's key is counted with are not those that its executions hold, so "
      "too many or too few may run.",
      "--repair counts anew. Please report it." },
    { "queue_key_waits", true,
      "An execution waits for a place of its key, but is not in the line: nobody would give it "
      "one.",
      "--repair lets it arrive anew. Please report it." },
    { "queue_key_idle", true,
      "Executions of a key wait though there is a place, and no claim is to look at them.",
      "--repair makes the next claim look. Please report it." },
    { "overdue", false, "Executions are ready for more than a minute and no worker has taken them.",
      "See whether a worker with this workflow, version and queue is alive (worker list), and "
      "whether the workers have free slots." },
    { "stranded", false,
      "Executions live whose workflow and version no living worker runs. They are safe, and wait "
      "until one does.",
      "Start a worker with a program that registers this version, or cancel them." },
    { "schedule_overdue", false,
      "A schedule should have fired more than a minute ago. Any worker of its workspace fires "
      "schedules, unless it was started with --cron off; one that cannot compute a schedule (its "
      "machine does not know the time zone) leaves it to the others.",
      "Start workers. If one holds the lock and fires others, its log says why not this one." },
    { "schedule_stranded", false,
      "Schedules start a workflow that no living worker runs: times pass as unregistered, or their "
      "executions wait.",
      "Start a worker with a program that registers it, or pause or delete the schedules (cron "
      "list)." },
    { "schedule_failing", false,
      "The last three executions of a schedule that ended have all failed, of those that --since "
      "covers.",
      "See why (cron history, execution get). After a fix, execution retry runs one again." },
    { "schedule_undeclared", false,
      "A schedule was declared by a program that no longer has it in its code, or of which no "
      "worker is alive. It goes on firing.",
      "Delete it (cron delete), or start a worker of that program." },
    { "clock_skew", false,
      "A machine's clock is more than two seconds away from the database's. Leases, timers and "
      "schedules are not touched by it, since PostgreSQL's clock decides; logs are misleading.",
      "Set up NTP on that machine." },
    { "versions_differ", false,
      "Workers of different releases of InferPipe run side by side, as during a deploy.",
      "Finish the deploy." },
    { "default_partition", true,
      "Rows of the history lie in a default partition: their week had no partition when they were "
      "written. They are safe, but that week's partition cannot be made any more.",
      "--repair makes the partition and moves them; it needs the tables for a moment and tries "
      "again when they are in use." },
    { "partition_missing", true,
      "The history has no partition for this week or the next. Workers make them once an hour.",
      "--repair makes them. See why no worker does: their log says so." },
    { "index_missing", true, "An index is missing: statements that need it read whole tables.",
      "--repair builds it, which blocks writes to that table meanwhile. A primary key has to be "
      "restored by hand." },
    { "index_invalid", false, "An index is invalid: its build has failed, and nobody uses it.",
      "reindex index concurrently inferpipe.NAME" },
    { "dead_rows", false,
      "A table has more dead rows than live ones, over 100,000: claims and scans read them all.",
      "See whether autovacuum runs (pg_stat_progress_vacuum) and what holds it back "
      "(old_snapshot); vacuum the table." },
    { "old_snapshot", false,
      "A transaction that is open for more than five minutes, a prepared one, or a replication "
      "slot without its standby keeps vacuum from removing anything newer.",
      "End it: pg_terminate_backend(PID), rollback prepared, pg_drop_replication_slot. Set "
      "idle_in_transaction_session_timeout." },
    { "autovacuum_off", false, "Autovacuum is off, for the server or for one of the tables.",
      "Turn it on; nothing else cleans up behind the queue." },
    { "freeze_age", false,
      "A table was not frozen for 1.5 billion transactions; at 2 billion the server stops.",
      "vacuum (freeze) it, and see why autovacuum does not." },
    { "role_missing", false, "One of the roles that the migrations make is gone.",
      "create role NAME nologin, and grant it what sql/schema/grants.sql does." },
    { "isolation", false,
      "The default isolation level is not read committed. The protocol looks again after each "
      "lock; a snapshot from before would hide what changed.",
      "alter role NAME set default_transaction_isolation = 'read committed'" },
    { "durability", false,
      "The server acknowledges commits before they are on disk: an acknowledged start or a "
      "recorded step may be lost when it crashes.",
      "Set fsync, full_page_writes and synchronous_commit to on." },
    { "async_standby", false,
      "There are standbys, and none is synchronous: after a failover the last acknowledged "
      "commits may be missing.",
      "Set synchronous_standby_names, if that matters to you." },
    { "timeline", false,
      "This server was promoted from a standby before. Workers follow it by themselves; the old "
      "server must not be written to any more.",
      "See that the old one is down or rebuilt." },
    { 0 },
};

const struct check *checks_find(const char *name)
{
    assert(name);
    for (const struct check *c = checks_table; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}
