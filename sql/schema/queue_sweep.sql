-- For each limited queue among these lanes that has something: when to claim from it. What begins
-- is seen by tick_sweep; here is what goes on (priority 0), places that came back, and keys whose
-- time comes.
create function inferpipe.queue_sweep(p_lanes int4[])
returns table (queue_id int4, at timestamptz) language plpgsql volatile rows 10
as $$
#variable_conflict use_column
declare
  v_now timestamptz := inferpipe.clock();
  v_shards int4;
begin
  if not exists (
      select from inferpipe._inferpipe_lanes l
      join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id and q.limited
      where l.lane_id = any (p_lanes)) then
    return;
  end if;
  select s.value::int4 into v_shards
  from inferpipe._inferpipe_settings s where s.name = 'shards';
  return query
  select u.queue_id, least(u.ready_at, k.wake_at, f.at)
  from (
    select l.queue_id, min(first.ready_at) as ready_at
    from unnest(p_lanes) x(lane)
    join inferpipe._inferpipe_lanes l on l.lane_id = x.lane
    join inferpipe._inferpipe_queues q on q.queue_id = l.queue_id and q.limited
    cross join lateral (select g::int2 as shard from generate_series(0, v_shards - 1) g) h
    left join lateral (
      select r.ready_at from inferpipe._inferpipe_runs r
      where r.lane = x.lane and r.shard = h.shard and r.prio = 0 and r.owner = 0
      order by r.ready_at limit 1) first on true
    group by l.queue_id) u
  left join lateral (
    select y.wake_at from inferpipe._inferpipe_queue_keys y
    where y.queue_id = u.queue_id and y.wake_at is not null order by y.wake_at limit 1) k on true
  left join lateral (
    select v_now as at from inferpipe._inferpipe_queue_freed y
    where y.queue_id = u.queue_id limit 1) f on true
  where least(u.ready_at, k.wake_at, f.at) is not null;
end
$$;
