-- Each repair mends what was broken first, leaves the rest alone, and finds nothing the next time.
begin;
select plan(27);
select inferpipe_test.setup();
create function pg_temp.found() returns text[] language sql
as $$ select array_agg(distinct check_name order by check_name)
from inferpipe.doctor(null, null) $$;
create function pg_temp.repair(p_check text) returns text language sql
as $$ select string_agg(subject || ': ' || detail, '; ') from inferpipe.doctor_repair(p_check) $$;
select inferpipe_test.start() as a \gset
select inferpipe_test.start() as b \gset
select inferpipe_test.start() as c \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:b, 1, 3, p_step => 's', p_wait => 'm', p_wait_seq => 2);
select is(pg_temp.found(), null, 'all is well');
select is(pg_temp.repair(check_name), null, check_name || ': nothing to mend')
from unnest(array['lease_over', 'owner_not_alive', 'waits_with_mail', 'no_reason_to_wake',
  'run_or_result', 'partition_missing', 'index_missing', 'overdue']) check_name;
alter table inferpipe._inferpipe_runs disable trigger inferpipe_test_audit;
savepoint healthy;

delete from inferpipe._inferpipe_runs where exec_id = :b;
select is(pg_temp.repair('run_or_result'), inferpipe.id_text(:b)
  || ': it is ready again and goes on from its journal; its deadline is lost', 'a lost run');
select is(pg_temp.found(), null, 'is there');
select is((fence, has_journal)::text, '(2,t)', 'its fence goes on, its journal is read')
from inferpipe_test.claim() where exec_id = :b;
rollback to healthy;

insert into inferpipe._inferpipe_results (exec_id, finished_at, workspace_id, fence, status)
values (:b, now(), 1, 1, 1);
select is(pg_temp.repair('run_or_result'), inferpipe.id_text(:b)
  || ': it has ended: its run was removed', 'a run that has ended');
select is(pg_temp.found(), null, 'has ended');
rollback to healthy;

insert into inferpipe._inferpipe_messages (exec_id, name_key, created_at, codec, name, payload)
values (:b, inferpipe.name_key('m'), now(), 0, 'm', '1');
select matches(pg_temp.repair('waits_with_mail'), 'made due', 'a wait with mail');
select is(pg_temp.found(), null, 'is due');
select is(inferpipe_test.run(:b), 'state 0 owner 0 fence 1', 'anybody may claim it');
rollback to healthy;

update inferpipe._inferpipe_runs set ready_at = now() + interval '102 years' where exec_id = :b;
select matches(pg_temp.repair('no_reason_to_wake'), 'made due', 'asleep for ever');
select is(pg_temp.found(), null, 'is due');
rollback to healthy;

delete from inferpipe._inferpipe_workers;
select is(pg_temp.repair('owner_not_alive'),
  '2 executions: released from workers that are not alive', 'owned by nobody');
select is(pg_temp.found(), array['stranded'], 'are free');
rollback to healthy;

update inferpipe._inferpipe_workers set expires_at = now() - interval '2 minutes';
select is(pg_temp.repair('lease_over'),
  'worker 99: marked as dead; its executions are released next', 'a lease that is over');
select matches(pg_temp.repair('owner_not_alive'), '2 executions', 'and then they are');
rollback to healthy;

drop index inferpipe._inferpipe_runs_due;
drop index inferpipe._inferpipe_results_status;
select is(pg_temp.repair('index_missing'),
  '_inferpipe_runs_due: it was built; _inferpipe_results_status: it was built', 'indexes');
select is(pg_temp.found(), null, 'are there');
rollback to healthy;

select set_config('inferpipe_test.now', '2050-01-05 12:00 UTC', true);
select inferpipe_test.start() as later \gset
select matches(pg_temp.repair('default_partition'),
  '_inferpipe_executions_default: 1 rows were moved to the week of 2050-01-03', 'strays');
select is(tableoid::regclass::text, 'inferpipe._inferpipe_executions_20500103', 'are in place')
from inferpipe._inferpipe_executions where exec_id = :later;
select * from finish();
rollback;
