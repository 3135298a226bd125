-- What the database says this worker owns, as claim would have given it: after a connection error
-- the worker adopts what a lost answer may have held.
--
-- There is no index by owner, so this reads all of runs: rare, and 50 ms for a million rows.
create function inferpipe.owned(p_worker int8)
returns table (
  exec_id int8, fence int4, lane int4, shard int2, prio int2, ready_at timestamptz, flags int2,
  crashes int2, has_journal bool, deadline timestamptz, created_at timestamptz, seed int8,
  input bytea, now timestamptz, options text, traceparent text)
language plpgsql volatile
set enable_seqscan = on
as $$
#variable_conflict use_column
declare
  v_now timestamptz := inferpipe.clock();
begin
  return query
  select r.exec_id, r.fence, r.lane, r.shard, r.prio, r.ready_at, r.flags, r.crashes,
    r.has_journal, r.deadline, e.created_at, e.seed,
    case e.codec when 0 then e.input else inferpipe.payload_read(e.exec_id, e.input) end,
    v_now, e.options::text, e.traceparent
  from inferpipe._inferpipe_runs r
  join inferpipe._inferpipe_executions e on e.exec_id = r.exec_id
  where r.owner = p_worker;
end
$$;
