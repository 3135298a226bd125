-- Execution ids: 43 bits of milliseconds since 2020 and 20 bits of a sequence, 63 bits in all.
--
-- They grow with time, so new rows land at the right edge of each index and in the newest
-- partition, and a partition's bounds are points in time (id_floor). The low bits come from a
-- sequence, so the shard (id modulo the number of shards) goes round evenly.
--
-- Uniqueness needs no clock that never goes back: the primary key of _inferpipe_executions decides,
-- and execution_start draws again.
create sequence inferpipe._inferpipe_id_seq as int8 minvalue 0 maxvalue 1048575 start 0 cycle;

create function inferpipe.id_new()
returns int8 language sql volatile
as $$
  select (((extract(epoch from inferpipe.clock()) * 1000)::int8 - 1577836800000) << 20)
    | pg_catalog.nextval('inferpipe._inferpipe_id_seq')
$$;

-- The lowest id that can be drawn at this time.
create function inferpipe.id_floor(p_time timestamptz)
returns int8 language sql immutable strict parallel safe
as $$ select ((extract(epoch from p_time) * 1000)::int8 - 1577836800000) << 20 $$;

-- When an id was drawn.
create function inferpipe.id_time(p_id int8)
returns timestamptz language sql immutable strict parallel safe
as $$ select to_timestamp(((p_id >> 20) + 1577836800000) / 1000.0) $$;

-- What people see: exe_ and 13 characters of Crockford's base32, most significant first.  Written
-- out, so that it becomes part of the calling statement: a loop would be a query for each id.
create function inferpipe.id_text(p_id int8)
returns text language sql immutable strict parallel safe
as $$
  select 'exe_'
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 60 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 55 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 50 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 45 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 40 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 35 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 30 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 25 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 20 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 15 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 10 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 5 & 31)::int4 + 1, 1)
    || substr('0123456789abcdefghjkmnpqrstvwxyz', (p_id >> 0 & 31)::int4 + 1, 1)
$$;

-- The way back; upper case is fine.  13 characters hold 65 bits, so the first one is at most 7.
create function inferpipe.id_parse(p_text text)
returns int8 language plpgsql immutable parallel safe
set search_path = pg_catalog, pg_temp
as $$
declare
  v_id int8 := 0;
begin
  if p_text is null or lower(p_text) !~ '^exe_[0-7][0-9a-hjkmnp-tv-z]{12}$' then
    raise exception 'id: not an execution id: %', coalesce(left(p_text, 40), 'null')
      using errcode = 'IP400';
  end if;
  for i in 5 .. 17 loop
    v_id := (v_id << 5)
      | (strpos('0123456789abcdefghjkmnpqrstvwxyz', lower(substr(p_text, i, 1))) - 1);
  end loop;
  return v_id;
end
$$;
