-- Weeks that are over: dropped, rewritten or thinned out; what must stay stays whole.
begin;
select plan(24);
select inferpipe_test.setup();
select inferpipe.workflow_register(1, array['order'], array['1'], array['default'],
  array[null::int8]);
create function pg_temp.at(p_at text) returns text language sql
as $$ select set_config('inferpipe_test.now', p_at, true) $$;
-- p_n executions that ended with p_status; their ids.
create function pg_temp.ended(p_n int4, p_status int4) returns int8[] language plpgsql as $$
declare v_ids int8[] := array(select inferpipe_test.start() from generate_series(1, p_n)); begin
  perform inferpipe_test.claim(99, 100);
  perform f.verdict from unnest(v_ids) id, inferpipe_test.flush(id, 1, 2, p_status => p_status,
    p_step => 's', p_large => case p_status when 1 then '"large"' end) f;
  return v_ids;
end $$;
create function pg_temp.rows() returns text language sql as $$
select format('%s executions, %s results, %s steps, %s payloads',
  (select count(*) from inferpipe._inferpipe_executions),
  (select count(*) from inferpipe._inferpipe_results),
  (select count(*) from inferpipe._inferpipe_steps),
  (select count(*) from inferpipe._inferpipe_payloads)) $$;
create function pg_temp.all_done() returns text language plpgsql as $$
declare v_done text[] := '{}'; v_removed int8 := 0; r record; begin
  loop
    select * into r from inferpipe.retain();
    exit when not r.more;
    v_done := v_done || r.done;
    v_removed := v_removed + r.removed;
  end loop;
  return format('%s %s', v_removed, (select string_agg(distinct d, ' ' order by d)
    from unnest(v_done) d));
end $$;
select inferpipe.partitions_make(w) from unnest(array['2026-01-05', '2026-01-12']::timestamp[]) w;
select pg_temp.at('2026-01-06 12:00 UTC');
select pg_temp.ended(4, 1) as ids \gset
savepoint week;

select is(pg_temp.all_done(), '0 ', 'without a policy nothing leaves');
select is(pg_temp.rows(), '4 executions, 4 results, 4 steps, 4 payloads', 'all are there');
select inferpipe.retention_set('completed', '30 days');
select pg_temp.at('2026-02-11 00:00 UTC');
select is(pg_temp.all_done(), '0 ', 'the week must be over for as long as the policy says');
select pg_temp.at('2026-02-11 12:01 UTC');
select is(pg_temp.all_done(), '4 dropped', 'then it is dropped');
select is(pg_temp.rows(), '0 executions, 0 results, 0 steps, 0 payloads', 'with everything');
select is(to_regclass('inferpipe._inferpipe_steps_20260105'), null, 'the partitions are gone');
select is(pg_temp.all_done(), '0 ', 'once');
rollback to week;

-- A live run, a younger failure and a remembered key stay; the rest is at least half.
select inferpipe_test.start() as live \gset
select fence from inferpipe_test.claim();
select verdict from inferpipe_test.flush(:live, 1, 3, p_step => 's', p_wait => 'm',
  p_wait_seq => 2);
select inferpipe.execution_send(1, :live, 'other', '1', null, null);
select (pg_temp.ended(1, 2))[1] as failed \gset
select inferpipe.retention_set('completed', '30 days');
select inferpipe.retention_set('failed', '90 days');
select pg_temp.at('2026-02-15 00:00 UTC');
select is(pg_temp.all_done(), '4 rewritten', 'what must stay is little: it moves');
select is(pg_temp.rows(), '2 executions, 1 results, 3 steps, 0 payloads',
  'it is there, intent and all');
select is(array_agg(tableoid::regclass::text), array['inferpipe._inferpipe_executions_20260105'],
  'in the same week') from inferpipe._inferpipe_executions where exec_id = :live;
select is(array_agg(inhrelid::regclass::text order by inhrelid::regclass::text) @>
  array['inferpipe._inferpipe_steps_20260105'], true, 'attached')
from pg_inherits where inhparent = 'inferpipe._inferpipe_steps'::regclass;
select is(count(*)::int, (select count(*)::int from pg_index
  where indrelid = 'inferpipe._inferpipe_results'::regclass), 'with every index of the parent')
from pg_index where indrelid = 'inferpipe._inferpipe_results_20260105'::regclass and indisvalid;
select ok(inferpipe.execution_send(1, :live, 'm', '2', null, null), 'the live one goes on');
select inferpipe_test.worker(99);
select is(has_journal, true, 'with its journal') from inferpipe_test.claim() where exec_id = :live;
select is(verdict, 0::int2, 'to its end') from inferpipe_test.flush(:live, 2, 2);
select lives_ok(format('select inferpipe.execution_retry(1, %s)', :failed), 'the failed one too');
select is(pg_temp.all_done(), '0 ', 'a day passes before the next look');
select pg_temp.at('2026-07-01 00:00 UTC');
select inferpipe_test.worker(99);
select fence as fence from inferpipe_test.claim() where exec_id = :failed \gset
select verdict from inferpipe_test.flush(:failed, :fence, 2);
select pg_temp.at('2026-08-15 00:00 UTC');
select is(pg_temp.all_done(), '2 dropped', 'at last the week goes');
rollback to week;

-- Less than half may go: rows are deleted.
select cardinality(pg_temp.ended(5, 2)) as failed \gset
select inferpipe.retention_set('completed', '30 days');
select pg_temp.at('2026-02-15 00:00 UTC');
select is(pg_temp.all_done(), '4 deleted', 'row by row');
select is(pg_temp.rows(), '5 executions, 5 results, 5 steps, 0 payloads', 'the others are there');
rollback to week;

-- A child stays with its parent, an execution with its key.
select inferpipe_test.start(p_delay_ms => 31536000000) as parent \gset
update inferpipe._inferpipe_executions set parent_id = :parent where exec_id = (:'ids'::int8[])[1];
update inferpipe._inferpipe_executions set idem_key = inferpipe.text_uuid('k')
where exec_id = (:'ids'::int8[])[2];
insert into inferpipe._inferpipe_idempotency (
  key, exec_id, created_at, expires_at, workspace_id, scope, request_hash)
values (inferpipe.text_uuid('k'), (:'ids'::int8[])[2], inferpipe.clock(),
  inferpipe.clock() + interval '60 days', 1, 0, substr(sha256(''), 1, 16));
select inferpipe.retention_set('completed', '30 days');
select pg_temp.at('2026-02-15 00:00 UTC');
select is(pg_temp.all_done(), '2 deleted', 'the two others leave');
select is(pg_temp.rows(), '3 executions, 2 results, 2 steps, 2 payloads', 'these two do not');
select pg_temp.at('2026-03-15 00:00 UTC');
select is(pg_temp.all_done(), '1 deleted dropped', 'when the key is forgotten, one more');
select is(array_agg(exec_id order by exec_id), array[(:'ids'::int8[])[1], :parent],
  'the child is there as long as its parent') from inferpipe._inferpipe_executions;
select * from finish();
rollback;
