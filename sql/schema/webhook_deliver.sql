-- What a delivery needs, at the time of each attempt: so a URL that was changed or a secret that
-- was rotated meanwhile counts at once.
--
-- skip not null: nothing is to be sent, and why.  `data` is the output byte for byte; it and the
-- error are null when the execution has been retried or deleted since.
create function inferpipe.webhook_load(p_delivery int8)
returns table (
  skip text, url text, secret_id int8, secret bytea, secret_before bytea, event text, type text,
  target_id int8, status text, workflow text, data bytea, error_code text, error text,
  metadata text, created_at timestamptz)
language plpgsql stable rows 1
as $$
#variable_conflict use_column
declare
  v_now timestamptz := inferpipe.clock();
  d inferpipe._inferpipe_deliveries;
  h inferpipe._inferpipe_webhooks;
  e inferpipe._inferpipe_executions;
  f inferpipe._inferpipe_results;
begin
  select * into d from inferpipe._inferpipe_deliveries x where x.exec_id = p_delivery;
  if not found then
    skip := 'there is no such delivery any more';
    return next;
    return;
  end if;
  if d.webhook_id <> 0 then
    select * into h from inferpipe._inferpipe_webhooks x
    where x.webhook_id = d.webhook_id and x.workspace_id = d.workspace_id;
  else
    select * into h from inferpipe._inferpipe_webhooks x
    where x.workspace_id = d.workspace_id and x.url is null;
  end if;
  select * into e from inferpipe._inferpipe_executions x
  where x.exec_id = d.target_id and x.workspace_id = d.workspace_id;
  select * into f from inferpipe._inferpipe_results x
  where x.exec_id = d.target_id and x.fence = d.target_fence;
  skip := case
    when d.webhook_id <> 0 and h.webhook_id is null then 'the webhook was deleted'
    when d.webhook_id <> 0 and h.disabled_at is not null then 'the webhook is disabled'
    when d.target_id <> 0 and e.exec_id is null then 'the execution was deleted' end;
  url := case when d.webhook_id <> 0 then h.url else e.options ->> 'webhookUrl' end;
  secret_id := h.webhook_id;
  secret := h.secret;
  secret_before := case when h.before_until > v_now then h.secret_before end;
  event := d.event;
  type := inferpipe.webhook_type(d.status);
  target_id := d.target_id;
  status := case d.status when 1 then 'completed' when 2 then 'failed' when 3 then 'canceled' end;
  select w.name into workflow
  from inferpipe._inferpipe_lanes l
  join inferpipe._inferpipe_workflows w on w.workflow_id = l.workflow_id
  where l.lane_id = e.lane;
  data := case f.codec when 0 then f.output else (
    select p.data from inferpipe._inferpipe_payloads p
    where p.exec_id = f.exec_id and p.hash = f.output) end;
  error_code := f.error_code;
  error := f.error;
  metadata := e.metadata::text;
  created_at := coalesce(f.finished_at, v_now);
  return next;
end
$$;

-- The endpoint of this delivery wants no more (410).
create function inferpipe.webhook_gone(p_delivery int8, p_why text)
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_webhooks h
  set disabled_at = inferpipe.clock(), disabled_why = p_why
  from inferpipe._inferpipe_deliveries d
  where d.exec_id = p_delivery and h.webhook_id = d.webhook_id
    and h.workspace_id = d.workspace_id and h.disabled_at is null;
end
$$;
