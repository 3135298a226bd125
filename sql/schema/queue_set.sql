-- Queues are changed while they are in use: limits, pause and resume.  Workers hear of it with
-- their next tick, well under a second later; a lower limit takes nobody's executions away, it only
-- lets fewer come.
--
--   select inferpipe.limit('mail', p_concurrency => 10, p_rate => 100, p_period => '1 minute');
--   select inferpipe.limit('mail', p_concurrency => 0);   -- without that limit again
--   select inferpipe.pause('mail');
--
-- In limit() null leaves a setting as it is and 0 removes it. A queue is made on first use. Locks:
-- the row of the queue's settings, which nothing but these functions waits for.

create type inferpipe.rate_setting as (rate int4, period_ms int8, burst int4);

create function inferpipe.limit(
  p_queue text, p_concurrency int4 default null, p_rate int4 default null,
  p_period interval default null, p_burst int4 default null, p_key_concurrency int4 default null,
  p_key_rate int4 default null, p_key_period interval default null, p_key_burst int4 default null,
  p_key_window int4 default null, p_waiting_max int4 default null,
  p_workspace text default 'default')
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue inferpipe._inferpipe_queues := inferpipe.queue_row(p_queue, p_workspace);
  v_key inferpipe.rate_setting;
  v_all inferpipe.rate_setting;
begin
  perform inferpipe.check_limit('concurrency', p_concurrency);
  perform inferpipe.check_limit('key_concurrency', p_key_concurrency);
  perform inferpipe.check_limit('key_window', p_key_window);
  perform inferpipe.check_limit('waiting_max', p_waiting_max);
  v_all := inferpipe.rate_set('', p_rate, p_period, p_burst,
    row(v_queue.rate, v_queue.rate_period_ms, v_queue.rate_burst)::inferpipe.rate_setting);
  v_key := inferpipe.rate_set('key_', p_key_rate, p_key_period, p_key_burst,
    row(v_queue.key_rate, v_queue.key_period_ms, v_queue.key_burst)::inferpipe.rate_setting);
  update inferpipe._inferpipe_queues q
  set concurrency = nullif(coalesce(p_concurrency, q.concurrency), 0),
    rate = v_all.rate, rate_period_ms = v_all.period_ms, rate_burst = v_all.burst,
    key_concurrency = nullif(coalesce(p_key_concurrency, q.key_concurrency), 0),
    key_rate = v_key.rate, key_period_ms = v_key.period_ms, key_burst = v_key.burst,
    key_window = nullif(coalesce(p_key_window, q.key_window), 0),
    waiting_max = nullif(coalesce(p_waiting_max, q.waiting_max), 0),
    version = q.version + 1
  where q.queue_id = v_queue.queue_id;
  perform inferpipe.queue_changed(v_queue.queue_id);
end
$$;

create function inferpipe.queue_hold(p_queue text, p_workspace text, p_paused bool)
returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue inferpipe._inferpipe_queues := inferpipe.queue_row(p_queue, p_workspace);
begin
  update inferpipe._inferpipe_queues q set paused = p_paused, version = q.version + 1
  where q.queue_id = v_queue.queue_id and q.paused <> p_paused;
end
$$;

-- Nothing is claimed from the queue until it is resumed; what workers have in their hands goes on
-- until it ends or waits.
create function inferpipe.pause(p_queue text, p_workspace text default 'default')
returns void language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select inferpipe.queue_hold(p_queue, p_workspace, true) $$;

create function inferpipe.resume(p_queue text, p_workspace text default 'default')
returns void language sql volatile security definer
set search_path = pg_catalog, pg_temp
as $$ select inferpipe.queue_hold(p_queue, p_workspace, false) $$;

-- Takes all limits and the pause away. True: the queue is gone altogether, because no workflow has
-- ever used it; the name of any other stays with its executions.
create function inferpipe.queue_delete(p_queue text, p_workspace text default 'default')
returns bool language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_queue inferpipe._inferpipe_queues := inferpipe.queue_find(p_queue, p_workspace);
begin
  if not exists (select from inferpipe._inferpipe_lanes l where l.queue_id = v_queue.queue_id) then
    delete from inferpipe._inferpipe_queue_state s where s.queue_id = v_queue.queue_id;
    delete from inferpipe._inferpipe_queue_backlog b where b.queue_id = v_queue.queue_id;
    delete from inferpipe._inferpipe_queues q where q.queue_id = v_queue.queue_id;
    return true;
  end if;
  update inferpipe._inferpipe_queues q
  set paused = false, concurrency = null, rate = null, rate_period_ms = null, rate_burst = null,
    key_concurrency = null, key_rate = null, key_period_ms = null, key_burst = null,
    key_window = null, waiting_max = null, version = q.version + 1
  where q.queue_id = v_queue.queue_id;
  return false;
