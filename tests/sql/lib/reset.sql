-- A database that one test gives back is emptied for the next (tests/lib/testdb.h): a copy of the
-- template costs more than most tests take.
--
-- What tests seldom change is not put back but compared: with another shape than the template's
-- the database is of no use any more, and inferpipe_test.reset says so.

-- Relations, functions and triggers of schema inferpipe, and the rows that its migrations made.
create function inferpipe_test.shape()
returns text language sql
as $$
  select md5(string_agg(part, e'\n' order by part))
  from (
    select 'relation ' || c.relname || coalesce(c.reloptions::text, '') as part
    from pg_catalog.pg_class c where c.relnamespace = 'inferpipe'::regnamespace
    union all
    select 'function ' || p.proname || p.proargtypes::text || md5(p.prosrc)
    from pg_catalog.pg_proc p where p.pronamespace = 'inferpipe'::regnamespace
    union all
    select 'trigger ' || t.tgrelid::regclass || t.tgname || t.tgenabled::text
    from pg_catalog.pg_trigger t where not t.tgisinternal
    union all
    select 'setting ' || s.name || s.value from inferpipe._inferpipe_settings s
    union all
    select 'migration ' || m.version || m.checksum from inferpipe._inferpipe_migrations m) parts
$$;

create table inferpipe_test.template as select inferpipe_test.shape() as shape;

-- False: take another copy.

create function inferpipe_test.reset()
returns bool language plpgsql
as $$
declare
  c_kept constant text[] := '{_inferpipe_settings,_inferpipe_migrations,_inferpipe_workspaces}';
  v_name text;
begin
  -- Sessions of workers that were killed may not have ended yet.
  perform pg_catalog.pg_terminate_backend(a.pid, 10000)
  from pg_catalog.pg_stat_activity a
  where a.datname = current_database() and a.pid <> pg_backend_pid()
    and a.backend_type = 'client backend';
  if inferpipe_test.shape() <> (select t.shape from inferpipe_test.template t) then
    return false;
  end if;

  set local session_replication_role = replica; -- no audit
  for v_name in
    select c.oid::regclass::text from pg_catalog.pg_class c
    where c.relnamespace = 'inferpipe'::regnamespace and c.relkind in ('r', 'p')
      and not c.relispartition and c.relname <> all (c_kept)
  loop
    execute 'delete from ' || v_name;
  end loop;
  delete from inferpipe._inferpipe_workspaces where workspace_id > 1;
  delete from inferpipe_test.audit;
  delete from inferpipe_test.app_effects;
  delete from inferpipe_test.ledger;
  delete from inferpipe_test.pauses;
  update inferpipe_test.clock set shift = '0';
  perform pg_catalog.setval(s.seqrelid, s.seqstart, false)
  from pg_catalog.pg_sequence s join pg_catalog.pg_class c on c.oid = s.seqrelid
  where c.relnamespace = 'inferpipe'::regnamespace;
  perform pg_catalog.setval('inferpipe._inferpipe_workspaces_workspace_id_seq', 1, true);
  return true;
end
$$;
