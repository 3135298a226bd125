-- Short ways for the tests of limited queues.

create function inferpipe_test.queue(p_name text default 'default')
returns int4 language sql
as $$ select q.queue_id from inferpipe._inferpipe_queues q where q.name = p_name $$;

create sequence inferpipe_test.turn;

-- Claims from the queue "default" as claim_limited does, from every shard and priority. p_used null
-- asks the server to count.  The worker has seen all answers, unless p_seen says otherwise.
create function inferpipe_test.claim_limited(
  p_worker int8 default 99, p_used int4 default 0, p_limit int4 default 100,
  p_turn int8 default null, p_seen int8 default 1000000)
returns table (
  exec_id int8, fence int4, lane int4, shard int2, prio int2, ready_at timestamptz, flags int2,
  crashes int2, has_journal bool, deadline timestamptz, created_at timestamptz, seed int8,
  input bytea, now timestamptz, options text, traceparent text)
language sql
as $$
  select c.*
  from inferpipe.claim_limited(p_worker, inferpipe_test.queue(), array(
    select l.lane_id from inferpipe._inferpipe_lanes l where l.queue_id = inferpipe_test.queue()),
    p_limit, p_used, coalesce(p_turn, nextval('inferpipe_test.turn')), p_seen) c
$$;

-- How many it gives.
create function inferpipe_test.grant_limited(p_worker int8, p_used int4, p_limit int4 default 100)
returns int4 language sql
as $$
  select count(*)::int from inferpipe_test.claim_limited(p_worker, p_used, p_limit) c
  where c.exec_id <> 0
$$;

-- Starts an execution with a key.
create function inferpipe_test.start_key(
  p_key text, p_prio int4 default 3, p_delay_ms int8 default 0, p_deadline_ms int8 default null)
returns int8 language sql
as $$
  select s.exec_id from inferpipe.execution_start(1, 'order', null, null, p_prio::int2,
    p_delay_ms, p_deadline_ms, null, null, '{}'::bytea, null, null, null, p_key) s
$$;

-- Ends an execution that its worker has.
create function inferpipe_test.finish_exec(p_exec int8)
returns void language sql
as $$
  select inferpipe.run_end(array[r.exec_id], array[1::int2], array[r.fence], array[0::int2],
    array['null'::bytea], array[null::text], array[null::text])
  from inferpipe._inferpipe_runs r where r.exec_id = p_exec
$$;

-- What a key's row says: "used 1 fresh 0 waiting 2".
create function inferpipe_test.key(p_key text)
returns text language sql
as $$
  select coalesce((select format('used %s fresh %s waiting %s', k.used, k.fresh, k.waiting)
    from inferpipe._inferpipe_queue_keys k
    where k.queue_id = inferpipe_test.queue() and k.key = p_key), 'none')
$$;

grant usage on sequence inferpipe_test.turn to public;
grant execute on all functions in schema inferpipe_test to public;
