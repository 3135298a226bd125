-- The lock has one holder, while that lives and renews it.
begin;
select plan(10);
select inferpipe_test.setup(1);
select inferpipe_test.worker(2);
select inferpipe_test.at(0) as t \gset
select inferpipe_test.schedule('a', :'t');
create function pg_temp.lock(p_worker int8) returns int8 language sql
as $$ select inferpipe.cron_lock(inferpipe.cron_lock_name(1), p_worker, 30000) $$;
select is(holder, 0::int8, 'nobody has it') from inferpipe.cron_look(1);
select is(pg_temp.lock(1), 1::int8, 'the first takes it');
select is(pg_temp.lock(2), null, 'the second does not');
select is(holder, 1::int8, 'the tick tells who has it') from inferpipe.cron_look(1);
select inferpipe_test.at(29);
select is(pg_temp.lock(1), 1::int8, 'it is renewed');
select inferpipe_test.at(31);
select is(pg_temp.lock(2), null, 'from then on it counts');
select inferpipe_test.at(60);
select is(pg_temp.lock(2), 2::int8, 'when it has run out it is free, with another fence');
select ok(inferpipe.worker_dead(2, 'test'), 'a holder dies');
select is(holder, 0::int8, 'then it is free at once') from inferpipe.cron_look(1);
select is(pg_temp.lock(1), 3::int8, 'for the others');
select * from finish();
rollback;
