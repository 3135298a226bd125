-- executions_matching finds by status, workflow, queue, error and time, in pages of ascending ids.
begin;
select plan(14);
select inferpipe_test.setup();
select inferpipe.workflow_register(1, '{other}', '{2}', '{night}', '{null}');
select inferpipe_test.at(0);
select inferpipe_test.start() as a, inferpipe_test.start() as b, inferpipe_test.start() as c,
  inferpipe_test.start() as d \gset
select s.exec_id as o from inferpipe.execution_start(1, 'other', null, null, 3::int2, 0, null, null,
  null, '1', null, null, null) s \gset
select count(*) from inferpipe_test.claim(p_limit => 4);
select verdict from inferpipe_test.flush(:a, 1, 2, p_status => 2, p_error_code => 'X');
select inferpipe_test.at(60);
select verdict from inferpipe_test.flush(:b, 1, 2, p_status => 2, p_error_code => 'Y');
select verdict from inferpipe_test.flush(:c, 1, 2, p_output => '1');

create function pg_temp.found(
  p_status text, p_workflow text default null, p_version text default null,
  p_queue text default null, p_error text default null, p_since int8 default null,
  p_until int8 default null, p_after int8 default 0, p_limit int4 default 100)
returns int8[] language sql as $$
  select array_agg(m order by n) from inferpipe.executions_matching(1, p_status, p_workflow,
    p_version, p_queue, p_error, p_since, p_until, p_after, p_limit) with ordinality x(m, n)
$$;
select is(pg_temp.found('failed'), array[:a, :b]::int8[], 'those that failed');
select is(pg_temp.found('completed'), array[:c]::int8[], 'or completed');
select is(pg_temp.found('canceled'), null, 'or were canceled');
select is(pg_temp.found('queued'), array[:o]::int8[], 'or have not begun');
select is(pg_temp.found('running'), array[:d]::int8[], 'or run');
select is(pg_temp.found('failed', p_error => 'Y'), array[:b]::int8[], 'with this error');
select is(pg_temp.found('failed', p_since => -30000), array[:b]::int8[], 'in the last half minute');
select is(pg_temp.found('failed', p_until => (extract(epoch from inferpipe.clock()) * 1000)::int8
  - 30000), array[:a]::int8[], 'or before it');
select is(pg_temp.found('queued', 'order'), null, 'of this workflow');
select is(pg_temp.found('queued', 'other', '2', 'night'), array[:o]::int8[], 'version and queue');
select is(pg_temp.found('queued', 'other', '1'), null, 'and of no other version');
select is(pg_temp.found('failed', p_limit => 1), array[:a]::int8[], 'a page');
select is(pg_temp.found('failed', p_after => :a), array[:b]::int8[], 'and the next');
select throws_ok($$select pg_temp.found('gone')$$, 'IP400', null, 'an unknown status');
select * from finish();
rollback;
