-- An end takes the run away and leaves one result; the last step may come with it.
begin;
select plan(12);
select inferpipe_test.setup();
select inferpipe_test.start() as done \gset
select inferpipe_test.start() as failed \gset
select inferpipe_test.start() as canceled \gset
select inferpipe_test.start() as large \gset
select count(*) from inferpipe_test.claim();
select inferpipe_test.at(0);
select is(verdict, 0::int2, 'completed with its last step')
from inferpipe_test.flush(:done, 1, 2, p_step => 'last', p_result => '1', p_output => '{"x": 1.0}');
select is(inferpipe_test.run(:done), 'gone', 'no run');
select is(format('%s %s %s %s', status, fence, workspace_id, convert_from(output, 'UTF8')),
  '1 1 1 {"x": 1.0}', 'one result') from inferpipe._inferpipe_results where exec_id = :done;
select is(finished_at, inferpipe.clock(), 'with its time')
from inferpipe._inferpipe_results where exec_id = :done;
select is(count(*)::int, 1, 'and the step') from inferpipe._inferpipe_steps;
select is(verdict, 2::int2, 'the same again is not ours')
from inferpipe_test.flush(:done, 1, 2, p_step => 'last', p_result => '1', p_output => '2');
select is(convert_from(output, 'UTF8'), '{"x": 1.0}', 'the result does not change')
from inferpipe._inferpipe_results where exec_id = :done;
select verdict from inferpipe_test.flush(:failed, 1, 2, p_status => 2, p_error_code => 'NO_STOCK');
select is(format('%s %s %s', status, error_code, error), '2 NO_STOCK NO_STOCK', 'a failed one')
from inferpipe._inferpipe_results where exec_id = :failed;
select verdict from inferpipe_test.flush(:canceled, 1, 2, p_status => 3,
  p_error_code => 'CANCELED');
select is(status, 3::int2, 'a canceled one') from inferpipe._inferpipe_results
where exec_id = :canceled;
select verdict from inferpipe_test.flush(:large, 1, 2, p_large => '"large"');
select is(codec, 1::int2, 'a large output is kept apart')
from inferpipe._inferpipe_results where exec_id = :large;
select is(output::text, '"large"', 'the view shows it')
from inferpipe.executions where exec_id = :large;
select is(count(*)::int, 0, 'no run is left') from inferpipe._inferpipe_runs;
select * from finish();
rollback;
