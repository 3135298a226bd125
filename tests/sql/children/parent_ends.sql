-- The end of a parent ends its children, but for those that are left alone.
begin;
select plan(11);
select inferpipe_test.setup();
select inferpipe_test.start() as parent \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:parent, 1, array['begun']);
select count(*) from inferpipe_test.claim();
select inferpipe_test.child(:parent) as begun \gset
select verdict from inferpipe_test.flush(:begun, 1, 0, p_step => 's');
select is(verdict, 0::int2, 'the parent ends')
from inferpipe_test.flush(:parent, 1, 2, p_output => '1');
select is(flags & 1, 1, 'a child under way is asked to end')
from inferpipe._inferpipe_runs where exec_id = :begun;
select is(count(*)::int, 1, 'its worker is told') from inferpipe._inferpipe_cancels
where exec_id = :begun;
select is(count(*)::int, 0, 'nothing is left for later') from inferpipe._inferpipe_orphans;
select is(verdict, 0::int2, 'the child ends, and nobody is told')
from inferpipe_test.flush(:begun, 1, 2, p_status => 3, p_error_code => 'CANCELED');
select is(count(*)::int, 0, 'really') from inferpipe._inferpipe_steps where kind = 10;

select inferpipe_test.start() as second \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:second, 1, array['alone'], p_flags => 16);
select verdict from inferpipe_test.flush(:second, 1, 2, p_output => '1');
select is(inferpipe_test.run(inferpipe_test.child(:second)), 'state 0 owner 0 fence 0',
  'one that is left alone goes on');

select inferpipe_test.start() as fourth \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:fourth, 1, array['alone'], p_flags => 16);
select inferpipe_test.child(:fourth) as alone \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:alone, 1, 2, p_status => 2, p_error_code => 'NO');
select inferpipe.execution_retry(1, :alone);
select is(flags, 16::int2, 'a retried child is still left alone')
from inferpipe._inferpipe_runs where exec_id = :alone;
select verdict from inferpipe_test.flush(:fourth, 1, 2, p_output => '1');
select is(inferpipe_test.run(:alone), 'state 0 owner 0 fence 1', 'and outlives its parent');

select inferpipe_test.start() as third \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.spawn(:third, 1, array['unborn']);
select is(inferpipe.execution_cancel(1, :third, true), 2, 'a parent is ended by force');
select is(error, 'its parent has ended', 'a child that has not begun ends with it')
from inferpipe._inferpipe_results where exec_id = inferpipe_test.child(:third);
select * from finish();
rollback;
