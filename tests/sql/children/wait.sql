-- A wait parks until enough children have ended; ends that came before it are counted.
begin;
select plan(14);
select inferpipe_test.setup();
select inferpipe_test.start() as parent \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:parent, 1, array['a', 'b', 'c'], 5, 2);
select is(inferpipe_test.run(:parent), 'state 6 owner 0 fence 1', 'it waits for two of three');
select count(*) from inferpipe_test.claim();
select is(verdict, 0::int2, 'the first ends')
from inferpipe_test.flush(inferpipe_test.child(:parent, 1), 1, 2, p_output => '"A"');
select is(wait_left, 1, 'one is missing') from inferpipe._inferpipe_runs where exec_id = :parent;
select is(format('%s %s %s', kind, status, result), 'child end ok "A"', 'its output is told')
from inferpipe.steps where exec_id = :parent and seq = 1 and kind = 'child end';
select is(verdict, 0::int2, 'the second fails')
from inferpipe_test.flush(inferpipe_test.child(:parent, 2), 1, 2, p_status => 2,
  p_error_code => 'NO');
select is(inferpipe_test.run(:parent), 'state 0 owner 0 fence 1', 'now it is ready');
select is(format('%s %s', status, error_code), 'failed NO', 'the failure is told')
from inferpipe.steps where exec_id = :parent and seq = 2 and kind = 'child end';

select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:parent, 2, '{}', 5, 2);
select is(inferpipe_test.run(:parent), 'state 0 owner 0 fence 2', 'nothing is waited for');
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:parent, 3, '{}', 5, 0, 'a');
select is(inferpipe_test.run(:parent), 'state 0 owner 0 fence 3', 'nor is one that has');
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:parent, 4, array['d'], 5, 0, 'c');
select is(inferpipe_test.run(:parent), 'state 6 owner 0 fence 4', 'it waits for the third alone');
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(inferpipe_test.child(:parent, 4), 1, 2, p_output => '4');
select is(inferpipe_test.run(:parent), 'state 6 owner 0 fence 4', 'another one does not wake it');
select verdict from inferpipe_test.flush(inferpipe_test.child(:parent, 3), 1, 2,
  p_large => '"large"');
select is(inferpipe_test.run(:parent), 'state 0 owner 0 fence 4', 'the third does');
select is(result::text, '"large"', 'a large output is told whole')
from inferpipe.steps where exec_id = :parent and seq = 3 and kind = 'child end';
select is(count(*)::int, 4, 'each end is told once') from inferpipe._inferpipe_steps
where exec_id = :parent and kind = 10;
select * from finish();
rollback;
