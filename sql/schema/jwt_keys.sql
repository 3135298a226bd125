-- Keys that JSON Web Tokens are checked with: a token is good in one workspace, when the key named
-- by its `kid` there has made its signature, by that key's algorithm.
--
-- The material is public (SubjectPublicKeyInfo in DER) but for HS256: that secret comes sealed
-- (base/secretbox.h) and is opened by servers that have the installation's key.
create table inferpipe._inferpipe_jwt_keys (
  jwt_key_id int8 generated always as identity primary key,
  workspace_id int4 not null,
  kid text not null,
  alg text not null,
  issuer text not null,
  audience text not null,
  material bytea not null,
  scopes text[] not null,           -- a token's scopes beyond these count nothing
  rate_per_min int4,                -- of all tokens of this key together
  burst int4,
  created_at timestamptz not null,
  constraint jwt_keys_kid unique (workspace_id, kid),
  constraint jwt_keys_kid_form check (kid ~ '^[A-Za-z0-9._:-]{1,100}$'),
  constraint jwt_keys_alg check (alg in ('HS256', 'RS256', 'ES256', 'EdDSA')),
  constraint jwt_keys_names check (
    octet_length(issuer) between 1 and 500 and octet_length(audience) between 1 and 500),
  constraint jwt_keys_material check (octet_length(material) between 32 and 8192),
  constraint jwt_keys_scopes check (cardinality(scopes) between 1 and 64),
  constraint jwt_keys_rate check (
    (rate_per_min is null) = (burst is null) and least(rate_per_min, burst) > 0)
);

-- As people may see it.
create type inferpipe.jwt_key as (
  kid text, alg text, issuer text, audience text, scopes text[], rate_per_min int4, burst int4,
  created_at timestamptz);

-- What servers know a JWT key by, in notifications: no prefix of an API key has a slash.
create function inferpipe.jwt_key_changed(p_workspace int4, p_kid text)
returns void language sql volatile
set search_path = pg_catalog, pg_temp
as $$
  select pg_catalog.pg_notify('inferpipe_keys', w.slug || '/' || p_kid)
  from inferpipe._inferpipe_workspaces w where w.workspace_id = p_workspace
$$;

-- A key that is there already is a conflict, but for the same call again.
create function inferpipe.jwt_key_create(
  p_workspace int4, p_kid text, p_alg text, p_issuer text, p_audience text, p_material bytea,
  p_scopes text[], p_rate int4, p_burst int4)
returns inferpipe.jwt_key language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_burst int4 := inferpipe.key_check('', p_scopes, p_rate, p_burst);
  v_key inferpipe._inferpipe_jwt_keys;
begin
  if p_kid is null or p_kid !~ '^[A-Za-z0-9._:-]{1,100}$' then
    raise exception 'kid: must be 1 to 100 letters, digits and . _ : -' using errcode = 'IP400';
  end if;
  if octet_length(coalesce(p_issuer, '')) not between 1 and 500 then
    raise exception 'issuer: must have 1 to 500 bytes' using errcode = 'IP400';
  end if;
  if octet_length(coalesce(p_audience, '')) not between 1 and 500 then
    raise exception 'audience: must have 1 to 500 bytes' using errcode = 'IP400';
  end if;
  insert into inferpipe._inferpipe_jwt_keys (workspace_id, kid, alg, issuer, audience, material,
    scopes, rate_per_min, burst, created_at)
  values (p_workspace, p_kid, p_alg, p_issuer, p_audience, p_material, p_scopes, p_rate, v_burst,
    inferpipe.clock())
  on conflict on constraint jwt_keys_kid do nothing
  returning * into v_key;
  if not found then
    select * into v_key from inferpipe._inferpipe_jwt_keys k
    where k.workspace_id = p_workspace and k.kid = p_kid;
    if (v_key.alg, v_key.issuer, v_key.audience, v_key.material, v_key.scopes)
        is distinct from (p_alg, p_issuer, p_audience, p_material, p_scopes) then
      raise exception 'kid: there is a key % already; delete it first', p_kid
        using errcode = 'IP409';
    end if;
  end if;
  perform inferpipe.jwt_key_changed(p_workspace, p_kid);
  return row(v_key.kid, v_key.alg, v_key.issuer, v_key.audience, v_key.scopes, v_key.rate_per_min,
    v_key.burst, v_key.created_at)::inferpipe.jwt_key;
end
$$;

-- By kid, from behind p_after.
create function inferpipe.jwt_key_list(p_workspace int4, p_after text, p_limit int4)
returns setof inferpipe.jwt_key language sql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
  select k.kid, k.alg, k.issuer, k.audience, k.scopes, k.rate_per_min, k.burst, k.created_at
  from inferpipe._inferpipe_jwt_keys k
  where k.workspace_id = p_workspace and (p_after is null or k.kid > p_after)
  order by k.kid
  limit p_limit
$$;

create function inferpipe.jwt_key_delete(p_workspace int4, p_kid text)
returns void language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
begin
  delete from inferpipe._inferpipe_jwt_keys k
  where k.workspace_id = p_workspace and k.kid = p_kid;
  if not found then
    raise exception 'there is no JWT key %', coalesce(p_kid, '') using errcode = 'IP404';
  end if;
  perform inferpipe.jwt_key_changed(p_workspace, p_kid);
end
$$;

-- For the server: what there is of these, each a workspace's slug and a kid.
create function inferpipe.jwt_key_find(p_workspaces text[], p_kids text[])
returns table (workspace text, kid text, key_id int8, workspace_id int4, alg text, issuer text,
  audience text, material bytea, scopes text[], rate_per_min int4, burst int4, now timestamptz)
language sql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
  select w.slug, k.kid, k.jwt_key_id, k.workspace_id, k.alg, k.issuer, k.audience, k.material,
    k.scopes, k.rate_per_min, k.burst, inferpipe.clock()
  from unnest(p_workspaces, p_kids) a(slug, kid)
  join inferpipe._inferpipe_workspaces w on w.slug = a.slug
  join inferpipe._inferpipe_jwt_keys k on k.workspace_id = w.workspace_id and k.kid = a.kid
$$;
