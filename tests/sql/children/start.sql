-- Children are made with their spawn rows: sent again they are not made twice.
begin;
select plan(11);
select inferpipe_test.setup();
select inferpipe_test.start(p_prio => 2) as parent \gset
select count(*) from inferpipe_test.claim();
select is(verdict, 0::int2, 'two children')
from inferpipe_test.spawn(:parent, 1, array['a', 'b']);
select is(count(*)::int, 2, 'are executions') from inferpipe._inferpipe_executions
where parent_id = :parent;
select is(format('%s %s %s', r.state, r.prio, r.parent_id = :parent), '0 2 t',
  'ready, with the priority of their parent')
from inferpipe._inferpipe_runs r where r.exec_id = inferpipe_test.child(:parent);
select is(result::text, '"' || inferpipe.id_text(inferpipe_test.child(:parent)) || '"',
  'the spawn row tells the id')
from inferpipe.steps where exec_id = :parent and seq = 1;
select is(flags & 32, 32, 'the parent is known as one')
from inferpipe._inferpipe_runs where exec_id = :parent;
select is(verdict, 0::int2, 'the same again is written')
from inferpipe_test.spawn(:parent, 1, array['a', 'b']);
select is(count(*)::int, 2, 'and makes nothing') from inferpipe._inferpipe_executions
where parent_id = :parent;
select throws_ok(
  format('select inferpipe_test.spawn(%s, 1, array[''c'', ''a''])', :parent), '23505', null,
  'another call under a key that is taken is refused');
select inferpipe_test.start() as other \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:other, 1, array['x'], p_workflow => 'ghost');
select is(format('%s %s', kind, error), 'child end workflow: ghost is not registered',
  'a workflow that nobody knows is an end')
from inferpipe.steps where name = 'x' and kind = 'child end';
select is(verdict, 2::int2, 'who does not own the parent starts nothing')
from inferpipe_test.spawn(:parent, 7, array['z']);
select is(count(*)::int, 2, 'really') from inferpipe._inferpipe_executions
where parent_id = :parent;
select * from finish();
rollback;
