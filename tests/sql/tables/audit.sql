-- The test database's trigger writes down legal moves and refuses the others.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select throws_ok('update inferpipe._inferpipe_runs set ' || change, 'P0001', null, change)
from unnest(array['fence = fence + 1', 'owner = 98', 'owner = 0, state = 7',
  'owner = 0, state = 2, fence = fence + 1']) change;
select lives_ok('update inferpipe._inferpipe_runs set owner = 0, state = 2', 'a park is legal');
select throws_ok('update inferpipe._inferpipe_runs set state = 4', 'P0001', null,
  'from one wait to another is not');
select is(array_agg(format('%s %s %s', op, old_state, new_state) order by audit_id),
  array['INSERT -1 0', 'UPDATE 0 1', 'UPDATE 1 2'], 'what happened is written down')
from inferpipe_test.audit;
select * from finish();
rollback;
