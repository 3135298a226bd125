-- The part of flush that ends executions (move 2). The caller holds the locks; p_pos[i] is the
-- place of p_own[i] in the other arrays. When the whole batch ends, its arrays go on as they came.
create function inferpipe.flush_end(
  p_own int8[], p_pos int4[], p_exec int8[], p_fence int4[], p_move int2[], p_status int2[],
  p_codec int2[], p_output bytea[], p_error_code text[], p_error text[])
returns void language plpgsql volatile
as $$
declare
  c_end constant int2 := 2;
begin
  if cardinality(p_own) = cardinality(p_exec) and c_end = all (p_move) then
    perform inferpipe.run_end(p_exec, p_status, p_fence, p_codec, p_output, p_error_code, p_error);
  else
    perform inferpipe.run_end(array_agg(x.exec_id), array_agg(x.status), array_agg(x.fence),
      array_agg(x.codec), array_agg(x.output), array_agg(x.error_code), array_agg(x.error))
    from unnest(p_exec, p_fence, p_move, p_status, p_codec, p_output, p_error_code, p_error)
      x(exec_id, fence, move, status, codec, output, error_code, error)
    where x.move = c_end and p_own[width_bucket(x.exec_id, p_own)] = x.exec_id;
  end if;
end
$$;
