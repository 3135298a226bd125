-- A healthy database has no findings; each fault is found.
begin;
select plan(14);
select inferpipe_test.setup();
create function pg_temp.found() returns text[] language sql
as $$ select array_agg(distinct check_name order by check_name)
from inferpipe.doctor(null, null) $$;
select inferpipe_test.start() as a \gset
select inferpipe_test.start() as b \gset
select inferpipe_test.start() as c \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:b, 1, 3, p_wait => 'm');
select is(pg_temp.found(), null, 'all is well');

savepoint healthy;
alter table inferpipe._inferpipe_runs disable trigger inferpipe_test_audit;
delete from inferpipe._inferpipe_runs where exec_id = :a;
select is(pg_temp.found(), array['run_or_result'], 'neither run nor result');
select is(format('%s %s', severity, subject), 'error ' || inferpipe.id_text(:a), 'it names it')
from inferpipe.doctor(null, null);
select is(count(*)::int, 0, 'not outside of the ids asked for') from inferpipe.doctor(:b, null);
select is(count(*)::int, 0, 'nor below') from inferpipe.doctor(null, :a - 1);
rollback to healthy;

insert into inferpipe._inferpipe_results (exec_id, finished_at, workspace_id, fence, status)
values (:a, now(), 1, 1, 1);
select is(pg_temp.found(), array['run_or_result'], 'run and result');
rollback to healthy;

delete from inferpipe._inferpipe_executions where exec_id = :a;
select is(pg_temp.found(), array['run_without_execution'], 'a run without an execution');
rollback to healthy;

insert into inferpipe._inferpipe_messages (exec_id, name_key, created_at, codec, name, payload)
values (:b, inferpipe.name_key('m'), now(), 0, 'm', '1');
select is(pg_temp.found(), array['waits_with_mail'], 'a wait with mail');
rollback to healthy;

delete from inferpipe._inferpipe_workers;
select is(pg_temp.found(), array['owner_not_alive', 'stranded'],
  'an owner that is not there');
rollback to healthy;

select set_config('inferpipe_test.now', (clock_timestamp() - interval '61 s')::text, true);
select inferpipe_test.start() as old \gset
select set_config('inferpipe_test.now', '', true);
select is(pg_temp.found(), array['overdue'], 'ready and not claimed');
rollback to healthy;

alter table inferpipe._inferpipe_runs disable trigger inferpipe_test_audit;
update inferpipe._inferpipe_runs set ready_at = now() + interval '102 years' where exec_id = :b;
select is(pg_temp.found(), array['no_reason_to_wake'], 'asleep for ever');
rollback to healthy;

update inferpipe._inferpipe_workers set expires_at = now() - interval '2 minutes';
select is(pg_temp.found(), array['lease_over'], 'nobody takes over');
rollback to healthy;

drop index inferpipe._inferpipe_runs_due;
select is(pg_temp.found(), array['index_missing'], 'no index for claims');
rollback to healthy;

select set_config('inferpipe_test.now', '2050-01-05 12:00 UTC', true);
select is(pg_temp.found() @> array['partition_missing'], true, 'no partition for this week');
select * from finish();
rollback;
