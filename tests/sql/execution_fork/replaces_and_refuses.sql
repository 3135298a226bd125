-- Input and results may be replaced; a key makes it repeatable; what cannot be is refused whole.
begin;
select plan(22);
select inferpipe_test.setup();
select inferpipe_test.start(p_input => '1') as id \gset
select inferpipe.id_text(:id) as text \gset
select count(*) from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'a', p_seq => 1, p_result => '1');
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'b', p_seq => 2, p_step_status => 1,
  p_error_code => 'NO');
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'sleep', p_seq => 3, p_kind => 2);
select verdict from inferpipe_test.flush(:id, 1, 0, p_step => 'c', p_seq => 4);

select inferpipe.workflow_register(1, '{order}', '{2}', '{default}', '{null}');
select inferpipe.fork(:'text', 'c', '[2]', '{"b": {"x": 1.50}}', '2') as fork \gset
select is(version || ' ' || input::text, '2 [2]', 'another version, another input')
from inferpipe.executions where id = :'fork';
select is(version, '1', 'the source keeps its own') from inferpipe.executions where id = :'text';
select is(result::text || ' ' || status, '{"x": 1.50} ok', 'a failed step now has a result')
from inferpipe.steps where id = :'fork' and name = 'b';
select is(error_code, null, 'and no error') from inferpipe.steps where id = :'fork' and name = 'b';
select is(result::text, '1', 'the others keep theirs')
from inferpipe.steps where id = :'fork' and name = 'a';
select is(status, 'failed', 'as does the source') from inferpipe.steps
where id = :'text' and name = 'b';
select inferpipe.fork(:'text', 'c', p_input => json_build_array(repeat('x', 40000)),
  p_set => json_build_object('a', repeat('y', 40000))) as large \gset
select is(octet_length(input::text), 40004, 'a large input')
from inferpipe.executions where id = :'large';
select is(octet_length(result::text), 40002, 'a large result')
from inferpipe.steps where id = :'large' and name = 'a';
select inferpipe.fork(:'text', 'c', 'null') as nothing \gset
select is(input::text, 'null', 'the JSON null is an input')
from inferpipe.executions where id = :'nothing';

select inferpipe.fork(:'text', 'c', p_key => 'k') as once \gset
select is(inferpipe.fork(:'text', 'c', p_key => 'k'), :'once', 'a repeat gives the same');
select throws_ok(format('select inferpipe.fork(%L, %L, p_key => %L)', :'text', 'b', 'k'), 'IP422',
  null, 'the key of another fork');

create temp table before as select count(*) as n from inferpipe._inferpipe_executions;
create function pg_temp.refuses(p_args text, p_code char(5), p_what text)
returns setof text language sql as $$
  select throws_ok('select inferpipe.fork(' || p_args || ')', p_code, null, p_what)
$$;
select pg_temp.refuses(format('%L, %L', :'text', 'nope'), 'IP404', 'an unknown step');
select pg_temp.refuses(format('%L, %L', :'text', 'a#2'), 'IP404', 'a number too high');
select pg_temp.refuses(format('%L', inferpipe.id_text(5)), 'IP404', 'an unknown execution');
select pg_temp.refuses(format('%L, p_version => %L', :'text', '9'), 'IP404', 'an unknown version');
select pg_temp.refuses(format('%L, %L, p_set => %L', :'text', 'b', '{"c": 1}'), 'IP400',
  'a result that is not in front');
select pg_temp.refuses(format('%L, %L, p_set => %L', :'text', 'c', '{"sleep": 1}'), 'IP400',
  'the result of a sleep');
select pg_temp.refuses(format('%L, %L, p_set => %L', :'text', 'c', '[1]'), 'IP400',
  'results without steps');
select pg_temp.refuses(format('%L, %L, p_set => %L', :'text', 'c', '{"a": 1, "a": 2}'), 'IP400',
  'two results for one step');
select pg_temp.refuses(format('%L, %L, p_input => %L', :'text', 'c', '"\u0000"'), 'IP400',
  'an input that cannot be stored');
select throws_ok(format('select inferpipe.execution_fork(2, %s, null, null, null, null, null, null,'
  ' null, null, null)', :id), 'IP404', null, 'an execution of another workspace');
select is(count(*), (select n from before), 'what was refused left nothing')
from inferpipe._inferpipe_executions;
select * from finish();
rollback;
