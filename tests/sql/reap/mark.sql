-- Marking compares what the reaper watched; the parent need not.
begin;
select plan(7);
select inferpipe_test.setup();
select inferpipe_test.worker(99); -- beats = 1
select ok(not inferpipe.reap_mark(99, 0, 'silent'), 'it has beaten since');
select ok(inferpipe.reap_mark(99, 1, 'silent'), 'it has not');
select is(format('%s %s', state, died_of), '1 silent', 'dead, and why')
from inferpipe._inferpipe_workers;
select ok(not inferpipe.reap_mark(99, 1, 'late'), 'only one marks');
select ok(not inferpipe.worker_dead(99, 'late'), 'nor does the parent then');
select inferpipe_test.worker(98);
select ok(inferpipe.worker_dead(98, 'killed by signal 9'), 'the parent marks whatever the beats');
select ok(not inferpipe.worker_dead(5, 'x'), 'an unknown worker is nobody');
select * from finish();
rollback;
