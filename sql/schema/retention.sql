-- Executions that have ended leave the history when they are older than the policy says for their
-- status. Without a policy nothing leaves.
--
-- What stays, whatever its age and the partition it lies in: executions that live, children of a
-- parent that lives, and executions whose idempotency key is still remembered.
--
-- The history lies in weekly partitions. A week that is over for the shortest time of the policy
-- is looked at as a whole (retention_week):
--   nothing in it must stay       its partitions are dropped;
--   at least half of it may go    what stays, if that is little, is copied into new partitions
--                                 that take the place of the old ones (retention_rewrite.sql);
--   else                          rows are deleted, a bounded number a call (retention_rows).
-- A policy of less than a week also deletes rows in weeks that are not over yet; a longer one lets
-- executions leave with their week, so up to seven days later than it says.
--
-- Only one at a time: the row `retention` of the settings is the lock. Whoever brings an ended
-- execution back to life (execution_retry) shares it, so inside no execution of an old week can
-- come to life and no result can change. Each call is one transaction: one that is interrupted has
-- done nothing, and the next one finds the week as it was. `_inferpipe_retention` only remembers
-- where to go on and when a look may be worth it.
--
-- Locks: that row; dropping and rewriting ask for ACCESS EXCLUSIVE on the history tables, for
-- 100 ms each at most, and try again a minute later: an open transaction that reads history holds
-- up retention and nobody else.
create table inferpipe._inferpipe_retention (
  week timestamptz primary key,
  look_at timestamptz not null,     -- before then nothing is done about that week
  cursor_id int8                    -- rows are being deleted; the next is above this id
);

-- The policy: null keeps for ever.
create function inferpipe.retention_policy()
returns table (status text, keep interval) language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select t.status, (s.value::json ->> t.status)::int8 * interval '1 millisecond'
  from unnest(array['completed', 'failed', 'canceled']) t(status)
  join inferpipe._inferpipe_settings s on s.name = 'retention'
$$;

-- Sets how long executions with this status are kept; null: for ever.  For administrators: it needs
-- the right to change the settings.  Waits for a retention under way.
create function inferpipe.retention_set(p_status text, p_keep interval)
returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_status is null or p_status not in ('completed', 'failed', 'canceled') then
    raise exception 'status: must be completed, failed or canceled' using errcode = 'IP400';
  end if;
  if p_keep not between interval '1 minute' and interval '100 years' then
    raise exception 'keep: must be 1 minute to 100 years' using errcode = 'IP400';
  end if;
  update inferpipe._inferpipe_settings s
  set value = (s.value::jsonb || jsonb_build_object(p_status,
    (extract(epoch from p_keep) * 1000)::int8))::text
  where s.name = 'retention';
  delete from inferpipe._inferpipe_retention r; -- all weeks are worth a look again
end
$$;

-- Does one piece of work, of up to p_limit rows where rows are deleted: how many executions left,
-- what was done ('dropped', 'rewritten', 'deleted'; null: nothing to do, or another is at it), and
-- whether it is worth calling again.
create function inferpipe.retain(p_limit int4 default 2000)
returns table (removed int8, done text, more bool) language plpgsql volatile security definer
rows 1
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
set enable_hashjoin = on
set plan_cache_mode = force_custom_plan
as $$
declare
  c_day constant interval := '1 day';
  v_now timestamptz := inferpipe.clock();
  v_keep interval;                -- the shortest
  v_week record;
begin
  removed := 0;
  more := false;
  perform from inferpipe._inferpipe_settings s where s.name = 'retention'
    for update skip locked;
  if not found then
    return next;
    return;
  end if;
  select min(p.keep) into v_keep from inferpipe.retention_policy() p;
  select w.*, r.cursor_id, w.week_end < v_now - greatest(v_keep, c_day) as is_over into v_week
  from inferpipe.history_weeks() w
  left join inferpipe._inferpipe_retention r on r.week = w.week
  where coalesce(r.look_at <= v_now, true) and (w.week_end < v_now - greatest(v_keep, c_day)
    or (v_keep < 7 * c_day and w.week < v_now - v_keep))
  order by w.week
  limit 1;
  if found then
    more := true;
    if v_week.is_over and v_week.cursor_id is null then
      select * into removed, done
      from inferpipe.retention_week(v_week.week, v_week.lo, v_week.hi, v_now);
    end if;
    if done is null then
      removed := inferpipe.retention_rows(v_week.week, coalesce(v_week.cursor_id, v_week.lo - 1),
        v_week.hi, v_week.is_over, v_now, p_limit);
      done := 'deleted';
    end if;
  end if;
  return next;
