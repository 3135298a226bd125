-- A message with a hash lies in _inferpipe_payloads, and the receiver gets the text.
begin;
select plan(3);
select inferpipe_test.setup();
select inferpipe_test.start() as id \gset
select exec_id from inferpipe_test.claim();
select ok(inferpipe.execution_send(1, :id, 'm', '"large"', sha256('"large"'), null), 'sent');
select is(message::text, '"large"', 'the view shows the text') from inferpipe.messages;
select is(convert_from(payload, 'UTF8'), '"large"', 'the receiver gets the text')
from inferpipe_test.flush(:id, 1, 3, p_wait => 'm');
select * from finish();
rollback;
