-- API keys: who may ask the server for what.
--
--   ifp_<prefix>_<secret>     the prefix finds the row, the hash of the whole text proves it
--
-- A key's text is made by who calls and never comes here: only its prefix and its hash do. So a
-- call whose answer was lost is repeated as it is: the same prefix with the same hash is the same
-- key. Every function takes the workspace; a key of another one is as good as none (IP404).
--
-- key_find and jwt_key_find are the server's: they alone give hashes and key material away, and
-- nobody reads the tables but through these functions (grants.sql). Whatever changes a key notifies
-- inferpipe_keys with its prefix, so that servers forget what they know of it at once.
--
-- Locks: one row of _inferpipe_api_keys; key_rotate locks the old key before it inserts the new.
create table inferpipe._inferpipe_api_keys (
  key_id int8 generated always as identity primary key,
  workspace_id int4 not null,
  prefix text not null,
  hash bytea not null,              -- sha256 of the key's whole text
  name text not null default '',
  scopes text[] not null,           -- names; '*' is all, also those of later versions
  rate_per_min int4,                -- requests a minute; null: no limit
  burst int4,                       -- that may come at once
  created_at timestamptz not null,
  expires_at timestamptz,           -- null: never
  revoked_at timestamptz,
  last_used_at timestamptz,         -- to the minute
  rotated_from int8,                -- key_id of the key that this one takes the place of
  constraint api_keys_prefix unique (prefix),
  constraint api_keys_prefix_form check (prefix ~ '^[a-z0-9]{12}$'),
  constraint api_keys_hash check (octet_length(hash) = 32),
  constraint api_keys_name check (octet_length(name) <= 200),
  constraint api_keys_scopes check (cardinality(scopes) between 1 and 64),
  constraint api_keys_rate check (
    (rate_per_min is null) = (burst is null) and least(rate_per_min, burst) > 0),
  constraint api_keys_times check (expires_at > created_at and revoked_at >= created_at)
) with (fillfactor = 70);
create index on inferpipe._inferpipe_api_keys (workspace_id, key_id);

-- A key as people may see it: everything but the hash.
create type inferpipe.api_key as (
  prefix text, name text, scopes text[], rate_per_min int4, burst int4, created_at timestamptz,
  expires_at timestamptz, revoked_at timestamptz, last_used_at timestamptz, rotated_from text,
  state text);

create function inferpipe.key_show(p_key inferpipe._inferpipe_api_keys)
returns inferpipe.api_key language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select row(p_key.prefix, p_key.name, p_key.scopes, p_key.rate_per_min, p_key.burst,
    p_key.created_at, p_key.expires_at, p_key.revoked_at, p_key.last_used_at,
    (select f.prefix from inferpipe._inferpipe_api_keys f where f.key_id = p_key.rotated_from),
    case when p_key.revoked_at is not null then 'revoked'
         when p_key.expires_at <= inferpipe.clock() then 'expired'
         else 'active' end)::inferpipe.api_key
$$;

-- The rules of names, scopes and rates that API keys and JWT keys share. The burst is the rate
-- unless it was given.
create function inferpipe.key_check(
  p_name text, p_scopes text[], p_rate int4, inout p_burst int4)
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_name is null or octet_length(p_name) > 200 then
    raise exception 'name: must have at most 200 bytes' using errcode = 'IP400';
  end if;
  if coalesce(cardinality(p_scopes), 0) not between 1 and 64 or exists (
      select from unnest(p_scopes) s where s is null or s !~ '^([*]|[a-z]+:[a-z]+)$') then
    raise exception 'scopes: must be 1 to 64 names of scopes' using errcode = 'IP400';
  end if;
  if p_rate not between 1 and 10000000 then
    raise exception 'ratePerMinute: must be 1 to 10000000' using errcode = 'IP400';
  end if;
  if p_burst not between 1 and 10000000 then
    raise exception 'burst: must be 1 to 10000000' using errcode = 'IP400';
  end if;
  if p_rate is null and p_burst is not null then
    raise exception 'burst: must come with ratePerMinute' using errcode = 'IP400';
  end if;
  p_burst := coalesce(p_burst, p_rate);
