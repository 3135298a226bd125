-- The same key and request give the same execution; the same key with another request is refused; a
-- key that has expired is free.
begin;
select plan(13);
select inferpipe_test.setup();
select inferpipe.workflow_register(1, array['order'], array['2'], array['default'],
  array[null::int8]);
create function pg_temp.go(p_key text, p_input text, p_version text default null)
returns table (exec_id int8, created bool) language sql
as $$ select * from inferpipe.execution_start(1, 'order', p_version, null, 3::int2, 0, null, p_key,
  10000, convert_to(p_input, 'UTF8'), null, null, null) $$;
select inferpipe_test.at(0);
select exec_id as first, created as made from pg_temp.go('k', '1') \gset
select exec_id as again, created as made_again from pg_temp.go('k', '1') \gset
select ok(:'made'::bool, 'the first one starts');
select ok(not :'made_again'::bool, 'the second one does not');
select is(:again, :first, 'and gives the first one''s id');
select is(count(*)::int, 1, 'there is one execution') from inferpipe._inferpipe_executions;
select is(idem_key, inferpipe.text_uuid('k'), 'it knows its key')
from inferpipe._inferpipe_executions;
select throws_ok($$ select * from pg_temp.go('k', '2') $$, 'IP422', null, 'another input');
select throws_ok($$ select * from pg_temp.go('k', '1', '1') $$, 'IP422', null, 'another version');
select isnt((select exec_id from pg_temp.go('l', '1')), :first, 'another key is another start');
select inferpipe_test.at(9.999);
select is((select exec_id from pg_temp.go('k', '1')), :first, 'remembered to the end of its time');
select inferpipe_test.at(10);
select exec_id as later, created as made_later from pg_temp.go('k', '2') \gset
select ok(:'made_later'::bool, 'then the key is free, also for another request');
select isnt(:later, :first, 'and starts anew');
select is((select exec_id from pg_temp.go('k', '2')), :later, 'which is then remembered');

insert into inferpipe._inferpipe_workspaces (slug) values ('other');
select workspace_id as other from inferpipe._inferpipe_workspaces where slug = 'other' \gset
select inferpipe.workflow_register(:other, array['order'], array['1'], array['default'],
  array[null::int8]);
select isnt((select exec_id from inferpipe.execution_start(:other, 'order', null, null, 3::int2, 0,
  null, 'k', 10000, '9', null, null, null)), :later, 'a key belongs to its workspace');
select * from finish();
rollback;
