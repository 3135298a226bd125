-- The number of a workspace.
create function inferpipe.workspace_id(p_slug text)
returns int4 language plpgsql stable
as $$
declare
  v_id int4;
begin
  select w.workspace_id into v_id
  from inferpipe._inferpipe_workspaces w where w.slug = p_slug;
  if not found then
    raise exception 'workspace: there is no workspace %', coalesce(p_slug, 'null')
      using errcode = 'IP404';
  end if;
  return v_id;
end
$$;
