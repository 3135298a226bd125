-- Starts with a debounce key: one that comes while the last one's execution has not begun takes its
-- place.  Its input replaces the other's, and the execution begins p_debounce_ms after the last of
-- them, at the latest p_debounce_max_ms after the first.
--
-- Two starts at once: the row of the key is locked first, so the second sees what the first did.
-- Locks: that row, then the run's, until the caller's transaction ends.
create table inferpipe._inferpipe_debounces (
  workspace_id int4 not null,
  key uuid not null,                -- text_uuid of the workflow's name and the caller's key
  exec_id int8 not null,            -- 0: none yet
  latest timestamptz not null,      -- it begins then at the latest
  constraint debounces_pkey primary key (workspace_id, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500);

-- The execution that this start has been merged into; null: the caller starts a new one.
create function inferpipe.debounce_join(
  p_workspace int4, p_key uuid, p_ready_at timestamptz, p_input bytea, p_input_hash bytea)
returns int8 language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_id int8;
  v_latest timestamptz;
begin
  insert into inferpipe._inferpipe_debounces (workspace_id, key, exec_id, latest)
  values (p_workspace, p_key, 0, v_now)
  on conflict on constraint debounces_pkey do nothing;
  select d.exec_id, d.latest into v_id, v_latest
  from inferpipe._inferpipe_debounces d
  where d.workspace_id = p_workspace and d.key = p_key
  for update;
  perform from inferpipe._inferpipe_runs r
  where r.exec_id = v_id and r.owner = 0 and r.fence = 0
  for no key update;
  if not found or v_latest <= v_now then
    return null;
  end if;
  update inferpipe._inferpipe_executions e
  set codec = case when p_input_hash is null then 0 else 1 end,
    input = coalesce(p_input_hash, p_input)
  where e.exec_id = v_id;
  if p_input_hash is not null then
    insert into inferpipe._inferpipe_payloads (exec_id, hash, data)
    values (v_id, p_input_hash, p_input)
    on conflict do nothing;
  end if;
  update inferpipe._inferpipe_runs r set ready_at = least(p_ready_at, v_latest, r.deadline)
  where r.exec_id = v_id;
  return v_id;
end
$$;
