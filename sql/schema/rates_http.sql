-- How many requests each key may still make: one token bucket a key, shared by all servers.
--
-- A bucket is one time (rates.sql). Servers take tokens ahead, many keys in one call, and give back
-- what they did not use (a negative number). What was taken is the taker's: a server that dies with
-- tokens in its hands makes its keys slower for a moment, never faster.
--
-- A bucket belongs to an API key (its key_id) or to a JWT key (minus its jwt_key_id). The rate is
-- that of the key as it is now. A key without a rate, or one that is gone, is given nothing and
-- says so (limit null).
--
-- Locks: rows of _inferpipe_rates by bucket ascending; waits for who holds one, for the length of
-- one call.
create table inferpipe._inferpipe_rates (
  bucket int8 primary key,
  paid_at timestamptz not null
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- The rates of these buckets now.
create function inferpipe.rates_of(p_buckets int8[])
returns table (bucket int8, rate int4, burst int4) language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select b.bucket, coalesce(k.rate_per_min, j.rate_per_min), coalesce(k.burst, j.burst)
  from unnest(p_buckets) b(bucket)
  left join inferpipe._inferpipe_api_keys k on k.key_id = b.bucket
  left join inferpipe._inferpipe_jwt_keys j on j.jwt_key_id = -b.bucket
$$;

-- Takes p_wants[i] tokens, or as many as there are, from bucket p_buckets[i], each named once.
-- Answers in the order of the buckets' numbers: what was granted, how many are left, when the next
-- one comes if none is, and when the bucket will be full.
create function inferpipe.rates_take(p_buckets int8[], p_wants int4[])
returns table (bucket int8, granted int4, remaining int4, burst int4, next_ms int8, full_ms int8)
language plpgsql volatile security definer rows 10
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  c_minute_ms constant int8 := 60000;
  v_now timestamptz;
  v record;
  v_at timestamptz;
begin
  insert into inferpipe._inferpipe_rates (bucket, paid_at)
  select r.bucket, '-infinity' from inferpipe.rates_of(p_buckets) r where r.rate is not null
  order by r.bucket
  on conflict do nothing;
  perform from inferpipe._inferpipe_rates x
  where x.bucket = any (p_buckets) order by x.bucket for no key update;
  v_now := inferpipe.clock();
  for v in
    select r.bucket, r.rate, r.burst, a.want, x.paid_at
    from unnest(p_buckets, p_wants) a(bucket, want)
    join inferpipe.rates_of(p_buckets) r on r.bucket = a.bucket
    left join inferpipe._inferpipe_rates x on x.bucket = a.bucket
    order by a.bucket
  loop
    bucket := v.bucket;
    burst := v.burst;
    if v.rate is null then
      granted := 0; remaining := null; next_ms := null; full_ms := null;
      return next;
      continue;
    end if;
    granted := least(v.want, inferpipe.rate_left(v_now, v.paid_at, v.rate, c_minute_ms, v.burst));
    -- What is given back cannot make a bucket fuller than full: rate_take starts from now then.
    v_at := inferpipe.rate_take(v_now, v.paid_at, granted, v.rate, c_minute_ms);
    update inferpipe._inferpipe_rates x set paid_at = v_at
    where x.bucket = v.bucket and granted <> 0;
    remaining := inferpipe.rate_left(v_now, v_at, v.rate, c_minute_ms, v.burst);
    next_ms := ceil(greatest(0, extract(epoch from
      inferpipe.rate_next(v_at, v.rate, c_minute_ms, v.burst) - v_now) * 1000));
    full_ms := ceil(greatest(0, extract(epoch from v_at - v_now) * 1000));
    return next;
  end loop;
end
$$;
