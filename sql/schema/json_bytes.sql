-- The checks that the C library makes before it sends, for callers who come through SQL. Each
-- raises IP400 (or IP413) with the name of the field and the rule.

-- A JSON value as the bytes to store: the text as it was given.  Refused: what PostgreSQL can store
-- as json but nobody can read back as text (\u0000, lone surrogates), keys that occur twice in an
-- object, nesting over the limit, too many bytes.  Numbers may have any size.
create function inferpipe.json_bytes(p_field text, p_value json)
returns bytea language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_bytes bytea := convert_to(coalesce(p_value::text, 'null'), 'UTF8');
  v_max int8;
  v_escapes text;
begin
  select s.value::int8 into v_max
  from inferpipe._inferpipe_settings s where s.name = 'payload_max';
  if octet_length(v_bytes) > v_max then
    raise exception '%: % bytes are over the limit of %', p_field, octet_length(v_bytes), v_max
      using errcode = 'IP413';
  end if;
  if strpos(p_value::text, '\u') > 0 then
    -- Without escaped backslashes each \u is an escape; then valid pairs of surrogates go.
    v_escapes := regexp_replace(replace(p_value::text, '\\', ' '),
      '\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}', ' ', 'g');
    if strpos(v_escapes, '\u0000') > 0 then
      raise exception '%: \u0000 cannot be stored', p_field using errcode = 'IP400';
    end if;
    if v_escapes ~ '\\u[dD][89a-fA-F]' then
      raise exception '%: a lone surrogate is not a character', p_field using errcode = 'IP400';
    end if;
  end if;
  if json_typeof(p_value) in ('object', 'array') then
    perform inferpipe.json_nesting(p_field, p_value);
  end if;
  return v_bytes;
end
$$;

-- Raises on a key that occurs twice in an object, and on too deep nesting.
create function inferpipe.json_nesting(p_field text, p_value json)
returns void language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
declare
  c_depth_max constant int4 := 64;
  v_depth int4;
  v_twice text;
begin
  with recursive node(value, depth) as (
    select p_value, 1
    where json_typeof(p_value) in ('object', 'array')
    union all
    select c.value, n.depth + 1
    from node n
    cross join lateral (
      select o.value
      from json_each(case json_typeof(n.value) when 'object' then n.value else '{}' end) o
      union all
      select a.value
      from json_array_elements(case json_typeof(n.value) when 'array' then n.value else '[]' end) a
      ) c
    where n.depth <= c_depth_max and json_typeof(c.value) in ('object', 'array'))
  select max(n.depth), max(k.key)
  into v_depth, v_twice
  from node n
  left join lateral (
    select o.key
    from json_each(case json_typeof(n.value) when 'object' then n.value else '{}' end) o
    group by o.key having count(*) > 1 limit 1) k on true;
  if v_depth > c_depth_max then
    raise exception '%: nested deeper than %', p_field, c_depth_max using errcode = 'IP400';
  end if;
  if v_twice is not null then
    raise exception '%: the key % occurs twice', p_field, to_json(v_twice) using errcode = 'IP400';
  end if;
end
$$;

-- A slug, or null where the field may be left out.
create function inferpipe.check_slug(p_field text, p_value text)
returns void language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_value !~ '^[a-z0-9][a-z0-9._-]{0,62}$' then
    raise exception '%: must match [a-z0-9][a-z0-9._-]{0,62}', p_field using errcode = 'IP400';
  end if;
end
$$;

-- A text of 1 to p_max bytes without control characters, or null where it may be left out.
create function inferpipe.check_text(p_field text, p_value text, p_max int4)
returns void language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if octet_length(convert_to(p_value, 'UTF8')) not between 1 and p_max
    or p_value ~ '[[:cntrl:]]' then
    raise exception '%: must be 1 to % bytes of printable text', p_field, p_max
      using errcode = 'IP400';
  end if;
end
$$;

-- A span of time in milliseconds, or null.
create function inferpipe.check_span(p_field text, p_value interval)
returns int8 language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
begin
  if p_value not between interval '0' and interval '100 years' then
    raise exception '%: must be 0 to 100 years', p_field using errcode = 'IP400';
  end if;
  return (extract(epoch from p_value) * 1000)::int8;
end
$$;

-- A setting that is a number.
create function inferpipe.setting(p_name text)
returns int8 language sql stable
as $$ select s.value::int8 from inferpipe._inferpipe_settings s where s.name = p_name $$;
