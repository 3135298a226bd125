-- Workspaces, for administrators. Rows are never deleted: executions name them by number.

-- `new` is false when it was there. With the rights of who calls: workers make none.
create function inferpipe.workspace_create(p_slug text)
returns table (slug text, created_at timestamptz, new bool) language plpgsql volatile
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  perform inferpipe.check_slug('workspace', coalesce(p_slug, ''));
  return query
  insert into inferpipe._inferpipe_workspaces as w (slug, created_at)
  values (p_slug, inferpipe.clock())
  on conflict (slug) do nothing
  returning w.slug, w.created_at, true;
  if not found then
    return query select w.slug, w.created_at, false
    from inferpipe._inferpipe_workspaces w where w.slug = p_slug;
  end if;
end
$$;

create function inferpipe.workspace_list()
returns table (slug text, created_at timestamptz, keys int8) language sql stable security definer
set search_path = pg_catalog, pg_temp
as $$
  select w.slug, w.created_at, (
    select count(*) from inferpipe._inferpipe_api_keys k
    where k.workspace_id = w.workspace_id and k.revoked_at is null
      and (k.expires_at is null or k.expires_at > inferpipe.clock()))
  from inferpipe._inferpipe_workspaces w order by w.slug
$$;
