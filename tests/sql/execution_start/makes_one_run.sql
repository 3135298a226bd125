-- A start makes one row in executions and one in runs, ready at once or after the delay.
begin;
select plan(12);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select exec_id as id, created from inferpipe.execution_start(1, 'order', null, null, 2::int2, 1500,
  60000, null, null, '{"a": 1.0}', null, '{"tag": "x"}', '00-ab-cd-01') \gset
select ok(:'created'::bool, 'it says that it made one');
select is(inferpipe_test.run(:id), 'state 0 owner 0 fence 0', 'the run is ready and nobody''s');
select is(ready_at, inferpipe.clock() + interval '1.5 s', 'it is due after the delay')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(deadline, inferpipe.clock() + interval '60 s', 'the deadline counts from the start')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(shard::int8, :id % 8, 'the shard is the id modulo their number')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(prio, 2::int2, 'the priority is kept') from inferpipe._inferpipe_runs where exec_id = :id;
select is(has_journal, false, 'there is nothing to load')
from inferpipe._inferpipe_runs where exec_id = :id;
select is(convert_from(input, 'UTF8'), '{"a": 1.0}', 'the input is kept byte for byte')
from inferpipe._inferpipe_executions where exec_id = :id;
select is(metadata ->> 'tag', 'x', 'metadata is kept')
from inferpipe._inferpipe_executions where exec_id = :id;
select is(traceparent, '00-ab-cd-01', 'the trace context is kept')
from inferpipe._inferpipe_executions where exec_id = :id;
select isnt(inferpipe_test.start(), inferpipe_test.start(), 'each start has an id of its own');
select is(count(distinct seed)::int, 3, 'each start has a seed of its own')
from inferpipe._inferpipe_executions;
select * from finish();
rollback;
