-- A batch of which one row is there already, as after a lost answer: the others are written, and
-- only their executions count as having gone on.
begin;
select plan(6);
select inferpipe_test.setup();
select inferpipe_test.start() as old \gset
select inferpipe_test.start() as new \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:old, 1, 0, p_step => 'pay', p_seq => 1);
create temp table journal as
select j.wrote, j.conflicts
from inferpipe.flush_journal(inferpipe.clock(), array[least(:old, :new), greatest(:old, :new)],
  array[1, 1], array[:old, :new, :new]::int8[],
  array[inferpipe.name_key('pay'), 5, 6]::int8[], array[1, 1, 2], array[1, 1, 1]::int2[],
  array[0, 0, 0]::int2[], array[1, 1, 1]::int2[], array['pay', 'a', 'b'],
  array[0, 0, 0]::int2[], array['2', '2', '2']::bytea[], array[null, null, null]::text[],
  array[null, null, null]::text[], array[1, 1, 1]::int8[], array[null, null, null]::int8[]) j;
select is(conflicts, null, 'a resend is no conflict') from journal;
select is(wrote, array[:new, :new]::int8[], 'only the other one has gone on') from journal;
select is(count(*), 1::int8, 'the old row stays alone')
from inferpipe._inferpipe_steps where exec_id = :old;
select isnt(result, '2'::bytea, 'and as it was')
from inferpipe._inferpipe_steps where exec_id = :old;
select is(array_agg(name order by name), array['a', 'b'], 'the new ones are written')
from inferpipe._inferpipe_steps where exec_id = :new;
select throws_ok(format('select inferpipe.flush_journal(inferpipe.clock(), array[%1$s]::int8[],
  array[1], array[%1$s, %1$s]::int8[], array[9, 9]::int8[], array[3, 4], ''{1,1}'', ''{0,0}'',
  ''{1,1}'', ''{a,b}'', ''{0,0}'', ''{1,1}'', ''{null,null}'', ''{null,null}'', ''{1,1}'',
  ''{null,null}'')', :new), '23505', null, 'two new rows of one key are refused');
select * from finish();
rollback;
