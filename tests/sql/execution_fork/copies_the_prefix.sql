-- A fork begins with the journal in front of a step, its payloads too; the source stays as it is.
begin;
select plan(17);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start(p_input => '{"n": 1}', p_deadline_ms => 60000) as id \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'a', p_seq => 1, p_result => '1');
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'b', p_seq => 2, p_attempt => 1);
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'b', p_seq => 2, p_large => '"long"');
-- The second "a" and the second sleep have keys of their own; for the rows here any will do.
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'sleep', p_seq => 3, p_kind => 2,
  p_step_wake_ms => 500);
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'tmp', p_seq => 4, p_result => '4');
update inferpipe._inferpipe_steps set name = 'a' where exec_id = :id and seq = 4;
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'c', p_seq => 5, p_result => '5');
create temp table before as select s.* from inferpipe._inferpipe_steps s where s.exec_id = :id;
select inferpipe_test.at(10);

select f.exec_id as fork, f.created from inferpipe.execution_fork(
  1, :id, 'a#2', null, null, null, null, null, null, null, null) f \gset
select is(inferpipe_test.run(:fork), 'state 0 owner 0 fence 0', 'the fork is ready');
select is(array_agg(name order by seq), array['a', 'b', 'sleep'], 'it has what lies in front')
from inferpipe._inferpipe_steps where exec_id = :fork;
select is(count(*)::int, 3, 'under the same keys, with the same results and times')
from inferpipe._inferpipe_steps n join before o using (step_key, seq, kind, status, codec, attempts,
  name, done_at)
where n.exec_id = :fork and n.result is not distinct from o.result
  and n.wake_at is not distinct from o.wake_at;
select is(max(fence), 0, 'no claim of its own wrote it')
from inferpipe._inferpipe_steps where exec_id = :fork;
select is(count(*)::int, 1, 'the failed attempt came along')
from inferpipe._inferpipe_attempts where exec_id = :fork;
select is(data, '"long"'::bytea, 'and the large payload')
from inferpipe._inferpipe_payloads where exec_id = :fork;
select ok(has_journal, 'there is a journal to load')
from inferpipe._inferpipe_runs where exec_id = :fork;
select is(deadline, inferpipe.clock() + interval '60 s', 'the time to the deadline begins anew')
from inferpipe._inferpipe_runs where exec_id = :fork;
select is(format('%s %s %s', n.forked_from, n.seed, convert_from(n.input, 'UTF8')),
  format('%s %s %s', o.exec_id, o.seed, '{"n": 1}'), 'it knows its source, has its seed and input')
from inferpipe._inferpipe_executions n, inferpipe._inferpipe_executions o
where n.exec_id = :fork and o.exec_id = :id;
select is(forked_from, inferpipe.id_text(:id), 'the view shows it')
from inferpipe.executions where exec_id = :fork;
select results_eq(format('select * from inferpipe._inferpipe_steps where exec_id = %s order by seq',
  :id), 'select * from before order by seq', 'the source has its journal');
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 1', 'and its owner');
select is(verdict, 0::int2, 'who goes on writing')
from inferpipe_test.flush(:id, 1, 0, p_step => 'd', p_seq => 6);

select is(fence, 1, 'the fork is claimed like any other') from inferpipe_test.claim();
select is(verdict, 0::int2, 'and writes what comes after')
from inferpipe_test.flush(:fork, 1, 2, p_step => 'tmp', p_seq => 4);
select is(status, 1::int2, 'to its end') from inferpipe._inferpipe_results where exec_id = :fork;
select f.exec_id as all from inferpipe.execution_fork(
  1, :fork, null, null, null, null, null, null, null, null, null) f \gset
select is(count(*)::int, 4, 'a fork without a step copies all that there is')
from inferpipe._inferpipe_steps where exec_id = :all;
select * from finish();
rollback;
