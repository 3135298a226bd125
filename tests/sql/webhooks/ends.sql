-- An end starts the deliveries of the endpoints that want it, with it, and of nobody else.
begin;
select plan(19);
select inferpipe_test.setup();
insert into inferpipe._inferpipe_workspaces (workspace_id, slug) values (2, 'other');
create function pg_temp.hook(
  p_id int8, p_events int4, p_workflow text default null, p_workspace int4 default 1)
returns void language sql as $$
  select inferpipe.webhook_create(p_workspace, p_id, 'https://example.com/' || p_id, p_workflow,
    p_events::int2, 'sealed')
$$;
-- Runs a new execution to that end; gives its id.
create function pg_temp.run(p_status int4 default 1, p_flags int4 default 0)
returns int8 language plpgsql as $$
declare
  v_id int8 := inferpipe_test.start();
begin
  update inferpipe._inferpipe_runs r set flags = p_flags where r.exec_id = v_id;
  perform inferpipe_test.claim();
  perform inferpipe_test.flush(v_id, 1, 2, p_status => p_status, p_output =>
    case p_status when 1 then '{"n": 1.50}' end, p_error_code => case p_status when 2 then 'E' end);
  return v_id;
end
$$;
create function pg_temp.told(p_exec int8)
returns int8[] language sql as $$
  select array_agg(d.webhook_id order by d.webhook_id) from inferpipe._inferpipe_deliveries d
  where d.target_id = p_exec
$$;

select is(pg_temp.told(pg_temp.run()), null, 'without endpoints nobody is told');
select pg_temp.hook(11, 14), pg_temp.hook(12, 2), pg_temp.hook(13, 4),
  pg_temp.hook(14, 14, 'order'),
  pg_temp.hook(15, 14, 'invoice'), pg_temp.hook(16, 14, null, 2), pg_temp.hook(17, 14);
select inferpipe.webhook_change(1, 17, null, null, null, false);
select is(pg_temp.told(pg_temp.run(1)), '{11,12,14}', 'who wants completed ones');
select is(pg_temp.told(pg_temp.run(2)), '{11,13,14}', 'who wants failed ones');
select is(pg_temp.told(pg_temp.run(3)), '{11,14}', 'who wants canceled ones');
select is(pg_temp.told(pg_temp.run(1, 128)), '{0,11,12,14}', 'and the URL of the execution itself');
select is(pg_temp.told(c.id), '{11,14}', 'a cancel before the start is an end, too')
from (select inferpipe_test.start() as id) c,
  lateral (select inferpipe.execution_cancel(1, c.id, false) offset 0) x;

-- What a delivery is.
select pg_temp.run(1) as target \gset
select d.exec_id as delivery from inferpipe._inferpipe_deliveries d
where d.target_id = :target and d.webhook_id = 12 \gset
select is(e.workflow, 'inferpipe.webhook', 'a delivery is an execution')
from inferpipe.executions e where e.exec_id = :delivery;
select is(e.input ->> 'executionId', inferpipe.id_text(:target), 'that says what it tells of')
from inferpipe.executions e where e.exec_id = :delivery;
select is(e.deadline - e.created_at, interval '24 hours', 'and is tried for a day')
from inferpipe._inferpipe_executions e where e.exec_id = :delivery;
select is(count(distinct d.event)::int, 1, 'one event, whoever is told')
from inferpipe._inferpipe_deliveries d where d.target_id = :target;
select inferpipe_test.claim();
update inferpipe._inferpipe_runs set owner = 99, state = 1, fence = 1 where exec_id = :delivery;
select inferpipe_test.flush(:delivery, 1, 2);
select is(pg_temp.told(:delivery), null, 'nobody is told of deliveries');
select isnt_empty(format('select from inferpipe._inferpipe_results where exec_id = %s', :delivery),
  'which end like others');

-- What it is given.
select is(convert_from(l.data, 'UTF8'), '{"n": 1.50}', 'the output byte for byte')
from inferpipe.webhook_load(:delivery) l;
select is(row(l.skip, l.url, l.secret_id, l.type, l.status, l.workflow)::text,
  '(,https://example.com/12,12,execution.completed,completed,order)', 'and all else')
from inferpipe.webhook_load(:delivery) l;
select inferpipe.webhook_gone(:delivery, '410');
select is(l.skip, 'the webhook is disabled', 'after 410 nothing is sent any more')
from inferpipe.webhook_load(:delivery) l;
select is(pg_temp.told(pg_temp.run(1)), '{11,14}', 'and no delivery started');
select is(disabled_why, '410', 'which is recorded') from inferpipe._inferpipe_webhooks
where webhook_id = 12;

-- A retry brings the URL of the execution along, and its end is another event.
select inferpipe_test.start() as again \gset
update inferpipe._inferpipe_executions set options = '{"webhookUrl": "https://own"}'
where exec_id = :again;
update inferpipe._inferpipe_runs set flags = 128 where exec_id = :again;
select inferpipe_test.claim();
select inferpipe_test.flush(:again, 1, 2, p_status => 2, p_error_code => 'E');
select inferpipe.execution_retry(1, :again);
select inferpipe_test.claim();
select inferpipe_test.flush(:again, 2, 2);
select is(pg_temp.told(:again), '{0,0,11,11,13,14,14}', 'both ends are told');
select is(count(distinct d.event)::int, 2, 'as two events') from inferpipe._inferpipe_deliveries d
where d.target_id = :again;
select * from finish();
rollback;
