-- The one place where executions end: their row in runs becomes a row in results.
--
-- The caller holds the locks of these runs, and knows that they may end.  p_fence is kept with the
-- result, so that a retry goes on counting from it.  An id without a run is skipped.  Places of a
-- queue's key go back.
--
-- Who asked for webhooks gets them: deliveries are started here (webhook_end.sql).  Where there are
-- none that costs one look at an empty index.
--
-- Who waits for one of them through a server is told (awaited.sql).
--
-- The parents of these executions are told, and their own children asked to end (child_end.sql):
-- the caller has locked the parents that live.
create function inferpipe.run_end(
  p_exec int8[], p_status int2[], p_fence int4[], p_codec int2[], p_output bytea[],
  p_error_code text[], p_error text[])
returns void language plpgsql volatile
as $$
declare
  c_place constant int2 := 4;
  c_flag_parent constant int2 := 32;
  c_flag_awaited constant int2 := 64;
  c_flag_webhook constant int2 := 128;
  v_now timestamptz := inferpipe.clock();
  v_child int8[];
  v_parent int8[];
  v_family int8[];
  v_held int8[];
  v_lane int4[];
  v_flags int2[];
  v_awaited int8[];
  v_hooked int8[];
begin
  insert into inferpipe._inferpipe_results (
    exec_id, finished_at, started_at, workspace_id, fence, status, codec, output, error_code, error)
  select x.exec_id, v_now, r.started_at, r.workspace_id, x.fence, x.status,
    coalesce(x.codec, 0::int2), x.output, x.error_code, x.error
  from unnest(p_exec, p_status, p_fence, p_codec, p_output, p_error_code, p_error)
    x(exec_id, status, fence, codec, output, error_code, error)
  cross join lateral (
    select q.workspace_id, q.started_at from inferpipe._inferpipe_runs q
    where q.exec_id = x.exec_id limit 1) r;
  with gone as (
    delete from inferpipe._inferpipe_runs r where r.exec_id = any (p_exec)
    returning r.exec_id, r.parent_id, r.lane, r.flags)
  select array_agg(g.exec_id) filter (where g.parent_id is not null),
    array_agg(g.parent_id) filter (where g.parent_id is not null),
    array_agg(g.exec_id) filter (where g.flags & c_flag_parent <> 0),
    array_agg(g.exec_id) filter (where g.flags & c_place <> 0),
    array_agg(g.lane) filter (where g.flags & c_place <> 0),
    array_agg(g.flags) filter (where g.flags & c_place <> 0),
    array_agg(g.exec_id) filter (where g.flags & c_flag_awaited <> 0),
    array_agg(g.exec_id) filter (where g.flags & c_flag_webhook <> 0)
  into v_child, v_parent, v_family, v_held, v_lane, v_flags, v_awaited, v_hooked
  from gone g;
  if v_held is not null then
    perform inferpipe.queue_free(v_held, v_lane, v_flags);
  end if;
  if v_child is not null then
    perform inferpipe.children_ended(v_child, v_parent);
  end if;
  if v_family is not null then
    perform inferpipe.parents_ended(v_family);
  end if;
  if v_awaited is not null then
    perform inferpipe.awaited_tell('inferpipe_ended', v_awaited);
  end if;
  if v_hooked is not null or exists (
    select from inferpipe._inferpipe_webhooks h where h.disabled_at is null and h.url is not null)
  then
    perform inferpipe.webhooks_ended(p_exec, v_hooked);
  end if;
end
$$;
