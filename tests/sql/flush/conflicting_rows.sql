-- A key that is there under another fence or for another call: nothing of that execution is
-- written; the others of the batch are.
begin;
select plan(10);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select inferpipe_test.start() as good \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_seq => 1);
select is(verdict, 3::int2, 'one key for two calls')
from inferpipe_test.flush(:id, 1, 2, p_step => 'pay', p_seq => 2, p_output => '1');
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 1', 'it has not ended');

create temp table answer as
select * from inferpipe.flush(99, array[:id, :good], array[1, 1], array[1, 2]::int2[],
  array[2, 0]::int2[], array[1, 1]::int2[], array[null, null]::timestamptz[],
  array[1000, null]::int8[], array[0, 0]::int2[], array['1', '1']::bytea[],
    array[null, null]::text[],
  array[null, null]::text[], array[0, 0]::int8[], array[0, 0]::int8[], array[0, 0],
  array[null, null]::text[], array[0, 0]::int8[],
  array[:id, :id, :good]::int8[], array[77, inferpipe.name_key('pay'), 78]::int8[], array[7, 8, 1],
  array[1, 1, 1]::int2[], array[0, 0, 0]::int2[], array[1, 1, 1]::int2[],
  array['new', 'pay', 'good'], array[0, 0, 0]::int2[], array['1', '1', '1']::bytea[],
  array[null, null, null]::text[], array[null, null, null]::text[], array[1, 1, 1]::int8[],
  array[null, null, null]::int8[], array[:id]::int8[], array[9]::int8[], array[9], array[1]::int2[],
  array['E'], array['e'], array[1]::int8[], array[:id]::int8[], array[sha256('1')],
  array['1']::bytea[]);
select is(verdict, 3::int2, 'it has a conflict') from answer where exec_id = :id;
select is(verdict, 0::int2, 'its neighbour has none') from answer where exec_id = :good;
select is(array_agg(name order by name), array['good', 'pay'], 'its new row was taken out again')
from inferpipe._inferpipe_steps;
select is(seq, 1, 'the old one stays as it was') from inferpipe._inferpipe_steps where name = 'pay';
select is((select count(*) from inferpipe._inferpipe_attempts)
  + (select count(*) from inferpipe._inferpipe_payloads), 0::int8, 'nothing else went in');
select is(format('%s | %s', inferpipe_test.run(:id), inferpipe_test.run(:good)),
  'state 1 owner 99 fence 1 | gone', 'it neither parked nor ended');

select verdict from inferpipe_test.flush(:id, 1, 4);
select count(*) from inferpipe_test.claim();
select is(verdict, 3::int2, 'a row of an older fence')
from inferpipe_test.flush(:id, 2, 0, p_step => 'pay', p_seq => 1);
select is(fence, 1, 'stays as it was') from inferpipe._inferpipe_steps where name = 'pay';
select * from finish();
rollback;
