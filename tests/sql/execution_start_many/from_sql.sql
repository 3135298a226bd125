-- start_many checks what SQL callers hand in, and names the place of what is bad.
begin;
select plan(12);
select inferpipe_test.setup();
create temp table got as select row_number() over () as n, m.* from inferpipe.start_many('order',
  array['{"a": 1.50}', 'null', to_json(repeat('x', 40000))]::json[], p_keys => '{k1,k2,k3}') m;
select is(array_agg(octet_length(v.input::text) order by g.n), '{11,4,40002}',
  'inputs are kept, large ones too') from got g join inferpipe.executions v using (id);
select is(count(*)::int, 1, 'the large one lies apart') from inferpipe._inferpipe_payloads;
select ok(bool_and(created), 'all new') from got;
select is(array_agg(m.id), (select array_agg(id order by n) from got where n < 3),
  'a repeat gives the same ids')
from inferpipe.start_many('order', array['{"a": 1.50}', 'null']::json[], p_keys => '{k1,k2}') m;
select is(count(*)::int, 0, 'nothing to start is fine')
from inferpipe.start_many('order', '{}'::json[]);
create temp table late as select * from inferpipe.start_many('order', '{1}'::json[],
  p_delay => '1 h');
select is(ready_at > inferpipe.clock() + interval '50 min', true, 'a delay')
from inferpipe.executions v join late using (id);

create function pg_temp.refuses(p_args text, p_code char(5), p_text text, p_what text)
returns setof text language sql as $$
  select throws_ok('select inferpipe.start_many(' || p_args || ')', p_code, p_text, p_what)
$$;
select pg_temp.refuses($$'order', array['1', '{"a":1,"a":2}']::json[]$$, 'IP400',
  'input 2: the key "a" occurs twice', 'a bad input');
select pg_temp.refuses($$'order', '{1,2}'::json[], '{a}'$$, 'IP400',
  'keys: must be as many as inputs', 'keys that are too few');
select pg_temp.refuses($$'order', '{1,2}'::json[], array['a', '']$$, 'IP400',
  'key 2: must be 1 to 255 bytes of printable text', 'an empty key');
select pg_temp.refuses($$'order', '{1}'::json[], p_priority => 6$$, 'IP400',
  'priority: must be 1 (first) to 5', 'a priority');
select pg_temp.refuses($$'nope', '{1}'::json[]$$, 'IP404', 'workflow: nope is not registered',
  'a workflow');
select pg_temp.refuses($$'order', '{1}'::json[], p_workspace => 'nope'$$, 'IP404',
  'workspace: there is no workspace nope', 'a workspace');
select * from finish();
rollback;
