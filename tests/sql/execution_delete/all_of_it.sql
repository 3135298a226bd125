-- Deleting one execution leaves nothing of it and all of the others.
begin;
select plan(12);
select inferpipe_test.setup();
create function pg_temp.tables_with(p_exec int8) returns text[] language plpgsql as $$
declare
  v_table text;
  v_found bool;
  v_tables text[] := '{}';
begin
  foreach v_table in array inferpipe.history_tables() || array['runs', 'idempotency'] loop
    execute format('select exists (select from inferpipe.%I where exec_id = %s)',
      '_inferpipe_' || v_table, p_exec) into v_found;
    if v_found then
      v_tables := v_tables || v_table;
    end if;
  end loop;
  return v_tables;
end
$$;
-- An execution that has left something in every table.
create function pg_temp.make(p_key text) returns int8 language plpgsql as $$
declare
  v_id int8 := inferpipe.id_parse(inferpipe.start('order', p_key => p_key));
begin
  perform inferpipe.execution_send(1, v_id, 'm', '1', null, null);
  perform inferpipe_test.claim();
  perform inferpipe_test.flush(v_id, 1, 0, p_step => 's', p_attempt => 1);
  perform inferpipe_test.flush(v_id, 1, 0, p_step => 's', p_large => '"large"');
  return v_id;
end
$$;
select pg_temp.make('a') as a \gset
select pg_temp.make('b') as b \gset
create function pg_temp.delete(p_exec int8, p_force text) returns text language sql as $$
select format('select inferpipe.delete(%L, %s)', inferpipe.id_text(p_exec), p_force) $$;
select pg_temp.tables_with(:a) as before \gset
select is(:'before'::text[] @> array['executions', 'steps', 'attempts', 'messages', 'payloads',
  'runs', 'idempotency'], true, 'it is everywhere');
select throws_ok(pg_temp.delete(:a, 'false'), 'IP409', null, 'what lives is refused');
select verdict from inferpipe_test.flush(:a, 1, 2, p_output => '1');
select lives_ok(pg_temp.delete(:a, 'false'), 'what has ended goes');
select is(pg_temp.tables_with(:a), '{}', 'nothing is left');
select is(pg_temp.tables_with(:b), :'before'::text[], 'nothing else went');
select throws_ok(pg_temp.delete(:a, 'false'), 'IP404', null, 'a second time there is no such one');
select isnt(inferpipe.start('order', p_key => 'a'), inferpipe.id_text(:a), 'its key is free');
select throws_ok(format('select inferpipe.execution_delete(2, %s, true)', :b), 'IP404', null,
  'not from another workspace');
select lives_ok(pg_temp.delete(:b, 'true'), 'by force what lives goes, too');
select is(pg_temp.tables_with(:b), '{}', 'nothing is left of it');
select is(verdict, 2::int2, 'its worker writes nothing more')
from inferpipe_test.flush(:b, 1, 0, p_step => 't');
select is(pg_temp.tables_with(:b), '{}', 'really nothing');
select * from finish();
rollback;
