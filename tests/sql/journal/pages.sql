-- A journal comes in pages, in the order of the step keys, large results as texts.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.start() as a \gset
select inferpipe_test.start() as b \gset
select count(*) from inferpipe_test.claim();
select count(*) from generate_series(1, 5) n,
  inferpipe_test.flush(:a, 1, 0, p_step => 'step ' || n, p_seq => n, p_result => n::text);
select verdict from inferpipe_test.flush(:b, 1, 0, p_step => 'big', p_large => '"large"');
create temp table page as select *
from inferpipe.journal(array[:a, :b], array[null, null]::int8[], 3);
select is(count(*)::int, 4, 'three of the first, one of the second') from page;
select is(array_agg(step_key), array_agg(step_key order by step_key), 'in the order of the keys')
from page where exec_id = :a;
select is(convert_from(result, 'UTF8'), '"large"', 'a large result is the text')
from page where exec_id = :b;
insert into page select * from inferpipe.journal(array[:a::int8],
  array[(select max(step_key) from page where exec_id = :a)], 3);
select is(array_agg(name order by seq), array['step 1', 'step 2', 'step 3', 'step 4', 'step 5'],
  'the second page has the rest') from page where exec_id = :a;
select is(array_agg(convert_from(result, 'UTF8') order by seq), array['1', '2', '3', '4', '5'],
  'each with its result') from page where exec_id = :a;
select is(count(*)::int, 0, 'then nothing') from inferpipe.journal(array[:a::int8],
  array[(select max(step_key) from page where exec_id = :a)], 3);
select is(count(*)::int, 0, 'nor for an unknown execution')
from inferpipe.journal(array[5::int8], array[null::int8], 3);
select * from finish();
rollback;
