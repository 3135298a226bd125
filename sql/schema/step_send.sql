-- Sends a message from one execution to another, inside the transaction of a transactional step of
-- the sender: the message is there if and only if the step is recorded (step_tx_commit), so exactly
-- once.
--
-- Both runs' rows are locked here, in ascending order, because the step's record will need the
-- sender's: two executions that send to each other at the same time would else wait for each other.
--
-- Failure: IP404 and IP409 of execution_send.
create function inferpipe.step_send(
  p_from int8, p_to int8, p_name text, p_payload bytea, p_hash bytea)
returns void language plpgsql volatile
as $$
declare
  v_workspace int4;
begin
  perform r.exec_id from inferpipe._inferpipe_runs r
  where r.exec_id in (p_from, p_to)
  order by r.exec_id
  for no key update;
  select r.workspace_id into v_workspace
  from inferpipe._inferpipe_runs r where r.exec_id = p_from;
  if found then -- else it is lost, which its record will find
    perform inferpipe.execution_send(v_workspace, p_to, p_name, p_payload, p_hash, null);
  end if;
end
$$;
