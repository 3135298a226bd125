-- One statement starts many: each has its row, its lane, its deadline; in the order given.
begin;
select plan(16);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.workflow_register(1, '{slow}', '{7}', '{night}', '{60000}');

create function pg_temp.many(p_keys text[], p_inputs text[], p_what int4[] default null)
returns table (exec_id int8, created bool) language sql as $$
  select * from inferpipe.execution_start_many(1, '{order,slow}', '{1,null}', '{null,null}',
    coalesce(p_what, array_fill(1, array[cardinality(p_inputs)])),
    array_fill(2::int2, array[cardinality(p_inputs)]), null, null, p_keys, 60000,
    (select array_agg(convert_to(i, 'UTF8') order by n)
     from unnest(p_inputs) with ordinality x(i, n)),
    null, null, null)
$$;

create temp table got as select row_number() over () as n, m.* from pg_temp.many(
  null, '{1,2,3,4}', '{1,2,1,2}') m;
select is(array_agg(convert_from(e.input, 'UTF8') order by g.n), '{1,2,3,4}',
  'ids come in the order of the inputs')
from got g join inferpipe._inferpipe_executions e using (exec_id);
select is(array_agg(v.workflow || v.version order by g.n), '{order1,slow7,order1,slow7}',
  'each is of its workflow') from got g join inferpipe.executions v using (exec_id);
select is(array_agg(v.queue order by g.n), '{default,night,default,night}', 'in its queue')
from got g join inferpipe.executions v using (exec_id);
select is(array_agg(r.deadline - inferpipe.clock() order by g.n),
  array[null, '1 min', null, '1 min']::interval[], 'with its deadline')
from got g join inferpipe._inferpipe_runs r using (exec_id);
select ok(bool_and(r.owner = 0 and r.state = 0 and r.prio = 2 and r.ready_at = inferpipe.clock()),
  'and due') from got g join inferpipe._inferpipe_runs r using (exec_id);
select ok(bool_and(created), 'all are new') from got;
select is(count(distinct seed)::int, 4, 'each draws numbers of its own')
from inferpipe._inferpipe_executions;
select is(count(*)::int, 2, 'they are claimed like any other') from inferpipe_test.claim();

create temp table keyed as select row_number() over () as n, m.* from pg_temp.many(
  '{b,a,null,b}', '{1,2,3,1}') m;
select is(array_agg(created order by n), '{t,t,t,f}', 'a key counts once in a batch') from keyed;
select is(array_agg(distinct n), '{1,4}', 'the second has the id of the first') from keyed
where exec_id = (select exec_id from keyed where n = 4);
create temp table again as select row_number() over () as n, m.* from pg_temp.many(
  '{c,a,b}', '{0,2,1}') m;
select is(array_agg(created order by n), '{t,f,f}', 'and over batches') from again;
select is((select exec_id from again where n = 3), (select exec_id from keyed where n = 1),
  'a repeat gives the id');
select is((select created from inferpipe.execution_start(1, 'order', '1', null, 3::int2, 0, null,
  'b', 60000, '1', null, null, null)), false, 'a single start knows the key too');

select throws_ok($$select pg_temp.many('{x,y,a}', '{1,2,9}')$$, 'IP422',
  'key: start 3 has one that was used for another request', 'another request under a key');
select throws_ok($$select * from inferpipe.execution_start_many(1, '{order,nope}', '{null,null}',
  '{null,null}', '{1,2}', '{3,3}', null, null, null, 1, '{1,1}', null, null, null)$$, 'IP404', null,
  'one unknown workflow refuses all');
select is(count(*)::int, 8, 'nothing was left by what was refused')
from inferpipe._inferpipe_executions;
select * from finish();
rollback;
