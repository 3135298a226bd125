-- Pause, resume and delete; who may hear of it.
begin;
select plan(14);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe_test.start();
select is(quota::text || paused, '0false', 'a queue without limits is claimed plainly')
from inferpipe.lanes(1, array['order'], array['1']);
select m as before from inferpipe.tick(99, 1, 10000, false, 'h', 1, 't', '1', '{}', false)
where kind = 5 \gset
select inferpipe.pause('default');
select is(quota::text || paused, '0true', 'a paused one is not')
from inferpipe.lanes(1, array['order'], array['1']);
select isnt(m, :before::int8, 'the tick tells that something changed')
from inferpipe.tick(99, 1, 10000, false, 'h', 1, 't', '1', '{}', false) where kind = 5;
select inferpipe.resume('default');
select is(quota::text || paused, '0false', 'until it is resumed')
from inferpipe.lanes(1, array['order'], array['1']);
select inferpipe.limit('default', p_concurrency => 3);
select is(quota, inferpipe_test.queue(), 'a limited one is claimed by its number')
from inferpipe.lanes(1, array['order'], array['1']);
select inferpipe.pause('default');
select is(inferpipe_test.grant_limited(99, 0), 0, 'and gives nothing while it is paused');
select inferpipe.resume('default');
select is(inferpipe_test.grant_limited(99, 0), 1, 'but then');
select is(inferpipe.queue_delete('default'), false, 'a queue with lanes keeps its name');
select is(concurrency, null, 'and loses its limits') from inferpipe.queues where name = 'default';
select is(quota, inferpipe_test.queue(), 'it stays on the path of the limited ones')
from inferpipe.lanes(1, array['order'], array['1']);
select inferpipe.pause('unused');
select is(inferpipe.queue_delete('unused'), true, 'one that nobody used goes altogether');
select throws_ok($$ select inferpipe.queue_delete('unused') $$, 'IP404',
  'there is no queue unused', 'and is gone');
select throws_ok($$ select inferpipe.pause('Not A Slug') $$, 'IP400', null, 'a bad name');
select throws_ok($$ select inferpipe.limit('q', p_concurrency => 1000001) $$, 'IP400',
  'concurrency: must be 0 (none) to 1000000', 'a limit over the limit');
select * from finish();
rollback;
