-- What a worker starts for itself is its own from the first moment, and looks as if it had been
-- claimed.
begin;
select plan(8);
select inferpipe_test.setup();
create temp table born as
select row_number() over () as n, s.* from
  inferpipe.start_local(99, 1, 'order', '1', 4::int2, array['1', '"two"']::bytea[]) s;
select is(count(*)::int, 2, 'an execution for each input') from born;
select is(array_agg(convert_from(input, 'UTF8') order by n), array['1', '"two"'], 'in their order')
from born;
select is(inferpipe_test.run(exec_id), 'state 1 owner 99 fence 1', 'owned and running')
from born where n = 1;
select is(count(*)::int, 2, 'the history knows them with the same seed and input')
from born b join inferpipe._inferpipe_executions e using (exec_id)
where e.seed = b.seed and e.input = b.input and e.lane = inferpipe_test.lane() and e.prio = 4;
select is(count(*)::int, 0, 'nobody else can claim them') from inferpipe_test.claim();
select is(array_agg(o.exec_id order by o.exec_id), (select array_agg(exec_id order by exec_id)
  from born), 'after a lost answer they are found') from inferpipe.owned(99) o;
select throws_ok($$select * from inferpipe.start_local(12345, 1, 'order', '1', 3::int2, '{1}')$$,
  'IP001', null, 'a worker without a lease gets none');
update inferpipe._inferpipe_queues set paused = true;
select throws_ok($$select * from inferpipe.start_local(99, 1, 'order', '1', 3::int2, '{1}')$$,
  'IP409', null, 'nor does one whose queue is paused');
select * from finish();
rollback;
