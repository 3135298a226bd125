-- A lease's text is good for its own claim alone, also for a role that may do nothing else.
begin;
select plan(13);
select inferpipe_test.setup();
create role ifp_test_app;
grant usage on schema inferpipe to ifp_test_app;
grant execute on function inferpipe.assert_lease to ifp_test_app;
select inferpipe_test.start() as run \gset
select fence from inferpipe_test.claim();
select inferpipe.id_text(:run) as id \gset
create function pg_temp.check(p_lease text) returns text language sql
as $$ select format('select inferpipe.assert_lease(%L)', p_lease) $$;
set local role ifp_test_app;
select lives_ok(pg_temp.check(:'id' || '.99.1'), 'the claim that holds');
select throws_ok(pg_temp.check(:'id' || '.98.1'), 'IP001', null, 'another worker');
select throws_ok(pg_temp.check(:'id' || '.99.2'), 'IP001', null, 'another claim');
select throws_ok(pg_temp.check('exe_0000000000000.99.1'), 'IP001', null, 'no such execution');
select throws_ok(pg_temp.check(:'id' || '.9999999999999999999.9999999999'), 'IP001', null,
  'numbers out of range are nobody''s');
select throws_ok(pg_temp.check(bad), 'IP400', null, format('refused: %s', coalesce(bad, 'null')))
from unnest(array[null, '', '99.1', :'id' || '.0.1', :'id' || '.99.1; drop']) bad;
reset role;

select inferpipe.worker_leave(99);
select throws_ok(pg_temp.check(:'id' || '.99.1'), 'IP001', null, 'it was handed back');
select inferpipe_test.worker(98);
select fence from inferpipe_test.claim(98);
select throws_ok(pg_temp.check(:'id' || '.99.1'), 'IP001', null, 'it was claimed by another');
select verdict from inferpipe_test.flush(:run, 2, 2, 98);
select throws_ok(pg_temp.check(:'id' || '.98.2'), 'IP001', null, 'it has ended');
select * from finish();
rollback;
