-- Every history table has the same partitions, and no trigger or foreign key of ours.
begin;
select plan(3);
select is(count(distinct n)::int, 1, 'the same number of partitions')
from (select inhparent, count(*) n from pg_inherits i join pg_class c on c.oid = i.inhparent
      where c.relnamespace = 'inferpipe'::regnamespace and c.relkind = 'p' group by inhparent) x;
select is(count(*)::int, 0, 'no foreign keys') from pg_constraint
where connamespace = 'inferpipe'::regnamespace and contype = 'f';
select is(array_agg(tgname::text), array['inferpipe_test_audit'], 'no trigger but the audit''s')
from pg_trigger where tgrelid::regclass::text like 'inferpipe.%' and not tgisinternal;
select * from finish();
rollback;
