-- An API key from its creation to its end.
begin;
select plan(22);
set local inferpipe_test.now = '2026-01-01 00:00:00Z';
insert into inferpipe._inferpipe_workspaces (workspace_id, slug) values (77, 'other');
create function pg_temp.make(p_prefix text, p_hash text default 'a', p_ms int8 default null,
  p_rate int4 default null, p_burst int4 default null, p_scopes text[] default '{*}')
returns inferpipe.api_key language sql
as $$
  select inferpipe.key_create(1, p_prefix, sha256(p_hash::bytea), 'ci', p_scopes, p_ms, p_rate,
    p_burst)
$$;
create function pg_temp.state(p_prefix text)
returns text language sql
as $$ select state from inferpipe.key_list(1, p_prefix, null, 1) $$;

select is((k.prefix, k.name, k.scopes, k.rate_per_min, k.burst, k.expires_at, k.state)::text,
  '(aaaaaaaaaaaa,ci,{*},,,,active)', 'a key without limits')
from pg_temp.make('aaaaaaaaaaaa') k;
select is((k.rate_per_min, k.burst, k.expires_at - k.created_at)::text, '(60,60,00:10:00)',
  'the burst is the rate when none is given')
from pg_temp.make('bbbbbbbbbbbb', 'b', 600000, 60) k;
select is((select count(*)::int from inferpipe._inferpipe_api_keys a where a.prefix = k.prefix), 1,
  'the same call again ...') from pg_temp.make('aaaaaaaaaaaa') k;
select throws_ok($$ select pg_temp.make('aaaaaaaaaaaa', 'x') $$, 'IP409', null,
  '... is another key when its hash differs');
select throws_ok(format('select pg_temp.make(''cccccccccccc'', %s)', args), 'IP400', null, args)
from unnest(array['p_ms => 999', 'p_ms => 315360000001', 'p_rate => 0', 'p_rate => 10000001',
  'p_burst => 1', 'p_rate => 1, p_burst => 0', 'p_scopes => ''{}''',
  'p_scopes => ''{Executions}''', 'p_scopes => array[null]']) args;
select throws_ok($$ select pg_temp.make('Cccccccccccc') $$, '23514', null,
  'a prefix has its form');

select is(array_agg(prefix), array['bbbbbbbbbbbb', 'aaaaaaaaaaaa'], 'newest first')
from inferpipe.key_list(1, null, null, 10);
select is(array_agg(prefix), array['aaaaaaaaaaaa'], 'and page by page')
from inferpipe.key_list(1, null, 'bbbbbbbbbbbb', 10);

select is(pg_temp.state('bbbbbbbbbbbb'), 'active', 'good until its time ...');
set local inferpipe_test.now = '2026-01-01 00:10:00Z';
select is(pg_temp.state('bbbbbbbbbbbb'), 'expired', '... and then no longer');
select is(inferpipe.keys_used(array[key_id, key_id + 1000]), 1, 'use is written down')
from inferpipe._inferpipe_api_keys where prefix = 'aaaaaaaaaaaa';
set local inferpipe_test.now = '2026-01-01 00:10:59Z';
select is(inferpipe.keys_used(array[key_id]), 0, 'once a minute')
from inferpipe._inferpipe_api_keys where prefix = 'aaaaaaaaaaaa';
select is((k.state, k.revoked_at)::text, '(revoked,"2026-01-01 00:10:59+00")', 'revoked')
from inferpipe.key_revoke(1, 'aaaaaaaaaaaa') k;
set local inferpipe_test.now = '2026-01-01 00:12:00Z';
select is(k.revoked_at, '2026-01-01 00:10:59Z'::timestamptz, 'once and for all')
from inferpipe.key_revoke(1, 'aaaaaaaaaaaa') k;
select * from finish();
rollback;
