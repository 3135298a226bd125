-- Token buckets of keys: what is taken, what comes back, and what time brings.
begin;
select plan(13);
set local inferpipe_test.now = '2026-01-01 00:00:00Z';
select count(*) from inferpipe.key_create(1, 'aaaaaaaaaaaa', sha256('a'), '', '{*}', null, 60, 10);
select count(*) from inferpipe.key_create(1, 'bbbbbbbbbbbb', sha256('b'), '', '{*}', null, 600, 5);
select count(*) from inferpipe.key_create(1, 'cccccccccccc', sha256('c'), '', '{*}', null, null,
  null);
select count(*) from inferpipe.jwt_key_create(1, 'k', 'ES256', 'i', 'a', sha256('m'), '{*}', 120,
  3);
select key_id as a from inferpipe._inferpipe_api_keys where prefix = 'aaaaaaaaaaaa' \gset
select key_id as b from inferpipe._inferpipe_api_keys where prefix = 'bbbbbbbbbbbb' \gset
select key_id as c from inferpipe._inferpipe_api_keys where prefix = 'cccccccccccc' \gset
select -jwt_key_id as j from inferpipe._inferpipe_jwt_keys \gset
create function pg_temp.take(p_bucket int8, p_want int4)
returns text language sql
as $$
  select concat_ws(' ', granted, remaining, next_ms, full_ms)
  from inferpipe.rates_take(array[p_bucket], array[p_want])
$$;
select is(pg_temp.take(:a, 4), '4 6 0 4000', 'from a full bucket');
select is(pg_temp.take(:a, 100), '6 0 1000 10000', 'no more than there are');
select is(pg_temp.take(:a, 1), '0 0 1000 10000', 'nothing from an empty one');
set local inferpipe_test.now = '2026-01-01 00:00:00.999Z';
select is(pg_temp.take(:a, 1), '0 0 1 9001', 'a moment before the next');
set local inferpipe_test.now = '2026-01-01 00:00:01Z';
select is(pg_temp.take(:a, 5), '1 0 1000 10000', 'one a second');
select is(pg_temp.take(:a, -1), '-1 1 0 9000', 'what is given back is there again');
select is(pg_temp.take(:a, 2), '1 0 1000 10000', 'once');
set local inferpipe_test.now = '2026-01-01 01:00:00Z';
select is(pg_temp.take(:a, -100), '-100 10 0 0', 'never fuller than full');
select is(pg_temp.take(:a, 11), '10 0 1000 10000', 'after that, too');
select is(array_agg(concat_ws(' ', bucket = any (array[:j, :b]::int8[]), granted, burst, remaining)
    order by bucket), array['t 2 3 1', 't 5 5 0', 'f 0'],
  'several in one call, by their numbers; a key without a rate has none')
from inferpipe.rates_take(array[:c, :b, :j]::int8[], array[1, 9, 2]);
select is(pg_temp.take(123456789, 1), '0', 'nor has one that is gone');
update inferpipe._inferpipe_api_keys set rate_per_min = 6000, burst = 2 where key_id = :a;
select is(pg_temp.take(:a, 1), '0 0 9990 10000', 'a changed rate counts from now on');
select is(count(*), 3::int8, 'rows for buckets alone') from inferpipe._inferpipe_rates;
select * from finish();
rollback;
