-- What has ended cannot be canceled, what is foreign cannot be seen.
begin;
select plan(4);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select throws_ok(format('select inferpipe.execution_cancel(2, %s, true)', :id), 'IP404', null,
  'another workspace');
select is(inferpipe.execution_cancel(1, :id, false), 2, 'ours');
select throws_ok(format('select inferpipe.execution_cancel(1, %s, false)', :id), 'IP409', null,
  'a second time');
select throws_ok('select inferpipe.execution_cancel(1, 5, false)', 'IP404', null, 'unknown');
select * from finish();
rollback;
