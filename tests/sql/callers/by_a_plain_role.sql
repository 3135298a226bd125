-- A role with nothing but execute on the callers' functions can do all of it, and nothing else.
begin;
select plan(13);
select inferpipe_test.setup();
create role ifp_test_app;
grant usage on schema inferpipe to ifp_test_app;
grant execute on function inferpipe.start, inferpipe.send, inferpipe.cancel, inferpipe.retry,
  inferpipe.status, inferpipe.result, inferpipe.assert_lease to ifp_test_app;
set local role ifp_test_app;
select inferpipe.start('order', '{"id": 7}', p_key => 'k') as id \gset
select is(inferpipe.status(:'id'), 'queued', 'start and status');
select ok(inferpipe.send(:'id', 'm', '1', 'd'), 'send');
select ok(not inferpipe.send(:'id', 'm', '1', 'd'), 'once');
select is(inferpipe.cancel(:'id'), 'canceled', 'cancel');
select lives_ok(format('select inferpipe.retry(%L)', :'id'), 'retry');
reset role;
select fence as fence from inferpipe_test.claim() \gset
set local role ifp_test_app;
select lives_ok(format('select inferpipe.assert_lease(%L)', :'id' || '.99.' || :fence), 'fence');
reset role;
select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), :fence, 2, p_output => '[1]');
set local role ifp_test_app;
select is(inferpipe.result(:'id')::text, '[1]', 'result');
select throws_ok(format('select inferpipe.send(%L, %L)', :'id', 'm'), 'IP409', null,
  'what has ended takes no message');
select throws_ok(format('select inferpipe.%s(%L, p_workspace => %L)', f, :'id', 'other'), 'IP404',
  null, f || ' in a workspace that is not there')
from unnest(array['status', 'cancel', 'retry']) f;
select throws_ok('select * from inferpipe._inferpipe_runs', '42501', null, 'the tables are closed');
select throws_ok('select inferpipe.execution_retry(1, 1)', '42501', null, 'so is what lies below');
select * from finish();
rollback;
