-- A claim takes what is due, in the order of the probes and then of ready_at, up to its limit.
begin;
select plan(13);
select inferpipe_test.setup();
select setval('inferpipe._inferpipe_id_seq', 0, false);
create temp table runs (name text, id int8);
-- eight starts between two: the same shard
create function pg_temp.go(p_name text, p_prio int4, p_delay_ms int8) returns void
  language sql as $$
  select setval('inferpipe._inferpipe_id_seq', 8 * (nextval('inferpipe._inferpipe_id_seq') / 8 + 1),
    false);
  insert into runs values (p_name, inferpipe_test.start(p_prio, p_delay_ms)) $$;
select inferpipe_test.at(0);
select pg_temp.go('late', 3, 3000), pg_temp.go('low', 5, 0), pg_temp.go('second', 3, 2000),
  pg_temp.go('first', 3, 1000), pg_temp.go('high', 1, 2500), pg_temp.go('future', 3, 60000);
select is(count(distinct shard)::int, 1, 'all are in one shard') from inferpipe._inferpipe_runs;
select is(count(*)::int, 1, 'what is not due is not taken')
from inferpipe_test.claim(p_limit => 100);
select is(inferpipe_test.run(id), 'state 1 owner 99 fence 1', 'it is owned and running')
from runs where name = 'low';
select inferpipe_test.at(10);
create function pg_temp.taken(p_limit int4) returns text[] language sql
as $$ select array_agg(r.name order by c.prio, c.ready_at)
  from inferpipe_test.claim(p_limit => p_limit) c join runs r on r.id = c.exec_id $$;
select is(pg_temp.taken(2), array['high', 'first'], 'the urgent one, then the longest waiting');
select is(pg_temp.taken(1), array['second'], 'at most the limit');
select is(pg_temp.taken(100), array['late'], 'then the rest');
select is(pg_temp.taken(100), null, 'then nothing');
select is(pg_temp.taken(0), null, 'a limit of nothing takes nothing');
select is(format('%s %s %s %s', c.fence, c.flags, c.crashes, c.has_journal), '1 0 0 f',
  'a claim tells what the run is')
from (select inferpipe_test.at(3000)) t, inferpipe_test.claim() c;
select is(ready_at, inferpipe.clock() - interval '2940 s', 'and when it was due')
from inferpipe._inferpipe_runs where exec_id = (select id from runs where name = 'future');
select is(count(*)::int, 0, 'an empty list of probes takes nothing')
from inferpipe.claim(99, '{}', '{}', '{}', '{}', 10);
select is(count(*)::int, 6, 'each was claimed once') from inferpipe_test.audit where new_state = 1;
select is(max(new_fence), 1, 'with fence 1') from inferpipe_test.audit;
select * from finish();
rollback;
