-- An input with a hash lies in _inferpipe_payloads; readers see no difference.
begin;
select plan(4);
select inferpipe_test.setup();
select exec_id as id from inferpipe.execution_start(1, 'order', null, null, 3::int2, 0, null, null,
  null, '"large"', sha256('"large"'), null, null) \gset
select is(codec, 1::int2, 'the row says so') from inferpipe._inferpipe_executions;
select is(octet_length(input), 32, 'the row holds the hash') from inferpipe._inferpipe_executions;
select is(convert_from(input, 'UTF8'), '"large"', 'a claim brings the text')
from inferpipe_test.claim();
select is(input::text, '"large"', 'the view shows the text')
from inferpipe.executions where exec_id = :id;
select * from finish();
rollback;
