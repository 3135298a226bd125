-- What /metrics tells of the database as a whole, for one workspace (the default partitions are
-- everybody's).  Read every few seconds while somebody watches, so its cost is bounded whatever
-- lies in the tables: a probe for each spot that claims look at, which counts no further than 2000,
-- and 500 pages of the live table, from which the rest is estimated.

-- The lanes of a workspace that claims would look at, each by shard and priority: how much is
-- runnable there, and since when.
create function inferpipe.gauges_runnable(p_workspace int4, p_now timestamptz)
returns table (queue text, runnable int8, oldest timestamptz) language sql stable
as $$
  select q.name, sum(spot.n)::int8, min(spot.oldest)
  from inferpipe._inferpipe_lanes l
  join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id
  cross join generate_series(0, (
    select s.value::int4 - 1 from inferpipe._inferpipe_settings s where s.name = 'shards')) shard(n)
  cross join generate_series(0, 5) prio(n)
  cross join lateral (
    select count(*) as n, min(x.ready_at) as oldest
    from (
      select r.ready_at from inferpipe._inferpipe_runs r
      where r.lane = l.lane_id and r.shard = shard.n and r.prio = prio.n and r.owner = 0
        and r.ready_at <= p_now and r.state <> 7
      order by r.lane, r.shard, r.prio, r.ready_at
      limit 2000) x) spot
  where l.workspace_id = p_workspace
  group by q.queue_id, q.name
$$;

-- What waits in lanes whose workflow no living worker has.
create function inferpipe.gauges_stranded(p_workspace int4)
returns int8 language sql stable
as $$
  select coalesce(sum(lost.n), 0)::int8
  from inferpipe._inferpipe_lanes l
  cross join lateral (
    select count(*) as n
    from (
      select from inferpipe._inferpipe_runs r
      where r.lane = l.lane_id and r.owner = 0
      limit 10000) x) lost
  where l.workspace_id = p_workspace and not exists (
    select from inferpipe._inferpipe_worker_workflows k
    join inferpipe._inferpipe_workers a on a.worker_id = k.worker_id and a.state = 0
    where k.workflow_id = l.workflow_id)
$$;

-- Live executions by state, from at most 500 pages of the table.
create function inferpipe.gauges_live(p_workspace int4)
returns table (state text, executions int8) language plpgsql stable
as $$
declare
  c_pages constant float8 := 500;
  v_pages float8 := greatest(pg_catalog.pg_relation_size('inferpipe._inferpipe_runs') / 8192, 1);
  v_share float8 := least(c_pages / v_pages, 1);
begin
  return query
  select x.name, (count(r.state) / v_share)::int8
  from (values (0, 'ready'), (1, 'running'), (2, 'timer'), (3, 'message'), (4, 'retry'),
    (6, 'child'), (7, 'slot')) x(state, name)
  left join (
    select t.state from inferpipe._inferpipe_runs t tablesample system (100 * v_share)
    where t.workspace_id = p_workspace) r on r.state = x.state
  group by x.name;
end
$$;

-- gauge, the value of its label (null: it has none), the value; ages are in microseconds.  Planned
-- as on our own connections, whoever asks: 60 ms over half a million live executions.
create function inferpipe.gauges(p_workspace text)
returns table (gauge text, label text, value int8) language plpgsql stable
set search_path = pg_catalog, pg_temp
set jit = off
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_workspace int4 := (
    select w.workspace_id from inferpipe._inferpipe_workspaces w where w.slug = p_workspace);
begin
  return query
  select x.gauge, r.queue, x.value
  from inferpipe.gauges_runnable(v_workspace, v_now) r
  cross join lateral (values ('depth', r.runnable),
    ('oldest', (extract(epoch from v_now - coalesce(r.oldest, v_now)) * 1000000)::int8))
    x(gauge, value)
  union all
  select 'live', l.state, l.executions from inferpipe.gauges_live(v_workspace) l
  union all
  select 'stranded', null, inferpipe.gauges_stranded(v_workspace)
  union all
  select 'workers', null, (
    select count(*) from inferpipe._inferpipe_workers w
    where w.workspace_id = v_workspace and w.state = 0 and w.expires_at > v_now)
  union all
  select 'default_rows', null, coalesce(sum(greatest(pg_stat_get_live_tuples(
    to_regclass('inferpipe._inferpipe_' || d.name || '_default')), 1)), 0)::int8
  from inferpipe.history_strays() d(name);
end
$$;
