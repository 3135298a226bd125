-- Short ways for the pgTAP files: they say what a test is about, not how forty arrays are filled.
-- Everything is in schema inferpipe_test, as the audit trigger is.

-- Ids go round the shards from the first one, whatever ran here before: of equal starts the same
-- ones come first in each run.
create function inferpipe_test.ids_restart()
returns int8 language sql security definer
as $$ select setval('inferpipe._inferpipe_id_seq', 0, false) $$;

-- The workspace `default` with workflow "order" 1, its lane, and a worker.
create function inferpipe_test.setup(p_worker int8 default 99)
returns void language plpgsql
as $$
begin
  perform inferpipe_test.ids_restart();
  perform inferpipe.workflow_register(1, array['order'], array['1'], array['default'],
    array[null::int8]);
  perform inferpipe.lane_intern(1, null, 'order', null);
  perform inferpipe_test.worker(p_worker);
  perform inferpipe.worker_roster(p_worker, 1, array['order'], array['1'], inferpipe.clock());
end
$$;

create function inferpipe_test.worker(
  p_worker int8, p_hungry bool default false, p_workspace int4 default 1)
returns bool language sql
as $$
  select inferpipe.worker_beat(p_worker, p_workspace, 10000, p_hungry, 'host', 1, 'test', '1')
$$;

create function inferpipe_test.start(
  p_prio int4 default 3, p_delay_ms int8 default 0, p_input text default '{}',
  p_deadline_ms int8 default null)
returns int8 language sql
as $$
  select s.exec_id from inferpipe.execution_start(1, 'order', null, null, p_prio::int2,
    p_delay_ms, p_deadline_ms, null, null, convert_to(p_input, 'UTF8'), null, null, null) s
$$;

create function inferpipe_test.lane()
returns int4 language sql
as $$ select inferpipe.lane_intern(1, null, 'order', null) $$;

-- Claims from every shard and priority, the most urgent first; without the times of what comes.
create function inferpipe_test.claim(
  p_worker int8 default 99, p_limit int4 default 100, p_from timestamptz default '-infinity')
returns table (
  exec_id int8, fence int4, lane int4, shard int2, prio int2, ready_at timestamptz, flags int2,
  crashes int2, has_journal bool, deadline timestamptz, created_at timestamptz, seed int8,
  input bytea, now timestamptz, options text, traceparent text)
language sql
as $$
  select c.*
  from (
    select array_agg(inferpipe_test.lane()) as lanes,
      array_agg(s::int2 order by p, s) as shards, array_agg(p::int2 order by p, s) as prios,
      array_agg(p_from) as froms
    from generate_series(1, 5) p, generate_series(0, 7) s) a
  cross join lateral
    inferpipe.claim(p_worker, a.lanes, a.shards, a.prios, a.froms, p_limit) c
  where c.exec_id <> 0
$$;

-- A flush of one execution: its move and, when p_step is given, one journal row.
create function inferpipe_test.flush(
  p_exec int8, p_fence int4, p_move int4, p_worker int8 default 99,
  p_state int4 default 0, p_status int4 default 1, p_wake_at timestamptz default null,
  p_wake_ms int8 default null, p_output text default null, p_error_code text default null,
  p_wait text default null, p_wait_ms int8 default 60000, p_wait_seq int4 default 1,
  p_step text default null, p_seq int4 default 1, p_kind int4 default 1,
  p_step_status int4 default 0, p_result text default null, p_step_wake_ms int8 default null,
  p_attempt int4 default null, p_large text default null)
returns table (
  exec_id int8, verdict int2, flags int2, wake_at timestamptz, got int2, payload bytea)
language plpgsql
as $$
declare
  v_row bool := p_step is not null and p_attempt is null;
  v_try bool := p_attempt is not null;
  v_key int8 := inferpipe.name_key(p_step);
  v_wait int8 := inferpipe.name_key('wait ' || p_wait);
  v_large bytea := convert_to(p_large, 'UTF8');
  v_codec int2 := case when p_large is null then 0 else 1 end;
  v_value bytea := coalesce(sha256(v_large), convert_to(p_result, 'UTF8'));
begin
  return query select * from inferpipe.flush(
    p_worker, array[p_exec], array[p_fence], array[p_move::int2], array[p_state::int2],
    array[p_status::int2], array[p_wake_at], array[p_wake_ms],
    array[case when p_output is null and p_step is null then v_codec else 0 end::int2],
    array[case when p_output is null and p_step is null then v_value
               else convert_to(p_output, 'UTF8') end],
    array[p_error_code], array[p_error_code],
    array[v_wait], array[v_wait + 1], array[p_wait_seq], array[p_wait], array[p_wait_ms],
    case when v_row then array[p_exec] else '{}' end,
    case when v_row then array[v_key] else '{}' end,
    case when v_row then array[p_seq] else '{}' end,
    case when v_row then array[p_kind::int2] else '{}' end,
    case when v_row then array[p_step_status::int2] else '{}' end,
    case when v_row then array[1::int2] else '{}' end,
    case when v_row then array[p_step] else '{}' end,
    case when v_row then array[v_codec] else '{}' end,
    case when v_row then array[v_value] else '{}' end,
    case when v_row then array[p_error_code] else '{}' end,
    case when v_row then array[p_error_code] else '{}' end,
    case when v_row then array[7::int8] else '{}' end,
    case when v_row then array[p_step_wake_ms] else '{}' end,
    case when v_try then array[p_exec] else '{}' end,
    case when v_try then array[v_key] else '{}' end,
    case when v_try then array[p_seq] else '{}' end,
    case when v_try then array[p_attempt::int2] else '{}' end,
    case when v_try then array['BROKEN'] else '{}' end,
    case when v_try then array['it broke'] else '{}' end,
    case when v_try then array[p_wake_ms] else '{}' end,
    case when p_large is null then '{}' else array[p_exec] end,
    case when p_large is null then '{}' else array[sha256(v_large)] end,
    case when p_large is null then '{}' else array[v_large] end);
