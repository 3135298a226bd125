-- Starts are refused while too many wait.
begin;
select plan(6);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.limit('default', p_waiting_max => 3);
select is(count(inferpipe_test.start())::int, 3, 'up to the limit') from generate_series(1, 3);
select inferpipe_test.at(1);
select throws_ok('select inferpipe_test.start()', 'IP429',
  'queue: 3 executions wait in default, at most 3 may', 'no more than that');
select throws_ok($$ select inferpipe.start('order') $$, 'IP429', null, 'from SQL too');
select is(count(*)::int, 2, 'workers take some') from inferpipe_test.claim(99, 2);
select inferpipe_test.at(2);
select lives_ok('select inferpipe_test.start()', 'then there is room');
select inferpipe.limit('default', p_waiting_max => 0);
select inferpipe_test.at(3);
select is(count(inferpipe_test.start())::int, 5, 'without the limit there is always room')
from generate_series(1, 5);
select * from finish();
rollback;
