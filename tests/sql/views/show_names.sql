-- The views show names, texts and json.
begin;
select plan(13);
select inferpipe_test.setup();
select inferpipe_test.start(p_input => '{"b": 1, "a": 1.0}') as id \gset
select is(format('%s %s %s %s %s', workflow, version, queue, status, workspace),
  'order 1 default queued default',
  'names') from inferpipe.executions where exec_id = :id;
select is(id, inferpipe.id_text(:id), 'the id') from inferpipe.executions;
select is(input::text, '{"b": 1, "a": 1.0}', 'the input as it came') from inferpipe.executions;
select count(*) from inferpipe_test.claim();
select is(format('%s %s %s', status, waiting_for, worker_id), 'running  99', 'running')
from inferpipe.executions;
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_result => '1', p_seq => 1);
select verdict from inferpipe_test.flush(:id, 1, 3, p_wait => 'm', p_wait_seq => 2);
select is(format('%s %s %s', status, waiting_for, worker_id), 'running message ', 'waiting')
from inferpipe.executions;
select is(array_agg(format('%s %s %s %s %s %s', seq, name, kind, status, attempts, result)),
  array['1 pay step ok 1 1'], 'steps, without the intent of the wait') from inferpipe.steps;
select is(took_us, 7::int8, 'how long it took') from inferpipe.steps;
select is(format('%s %s %s', ready, running, waiting), '0 0 1', 'the queue') from inferpipe.queues;
select inferpipe.execution_send(1, :id, 'x', '"hi"', null, null);
select is(format('%s %s', name, message), 'x "hi"', 'mail') from inferpipe.messages;
select is(format('%s %s %s', state, program, executions), 'alive test 0', 'the worker')
from inferpipe.workers;
select inferpipe.execution_cancel(1, :id, true);
select is(format('%s %s %s %s', status, waiting_for, error_code, finished_at is not null),
  'canceled  CANCELED t', 'ended') from inferpipe.executions;
select is(inferpipe.waiting_text(s::int2), w, 'state ' || s) from (values (4, 'retry')) x(s, w);
select is(array_agg(inferpipe.waiting_text(s::int2)),
  array[null, null, 'timer', 'message', 'retry', null,
  'child', 'slot'], 'what each state waits for') from generate_series(0, 7) s;
select * from finish();
rollback;
