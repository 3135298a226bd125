-- A wait takes the oldest message of its name; what came first is not lost; a resend hears the
-- same.
begin;
select plan(15);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select count(*) from inferpipe_test.claim();
select inferpipe.execution_send(1, :id, 'm', '"first"', null, null),
  inferpipe.execution_send(1, :id, 'm', '"second"', null, null),
  inferpipe.execution_send(1, :id, 'n', '"other"', null, null);
create function pg_temp.receive(p_fence int4, p_wait text, p_seq int4) returns text language sql
as $$ select format('%s %s %s', verdict, got, convert_from(payload, 'UTF8'))
  from inferpipe_test.flush((select exec_id from inferpipe._inferpipe_runs), p_fence, 3,
    p_wait => p_wait, p_wait_seq => p_seq) $$;
select is(pg_temp.receive(1, 'm', 1), '0 1 "first"', 'the oldest one');
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 1', 'the run goes on');
select ok(has_journal, 'and has a journal') from inferpipe._inferpipe_runs;
select is(pg_temp.receive(1, 'm', 1), '0 1 "first"', 'the same wait again: the same answer');
select is(count(*)::int, 2, 'one message is gone') from inferpipe._inferpipe_messages;
select is(format('%s %s %s %s', kind, status, seq, name), '3 0 1 m', 'the journal row')
from inferpipe._inferpipe_steps;

-- The next wait for the name has another step key: sent here as another name for the same mail.
select verdict from inferpipe_test.flush(:id, 1, 3, p_wait => 'late');
select is(inferpipe_test.run(:id), 'state 3 owner 0 fence 1', 'no mail: parked');
select is(pg_temp.receive(1, 'late', 2), '2 0 ', 'and not ours any more');
select is(format('%s %s', name, kind), 'late 9', 'the intent is recorded')
from inferpipe._inferpipe_steps where kind = 9;
select ok(inferpipe.execution_send(1, :id, 'late', '"now"', null, null), 'the message comes');
select is(fence, 2, 'the run is claimed') from inferpipe_test.claim();
select is(pg_temp.receive(2, 'late', 2), '0 1 "now"', 'and gets it');
select is(fence, 2, 'under the new fence')
from inferpipe._inferpipe_steps where name = 'late' and kind = 3;
select is(array_agg(convert_from(payload, 'UTF8') order by msg_id), array['"second"', '"other"'],
  'the rest waits') from inferpipe._inferpipe_messages;
select is(pg_temp.receive(2, 'n', 3), '0 1 "other"', 'each name has its own order');
select * from finish();
rollback;
