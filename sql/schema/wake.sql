-- Tells hungry workers of this workspace that work came to these lanes.
--
-- A hint: nobody relies on it, every worker also looks by itself. While nobody is hungry nothing is
-- sent, because NOTIFY makes the commits of a whole cluster queue up. Within one transaction
-- PostgreSQL drops repeats.
create function inferpipe.wake(p_workspace int4, p_lanes int4[])
returns void language plpgsql volatile
as $$
begin
  if exists (select from inferpipe._inferpipe_workers w
             where w.state = 0 and w.hungry and w.workspace_id = p_workspace) then
    perform pg_catalog.pg_notify('inferpipe_wake', l.lane::text)
    from (select distinct u.lane from unnest(p_lanes) u(lane)) l;
  end if;
end
$$;
