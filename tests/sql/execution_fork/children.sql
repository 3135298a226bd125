-- Children in front of the step are not started again: the fork knows how they ended, or is
-- refused.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.start() as parent, inferpipe_test.start() as child \gset
select count(*) from inferpipe_test.claim();
select inferpipe.id_text(:child) as child_text \gset
select verdict from inferpipe_test.flush(:parent, 1, 0, p_step => 'a', p_seq => 1);
insert into inferpipe._inferpipe_steps (
  exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result)
values (:parent, 77, now(), 1, 2, 4, 0, 0, 1, 'pack', convert_to(to_json(:'child_text'::text)::text,
  'UTF8'));
select verdict from inferpipe_test.flush(:parent, 1, 0, p_step => 'b', p_seq => 3);
prepare fork(text) as select f.exec_id from inferpipe.execution_fork(
  1, :parent, $1, null, null, null, null, null, null, null, null) f;
select throws_ok($$execute fork('b')$$, 'IP409', format('from: the child pack (%s) has not ended',
  :'child_text'), 'a child that lives');
select lives_ok($$execute fork('pack')$$, 'it may be started over');
select verdict from inferpipe_test.flush(:child, 1, 2, p_large => '"parcel"');
create temp table forked as execute fork('b');
select is(array_agg(format('%s %s', seq, kind) order by seq, kind), array['1 1', '2 4', '2 10'],
  'the end of one that has ended is in the journal')
from inferpipe._inferpipe_steps join forked using (exec_id);
select is(count(*)::int, 1, 'with its large result')
from inferpipe._inferpipe_payloads join forked using (exec_id);
select f.exec_id as again from forked, inferpipe.execution_fork(
  1, forked.exec_id, null, null, null, null, null, null, null, null, null) f \gset
select is(count(*)::int, 1, 'a source that was told has one end too')
from inferpipe._inferpipe_steps s where s.kind = 10 and s.exec_id = :again;
select is(array_agg(label order by seq), array['a', 'pack'], 'the end of a child is no step')
from forked, inferpipe.step_labels(forked.exec_id);
insert into inferpipe._inferpipe_steps (
  exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name)
values (:parent, 79, now(), 1, 4, 11, 0, 0, 1, 'unwind'),
  (:parent, 80, now(), 1, 5, 1, 0, 0, 1, 'undo b');
select is(array_agg(label order by seq), array['a', 'pack', 'b'], 'an unwinding is not copied')
from inferpipe.step_labels(:parent);
select * from finish();
rollback;
