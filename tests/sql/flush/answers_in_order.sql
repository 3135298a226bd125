-- A batch: every element has its own answer, in the order given; what is not ours does not disturb
-- what is; rows of executions that are not ours are ignored.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.worker(98);
select inferpipe_test.start() as a \gset
select inferpipe_test.start() as b \gset
select inferpipe_test.start() as c \gset
select count(*) from inferpipe_test.claim();
select inferpipe_test.start() as foreign \gset
select count(*) from inferpipe_test.claim(98);
create temp table answer (place serial, exec_id int8, verdict int2, payload bytea);
insert into answer (exec_id, verdict, payload)
select f.exec_id, f.verdict, f.payload
from inferpipe.flush(99,
  array[:c, 5, :a, :foreign, :b], array[1, 1, 1, 1, 1], array[0, 0, 2, 2, 1]::int2[],
  array[0, 0, 0, 0, 2]::int2[], array[1, 1, 1, 1, 1]::int2[],
  array_fill(null::timestamptz, array[5]), array[null, null, null, null, 1000]::int8[],
  array_fill(0::int2, array[5]), array_fill('"out"'::bytea, array[5]),
  array_fill(null::text, array[5]), array_fill(null::text, array[5]),
  array_fill(0::int8, array[5]), array_fill(0::int8, array[5]), array_fill(0, array[5]),
  array_fill(null::text, array[5]), array_fill(0::int8, array[5]),
  array[:b, :foreign, :a, :c, :c, 5]::int8[], array[1, 1, 1, 1, 2, 1]::int8[],
  array[1, 1, 1, 1, 2, 1], array_fill(1::int2, array[6]), array_fill(0::int2, array[6]),
  array_fill(1::int2, array[6]), array['b', 'f', 'a', 'c1', 'c2', 'x'],
  array_fill(0::int2, array[6]), array_fill('1'::bytea, array[6]),
  array_fill(null::text, array[6]), array_fill(null::text, array[6]),
  array_fill(1::int8, array[6]), array_fill(null::int8, array[6]),
  array[:foreign, :b]::int8[], array[3, 3]::int8[], array[3, 3], array[1, 1]::int2[],
  array['E', 'E'], array['e', 'e'], array[1, 1]::int8[],
  array[:foreign, :b]::int8[], array[sha256('1'), sha256('1')], array['1', '1']::bytea[]) f;
select is(array_agg(exec_id order by place), array[:c, 5, :a, :foreign, :b]::int8[], 'input order')
from answer;
select is(array_agg(verdict order by place), array[0, 2, 0, 2, 0]::int2[], 'each its verdict')
from answer;
select is(array_agg(name order by name), array['a', 'b', 'c1', 'c2'], 'only our rows went in')
from inferpipe._inferpipe_steps;
select is(array_agg(exec_id), array[:b::int8], 'only our attempts')
from inferpipe._inferpipe_attempts;
select is(array_agg(exec_id), array[:b::int8], 'only our payloads')
from inferpipe._inferpipe_payloads;
select is(array_agg(exec_id), array[:a::int8], 'only ours ended') from inferpipe._inferpipe_results;
select is(format('%s | %s | %s', inferpipe_test.run(:b), inferpipe_test.run(:c),
  inferpipe_test.run(:foreign)),
  'state 2 owner 0 fence 1 | state 1 owner 99 fence 1 | state 1 owner 98 fence 1', 'the runs');
select * from finish();
rollback;
