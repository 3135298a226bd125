-- The functions for people: ids and texts in, json out.
begin;
select plan(18);
select inferpipe_test.setup();
select inferpipe.start('order', '{"id": 7,  "n": 1.10}', p_metadata => '{"team": "a"}') as id \gset
select matches(:'id'::text, '^exe_[0-9a-hjkmnp-tv-z]{13}$', 'an id as text');
select is(inferpipe.status(:'id'), 'queued', 'queued');
select is(convert_from(input, 'UTF8'), '{"id": 7,  "n": 1.10}', 'the text as it was given')
from inferpipe_test.claim();
select is(inferpipe.status(:'id'), 'running', 'running');
select is(inferpipe.result(:'id')::text, null, 'no result yet');
select ok(inferpipe.send(:'id', 'm', '{"ok": true}', 'd'), 'sent');
select ok(not inferpipe.send(:'id', 'm', '{"ok": true}', 'd'), 'once');
select is(inferpipe.cancel(:'id'), 'requested', 'canceling is asked for');
select verdict from inferpipe_test.flush(inferpipe.id_parse(:'id'), 1, 2, p_output => '[1.10]');
select is(inferpipe.status(:'id'), 'completed', 'completed');
select is(inferpipe.result(:'id')::text, '[1.10]', 'the result as it was given');
select inferpipe.start('order') as second \gset
select is(inferpipe.cancel(:'second'), 'canceled', 'canceled at once');
select is(inferpipe.result(:'second')::text, null, 'no result');
select lives_ok(format('select inferpipe.retry(%L)', :'second'), 'tried again');
select is(inferpipe.status(upper(:'second')), 'queued', 'queued again; upper case is fine');
select is(inferpipe.start('order', p_key => 'k'), inferpipe.start('order', p_key => 'k'),
  'one key, one id');
select inferpipe.start('order', to_json(repeat('x', 32767))) as large \gset
select is(codec, 1::int2, 'above the inline limit') from inferpipe._inferpipe_executions
where exec_id = inferpipe.id_parse(:'large');
select inferpipe.start('order', to_json(repeat('x', 32766))) as small \gset
select is(codec, 0::int2, 'at the inline limit') from inferpipe._inferpipe_executions
where exec_id = inferpipe.id_parse(:'small');
select is(octet_length(input), 32769, 'the whole of it') from inferpipe_test.claim()
where exec_id = inferpipe.id_parse(:'large');
select * from finish();
rollback;
