-- A key of another workspace is as good as none; servers alone see hashes and material.
begin;
select plan(19);
insert into inferpipe._inferpipe_workspaces (workspace_id, slug) values (77, 'other');
select count(*) from inferpipe.key_create(77, 'theirstheirs', sha256('t'), '', '{*}', null, null,
  null);
select count(*) from inferpipe.jwt_key_create(77, 'k1', 'RS256', 'iss', 'aud',
  sha256('m') || sha256('n'), '{*}', null, null);
select throws_ok(call, 'IP404', null, call)
from unnest(array[
  'select inferpipe.key_list(1, ''theirstheirs'', null, 1)',
  'select inferpipe.key_revoke(1, ''theirstheirs'')',
  'select inferpipe.key_revoke(1, null)',
  'select inferpipe.key_rotate(1, ''theirstheirs'', ''newnewnewnew'', sha256(''n''), 0)',
  'select inferpipe.jwt_key_delete(1, ''k1'')']) call;
select is(count(*), 0::int8, 'not in lists') from inferpipe.key_list(1, null, null, 100);
select is(count(*), 0::int8, 'nor behind their cursors')
from inferpipe.key_list(1, null, 'theirstheirs', 100);
select throws_ok($$ select inferpipe.key_create(1, 'theirstheirs', sha256('t'), '', '{*}', null,
  null, null) $$, 'IP409', null, 'nor taken over by their hash');
select is(count(*), 0::int8, 'no JWT keys') from inferpipe.jwt_key_list(1, null, 100);
select is((workspace, workspace_id, name, revoked)::text, '(other,77,"",f)', 'the server finds it')
from inferpipe.key_find('{theirstheirs,nonenonenone}');
select is((workspace, kid, workspace_id, alg)::text, '(other,k1,77,RS256)', 'and JWT keys ...')
from inferpipe.jwt_key_find('{other,default,none}', '{k1,k1,k1}');
select throws_ok($$ select inferpipe.jwt_key_create(77, 'k1', 'ES256', 'iss', 'aud',
  sha256('m') || sha256('n'), '{*}', null, null) $$, 'IP409', null, '... one of each kid');
select lives_ok($$ select inferpipe.jwt_key_create(77, 'k1', 'RS256', 'iss', 'aud',
  sha256('m') || sha256('n'), '{*}', null, null) $$, 'the same again is the same');
select lives_ok($$ select inferpipe.jwt_key_create(1, 'k1', 'ES256', 'iss', 'aud',
  sha256('m'), '{*}', null, null) $$, 'each workspace has its own');
select is((slug, new)::text, '(third,t)', 'a workspace is made')
from inferpipe.workspace_create('third');
select is((slug, new)::text, '(third,f)', 'once') from inferpipe.workspace_create('third');
select throws_ok('select inferpipe.workspace_create(''Third!'')', 'IP400', null, 'by its slug');
select is(array_agg(slug || ' ' || keys), array['default 0', 'other 1', 'third 0'], 'and listed')
from inferpipe.workspace_list();
set local role inferpipe_worker;
select throws_ok('select inferpipe.workspace_create(''x'')', '42501', null,
  'workers make no workspaces');
select * from finish();
rollback;