end
$$;

-- The state of a run as one text: "state 1 owner 99 fence 1", or "gone".
create function inferpipe_test.run(p_exec int8)
returns text language sql
as $$
  select coalesce((select format('state %s owner %s fence %s', r.state, r.owner, r.fence)
    from inferpipe._inferpipe_runs r where r.exec_id = p_exec), 'gone')
$$;

-- Fixes the session's clock at some seconds after a round point in time.
create function inferpipe_test.at(p_seconds float8)
returns timestamptz language sql
as $$
  select set_config('inferpipe_test.now',
    (date_trunc('hour', now()) + p_seconds * interval '1 second')::text, true)::timestamptz
$$;

grant execute on all functions in schema inferpipe_test to public;

-- A flush of one execution that starts children of workflow "order" under these names, and makes a
-- move; p_need and p_wait: of a wait for children.
create function inferpipe_test.spawn(
  p_exec int8, p_fence int4, p_names text[], p_move int4 default 0, p_need int4 default 0,
  p_wait text default null, p_workflow text default 'order', p_flags int4 default 0,
  p_large text default null, p_wake_ms int8 default null)
returns table (
  exec_id int8, verdict int2, flags int2, wake_at timestamptz, got int2, payload bytea)
language sql
as $$
  select f.* from (
    select array_agg(p_exec) as execs, array_agg(inferpipe.name_key(n)) as keys,
      array_agg(i::int4) as seqs, array_agg(n) as names, array_agg(p_workflow) as workflows,
      array_agg(null::text) as texts, array_agg(null::int2) as prios, array_agg(0::int8) as delays,
      array_agg(null::int8) as deadlines, array_agg(p_flags::int2) as flags,
      array_agg((p_large is not null)::int4::int2) as codecs,
      array_agg(coalesce(sha256(convert_to(p_large, 'UTF8')), '1'::bytea)) as inputs,
      array_agg(convert_to(p_large, 'UTF8')) as larges
    from unnest(p_names) with ordinality u(n, i)) a
  cross join lateral inferpipe.flush(
    p_worker => 99, p_exec => array[p_exec], p_fence => array[p_fence],
    p_move => array[p_move::int2], p_state => array[0::int2], p_status => array[1::int2],
    p_wake_at => array[null::timestamptz], p_wake_ms => array[p_wake_ms],
    p_codec => array[0::int2], p_output => array[null::bytea], p_error_code => array[null::text],
    p_error => array[null::text],
    p_wait_key => array[case when p_wait is null then 0 else ~inferpipe.name_key(p_wait) end],
    p_wait_intent => array[0::int8], p_wait_seq => array[p_need], p_wait_name => array[null::text],
    p_wait_ms => array[null::int8],
    r_exec => '{}', r_key => '{}', r_seq => '{}', r_kind => '{}', r_status => '{}',
    r_attempts => '{}', r_name => '{}', r_codec => '{}', r_result => '{}', r_error_code => '{}',
    r_error => '{}', r_took_us => '{}', r_wake_ms => '{}',
    a_exec => '{}', a_key => '{}', a_seq => '{}', a_attempt => '{}', a_error_code => '{}',
    a_error => '{}', a_next_ms => '{}', l_exec => '{}', l_hash => '{}', l_data => '{}',
    c_exec => coalesce(a.execs, '{}'), c_key => coalesce(a.keys, '{}'),
    c_seq => coalesce(a.seqs, '{}'), c_name => coalesce(a.names, '{}'),
    c_workflow => coalesce(a.workflows, '{}'), c_version => coalesce(a.texts, '{}'),
    c_queue => coalesce(a.texts, '{}'), c_queue_key => coalesce(a.texts, '{}'),
    c_prio => coalesce(a.prios, '{}'), c_delay_ms => coalesce(a.delays, '{}'),
    c_deadline_ms => coalesce(a.deadlines, '{}'), c_flags => coalesce(a.flags, '{}'),
    c_codec => coalesce(a.codecs, '{}'), c_input => coalesce(a.inputs, '{}'),
    c_large => coalesce(a.larges, '{}'), c_metadata => coalesce(a.texts, '{}')) f
$$;

-- The children of an execution, in the order of their starts.
create function inferpipe_test.child(p_parent int8, p_nth int4 default 1)
returns int8 language sql
as $$
  select e.exec_id from inferpipe._inferpipe_executions e
  where e.parent_id = p_parent order by e.exec_id limit 1 offset p_nth - 1
$$;

grant execute on all functions in schema inferpipe_test to public;
