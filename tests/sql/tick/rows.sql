-- Each kind of row that a tick brings.
begin;
select plan(18);
select inferpipe_test.setup();
select inferpipe_test.worker(7);
update inferpipe._inferpipe_workers set beats = 3 where worker_id = 7;
select inferpipe_test.worker(8);
update inferpipe._inferpipe_workers set backend_pid = 0 where worker_id = 8;
select inferpipe_test.worker(9);
update inferpipe._inferpipe_workers set backend_start = backend_start - interval '1 s'
where worker_id = 9;
select inferpipe_test.worker(10);
update inferpipe._inferpipe_workers set backend_start = null where worker_id = 10;
select inferpipe_test.worker(11);
select inferpipe.worker_dead(11, 'test');
select inferpipe_test.at(0);
create function pg_temp.tick(p_lanes int4[] default '{}', p_sweep bool default false)
returns table (kind int2, id int8, n int8, m int8, at timestamptz) language sql
as $$ select * from inferpipe.tick(99, 1, 10000, false, 'h', 1, 'p', 'v', p_lanes, p_sweep) $$;
create temp table rows as select row_number() over () as place, t.* from pg_temp.tick() t;

select is(format('%s %s %s', kind, id, n), '1 99 1', 'itself first, alive')
from rows where place = 1;
select is(at, inferpipe.clock(), 'with the database''s time') from rows where kind = 1;
select is(to_timestamp(m / 1000000.0), pg_postmaster_start_time(), 'and the server''s start')
from rows where kind = 1;
select is(array_agg(id), array[7, 8, 9, 10]::int8[], 'the others that live, lowest first')
from rows where kind = 2;
select is(format('%s %s', n, m), '3 1', 'beats, and its backend is there')
  from rows where kind = 2 and id = 7;
select is(m, 0::int8, 'a backend that is gone') from rows where kind = 2 and id = 8;
select is(m, 0::int8, 'another backend under its number') from rows where kind = 2 and id = 9;
select is(m, -1::int8, 'a backend that cannot be told') from rows where kind = 2 and id = 10;
select is(at is not null, true, 'the start of the backend is told')
  from rows where kind = 2 and id = 7;
select is(array_agg(id), array[11::int8], 'the dead') from rows where kind = 7;
select is(array_agg(format('%s %s', id, n)), array[format('%s 8', inferpipe_test.lane())],
  'the highest lane and the number of shards') from rows where kind = 5;
select is(count(*)::int, 0, 'no sweep was asked for') from rows where kind in (4, 6);

select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select inferpipe.execution_cancel(1, :id, false);
select is(array_agg(id), array[:id::int8], 'a cancel') from pg_temp.tick() where kind = 3;
select is(count(*)::int, 0, 'once') from pg_temp.tick() where kind = 3;
select count(inferpipe_test.worker(1000 + n)) from generate_series(1, 100) n;
select is(count(*)::int, 32, 'at most 32 others') from pg_temp.tick() where kind = 2;
select is(beats, 4::int8, 'each tick was a beat')
from inferpipe._inferpipe_workers where worker_id = 99;
select ok(inferpipe.worker_dead(99, 'test'), 'marked dead');
select is(array_agg(format('%s %s', kind, n)), array['1 0'], 'then it hears only that')
from pg_temp.tick(array[1], true);
select * from finish();
rollback;
