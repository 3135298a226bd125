-- A transactional step is recorded in the transaction it was begun in, by the owner, once.
begin;
select plan(10);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
create function pg_temp.record(p_worker int8, p_fence int4, p_key int8, p_xid text,
  p_large bytea default null) returns bool language sql
as $$ select inferpipe.step_tx_commit(p_worker, (select exec_id from inferpipe._inferpipe_runs),
  p_fence,
  p_key, 1, 'tx', 2::int2, 7, case when p_large is null then 0 else 1 end::int2,
  coalesce(sha256(p_large), '1'), p_large, p_xid) $$;
select throws_ok($$ select pg_temp.record(99, 1, 5, '1') $$, 'IP400', null, 'another transaction');
select throws_ok($$ select pg_temp.record(99, 1, 5, null) $$, 'IP400', null, 'none');
select ok(not pg_temp.record(98, 1, 5, pg_current_xact_id()::text), 'another worker');
select ok(not pg_temp.record(99, 2, 5, pg_current_xact_id()::text), 'another fence');
select is(count(*)::int, 0, 'nothing was written') from inferpipe._inferpipe_steps;
select ok(pg_temp.record(99, 1, 5, pg_current_xact_id()::text), 'the owner in his transaction');
select is(format('%s %s %s %s', s.kind, s.attempts, s.fence, r.has_journal), '6 2 1 t', 'the row')
from inferpipe._inferpipe_steps s join inferpipe._inferpipe_runs r on r.exec_id = s.exec_id;
select throws_ok($$ select pg_temp.record(99, 1, 5, pg_current_xact_id()::text) $$, 'IP409', null,
  'a second time the work must not be done');
select ok(pg_temp.record(99, 1, 6, pg_current_xact_id()::text, '"large"'), 'a large result');
select is(convert_from(result, 'UTF8'), '"large"', 'comes back whole')
from inferpipe.journal((select array_agg(exec_id) from inferpipe._inferpipe_runs), array[5::int8],
  10);
select * from finish();
rollback;
