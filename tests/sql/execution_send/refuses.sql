-- Unknown, ended and foreign executions take no mail; a dedupe text counts once, also after the
-- message was received.
begin;
select plan(9);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select exec_id from inferpipe_test.claim();
select ok(inferpipe.execution_send(1, :id, 'm', '1', null, 'd'), 'the first one');
select ok(not inferpipe.execution_send(1, :id, 'm', '2', null, 'd'), 'the second one is known');
select ok(inferpipe.execution_send(1, :id, 'm', '3', null, 'e'), 'another text is another message');
select is(convert_from(payload, 'UTF8'), '1', 'the first one is received')
from inferpipe_test.flush(:id, 1, 3, p_wait => 'm');
select ok(not inferpipe.execution_send(1, :id, 'm', '1', null, 'd'),
  'a late repeat is known still');
select is(count(*)::int, 1, 'one is pending') from inferpipe.messages where exec_id = :id;
select throws_ok('select inferpipe.execution_send(1, 1, ''m'', ''1'', null, null)', 'IP404', null,
  'an unknown execution');
select throws_ok(format('select inferpipe.execution_send(2, %s, ''m'', ''1'', null, null)', :id),
  'IP404', null, 'another workspace');
select verdict from inferpipe_test.flush(:id, 1, 2, p_output => '1');
select throws_ok(format('select inferpipe.execution_send(1, %s, ''m'', ''1'', null, null)', :id),
  'IP409', null, 'an ended execution');
select * from finish();
rollback;
