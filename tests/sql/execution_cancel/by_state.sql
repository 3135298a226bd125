-- What a cancel does in each state.
begin;
select plan(22);
select inferpipe_test.setup();
create temp table runs (name text, id int8);
insert into runs select n, inferpipe_test.start()
from unnest(array['running', 'timer', 'message', 'retry', 'forced', 'forced timer']) n;
select count(*) from inferpipe_test.claim();
create function pg_temp.id(p_name text) returns int8 language sql
as $$ select id from runs where name = p_name $$;
insert into runs select 'queued', inferpipe_test.start();
insert into runs select 'ready', inferpipe_test.start();
select verdict from inferpipe_test.flush(pg_temp.id('timer'), 1, 1, p_state => 2,
  p_wake_ms => 60000,
  p_step => 'nap', p_kind => 2, p_step_wake_ms => 60000);
select verdict from inferpipe_test.flush(pg_temp.id('forced timer'), 1, 1, p_state => 2,
  p_wake_ms => 60000, p_step => 'nap', p_kind => 2, p_step_wake_ms => 60000);
select verdict from inferpipe_test.flush(pg_temp.id('message'), 1, 3, p_wait => 'm');
select verdict from inferpipe_test.flush(pg_temp.id('retry'), 1, 1, p_state => 4,
  p_wake_ms => 60000,
  p_step => 'pay', p_attempt => 1);
select inferpipe_test.at(1800);

select is(inferpipe.execution_cancel(1, pg_temp.id('queued'), false), 2, 'queued: ended at once');
select is(inferpipe_test.run(pg_temp.id('queued')), 'gone', 'its run is gone');
select is(format('%s %s %s', status, error_code, fence), '3 CANCELED 0', 'its result says so')
from inferpipe._inferpipe_results where exec_id = pg_temp.id('queued');

select is(inferpipe.execution_cancel(1, pg_temp.id('running'), false), 1, 'running: requested');
select is(inferpipe_test.run(pg_temp.id('running')), 'state 1 owner 99 fence 1', 'it goes on');
select is(flags, 1::int2, 'flagged') from inferpipe._inferpipe_runs
where exec_id = pg_temp.id('running');
select is(worker_id, 99::int8, 'its worker is told') from inferpipe._inferpipe_cancels
where exec_id = pg_temp.id('running');
select is(inferpipe.execution_cancel(1, pg_temp.id('running'), false), 1, 'asking twice is fine');
select is(flags, 1::int2, 'the next flush tells as well')
from inferpipe_test.flush(pg_temp.id('running'), 1, 0);

select is(inferpipe.execution_cancel(1, pg_temp.id(n), false), 1, n || ': requested')
from unnest(array['timer', 'message', 'retry']) n;
select is(format('%s flags %s wait %s', inferpipe_test.run(pg_temp.id(n)), flags, wait_key),
  'state 0 owner 0 fence 1 flags 1 wait 0', n || ': ready and flagged')
from unnest(array['timer', 'message', 'retry']) n
join inferpipe._inferpipe_runs r on r.exec_id = pg_temp.id(n);
select ok(bool_and(ready_at = inferpipe.clock()), 'they are due now')
from inferpipe._inferpipe_runs where flags = 1 and owner = 0;

select is(inferpipe.execution_cancel(1, pg_temp.id('forced'), true), 2, 'forced: ended at once');
select is(verdict, 2::int2, 'its owner''s next write is refused')
from inferpipe_test.flush(pg_temp.id('forced'), 1, 0, p_step => 'late');
select is(count(*)::int, 0, 'and leaves nothing')
from inferpipe._inferpipe_steps where exec_id = pg_temp.id('forced');
select is(worker_id, 99::int8, 'its owner is told')
from inferpipe._inferpipe_cancels where exec_id = pg_temp.id('forced');
select is(inferpipe.execution_cancel(1, pg_temp.id('forced timer'), true), 2,
  'forced while parked');
select is(inferpipe_test.run(pg_temp.id('forced timer')), 'gone', 'it is gone');
select * from finish();
rollback;
