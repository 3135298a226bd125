-- Whoever is not the owner under the present fence writes nothing, whatever he tries.
begin;
select plan(22);
select inferpipe_test.setup();
select inferpipe_test.worker(98);
select inferpipe_test.start() as id \gset
select inferpipe_test.start() as other \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 4); -- handed back
select fence from inferpipe_test.claim(98);

-- by the former owner, by the former fence, by a stranger, by a fence to come
select is(verdict, 2::int2, format('worker %s fence %s move %s', w, f, m))
from (values (99, 1), (98, 1), (97, 2), (98, 3)) late(w, f), generate_series(0, 4) m,
  inferpipe_test.flush(:id, f, m, p_worker => w, p_step => 'late', p_state => 2, p_wake_ms => 5,
    p_wait => 'm', p_output => '1', p_large => '"large"');
select is(
  format('%s, steps %s, results %s, payloads %s', inferpipe_test.run(:id),
    (select count(*) from inferpipe._inferpipe_steps),
    (select count(*) from inferpipe._inferpipe_results),
    (select count(*) from inferpipe._inferpipe_payloads)),
  'state 1 owner 98 fence 2, steps 0, results 0, payloads 0', 'nothing was written');
select is(verdict, 0::int2, 'the owner writes')
from inferpipe_test.flush(:id, 2, 0, 98, p_step => 's');
select * from finish();
rollback;
