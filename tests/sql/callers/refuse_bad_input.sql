-- Each check names the field and the rule; nothing is written.
begin;
select plan(42);
select inferpipe_test.setup();
create function pg_temp.says(p_call text) returns text language plpgsql
as $$ begin execute 'select ' || p_call; return 'fine'; exception when others then
  return sqlstate || ' ' || sqlerrm; end $$;
select is(pg_temp.says(call), answer, call)
from (values
  ($$inferpipe.start('order', '1')$$, 'fine'),
  ($$inferpipe.start('order', null)$$, 'fine'),
  ($$inferpipe.start('order', '1e400000')$$, 'fine'),
  ($$inferpipe.start('order', '"\\u0000"')$$, 'fine'),
  ($$inferpipe.start('order', '"\ud83d\ude00 \\\\\\ud83d"')$$, 'fine'),
  ($$inferpipe.start('order', '{"a": {"a": [{"a": 1}]}}')$$, 'fine'),
  ($$inferpipe.start('order', p_delay => '100 years')$$, 'fine'),
  ($$inferpipe.start('order', p_key => repeat('k', 255))$$, 'fine'),
  ($$inferpipe.start('order', p_deadline => '1 ms')$$, 'fine'),
  ($$inferpipe.start('order', p_metadata => '{}')$$, 'fine'),
  ($$inferpipe.start('order', '"\u0000"')$$, 'IP400 input: \u0000 cannot be stored'),
  ($$inferpipe.start('order', '"\\\u0000"')$$, 'IP400 input: \u0000 cannot be stored'),
  ($$inferpipe.start('order', '"\ud83d"')$$, 'IP400 input: a lone surrogate is not a character'),
  ($$inferpipe.start('order', '"\ude00\ud83d"')$$,
    'IP400 input: a lone surrogate is not a character'),
  ($$inferpipe.start('order', '{"a": 1, "a": 1}')$$, 'IP400 input: the key "a" occurs twice'),
  ($$inferpipe.start('order', '[{"x": {"a": 1, "\u0061": 1}}]')$$,
    'IP400 input: the key "a" occurs twice'),
  ($$inferpipe.start('order', (repeat('[', 64) || repeat(']', 64))::json)$$, 'fine'),
  ($$inferpipe.start('order', (repeat('[', 65) || repeat(']', 65))::json)$$,
    'IP400 input: nested deeper than 64'),
  ($$inferpipe.start('order', to_json(repeat('x', 4194302)))$$, 'fine'),
  ($$inferpipe.start('order', to_json(repeat('x', 4194303)))$$,
    'IP413 input: 4194305 bytes are over the limit of 4194304'),
  ($$inferpipe.start('Order')$$, 'IP400 workflow: must match [a-z0-9][a-z0-9._-]{0,62}'),
  ($$inferpipe.start(null)$$, 'IP400 workflow: must match [a-z0-9][a-z0-9._-]{0,62}'),
  ($$inferpipe.start('unknown')$$, 'IP404 workflow: unknown is not registered'),
  ($$inferpipe.start('order', p_version => '9')$$,
    'IP404 workflow: order version 9 is not registered'),
  ($$inferpipe.start('order', p_queue => '-x')$$,
    'IP400 queue: must match [a-z0-9][a-z0-9._-]{0,62}'),
  ($$inferpipe.start('order', p_key => '')$$,
    'IP400 key: must be 1 to 255 bytes of printable text'),
  ($$inferpipe.start('order', p_key => repeat('k', 256))$$,
    'IP400 key: must be 1 to 255 bytes of printable text'),
  ($$inferpipe.start('order', p_priority => 0)$$, 'IP400 priority: must be 1 (first) to 5'),
  ($$inferpipe.start('order', p_priority => 6)$$, 'IP400 priority: must be 1 (first) to 5'),
  ($$inferpipe.start('order', p_priority => null)$$, 'IP400 priority: must be 1 (first) to 5'),
  ($$inferpipe.start('order', p_delay => '-1 ms')$$, 'IP400 delay: must be 0 to 100 years'),
  ($$inferpipe.start('order', p_deadline => '101 years')$$,
    'IP400 deadline: must be 0 to 100 years'),
  ($$inferpipe.start('order', p_metadata => '[]')$$,
    'IP400 metadata: must be a JSON object of at most 16384 bytes'),
  ($$inferpipe.start('order', p_metadata => json_build_object('a', repeat('x', 16384)))$$,
    'IP400 metadata: must be a JSON object of at most 16384 bytes'),
  ($$inferpipe.start('order', p_workspace => 'nowhere')$$,
    'IP404 workspace: there is no workspace nowhere'),
  ($$inferpipe.send('exe_0000000000001', '')$$,
    'IP400 name: must be 1 to 200 bytes of printable text'),
  ($$inferpipe.send('exe_0000000000001', repeat('n', 201))$$,
    'IP400 name: must be 1 to 200 bytes of printable text'),
  ($$inferpipe.send('exe_0000000000001', e'a\nb')$$,
    'IP400 name: must be 1 to 200 bytes of printable text'),
  ($$inferpipe.send('exe_0000000000001', 'm')$$, 'IP404 there is no execution exe_0000000000001'),
  ($$inferpipe.status('exe_0000000000001')$$, 'IP404 there is no execution exe_0000000000001'),
  ($$inferpipe.result('exe_0000000000001')$$, 'IP404 there is no execution exe_0000000000001'),
  ($$inferpipe.cancel('order')$$, 'IP400 id: not an execution id: order')
) c(call, answer);
select * from finish();
rollback;
