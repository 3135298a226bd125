-- After a lost answer a worker learns what it has, as the claim would have told.
begin;
select plan(3);
select inferpipe_test.setup();
select inferpipe_test.worker(98);
select inferpipe_test.start(p_input => '"mine"') as mine \gset
create temp table claimed as select * from inferpipe_test.claim(99);
select inferpipe_test.start() as others \gset
select count(*) from inferpipe_test.claim(98);
select is(count(*)::int, 1, 'what it has') from inferpipe.owned(99);
select is(o - 'now', c - 'now', 'the same row as the claim gave')
from (select to_jsonb(o) o from inferpipe.owned(99) o) o, (select to_jsonb(c) c from claimed c) c;
select is(count(*)::int, 0, 'one that has nothing') from inferpipe.owned(97);
select * from finish();
rollback;
