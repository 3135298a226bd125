-- What an execution starts is part of its trace, under its span.
begin;
select plan(4);
select is(inferpipe.trace_within(x'1234'::int8,
  '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00'),
  '00-0af7651916cd43dd8448eb211c80319c-0000000000001234-00', 'the trace and its flag stay');
select is(inferpipe.trace_within(x'1234'::int8, t),
  '00-00000000000012340000000000001234-0000000000001234-01', format('its own instead of %L', t))
from (values (null), ('00-ab-cd-01'), ('')) x(t);
select * from finish();
rollback;
