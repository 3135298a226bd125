-- What each role may do.  PUBLIC may do nothing.
begin;
select plan(19);
create role ifp_test_public;
create role ifp_test_app;
grant usage on schema inferpipe to ifp_test_app;
grant execute on function inferpipe.start, inferpipe.status to ifp_test_app;
select is(count(*)::int, 0, 'PUBLIC executes nothing') from pg_proc
where pronamespace = 'inferpipe'::regnamespace
  and has_function_privilege('ifp_test_public', oid, 'execute');
select is(count(*)::int, 0, 'PUBLIC reads nothing') from pg_class
where relnamespace = 'inferpipe'::regnamespace and relkind in ('r', 'p', 'v')
  and has_table_privilege('ifp_test_public', oid, 'select, insert, update, delete');
select ok(not has_schema_privilege('ifp_test_public', 'inferpipe', 'usage'),
  'PUBLIC may not enter');
select is(array_agg(relname::text order by relname),
  array['cron_executions', 'cron_jobs', 'events', 'executions', 'messages', 'queues', 'steps',
    'workers'],
  'readers read the views')
  from pg_class
where relnamespace = 'inferpipe'::regnamespace and relkind in ('r', 'p', 'v')
  and has_table_privilege('inferpipe_reader', oid, 'select');
select is(count(*)::int, 0, 'readers write nothing') from pg_class
where relnamespace = 'inferpipe'::regnamespace and relkind in ('r', 'p', 'v')
  and has_table_privilege('inferpipe_reader', oid, 'insert, update, delete, truncate');
select is(array_agg(proname::text order by proname),
  array['cron_outcome_text', 'id_parse', 'id_text', 'kind_text', 'status_text', 'step_status_text',
    'waiting_text'],
  'readers execute what the views use') from pg_proc
where pronamespace = 'inferpipe'::regnamespace
  and has_function_privilege('inferpipe_reader', oid, 'execute');
select is(count(*)::int, 0, 'every function that runs as its owner pins its search_path')
from pg_proc
where pronamespace = 'inferpipe'::regnamespace and prosecdef
  and not coalesce(array_to_string(proconfig, ' '), '') like '%search_path=pg_catalog, pg_temp%';
select ok(not has_table_privilege('inferpipe_worker', 'inferpipe.' || t, 'insert, update, delete'),
  'workers do not write ' || t)
from unnest(array['_inferpipe_migrations', '_inferpipe_settings', '_inferpipe_readers',
  '_inferpipe_workspaces']) t;
select ok(not has_table_privilege('inferpipe_worker', 'inferpipe.' || t,
    'select, insert, update, delete'), 'nobody reads ' || t || ' but through the functions')
from unnest(array['_inferpipe_api_keys', '_inferpipe_jwt_keys']) t;

-- One execution's life, with the rights of a worker.
set local role inferpipe_worker;
select inferpipe_test.setup();
select inferpipe.start('order') as id \gset
select inferpipe.send(:'id', 'm', '1', 'd');
select fence from inferpipe_test.claim();
select is(array_agg(verdict), array[0, 0, 0, 0, 0]::int2[], 'a worker can do its work')
from (
  select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), 1, 0, p_step => 'a',
    p_large => '"x"')
  union all
  select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), 1, 0, p_step => 'b',
    p_attempt => 1)
  union all
  select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), 1, 6, p_output => '2')
  union all
  select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), 2, 3, p_wait => 'm')
  union all
  select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), 2, 2, p_status => 2,
    p_error_code => 'X')) f;
select lives_ok(format('select inferpipe.retry(%L)', :'id'), 'retry');
select is(inferpipe.cancel(:'id', true), 'canceled', 'cancel');
select lives_ok('select * from inferpipe.doctor(null, null)', 'doctor');
select lives_ok('select inferpipe.maintain()', 'maintain');
set local role ifp_test_app;
select inferpipe.start('order') as app \gset
select is(inferpipe.status(:'app'), 'queued',
  'an application that was given start and status can use them');
reset role;
select * from finish();
rollback;
