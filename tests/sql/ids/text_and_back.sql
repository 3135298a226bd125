-- An id as text and back; keys that must never change.
begin;
select plan(18);
select is(inferpipe.id_text(0), 'exe_0000000000000', 'the lowest');
select is(inferpipe.id_text(1), 'exe_0000000000001', 'one');
select is(inferpipe.id_text(9223372036854775807), 'exe_7zzzzzzzzzzzz', 'the highest');
select is(inferpipe.id_parse(inferpipe.id_text(n)), n, 'there and back: ' || n)
from unnest(array[0, 31, 32, 227912111450226688, 9223372036854775807]::int8[]) n;
select throws_ok(format('select inferpipe.id_parse(%L)', t), 'IP400', null, 'not an id: ' || t)
from unnest(array['', 'exe_', 'exe_8000000000000', 'exe_000000000000u', 'exe_00000000000000',
  'run_0000000000000']) t;
select is(inferpipe.name_key('approval'), -7067443347256819201, 'a stored key');
select is(inferpipe.id_floor('2020-01-01 00:00 UTC'), 0::int8, 'time begins in 2020');
select ok(inferpipe.id_new() between inferpipe.id_floor(clock_timestamp() - interval '1 minute')
  and inferpipe.id_floor(clock_timestamp() + interval '1 minute'), 'an id is a time');
select is(inferpipe.text_uuid('k'), '8254c329-a928-50f6-d539-dd376f4816ee'::uuid, 'a stored hash');
select * from finish();
rollback;