end
$$;

-- Inserts, or finds what the same call inserted before.
create function inferpipe.key_insert(p_key inferpipe._inferpipe_api_keys)
returns inferpipe._inferpipe_api_keys language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key inferpipe._inferpipe_api_keys;
begin
  insert into inferpipe._inferpipe_api_keys (workspace_id, prefix, hash, name, scopes,
    rate_per_min, burst, created_at, expires_at, rotated_from)
  values (p_key.workspace_id, p_key.prefix, p_key.hash, p_key.name, p_key.scopes,
    p_key.rate_per_min, p_key.burst, p_key.created_at, p_key.expires_at, p_key.rotated_from)
  on conflict on constraint api_keys_prefix do nothing
  returning * into v_key;
  if not found then
    select * into v_key from inferpipe._inferpipe_api_keys k where k.prefix = p_key.prefix;
    if v_key.workspace_id <> p_key.workspace_id or v_key.hash <> p_key.hash then
      raise exception 'key: the prefix is taken' using errcode = 'IP409';
    end if;
  end if;
  perform pg_catalog.pg_notify('inferpipe_keys', v_key.prefix);
  return v_key;
end
$$;

create function inferpipe.key_create(
  p_workspace int4, p_prefix text, p_hash bytea, p_name text, p_scopes text[],
  p_lifetime_ms int8, p_rate int4, p_burst int4)
returns inferpipe.api_key language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  c_lifetime_max constant int8 := 315360000000; -- ten years
  v_key inferpipe._inferpipe_api_keys;
begin
  v_key.burst := inferpipe.key_check(p_name, p_scopes, p_rate, p_burst);
  if p_lifetime_ms not between 1000 and c_lifetime_max then
    raise exception 'expiresInMs: must be 1000 (a second) to % (ten years)', c_lifetime_max
      using errcode = 'IP400';
  end if;
  v_key.workspace_id := p_workspace;
  v_key.prefix := p_prefix;
  v_key.hash := p_hash;
  v_key.name := p_name;
  v_key.scopes := p_scopes;
  v_key.rate_per_min := p_rate;
  v_key.created_at := inferpipe.clock();
  v_key.expires_at := v_key.created_at + p_lifetime_ms * interval '1 millisecond';
  return inferpipe.key_show(inferpipe.key_insert(v_key));
end
$$;

-- The keys of a workspace, newest first, from below key p_before; p_prefix: that one (IP404).
create function inferpipe.key_list(
  p_workspace int4, p_prefix text, p_before text, p_limit int4)
returns setof inferpipe.api_key language plpgsql stable security definer rows 100
set search_path = pg_catalog, pg_temp
as $$
begin
  return query
  select (inferpipe.key_show(k)).*
  from inferpipe._inferpipe_api_keys k
  where k.workspace_id = p_workspace
    and (p_prefix is null or k.prefix = p_prefix)
    and (p_before is null or k.key_id < (
      select b.key_id from inferpipe._inferpipe_api_keys b
      where b.prefix = p_before and b.workspace_id = p_workspace))
  order by k.key_id desc
  limit p_limit;
  if not found and p_prefix is not null then
    raise exception 'there is no key ifp_%', p_prefix using errcode = 'IP404';
  end if;
end
$$;

-- The key, locked; IP404.
create function inferpipe.key_lock(p_workspace int4, p_prefix text)
returns inferpipe._inferpipe_api_keys language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key inferpipe._inferpipe_api_keys;
begin
  select * into v_key from inferpipe._inferpipe_api_keys k
  where k.prefix = p_prefix and k.workspace_id = p_workspace
  for no key update;
  if not found then
    raise exception 'there is no key ifp_%', coalesce(p_prefix, '') using errcode = 'IP404';
  end if;
  return v_key;
end
$$;

