-- A worker is dead: from here on it gets no execution, and its lease cannot be renewed.  Its
-- executions are released by reap_release, in a later transaction: that one must see every claim
-- that was made before, and a claim holds the worker's row until it commits.
-- Locks: the worker's row.

-- By a reaper that watched: only if the worker has not beaten since (p_beats).
create function inferpipe.reap_mark(p_worker int8, p_beats int8, p_why text)
returns bool language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_workers w set state = 1, died_of = p_why
  where w.worker_id = p_worker and w.beats = p_beats and w.state = 0;
  return found;
end
$$;

-- By its parent, who has buried the process.
create function inferpipe.worker_dead(p_worker int8, p_why text)
returns bool language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_workers w set state = 1, died_of = p_why
  where w.worker_id = p_worker and w.state = 0;
  return found;
end
$$;
