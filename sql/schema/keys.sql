-- Fixed-size keys for texts of any length.  They are stored: never change them.

-- The key of a message name.  0 (no wait; a received message that is kept for its dedupe text) and
-- -1 (any message) are taken, so no name has them.
create function inferpipe.name_key(p_name text)
returns int8 language sql stable strict parallel safe
as $$
  select case when k.key in (0, -1) then 1 else k.key end
  from (select ('x' || pg_catalog.encode(pg_catalog.substr(
    pg_catalog.sha256(pg_catalog.convert_to(p_name, 'UTF8')), 1, 8), 'hex'))::bit(64)::int8) k(key)
$$;

-- The first 128 bits of a hash: of idempotency keys and of dedupe texts.
create function inferpipe.text_uuid(p_text text)
returns uuid language sql stable strict parallel safe
as $$
  select pg_catalog.encode(pg_catalog.substr(
    pg_catalog.sha256(pg_catalog.convert_to(p_text, 'UTF8')), 1, 16), 'hex')::uuid
$$;
