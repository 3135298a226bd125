-- Doctor finds counts that are wrong, and queue_settle mends them.
begin;
select plan(12);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.limit('default', p_concurrency => 5, p_key_concurrency => 1);
select inferpipe_test.start_key('a') as a1, inferpipe_test.start_key('a') as a2,
  inferpipe_test.start_key('b') as b1 \gset
select is(inferpipe_test.grant_limited(99, 0), 2, 'one of each key');
-- Both were started at one time, so either may have been admitted: a1 is the one that was.
select max(r.exec_id) filter (where r.owner = 99) as a1,
  max(r.exec_id) filter (where r.owner = 0) as a2
from inferpipe._inferpipe_runs r where r.exec_id in (:a1, :a2) \gset
select is_empty('select * from inferpipe.doctor_queues()', 'all is well');
select inferpipe_test.finish_exec(:b1);
select is_empty('select * from inferpipe.doctor_queues()', 'also between an end and its count');

update inferpipe._inferpipe_queue_keys set used = used + 1 where key = 'a';
delete from inferpipe._inferpipe_queue_waits where exec_id = :a2;
insert into inferpipe._inferpipe_queue_use (queue_id, worker_id, turn, used)
values (inferpipe_test.queue(), 12345, 1, 3);
update inferpipe._inferpipe_queue_use set used = 0 where worker_id = 99;
select set_eq(
  'select check_name from inferpipe.doctor(null, null) where check_name like ''queue%''',
  array['queue_key_places', 'queue_key_waits', 'queue_place_of_nobody', 'queue_places'],
  'doctor finds each fault');
select is(subject || ': ' || detail, 'default/a: 2 places are counted, 1 are held', 'with numbers')
from inferpipe.doctor_queues() where check_name = 'queue_key_places';
select is(subject || ': ' || detail, 'queues: 3 counts were made anew', 'it mends what it can tell')
from inferpipe.doctor_repair('queue_key_places');
select set_eq('select check_name from inferpipe.doctor_queues()', array['queue_places'],
  'the rest the worker''s next claim does');
select is(inferpipe_test.grant_limited(99, 1), 0, 'nothing is admitted too early');
select is_empty('select * from inferpipe.doctor_queues()', 'all is well again');
select inferpipe_test.finish_exec(:a1);
select set_eq('select exec_id from inferpipe_test.claim_limited(99, 0) where exec_id <> 0',
  array[:a2], 'who was forgotten is admitted');

update inferpipe._inferpipe_queue_keys set waiting = 1, used = 0, fresh = 0 where key = 'a';
select set_eq('select check_name from inferpipe.doctor_queues()',
  array['queue_key_places', 'queue_key_idle'], 'a key that nobody looks at is found');
select inferpipe.queue_settle();
select is_empty('select * from inferpipe.doctor_queues()', 'and mended');
select * from finish();
rollback;
