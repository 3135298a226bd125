-- Endpoints are made, changed, rotated, tested, deleted; those of other workspaces are not there.
begin;
select plan(17);
select inferpipe_test.setup();
insert into inferpipe._inferpipe_workspaces (workspace_id, slug) values (2, 'other');
select inferpipe.webhook_create(1, 11, 'https://example.com/a', null, 14::int2, 'one');
select throws_ok($$ select inferpipe.webhook_create(1, 11, 'https://x', null, 2::int2, 's') $$,
  'IP409');
select inferpipe.webhook_create(1, 12, null, null, 0::int2, 'own');
select throws_ok($$ select inferpipe.webhook_create(1, 13, null, null, 0::int2, 's') $$, 'IP409',
  null, 'a workspace has one secret of its own');
select throws_ok(format('select inferpipe.%s', c), 'IP404', null, c)
from unnest(array['webhook_change(2, 11, null, null, null, false)',
  'webhook_rotate(2, 11, ''x'', 0)', 'webhook_delete(2, 11)', 'webhook_ping(2, 11)',
  'webhook_redeliver(2, 11, 5)', 'webhook_ping(1, 12)',
  'webhook_change(1, 12, null, null, null, false)']) c;

select inferpipe.webhook_rotate(1, 11, 'two', 60000);
select inferpipe.webhook_ping(1, 11) as ping \gset
select is(row(l.secret, l.secret_before, l.type, l.target_id)::text,
  row('two'::bytea, 'one'::bytea, 'webhook.test', 0)::text, 'while it rotates both sign')
from inferpipe.webhook_load(:ping) l;
update inferpipe._inferpipe_webhooks set before_until = inferpipe.clock() - interval '1 second'
where webhook_id = 11;
select is(l.secret_before, null, 'then the new one alone') from inferpipe.webhook_load(:ping) l;
select inferpipe.webhook_redeliver(1, 11, :ping) as again \gset
select is(a.event, b.event, 'a redelivery has the id of the event')
from inferpipe._inferpipe_deliveries a, inferpipe._inferpipe_deliveries b
where a.exec_id = :ping and b.exec_id = :again;
select inferpipe.webhook_change(1, 11, 'https://example.com/b', 'order', 2::int2, null);
select is(l.url, 'https://example.com/b', 'a change counts for what is under way')
from inferpipe.webhook_load(:again) l;
select inferpipe.webhook_delete(1, 11);
select is(l.skip, 'the webhook was deleted', 'and so does a delete')
from inferpipe.webhook_load(:again) l;
select is(l.skip, 'there is no such delivery any more', 'one that has left the history')
from inferpipe.webhook_load(1) l;

-- A workspace has at most 100 of them.
select inferpipe.webhook_create(2, 100 + n, 'https://example.com', null, 2::int2, 's')
from generate_series(1, 99) n;
select lives_ok($$ select inferpipe.webhook_create(2, 300, 'https://x', null, 2::int2, 's') $$,
  'the hundredth');
select throws_ok($$ select inferpipe.webhook_create(2, 301, 'https://x', null, 2::int2, 's') $$,
  'IP409', null, 'and no more');
select * from finish();
rollback;
