-- Starts with a debounce key: the last one wins, and it is not put off for ever.
begin;
select plan(14);
select inferpipe_test.setup();
create function pg_temp.go(p_input text, p_key text default 'k', p_large bytea default null)
returns table (id int8, created bool) language sql
as $$ select exec_id, created from inferpipe.execution_start(1, 'order', null, null, 3::int2, null,
  null, null, null, coalesce(p_large, convert_to(p_input, 'UTF8')), sha256(p_large), null, null,
  p_debounce_key => p_key, p_debounce_ms => 1000, p_debounce_max_ms => 2500) $$;
select inferpipe_test.at(0);
select id as first from pg_temp.go('1') \gset
select is(ready_at, inferpipe.clock() + interval '1 second', 'the first one waits for the period')
from inferpipe._inferpipe_runs where exec_id = :first;
select inferpipe_test.at(0.8);
select is(id, :first, 'a second one has the same id') from pg_temp.go('2');
select is(created, false, 'and says that it made none') from pg_temp.go('3');
select is(ready_at, inferpipe.clock() + interval '1 second', 'it waits anew')
from inferpipe._inferpipe_runs where exec_id = :first;
select isnt(id, :first, 'another key is another execution') from pg_temp.go('x', 'other');
select inferpipe_test.at(1.7);
select is(id, :first, 'and again') from pg_temp.go('4');
select is(ready_at, inferpipe_test.at(2.5), 'not beyond the maximum')
from inferpipe._inferpipe_runs where exec_id = :first;
select inferpipe_test.at(2.4);
select is(id, :first, 'large inputs too') from pg_temp.go(null, 'k', repeat('x', 40000)::bytea);
select inferpipe_test.at(2.5);
select is(length(input), 40000, 'the last input is the one that counts')
from inferpipe_test.claim() where exec_id = :first;
select id as second, created as made from pg_temp.go('5') \gset
select isnt(:second::int8, :first::int8, 'once it has begun there is a new one');
select is(:'made'::bool, true, 'made now');
select inferpipe_test.at(60);
select isnt(id, :second, 'one whose time is over is left as it is') from pg_temp.go('6');
select is(convert_from(input, 'UTF8'), '5', 'with its input')
from inferpipe._inferpipe_executions where exec_id = :second;
select throws_ok($$ select exec_id from inferpipe.execution_start(1, 'order', null, null, 3::int2,
  null, null, null, null, 'null', null, null, null, p_debounce_key => 'k') $$, 'IP400',
  'debounce: must be a span of time above 0', 'a key without a period');
select * from finish();
rollback;
