-- The answer of a request is kept under its key; a claim that nobody finishes can be taken over.
begin;
select plan(15);
select inferpipe_test.setup();
select inferpipe_test.at(0);
create function pg_temp.claim(p_owner int8, p_hash text default 'a', p_key text default 'k')
returns text language sql as $$
  select concat_ws(' ', claimed, status, convert_from(body, 'UTF8'))
  from inferpipe.answer_claim(1, p_key, substr(sha256(p_hash::bytea), 1, 16), p_owner, 60000)
$$;
select is(pg_temp.claim(1), 't', 'the first one carries it out');
select is(pg_temp.claim(1), 't', 'also when it asks again, as its answer was lost');
select is(pg_temp.claim(2), 'f', 'another one is told that it is under way');
select throws_ok($$select pg_temp.claim(2, 'b')$$, 'IP422',
  'key: it was used for another request', 'another request under the key');
select is(inferpipe.answer_keep(1, 'k', 2, 201::int2, 'x', 3600000), false,
  'only the owner keeps an answer');
select is(inferpipe.answer_keep(1, 'k', 1, 201::int2, 'x', 3600000), true, 'it does');
select is(inferpipe.answer_keep(1, 'k', 1, 201::int2, 'x', 3600000), true, 'twice is fine');
select is(pg_temp.claim(2), 'f 201 x', 'and others get it');
select inferpipe.answer_release(1, 'k', 1);
select is(pg_temp.claim(2), 'f 201 x', 'an answer is not given back');
select is(pg_temp.claim(5, 'a', 'other'), 't', 'another key');
select inferpipe.answer_release(1, 'other', 5);
select is(pg_temp.claim(6, 'b', 'other'), 't', 'a failure frees the key, for any request');
select inferpipe_test.at(61);
select is(pg_temp.claim(7, 'b', 'other'), 't', 'who died with a claim blocks nobody for good');
select is(inferpipe.answer_keep(1, 'other', 6, 201::int2, 'late', 1), false,
  'and what he says late is not kept');
select is(pg_temp.claim(8), 'f 201 x', 'an answer holds longer');
select inferpipe_test.at(4000);
select is(pg_temp.claim(9, 'c'), 't', 'until its time is over');
select * from finish();
rollback;
