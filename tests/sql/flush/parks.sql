-- A parked run is nobody's and wakes at the earliest of its wait and its deadline.
begin;
select plan(16);
select inferpipe_test.setup();
select inferpipe_test.at(0);
create temp table runs (name text, id int8);
insert into runs
select n, inferpipe_test.start(p_deadline_ms => case when n = 'deadline' then 5000 end)
from unnest(array['in', 'at', 'both', 'deadline', 'ready', 'bare', 'back', 'sleep', 'retry']) n;
select count(*) from inferpipe_test.claim();
update inferpipe._inferpipe_runs set crashes = 3;
create function pg_temp.id(p_name text) returns int8 language sql
as $$ select id from runs where name = p_name $$;
select is(wake_at, inferpipe.clock() + interval '9 s', 'a span')
from inferpipe_test.flush(pg_temp.id('in'), 1, 1, p_state => 2, p_wake_ms => 9000);
select is(wake_at, inferpipe.clock() + interval '8 s', 'a point in time')
from inferpipe_test.flush(pg_temp.id('at'), 1, 1, p_state => 2,
  p_wake_at => inferpipe.clock() + interval '8 s');
select is(wake_at, inferpipe.clock() + interval '7 s', 'the earlier of both')
from inferpipe_test.flush(pg_temp.id('both'), 1, 1, p_state => 2, p_wake_ms => 7000,
  p_wake_at => inferpipe.clock() + interval '8 s');
select is(wake_at, inferpipe.clock() + interval '5 s', 'the deadline if that is earlier')
from inferpipe_test.flush(pg_temp.id('deadline'), 1, 1, p_state => 2, p_wake_ms => 9000);
select is(wake_at, inferpipe.clock(), 'ready is now')
from inferpipe_test.flush(pg_temp.id('ready'), 1, 1, p_state => 0);
select is(wake_at, inferpipe.clock(), 'a negative span is none, so now')
from inferpipe_test.flush(pg_temp.id('bare'), 1, 1, p_state => 2, p_wake_ms => -1);
select is(wake_at, inferpipe.clock(), 'handed back is now')
from inferpipe_test.flush(pg_temp.id('back'), 1, 4, p_state => 2, p_wake_ms => 9000);
select is(inferpipe_test.run(pg_temp.id('back')), 'state 0 owner 0 fence 1', 'and ready');
select is(inferpipe_test.run(pg_temp.id('in')), 'state 2 owner 0 fence 1', 'the run is nobody''s');
select is(crashes, 3::int2, 'without progress its crashes count on')
from inferpipe._inferpipe_runs where exec_id = pg_temp.id('in');
select is(wake_at, inferpipe.clock() + interval '60 s', 'a sleep and its row in one flush')
from inferpipe_test.flush(pg_temp.id('sleep'), 1, 1, p_state => 2, p_wake_ms => 60000,
  p_step => 'nap', p_kind => 2, p_step_wake_ms => 60000);
select is(s.wake_at, r.ready_at, 'wake at the same time')
from inferpipe._inferpipe_steps s join inferpipe._inferpipe_runs r on r.exec_id = s.exec_id;
select is(crashes || ' ' || has_journal, '0 true', 'progress clears the crashes')
from inferpipe._inferpipe_runs where exec_id = pg_temp.id('sleep');
select is(verdict, 2::int2, 'a parked run is not ours any more')
from inferpipe_test.flush(pg_temp.id('sleep'), 1, 0);
select verdict from inferpipe_test.flush(pg_temp.id('retry'), 1, 1, p_state => 4, p_wake_ms => 1000,
  p_step => 'pay', p_attempt => 1);
select is(inferpipe_test.run(pg_temp.id('retry')), 'state 4 owner 0 fence 1', 'a backoff');
select is(next_at, inferpipe.clock() + interval '1 s', 'its attempt is recorded')
from inferpipe._inferpipe_attempts;
select * from finish();
rollback;
