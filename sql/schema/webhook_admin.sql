-- What people do to webhooks.  An endpoint of another workspace is IP404.
--
-- p_id is drawn by the caller, because the seal of the secret is bound to it.

-- Makes an endpoint; p_url null: the workspace's own secret.
create function inferpipe.webhook_create(
  p_workspace int4, p_id int8, p_url text, p_workflow text, p_events int2, p_secret bytea)
returns void language plpgsql volatile
as $$
declare
  c_most constant int4 := 100;
begin
  if (select count(*) from inferpipe._inferpipe_webhooks h
      where h.workspace_id = p_workspace) >= c_most then
    raise exception 'webhook: a workspace may have % of them', c_most using errcode = 'IP409';
  end if;
  insert into inferpipe._inferpipe_webhooks (
    webhook_id, workspace_id, url, workflow, events, secret, created_at)
  values (p_id, p_workspace, p_url, p_workflow, p_events, p_secret, inferpipe.clock());
  perform inferpipe.webhook_lane(p_workspace);
exception when unique_violation then
  raise exception 'webhook: it was made by another call' using errcode = 'IP409';
end
$$;

-- Null leaves things as they are; p_workflow '': of all.
create function inferpipe.webhook_change(
  p_workspace int4, p_id int8, p_url text, p_workflow text, p_events int2, p_enabled bool)
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_webhooks h
  set url = coalesce(p_url, h.url), events = coalesce(p_events, h.events),
    workflow = case when p_workflow = '' then null else coalesce(p_workflow, h.workflow) end,
    disabled_at = case when p_enabled then null
                       when not p_enabled then coalesce(h.disabled_at, inferpipe.clock())
                       else h.disabled_at end,
    disabled_why = case when p_enabled then null
                        when not p_enabled then coalesce(h.disabled_why, 'by a person')
                        else h.disabled_why end
  where h.webhook_id = p_id and h.workspace_id = p_workspace and h.url is not null;
  if not found then
    perform inferpipe.webhook_missing();
  end if;
end
$$;

-- A new secret; the one before signs as well for p_overlap_ms.
create function inferpipe.webhook_rotate(
  p_workspace int4, p_id int8, p_secret bytea, p_overlap_ms int8)
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_webhooks h
  set secret = p_secret,
    secret_before = case when p_overlap_ms > 0 then h.secret end,
    before_until = case when p_overlap_ms > 0
      then inferpipe.clock() + p_overlap_ms * interval '1 millisecond' end
  where h.webhook_id = p_id and h.workspace_id = p_workspace;
  if not found then
    perform inferpipe.webhook_missing();
  end if;
end
$$;

create function inferpipe.webhook_delete(p_workspace int4, p_id int8)
returns void language plpgsql volatile
as $$
begin
  delete from inferpipe._inferpipe_webhooks h
  where h.webhook_id = p_id and h.workspace_id = p_workspace;
  if not found then
    perform inferpipe.webhook_missing();
  end if;
end
$$;

create function inferpipe.webhook_missing()
returns void language plpgsql volatile
as $$
begin
  raise exception 'webhook: there is no such webhook' using errcode = 'IP404';
end
$$;

-- Delivers once more, with the id that the event had: a delivery of its own.
create function inferpipe.webhook_redeliver(p_workspace int4, p_webhook int8, p_delivery int8)
returns int8 language plpgsql volatile
as $$
declare
  d inferpipe._inferpipe_deliveries;
begin
  select * into d from inferpipe._inferpipe_deliveries x
  where x.exec_id = p_delivery and x.workspace_id = p_workspace and x.webhook_id = p_webhook;
  if not found then
    raise exception 'delivery: there is no such delivery' using errcode = 'IP404';
  end if;
  return (inferpipe.webhooks_start(p_workspace, array[d.webhook_id], array[d.target_id],
    array[d.target_fence], array[d.status], array[d.event]))[1];
end
$$;

-- Delivers a test event.
create function inferpipe.webhook_ping(p_workspace int4, p_webhook int8)
returns int8 language plpgsql volatile
as $$
begin
  perform from inferpipe._inferpipe_webhooks h
  where h.webhook_id = p_webhook and h.workspace_id = p_workspace and h.url is not null;
  if not found then
    perform inferpipe.webhook_missing();
  end if;
  return (inferpipe.webhooks_start(p_workspace, array[p_webhook], array[0::int8], array[0],
    array[0::int2], array['evt_' || pg_catalog.substr(inferpipe.id_text(inferpipe.id_new()), 5)
      || '_0']))[1];
end
$$;