end
$$;

-- The queue of that name, its settings locked; IP404 when it is not there.
create function inferpipe.queue_find(p_queue text, p_workspace text)
returns inferpipe._inferpipe_queues language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_workspace int4 := inferpipe.workspace_id(p_workspace);
  v_queue inferpipe._inferpipe_queues;
begin
  perform inferpipe.check_slug('queue', coalesce(p_queue, ''));
  select * into v_queue from inferpipe._inferpipe_queues q
  where q.workspace_id = v_workspace and q.name = p_queue
  for no key update;
  if not found then
    raise exception 'there is no queue %', p_queue using errcode = 'IP404';
  end if;
  return v_queue;
end
$$;

-- The same, made when it is not there.
create function inferpipe.queue_row(p_queue text, p_workspace text)
returns inferpipe._inferpipe_queues language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  perform inferpipe.check_slug('queue', coalesce(p_queue, ''));
  insert into inferpipe._inferpipe_queues (workspace_id, name)
  values (inferpipe.workspace_id(p_workspace), p_queue)
  on conflict on constraint queues_unique do nothing;
  return inferpipe.queue_find(p_queue, p_workspace);
end
$$;

-- After a change: a queue that has limits, or ever had, is claimed by claim_limited.
create function inferpipe.queue_changed(p_queue int4)
returns void language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
begin
  update inferpipe._inferpipe_queues q
  set keyed = q.keyed or coalesce(q.key_concurrency, q.key_rate, q.key_window) is not null,
    limited = q.limited or coalesce(q.concurrency, q.rate, q.key_concurrency, q.key_rate,
      q.key_window) is not null
  where q.queue_id = p_queue;
  insert into inferpipe._inferpipe_queue_state (queue_id) values (p_queue)
  on conflict (queue_id) do nothing;
  insert into inferpipe._inferpipe_queue_backlog (queue_id) values (p_queue)
  on conflict (queue_id) do nothing;
end
$$;

-- A number of executions, or null.
create function inferpipe.check_limit(p_field text, p_value int4)
returns void language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_value not between 0 and 1000000 then
    raise exception '%: must be 0 (none) to 1000000', p_field using errcode = 'IP400';
  end if;
end
$$;

-- A rate after a change: what is null stays as it was; the burst is the rate unless it was set.
create function inferpipe.rate_set(
  p_prefix text, p_rate int4, p_period interval, p_burst int4, p_old inferpipe.rate_setting)
returns inferpipe.rate_setting language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  c_period_ms constant int8 := 1000;
  c_day_ms constant int8 := 86400000;
  v_rate inferpipe.rate_setting;
begin
  perform inferpipe.check_limit(p_prefix || 'rate', p_rate);
  perform inferpipe.check_limit(p_prefix || 'burst', p_burst);
  v_rate.rate := nullif(coalesce(p_rate, p_old.rate), 0);
  if v_rate.rate is null then
    if p_rate is null and coalesce(p_burst, 0) > 0 or p_rate is null and p_period is not null then
      raise exception '%: must be given with a burst or a period', p_prefix || 'rate'
        using errcode = 'IP400';
    end if;
    return null;
  end if;
  v_rate.period_ms := coalesce(
    inferpipe.check_span(p_prefix || 'period', p_period), p_old.period_ms, c_period_ms);
  if v_rate.period_ms not between 1 and c_day_ms then
    raise exception '%: must be 1 ms to 1 day', p_prefix || 'period' using errcode = 'IP400';
  end if;
  if v_rate.rate > v_rate.period_ms * 1000 then
    raise exception '%: must be at most 1000 a millisecond', p_prefix || 'rate'
      using errcode = 'IP400';
  end if;
  v_rate.burst := coalesce(p_burst, case when p_old.burst <> p_old.rate then p_old.burst end, 0);
  if v_rate.burst = 0 then
    v_rate.burst := v_rate.rate;
  end if;
  return v_rate;
end
$$;
