-- An id that is taken (the clock went back and the sequence came round) is not used twice.
begin;
select plan(4);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select setval('inferpipe._inferpipe_id_seq', 7, false);
select inferpipe_test.start() as first \gset
select setval('inferpipe._inferpipe_id_seq', 7, false);
select inferpipe_test.start() as second \gset
select is(:second, :first + 1, 'the next number is drawn');
select is(count(*)::int, 2, 'both are there') from inferpipe._inferpipe_runs;
select setval('inferpipe._inferpipe_id_seq', 7, false);
select exec_id as keyed from inferpipe.execution_start(1, 'order', null, null, 3::int2, 0, null,
  'k',
  1000, '1', null, null, null) \gset
select is(exec_id, :keyed, 'the key names the id that was used')
from inferpipe._inferpipe_idempotency;
select is(inferpipe_test.run(:keyed), 'state 0 owner 0 fence 0', 'which is a run');
select * from finish();
rollback;
