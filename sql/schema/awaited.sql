-- Executions that a server waits for: a synchronous start, a long poll, a stream.
--
-- runs.flags 64 says that somebody may be waiting.  Then the end of the execution, and each batch
-- of its events, is told on a channel, with the ids in decimal, separated by spaces.  The flag is
-- set with the start, or later by execution_await; nobody takes it back, as another server may wait
-- too.
--
-- Hints: servers also look by themselves, seldom.  Executions without the flag send nothing,
-- because NOTIFY makes the commits of a whole cluster queue up.

-- Tells of these executions, in as many notifications as their texts need (8000 bytes each).
create function inferpipe.awaited_tell(p_channel text, p_exec int8[])
returns void language plpgsql volatile
as $$
declare
  c_most constant int4 := 350;
begin
  for i in 0 .. (cardinality(p_exec) - 1) / c_most loop
    perform pg_catalog.pg_notify(p_channel,
      pg_catalog.array_to_string(p_exec[i * c_most + 1 : (i + 1) * c_most], ' '));
  end loop;
end
$$;

-- These executions have new events, and their runs are locked by the caller.
create function inferpipe.awaited_events(p_exec int8[])
returns void language plpgsql volatile
as $$
declare
  c_flag_awaited constant int2 := 64;
  v_awaited int8[];
begin
  select array_agg(r.exec_id) into v_awaited
  from inferpipe._inferpipe_runs r
  where r.exec_id = any (p_exec) and r.flags & c_flag_awaited <> 0;
  if v_awaited is not null then
    perform inferpipe.awaited_tell('inferpipe_events', v_awaited);
  end if;
end
$$;

-- Sets the flag on executions that were started by others.  A row that another transaction holds is
-- left as it is: its waiters look by themselves.
create function inferpipe.execution_await(p_exec int8[])
returns void language plpgsql volatile
as $$
declare
  c_flag_awaited constant int2 := 64;
begin
  update inferpipe._inferpipe_runs r set flags = r.flags | c_flag_awaited
  where r.exec_id = any (array(
    select l.exec_id
    from (select u.id from unnest(p_exec) u(id) order by u.id) x
    cross join lateral (
      select q.exec_id from inferpipe._inferpipe_runs q
      where q.exec_id = x.id and q.flags & c_flag_awaited = 0
      for no key update skip locked) l));
end
$$;
