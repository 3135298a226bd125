-- Rows before the watermark are left for a probe from the beginning.
begin;
select plan(3);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start() as old \gset
select inferpipe_test.at(60);
select inferpipe_test.start() as new \gset
select is(array_agg(exec_id), array[:new::int8], 'behind the watermark')
from inferpipe_test.claim(p_from => inferpipe.clock() - interval '30 s');
select is(count(*)::int, 0, 'a watermark in the future finds nothing')
from inferpipe_test.claim(p_from => inferpipe.clock() + interval '30 s');
select is(array_agg(exec_id), array[:old::int8], 'from the beginning') from inferpipe_test.claim();
select * from finish();
rollback;
