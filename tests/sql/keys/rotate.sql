-- A new key takes the place of an old one, which stays good for a while.
begin;
select plan(11);
set local inferpipe_test.now = '2026-01-01 00:00:00Z';
select count(*) from inferpipe.key_create(1, 'oldoldoldold', sha256('o'), 'ci',
  '{executions:read,keys:read}', 86400000, 100, 20);
set local inferpipe_test.now = '2026-01-01 06:00:00Z';
create function pg_temp.rotate(p_new text, p_ms int8 default 3600000, p_old text default
  'oldoldoldold')
returns inferpipe.api_key language sql
as $$ select inferpipe.key_rotate(1, p_old, p_new, sha256(p_new::bytea), p_ms) $$;
select is((k.name, k.scopes, k.rate_per_min, k.burst, k.rotated_from)::text,
  '(ci,"{executions:read,keys:read}",100,20,oldoldoldold)', 'the same rights')
from pg_temp.rotate('newnewnewnew') k;
select is(expires_at, '2026-01-02 06:00:00Z'::timestamptz, 'the same lifetime, from now')
from inferpipe.key_list(1, 'newnewnewnew', null, 1);
select is((expires_at, state)::text, '("2026-01-01 07:00:00+00",active)', 'the old one ends soon')
from inferpipe.key_list(1, 'oldoldoldold', null, 1);
select is((k.rotated_from, (select count(*) from inferpipe._inferpipe_api_keys))::text,
  '(oldoldoldold,2)', 'a lost answer is asked for again')
from pg_temp.rotate('newnewnewnew') k;
select is(k.state, 'active', 'twice, in a row') from pg_temp.rotate('newnewnewne2', 7200000) k;
select is(expires_at, '2026-01-01 07:00:00Z'::timestamptz, 'no overlap makes it live longer')
from inferpipe.key_list(1, 'oldoldoldold', null, 1);
set local inferpipe_test.now = '2026-01-01 07:00:00Z';
select throws_ok($$ select pg_temp.rotate('newnewnewne3') $$, 'IP409', null,
  'what has expired is not rotated');
select is((select state from inferpipe.key_list(1, 'newnewnewnew', null, 1)), 'active',
  'at once: the new one is good ...') from pg_temp.rotate('newnewnewne4', 0, 'newnewnewnew');
set local inferpipe_test.now = '2026-01-01 07:00:00.000001Z';
select is((select state from inferpipe.key_list(1, 'newnewnewnew', null, 1)), 'expired',
  '... and the old one is not');
select throws_ok($$ select pg_temp.rotate('newnewnewne5', -1, 'newnewnewne4') $$, 'IP400', null,
  'no negative overlap');
select throws_ok($$ select pg_temp.rotate('newnewnewne5', 31536000001, 'newnewnewne4') $$, 'IP400',
  null, 'none over a year');
select * from finish();
rollback;
