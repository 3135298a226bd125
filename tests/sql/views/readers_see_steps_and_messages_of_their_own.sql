-- Two roles with one workspace each: neither sees a row of the other's in any view.
begin;
select plan(10);
insert into inferpipe._inferpipe_workspaces (slug) values ('team-a'), ('team-b');
create role ifp_test_a in role inferpipe_reader;
create role ifp_test_b in role inferpipe_reader;
insert into inferpipe._inferpipe_readers
select 'ifp_test_' || right(slug, 1), workspace_id
from inferpipe._inferpipe_workspaces where slug like 'team-%';
create temp table started on commit drop as
select w.slug, inferpipe.workflow_register(w.workspace_id, array['order'], array['1'],
    array['default'], array[null::int8])::text as registered,
  inferpipe_test.worker(100 + w.workspace_id, false, w.workspace_id) as worker
from inferpipe._inferpipe_workspaces w where w.slug like 'team-%';
create temp table runs on commit drop as
select slug, inferpipe.id_parse(inferpipe.start('order', p_workspace => slug)) as exec_id
from started;
select inferpipe.send(inferpipe.id_text(exec_id), 'm', to_json(slug), p_workspace => slug)
from runs;
insert into inferpipe._inferpipe_steps (
  exec_id, step_key, done_at, fence, seq, kind, status, codec, attempts, name, result)
select exec_id, 1, now(), 1, 1, 1, 0, 0, 1, 's', convert_to(to_json(slug)::text, 'UTF8') from runs;
create function pg_temp.seen(p_view text) returns text language plpgsql as $$
declare v_seen text; begin
  execute format('select string_agg(distinct workspace, %L) from inferpipe.%I', ' ', p_view)
  into v_seen;
  return v_seen;
end $$;
grant execute on function pg_temp.seen to public;
set local role ifp_test_a;
select is(pg_temp.seen(v), 'team-a', v || ' of a') from unnest(array['executions', 'steps',
  'messages', 'queues', 'workers']) v;
set local role ifp_test_b;
select is(pg_temp.seen(v), 'team-b', v || ' of b') from unnest(array['executions', 'steps',
  'messages', 'queues', 'workers']) v;
reset role;
select * from finish();
rollback;
