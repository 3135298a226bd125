-- Notes go in beside the journal, under the same fence; sent again they write the same.
begin;
select plan(16);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
create function pg_temp.note(
  p_exec int8, p_fence int4, p_what int4, p_key int8 default 0, p_attempt int4 default 0,
  p_numbers int4[] default array[1], p_data text[] default array[null], p_tokens int8 default 0,
  p_usd int8 default 0)
returns int2 language sql
as $$
  select f.verdict from inferpipe.flush(99, array[p_exec], array[p_fence], '{0}', '{0}', '{1}',
    '{null}', '{null}', '{0}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}', '{null}',
    '{null}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    array_fill(p_exec, array[cardinality(p_numbers)]),
    array_fill(p_what::int2, array[cardinality(p_numbers)]),
    array_fill(p_key, array[cardinality(p_numbers)]),
    array_fill(0, array[cardinality(p_numbers)]),
    array_fill(p_attempt::int2, array[cardinality(p_numbers)]), p_numbers,
    array_fill(''::text, array[cardinality(p_numbers)]),
    array_fill('log'::text, array[cardinality(p_numbers)]),
    (select array_agg(convert_to(d, 'UTF8') order by n)
     from unnest(p_data) with ordinality u(d, n)),
    array_fill(p_tokens, array[cardinality(p_numbers)]),
    array_fill(p_usd, array[cardinality(p_numbers)])) f
$$;
select count(*) from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_result => '1');
select count(*) from inferpipe_test.flush(:id, 1, 0, p_step => 'ask', p_attempt => 1);

select is(pg_temp.note(:id, 1, 1, inferpipe.name_key('pay'), 2, p_tokens => 5, p_usd => 1500000000),
  0::int2, 'the cost of a step');
select is(format('%s %s', tokens, usd), '5 1.5', 'is in its row') from inferpipe._inferpipe_steps;
select is(pg_temp.note(:id, 1, 1, inferpipe.name_key('ask'), 1, p_tokens => 7), 0::int2,
  'the cost of a failed attempt');
select is(tokens, 7::int8, 'is in the row of that') from inferpipe._inferpipe_attempts;
select is(format('%s %s', tokens, usd), '12 1.5', 'the execution has spent both')
from inferpipe.executions;

select is(pg_temp.note(:id, 1, 2, p_numbers => array[2, 3], p_data => array['"old"', '"new"']),
  0::int2, 'two states at once');
select is(state::text, '"new"', 'the last one counts') from inferpipe.executions;
select is(pg_temp.note(:id, 2, 2, p_data => array['"stale"']), 2::int2, 'another fence');
select is(state::text, '"new"', 'says nothing') from inferpipe.executions;

select is(pg_temp.note(:id, 1, 3, p_numbers => array[4, 6], p_data => array['"a"', '"b"']), 0::int2,
  'two events');
select is(pg_temp.note(:id, 1, 3, p_numbers => array[4, 6, 7],
  p_data => array['"a"', '"b"', '"c"']), 0::int2, 'the same again, and one more');
select is(string_agg(seq || data::text, ' ' order by seq), '1"a" 2"b" 3"c"', 'each once, no gap')
from inferpipe.events;
select count(*) from inferpipe_test.flush(:id, 1, 4);
select count(*) from inferpipe_test.claim();
select is(pg_temp.note(:id, 2, 3, p_numbers => array[1], p_data => array['"d"']), 0::int2,
  'the next owner counts anew');
select is(max(seq), 4, 'the stream goes on') from inferpipe._inferpipe_events;
select is(count(*)::int, 1, 'a running step with its progress')
from inferpipe.notes(99, array[:id], array[2], array[:id], array[4::int2],
  array[inferpipe.name_key('next')], array[2], array[1::int2], array[2], array['next'],
  array[null], array[convert_to('{"at": 5}', 'UTF8')], array[0::int8], array[0::int8])
where verdict = 0 and events = 4;
select is(format('%s %s %s', name, attempts, progress->>'at'), 'next 1 5', 'shows it')
from inferpipe.steps where status = 'running';
select * from finish();
rollback;
