-- What makes a database a test database; applied once to the template, never in production.
--
-- 1. pgTAP.
-- 2. A clock that tests move: `set inferpipe_test.now = '...'` fixes it for a session, the row in
--    inferpipe_test.clock shifts it for all.
-- 3. The audit trigger: every change of _inferpipe_runs is written down in inferpipe_test.audit;
--    one that is not a legal move raises.  The rules are the rows of inferpipe_test.legal_moves
--    (moves.sql, or the table in src/core/moves.c); while it is empty, any move passes.  What must
--    hold for every move is checked in any case: the fence goes up by one with each claim and each
--    continuation as new and stays otherwise, and nobody takes an execution that belongs to
--    another.
create extension if not exists pgtap;

create schema inferpipe_test;

create table inferpipe_test.clock (shift interval not null);
insert into inferpipe_test.clock values ('0');

create or replace function inferpipe.clock()
returns timestamptz language sql volatile parallel safe
as $$
  select coalesce(
    nullif(pg_catalog.current_setting('inferpipe_test.now', true), '')::timestamptz,
    pg_catalog.clock_timestamp() + (select c.shift from inferpipe_test.clock c))
$$;

-- -1 stands for "no row": before the start and after the end.
create table inferpipe_test.legal_moves (
  from_state int2 not null,
  to_state int2 not null,
  -- 1 an owner takes it, -1 it is let go, 0 neither
  ownership int2 generated always as (
    case when from_state <> 1 and to_state = 1 then 1
         when from_state = 1 and to_state <> 1 then -1 else 0 end) stored,
  primary key (from_state, to_state)
);

create table inferpipe_test.audit (
  audit_id int8 generated always as identity primary key,
  exec_id int8 not null,
  old_owner int8,
  new_owner int8,
  old_fence int4,
  new_fence int4,
  old_state int2 not null,
  new_state int2 not null,
  op text not null,
  x xid8 not null default pg_catalog.pg_current_xact_id(),
  at timestamptz not null default pg_catalog.clock_timestamp()
);
create index on inferpipe_test.audit (exec_id);

create function inferpipe_test.audit_run()
returns trigger language plpgsql security definer
set search_path = pg_catalog, pg_temp
as $$
declare
  c_none constant int2 := -1;
  v_move inferpipe_test.audit;
  v_ownership int2;
  v_raise int4;
begin
  v_move.op := tg_op;
  v_move.old_state := c_none;
  v_move.new_state := c_none;
  if tg_op <> 'INSERT' then
    v_move.exec_id := old.exec_id;
    v_move.old_owner := old.owner;
    v_move.old_fence := old.fence;
    v_move.old_state := old.state;
  end if;
  if tg_op <> 'DELETE' then
    v_move.exec_id := new.exec_id;
    v_move.new_owner := new.owner;
    v_move.new_fence := new.fence;
    v_move.new_state := new.state;
  end if;
  v_ownership := (coalesce(v_move.new_owner, 0) <> 0)::int4 - (coalesce(v_move.old_owner,
    0) <> 0)::int4;

  v_raise := greatest(v_ownership, 0);
  if v_move.old_owner = v_move.new_owner and v_move.new_owner <> 0 and exists (
      select from inferpipe._inferpipe_steps s
      where s.exec_id = v_move.exec_id and s.kind = 14 and s.fence = v_move.old_fence + 1) then
    v_raise := 1;
  end if;
  if tg_op = 'UPDATE' and v_move.new_fence <> v_move.old_fence + v_raise then
    raise exception 'audit: the fence of % goes from % to % when the owner goes from % to %',
      v_move.exec_id, v_move.old_fence, v_move.new_fence, v_move.old_owner, v_move.new_owner;
  end if;
  if v_move.old_owner <> 0 and v_move.new_owner <> 0 and v_move.old_owner <> v_move.new_owner then
    raise exception 'audit: % is taken from a living owner', v_move.exec_id;
  end if;
  if not exists (select from inferpipe_test.legal_moves m
                 where m.from_state = v_move.old_state and m.to_state = v_move.new_state
                   and m.ownership = v_ownership)
      and exists (select from inferpipe_test.legal_moves) then
    raise exception 'audit: illegal move of % from state % to %',
      v_move.exec_id, v_move.old_state, v_move.new_state;
  end if;
  insert into inferpipe_test.audit (
    exec_id, old_owner, new_owner, old_fence, new_fence, old_state, new_state, op)
  values (v_move.exec_id, v_move.old_owner, v_move.new_owner, v_move.old_fence, v_move.new_fence,
    v_move.old_state, v_move.new_state, v_move.op);
  return null;
end
$$;

create trigger inferpipe_test_audit
after insert or update or delete on inferpipe._inferpipe_runs
for each row execute function inferpipe_test.audit_run();

grant usage on schema inferpipe_test to public;
grant select on all tables in schema inferpipe_test to public;
