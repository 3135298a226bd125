-- Starts are refused while too many executions of their queue wait to begin (waiting_max).
--
-- The number is counted at most every fifth of a second, by a start that comes by, and no further
-- than the limit; the others go by what was found. So a start costs one look at one row, and a
-- burst within that time may go over the limit. Who counts holds the row until his transaction
-- ends, and nobody waits for it.
create table inferpipe._inferpipe_queue_backlog (
  queue_id int4 primary key,
  waiting int4 not null default 0,
  counted_at timestamptz not null default '-infinity'
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create function inferpipe.queue_check(p_queue int4, p_max int4)
returns void language plpgsql volatile
as $$
declare
  c_every constant interval := '200 milliseconds';
  v_now timestamptz := inferpipe.clock();
  v_waiting int4;
begin
  select b.waiting into v_waiting
  from inferpipe._inferpipe_queue_backlog b
  where b.queue_id = p_queue and b.counted_at > v_now - c_every;
  if not found then
    perform from inferpipe._inferpipe_queue_backlog b
    where b.queue_id = p_queue for no key update skip locked;
    if found then
      v_waiting := inferpipe.queue_waiting(p_queue, p_max);
      update inferpipe._inferpipe_queue_backlog b set waiting = v_waiting, counted_at = v_now
      where b.queue_id = p_queue;
    else
      select b.waiting into v_waiting
      from inferpipe._inferpipe_queue_backlog b where b.queue_id = p_queue;
    end if;
  end if;
  if v_waiting >= p_max then
    raise exception 'queue: % executions wait in %, at most % may', v_waiting, (
      select q.name from inferpipe._inferpipe_queues q where q.queue_id = p_queue), p_max
      using errcode = 'IP429', hint = 'Try again later.';
  end if;
end
$$;

-- How many executions of the queue have not begun, counted no further than p_max.
create function inferpipe.queue_waiting(p_queue int4, p_max int4)
returns int4 language sql stable
as $$
  select count(*)::int4
  from (
    select from inferpipe._inferpipe_runs r
    where r.lane = any (array(
      select l.lane_id from inferpipe._inferpipe_lanes l where l.queue_id = p_queue))
      and r.owner = 0 and r.fence = 0
    limit p_max) w
$$;
