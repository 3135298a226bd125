-- Idempotency keys of requests that create something else than an execution: the first answer is
-- kept and given again.
--
--   answer_claim -> [the request is carried out] -> answer_keep, or answer_release when it failed
--
-- The row is in _inferpipe_idempotency, scope 1; exec_id is then the claim's owner, a random
-- number.
-- A claim without an answer is somebody's who is at work, or has died: it holds for p_claim_ms, and
-- who comes later takes it over.  So a request whose server dies between carrying it out and
-- keeping its answer may be carried out once more, and a key is never blocked for good.
-- The body is sealed by the server, which may give secrets in it: this side cannot read it.
--
-- Each is a transaction of its own.  Locks: the key's row.

-- claimed: carry it out.  Else status and body are the answer, or null: another one is at work.
-- Failure: IP422 the key was used for another request.
create function inferpipe.answer_claim(
  p_workspace int4, p_key text, p_hash bytea, p_owner int8, p_claim_ms int8)
returns table (claimed bool, status int2, body bytea) language plpgsql volatile rows 1
as $$
#variable_conflict use_column
declare
  c_scope constant int2 := 1;
  v_key uuid := inferpipe.text_uuid(p_key);
  v_now timestamptz := inferpipe.clock();
  v_row inferpipe._inferpipe_idempotency;
begin
  loop
    insert into inferpipe._inferpipe_idempotency as k (
      key, exec_id, created_at, expires_at, workspace_id, scope, request_hash)
    values (v_key, p_owner, v_now, v_now + p_claim_ms * interval '1 millisecond', p_workspace,
      c_scope, p_hash)
    on conflict on constraint idempotency_pkey do update
      set exec_id = excluded.exec_id, created_at = excluded.created_at,
        expires_at = excluded.expires_at, request_hash = excluded.request_hash, status = null,
        body = null
      where k.expires_at <= v_now;
    exit when found;
    select * into v_row from inferpipe._inferpipe_idempotency k
    where k.workspace_id = p_workspace and k.scope = c_scope and k.key = v_key;
    if found then
      if v_row.request_hash <> p_hash then
        raise exception 'key: it was used for another request' using errcode = 'IP422';
      end if;
      return query select v_row.exec_id = p_owner and v_row.status is null, v_row.status,
        v_row.body;
      return;
    end if;
  end loop;
  return query select true, null::int2, null::bytea;
end
$$;

-- False: the claim was taken over meanwhile.
create function inferpipe.answer_keep(
  p_workspace int4, p_key text, p_owner int8, p_status int2, p_body bytea, p_ttl_ms int8)
returns bool language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_idempotency k
  set status = p_status, body = p_body,
    expires_at = inferpipe.clock() + p_ttl_ms * interval '1 millisecond'
  where k.workspace_id = p_workspace and k.scope = 1 and k.key = inferpipe.text_uuid(p_key)
    and k.exec_id = p_owner;
  return found;
end
$$;

-- The request failed: the key is free again.
create function inferpipe.answer_release(p_workspace int4, p_key text, p_owner int8)
returns void language plpgsql volatile
as $$
begin
  update inferpipe._inferpipe_idempotency k set expires_at = inferpipe.clock()
  where k.workspace_id = p_workspace and k.scope = 1 and k.key = inferpipe.text_uuid(p_key)
    and k.exec_id = p_owner and k.status is null;
end
$$;
