-- What time it is, for every function here.  Each reads it once, into v_now, so that all that one
-- call writes bears one time.  The test database replaces this function and so moves time; nothing
-- else may. The planner puts the body in the caller's place: it costs what clock_timestamp() costs.
create function inferpipe.clock()
returns timestamptz language sql volatile parallel safe
as $$ select pg_catalog.clock_timestamp() $$;
