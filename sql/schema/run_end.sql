-- The one place where executions end: their row in runs becomes a row in results.
--
-- The caller holds the locks of these runs, and knows that they may end.  p_fence is kept with the
-- result, so that a retry goes on counting from it.  An id without a run is skipped.
create function inferpipe.run_end(
  p_exec int8[], p_status int2[], p_fence int4[], p_codec int2[], p_output bytea[],
  p_error_code text[], p_error text[])
returns void language plpgsql volatile
as $$
declare
  v_now timestamptz := inferpipe.clock();
begin
  insert into inferpipe._inferpipe_results (
    exec_id, finished_at, workspace_id, fence, status, codec, output, error_code, error)
  select x.exec_id, v_now, r.workspace_id, x.fence, x.status, coalesce(x.codec, 0::int2), x.output,
    x.error_code, x.error
  from unnest(p_exec, p_status, p_fence, p_codec, p_output, p_error_code, p_error)
    x(exec_id, status, fence, codec, output, error_code, error)
  cross join lateral (
    select q.workspace_id from inferpipe._inferpipe_runs q
    where q.exec_id = x.exec_id limit 1) r;
  delete from inferpipe._inferpipe_runs r where r.exec_id = any (p_exec);
end
$$;