end
$$;

-- Executions with ids in [p_lo, p_hi) that have ended: may they go?
create function inferpipe.retention_fates(p_lo int8, p_hi int8, p_now timestamptz)
returns table (exec_id int8, may_go bool) language sql stable
as $$
  select f.exec_id, coalesce(f.finished_at < p_now - c.keep, false)
    and (e.parent_id is null or not exists (
      select from inferpipe._inferpipe_runs r where r.exec_id = e.parent_id))
    and (e.idem_key is null or not exists (
      select from inferpipe._inferpipe_idempotency k
      where k.workspace_id = e.workspace_id and k.scope = 0 and k.key = e.idem_key
        and k.exec_id = e.exec_id and k.expires_at > p_now))
  from inferpipe._inferpipe_results f
  join inferpipe._inferpipe_executions e on e.exec_id = f.exec_id
  join inferpipe.retention_policy() c on c.status = inferpipe.status_text(f.status, 0, 0)
  where f.exec_id >= p_lo and f.exec_id < p_hi and e.exec_id >= p_lo and e.exec_id < p_hi
$$;

-- Drops or rewrites a week that is over, for retain.  done null: its rows are to be deleted.
create function inferpipe.retention_week(
  p_week timestamptz, p_lo int8, p_hi int8, p_now timestamptz,
  out removed int8, out done text)
language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  c_live_max constant int8 := 5000;   -- copied while others wait, so only few
  c_stay_max constant int8 := 50000;  -- copied before that
  c_try_again constant interval := '1 minute';
  v_stay int8;
  v_live int8;
begin
  select count(*) into v_live from inferpipe._inferpipe_runs r
  where r.exec_id >= p_lo and r.exec_id < p_hi;
  select count(*) filter (where f.may_go), count(*) filter (where not f.may_go)
  into removed, v_stay
  from inferpipe.retention_fates(p_lo, p_hi, p_now) f;
  if v_stay + v_live = 0 then
    done := 'dropped';
  elsif removed >= v_stay + v_live and v_stay <= c_stay_max and v_live <= c_live_max then
    done := 'rewritten';
  else
    return;
  end if;
  begin
    if done = 'rewritten' then
      perform inferpipe.retention_rewrite(p_week, p_lo, p_hi, p_now);
    else
      perform inferpipe.retention_drop(p_week);
    end if;
    delete from inferpipe._inferpipe_retention r where r.week = p_week;
  exception when lock_not_available or undefined_table then
    removed := 0;
    done := 'waits';
  end;
  if done <> 'dropped' then
    insert into inferpipe._inferpipe_retention (week, look_at)
    values (p_week, p_now + case done when 'waits' then c_try_again else '1 day' end)
    on conflict (week) do update set look_at = excluded.look_at;
  end if;
end
$$;

-- Looks at the next p_limit results above p_cursor and deletes those that may go.  After the last
-- one the week is left alone for a while.
create function inferpipe.retention_rows(
  p_week timestamptz, p_cursor int8, p_hi int8, p_is_over bool, p_now timestamptz, p_limit int4)
returns int8 language plpgsql volatile
as $$
declare
  v_last int8;
  v_seen int8;
begin
  select max(x.exec_id), count(*) into v_last, v_seen
  from (
    select f.exec_id from inferpipe._inferpipe_results f
    where f.exec_id > p_cursor and f.exec_id < p_hi
    order by f.exec_id limit p_limit) x;
  insert into inferpipe._inferpipe_retention as r (week, look_at, cursor_id)
  select p_week, case when v_seen = p_limit then p_now
                      when p_is_over then p_now + interval '1 day'
                      else p_now + interval '1 hour' end,
    case when v_seen = p_limit then v_last end
  on conflict (week) do update set look_at = excluded.look_at, cursor_id = excluded.cursor_id;
  if v_seen = 0 then
    return 0;
  end if;
  return inferpipe.history_forget(array(
    select f.exec_id from inferpipe.retention_fates(p_cursor + 1, v_last + 1, p_now) f
    where f.may_go));
end
$$;
