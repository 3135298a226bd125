-- Small chores, for any worker about once an hour: partitions ahead, keys that have expired,
-- workers that are long gone, cancels that nobody will take. Two calls at once do no harm.
--
-- Bounded: keys go in batches, for 3 seconds at most; the rest is for the next call.  A partition
-- comes last, and one a call: its locks are then held for no longer than they must
-- (partitions_ensure.sql).  Gives whether there is more to do at once.
create function inferpipe.maintain()
returns bool language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
set enable_seqscan = on
as $$
declare
  c_weeks_ahead constant int4 := 8;
  c_batch constant int4 := 5000;
  c_longest constant interval := '3 seconds';
  c_workers_kept constant interval := '1 day';
  v_now timestamptz := inferpipe.clock();
  v_began timestamptz := clock_timestamp();
begin
  loop
    delete from inferpipe._inferpipe_idempotency k
    using (
      select workspace_id, scope, key from inferpipe._inferpipe_idempotency
      where expires_at < v_now limit c_batch for update skip locked) d
    where k.workspace_id = d.workspace_id and k.scope = d.scope and k.key = d.key;
    exit when not found or clock_timestamp() > v_began + c_longest;
  end loop;
  loop
    exit when not inferpipe.cron_forget(c_batch) or clock_timestamp() > v_began + c_longest;
  end loop;
  delete from inferpipe._inferpipe_debounces d where d.latest < v_now;
  delete from inferpipe._inferpipe_workers w
  where w.state = 2 and w.seen_at < v_now - c_workers_kept;
  delete from inferpipe._inferpipe_worker_workflows k
  where not exists (
    select from inferpipe._inferpipe_workers w where w.worker_id = k.worker_id);
  delete from inferpipe._inferpipe_cancels c
  where not exists (
    select from inferpipe._inferpipe_workers w where w.worker_id = c.worker_id and w.state = 0);
  return inferpipe.partitions_ensure(c_weeks_ahead, 1) > 0;
end
$$;
