-- The three roles.  None can log in: an administrator grants them to login roles.
--
--   inferpipe_owner   administers: reads and repairs every table, runs every function
--   inferpipe_worker  runs executions and starts them: the functions and the tables they touch
--   inferpipe_reader  looks: the views, and in them the workspaces of _inferpipe_readers
--
-- Whoever migrates owns the objects; the roles get rights on them (grants.sql), so migrating needs
-- no membership in any of them.
--
-- Roles belong to the cluster, databases share them: two databases that migrate at once may both
-- miss a role and both create it.  The loser sees a duplicate and goes on.
do $roles$
declare
  v_role text;
  v_missing text[] := '{}';
begin
  foreach v_role in array array['inferpipe_owner', 'inferpipe_worker', 'inferpipe_reader'] loop
    continue when exists (select from pg_catalog.pg_roles r where r.rolname = v_role);
    begin
      execute pg_catalog.format('create role %I nologin', v_role);
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then v_missing := v_missing || v_role;
    end;
  end loop;
  if v_missing <> '{}' then
    raise exception 'these roles are missing and % may not create them: %',
      current_user, array_to_string(v_missing, ', ')
      using errcode = 'insufficient_privilege',
            hint = 'An administrator runs once: create role <name> nologin; for each of them.';
  end if;
end
$roles$;
