-- A step's row goes in once, under the fence; the run stays with its worker.
begin;
select plan(11);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select is(format('%s %s %s %s', exec_id, verdict, flags, got), format('%s 0 0 0', :id), 'written')
from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_seq => 4, p_result => '{"n": 1.00}');
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 1', 'the run stays');
select ok(has_journal, 'it has a journal now') from inferpipe._inferpipe_runs;
select is(format('%s %s %s %s %s %s', seq, kind, status, fence, attempts, took_us), '4 1 0 1 1 7',
  'the row') from inferpipe._inferpipe_steps;
select is(convert_from(result, 'UTF8'), '{"n": 1.00}', 'its result byte for byte')
from inferpipe._inferpipe_steps;
select inferpipe_test.at(60);
select is(verdict, 0::int2, 'the same again is fine') from inferpipe_test.flush(:id, 1, 0,
  p_step => 'pay', p_seq => 4, p_result => '"changed"');
select is(convert_from(result, 'UTF8'), '{"n": 1.00}', 'and changes nothing')
from inferpipe._inferpipe_steps;
select is(done_at, inferpipe.clock() - interval '60 s', 'not even the time')
from inferpipe._inferpipe_steps;
select is(verdict, 0::int2, 'a failed step is a row as well') from inferpipe_test.flush(:id, 1, 0,
  p_step => 'refund', p_seq => 5, p_step_status => 1, p_error_code => 'NO_MONEY');
select is(format('%s %s', status, error_code), '1 NO_MONEY', 'with its error')
from inferpipe._inferpipe_steps where name = 'refund';
select is(count(*)::int, 0, 'an empty flush answers nothing')
from inferpipe.flush(99,
  '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  '{}', '{}', '{}', '{}', '{}',
  '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
  '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}');
select * from finish();
rollback;
