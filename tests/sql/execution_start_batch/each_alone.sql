-- Each start of a batch is made or refused alone, and the same batch may be sent again.
begin;
select plan(27);
select inferpipe_test.setup();
select inferpipe_test.at(0);
select inferpipe.workflow_register(1, '{slow}', '{7}', '{night}', '{60000}');

create table pg_temp.ids as select n, inferpipe.id_new() as id, n * 7 as seed
from generate_series(1, 6) n;
create function pg_temp.batch(
  p_workflow text[], p_what int4[], p_keys text[], p_inputs text[], p_extra text[] default null,
  p_messages text[] default null, p_shift int4 default 0)
returns table (n int8, exec_id int8, created bool, code text, detail text) language sql as $$
  select row_number() over (), b.*
  from inferpipe.execution_start_batch(1, p_workflow, array_fill(null::text, array[3]),
    array_fill(null::text, array[3]),
    (select array_agg(i.id + p_shift order by i.n) from pg_temp.ids i
     where i.n <= cardinality(p_what)),
    (select array_agg(i.seed + p_shift order by i.n) from pg_temp.ids i
     where i.n <= cardinality(p_what)),
    p_what, array_fill(3::int2, array[cardinality(p_what)]), null, null,
    array_fill(64::int2, array[cardinality(p_what)]), p_keys, 60000,
    (select array_agg(convert_to(x, 'UTF8') order by pos)
     from unnest(p_extra) with ordinality u(x, pos)),
    (select array_agg(convert_to(i, 'UTF8') order by pos)
     from unnest(p_inputs) with ordinality u(i, pos)),
    null, null, null, null, null, array_fill('{"tags": {}}'::text, array[cardinality(p_what)]),
    p_messages, (select array_agg(convert_to('"hi"', 'UTF8')) from unnest(p_messages))) b
$$;

create temp table got as select * from pg_temp.batch('{order,nope,slow}', '{1,2,3}', null,
  '{1,2,3}', p_messages => '{go,go,null}');
select is(array_agg(code order by n), '{null,IP404,null}', 'one unknown workflow refuses its own')
from got;
select is((select detail from got where n = 2), 'workflow: nope is not registered', 'with a text');
select is(array_agg(exec_id order by n), array_agg(i.id order by n), 'ids are the caller''s')
from got join pg_temp.ids i using (n);
select is((select array_agg(created order by n) from got where code is null), '{t,t}', 'both new');
select is(count(*)::int, 2, 'two are live') from inferpipe._inferpipe_runs where flags = 64;
select is((select deadline from inferpipe._inferpipe_runs r join got using (exec_id) where n = 3),
  inferpipe.clock() + interval '1 min', 'with the deadline of its workflow');
select is(array_agg(e.seed order by n), '{7,21}', 'and its seed')
from got join inferpipe._inferpipe_executions e using (exec_id);
select is(count(*)::int, 1, 'the first message is in the mailbox')
from inferpipe._inferpipe_messages m join got using (exec_id)
where n = 1 and m.name = 'go' and m.payload = '"hi"';
select is((select options::text from inferpipe_test.claim() where exec_id = (
  select exec_id from got where n = 1)), '{"tags": {}}', 'a claim brings the options');

-- The answer was lost: the same again.
create temp table again as select * from pg_temp.batch('{order,nope,slow}', '{1,2,3}', null,
  '{1,2,3}', p_messages => '{go,go,null}');
select results_eq('select * from again order by n', 'select * from got order by n',
  'the same answer');
select is(count(*)::int, 2, 'and nothing more') from inferpipe._inferpipe_executions;
select is(count(*)::int, 1, 'no second message') from inferpipe._inferpipe_messages;

-- An id that is another's.
update pg_temp.ids set seed = seed + 1 where n = 1;
create temp table taken as select * from pg_temp.batch('{order,nope,slow}', '{1,2,3}', null,
  '{1,2,3}');
select is(array_agg(code order by n), '{23505,IP404,null}', 'an id with another seed is refused')
from taken;

-- Keys.
create temp table keyed as select * from pg_temp.batch('{order,slow}', '{1,1,2,1}', '{a,b,a,null}',
  '{1,2,1,4}', p_shift => 1000000);
select is(array_agg(code order by n), '{null,null,IP422,null}',
  'another workflow under a key of this batch') from keyed;
create temp table keys2 as select * from pg_temp.batch('{order,slow}', '{1,1,1,1}', '{b,a,a,c}',
  '{2,1,9,3}', p_shift => 2000000);
select is(array_agg(code order by n), '{null,null,IP422,null}', 'another input under a key')
from keys2;
select is(array_agg(created order by n), '{f,f,f,t}', 'what was there is not made') from keys2;
select is(array_agg(k.exec_id order by n), (select array[
  (select exec_id from keyed where n = 2), (select exec_id from keyed where n = 1)]),
  'and has its id') from keys2 k where n < 3;
select is((select d.detail from keys2 d where n = 3), 'key: it was used for another request',
  'why');
create temp table keys3 as select * from pg_temp.batch('{order}', '{1,1}', '{a,d}', '{1,1}',
  '{x,x}', p_shift => 3000000);
select is(array_agg(code order by n), '{IP422,null}', 'what else was asked for counts too')
from keys3;
create temp table resent as select * from pg_temp.batch('{order}', '{1,1}', '{a,d}', '{1,1}',
  '{x,x}', p_shift => 3000000);
select results_eq('select * from resent', 'select * from keys3', 'sent again with keys');
create temp table twice as select * from pg_temp.batch('{order}', '{1,1}', '{e,e}', '{1,1}',
  p_shift => 4000000);
select is(array_agg(created order by n), '{t,f}', 'one key twice makes one') from twice;
select is(count(distinct exec_id)::int, 1, 'of one id') from twice;

-- A full queue.
update inferpipe._inferpipe_queues set waiting_max = 1 where name = 'night';
select inferpipe.execution_start(1, 'slow', null, null, 3::int2, 0, null, 'old', 60000, '1', null,
  null, null);
insert into inferpipe._inferpipe_queue_backlog (queue_id, waiting, counted_at)
select queue_id, 1, inferpipe.clock() from inferpipe._inferpipe_queues where name = 'night'
on conflict (queue_id) do update set waiting = 1, counted_at = excluded.counted_at;
create temp table busy as select * from pg_temp.batch('{order,slow}', '{1,2,2,2}',
  '{null,null,old,f}', '{1,1,1,1}', p_shift => 5000000);
select is(array_agg(code order by n), '{null,IP429,null,IP429}',
  'a full queue refuses what is new there, and knows what it has') from busy;
select is((select created from busy where n = 3), false, 'which is not made again');
select is(count(*)::int, 0, 'a refused start leaves no key')
from inferpipe._inferpipe_idempotency where key = inferpipe.text_uuid('f');

-- A large input.
create temp table large as
select * from inferpipe.execution_start_batch(1, '{order}', '{null}', '{null}',
  array[inferpipe.id_new()], '{1}', '{1}', '{3}', null, null, null, null, 1, null,
  array[convert_to('"long"', 'UTF8')], array[sha256('"long"')], null, null, null, null,
  null, '{m}', array[convert_to('"long"', 'UTF8')], array[sha256('"long"')]);
select is(count(*)::int, 1, 'a large input is kept apart, once')
from inferpipe._inferpipe_payloads join large using (exec_id);
select is((select input from inferpipe_test.claim() join large using (exec_id)), '"long"',
  'and comes with the claim');
select * from finish();
rollback;
