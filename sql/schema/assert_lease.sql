-- A fence for the user's own transaction: raises IP001 unless the attempt that was given this
-- text still owns its execution. From then until the transaction ends nobody takes it away.
--
--   begin;
--   select inferpipe.assert_lease('exe_06f3w0d0g0000.8512034509873.2');  -- ifp_step_lease(step)
--   update accounts set ...;
--   commit;
--
-- Why it is safe: whoever takes an execution over (a claim after a reaper's release, a forced
-- cancel) changes its row in runs. We hold that row's lock: either the change came first, and we
-- find another owner or fence and raise, or it waits for our end, and what we wrote is committed
-- before the next owner begins. In a REPEATABLE READ transaction a change that its snapshot does
-- not see is a serialization failure (40001), which aborts just as well. No clock is asked.
--
-- What it costs: one index look-up and a row lock. While it is held, commits of this execution
-- answer "locked" and come again, messages to it and cancels of it wait, and its worker's death
-- is not mended. So: call it last, just before the commit, and set
-- idle_in_transaction_session_timeout. Other executions are not held up.
--
-- Locks: the run's row.  Failure: IP400 not such a text, IP001 the lease is lost.
create function inferpipe.assert_lease(p_lease text)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_parts text[] := regexp_match(p_lease,
    '^(exe_[0-9a-z]{13})\.([1-9][0-9]{0,18})\.([1-9][0-9]{0,9})$');
begin
  if v_parts is null then
    raise exception 'lease: not the text that ifp_step_lease gives: %',
      coalesce(left(p_lease, 60), 'null') using errcode = 'IP400';
  end if;
  perform from inferpipe._inferpipe_runs r
  where r.exec_id = inferpipe.id_parse(v_parts[1]) and r.owner = v_parts[2]::numeric
    and r.fence = v_parts[3]::numeric
  for no key update;
  if not found then
    raise exception 'the lease of % is lost: another worker owns it, or it has ended', v_parts[1]
      using errcode = 'IP001';
  end if;
end
$$;
