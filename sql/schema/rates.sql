-- A token bucket in one number: p_at is when all that was taken so far is paid for, at the rate's
-- pace.  `burst` may be taken at once from a bucket that is full, then one each period / rate: in a
-- span of t at most burst + t * rate / period.  Whole microseconds, so that both functions agree.

create function inferpipe.rate_step_us(p_rate int4, p_period_ms int8)
returns int8 language sql immutable parallel safe
as $$ select greatest(1, p_period_ms * 1000 / p_rate) $$;

-- p_at after so many more were taken.
create function inferpipe.rate_take(
  p_now timestamptz, p_at timestamptz, p_taken int4, p_rate int4, p_period_ms int8)
returns timestamptz language sql immutable parallel safe
as $$
  select greatest(p_now, p_at)
    + p_taken * inferpipe.rate_step_us(p_rate, p_period_ms) * interval '1 microsecond'
$$;

-- How many may be taken now.
create function inferpipe.rate_left(
  p_now timestamptz, p_at timestamptz, p_rate int4, p_period_ms int8, p_burst int4)
returns int4 language sql immutable parallel safe
as $$
  select case when p_at is null or p_at <= p_now then p_burst else greatest(0, p_burst
    - ceil(round(extract(epoch from p_at - p_now)::numeric * 1000000)
      / inferpipe.rate_step_us(p_rate, p_period_ms)))::int4 end
$$;

-- When the next one may be taken, once none is left.
create function inferpipe.rate_next(
  p_at timestamptz, p_rate int4, p_period_ms int8, p_burst int4)
returns timestamptz language sql immutable parallel safe
as $$
  select p_at - (p_burst - 1) * inferpipe.rate_step_us(p_rate, p_period_ms)
    * interval '1 microsecond'
$$;