-- For good; a second time changes nothing.
create function inferpipe.key_revoke(p_workspace int4, p_prefix text)
returns inferpipe.api_key language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_key inferpipe._inferpipe_api_keys := inferpipe.key_lock(p_workspace, p_prefix);
begin
  if v_key.revoked_at is null then
    update inferpipe._inferpipe_api_keys k
    set revoked_at = greatest(inferpipe.clock(), k.created_at)
    where k.key_id = v_key.key_id
    returning * into v_key;
  end if;
  perform pg_catalog.pg_notify('inferpipe_keys', v_key.prefix);
  return inferpipe.key_show(v_key);
end
$$;

-- A new key with the rights of the old one and, when that had an end, its lifetime; the old one
-- stays good for p_overlap_ms at most.
create function inferpipe.key_rotate(
  p_workspace int4, p_prefix text, p_new_prefix text, p_new_hash bytea, p_overlap_ms int8)
returns inferpipe.api_key language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  c_overlap_max constant int8 := 31536000000; -- a year
  v_now timestamptz := inferpipe.clock();
  v_old inferpipe._inferpipe_api_keys := inferpipe.key_lock(p_workspace, p_prefix);
  v_new inferpipe._inferpipe_api_keys;
begin
  if coalesce(p_overlap_ms, -1) not between 0 and c_overlap_max then
    raise exception 'overlapMs: must be 0 to % (a year)', c_overlap_max using errcode = 'IP400';
  end if;
  select * into v_new from inferpipe._inferpipe_api_keys k where k.prefix = p_new_prefix;
  if found and v_new.rotated_from = v_old.key_id and v_new.hash = p_new_hash then
    return inferpipe.key_show(v_new); -- the answer to this very call was lost
  end if;
  if v_old.revoked_at is not null or v_old.expires_at <= v_now then
    raise exception 'key ifp_% is no longer valid: create a new one', p_prefix
      using errcode = 'IP409';
  end if;
  v_new := v_old;
  v_new.prefix := p_new_prefix;
  v_new.hash := p_new_hash;
  v_new.created_at := v_now;
  v_new.expires_at := v_now + (v_old.expires_at - v_old.created_at);
  v_new.rotated_from := v_old.key_id;
  v_new := inferpipe.key_insert(v_new);
  update inferpipe._inferpipe_api_keys k
  set expires_at = greatest(k.created_at + interval '1 microsecond',
    least(k.expires_at, v_now + p_overlap_ms * interval '1 millisecond'))
  where k.key_id = v_old.key_id;
  perform pg_catalog.pg_notify('inferpipe_keys', v_old.prefix);
  return inferpipe.key_show(v_new);
end
$$;

-- For the server: what there is of these prefixes, and what time it is.
create function inferpipe.key_find(p_prefixes text[])
returns table (prefix text, key_id int8, workspace_id int4, workspace text, name text, hash bytea,
  scopes text[], rate_per_min int4, burst int4, expires_at timestamptz, revoked bool,
  now timestamptz)
language sql stable security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
  select k.prefix, k.key_id, k.workspace_id, w.slug, k.name, k.hash, k.scopes, k.rate_per_min,
    k.burst, k.expires_at, k.revoked_at is not null, n.now
  from (select inferpipe.clock() as now) n
  join inferpipe._inferpipe_api_keys k on k.prefix = any (p_prefixes)
  join inferpipe._inferpipe_workspaces w on w.workspace_id = k.workspace_id
$$;

-- These keys were used; written down at most once a minute. Rows that others hold are left out:
-- they are being changed, or another server writes the same.
create function inferpipe.keys_used(p_keys int8[])
returns int4 language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  v_now timestamptz := inferpipe.clock();
  v_count int4;
begin
  update inferpipe._inferpipe_api_keys k set last_used_at = v_now
  where k.key_id = any (array(
    select u.key_id from inferpipe._inferpipe_api_keys u
    where u.key_id = any (p_keys)
      and (u.last_used_at is null or u.last_used_at < v_now - interval '1 minute')
    order by u.key_id for no key update skip locked));
  get diagnostics v_count = row_count;
  return v_count;
end
$$;
