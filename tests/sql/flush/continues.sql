-- Continue as new: one statement replaces the journal by its first row, under the next fence.
begin;
select plan(26);
select inferpipe_test.setup();
select inferpipe_test.worker(98);
select inferpipe_test.start(p_input => '"first"') as id \gset
select inferpipe_test.start() as other \gset
select count(*) from inferpipe_test.claim();
create function pg_temp.journal(p_exec int8)
returns text language sql
as $$
  select string_agg(format('%s:%s', s.seq, s.name), ' ' order by s.seq)
  from inferpipe._inferpipe_steps s where s.exec_id = p_exec
$$;
create function pg_temp.payloads(p_exec int8)
returns text language sql
as $$
  select string_agg(convert_from(p.data, 'UTF8'), ' ' order by convert_from(p.data, 'UTF8'))
  from inferpipe._inferpipe_payloads p where p.exec_id = p_exec
$$;

-- What a generation leaves behind: steps, a failed attempt, a state, a progress, payloads, mail.
select count(*) from inferpipe_test.flush(:id, 1, 0, p_step => 'pay', p_large => '"receipt"');
select count(*) from inferpipe_test.flush(:id, 1, 0, p_step => 'ask', p_seq => 2, p_attempt => 1);
select count(*) from inferpipe_test.flush(:other, 1, 0, p_step => 'other', p_large => '"others"');
update inferpipe._inferpipe_steps set tokens = 5, usd = 1.5 where name = 'pay';
update inferpipe._inferpipe_attempts set tokens = 7;
insert into inferpipe._inferpipe_states (
  exec_id, step_key, said_at, fence, seq, attempt, name, data)
select :id, k, now(), 1, 1, 1, '', '"said"' from unnest(array[0, 1234]) k;
select count(*) from inferpipe.execution_send(1, :id, 'note', '"small"', null, null);
select count(*) from inferpipe.execution_send(1, :id, 'note', '"big"', sha256('"big"'), null);
update inferpipe._inferpipe_runs set crashes = 2 where exec_id = :id;

-- fenced
select is(verdict, 2::int2, format('worker %s fence %s', w, f))
from (values (99, 2), (98, 1)) late(w, f),
  inferpipe_test.flush(:id, f, 6, p_worker => w, p_output => '"stolen"');
select is(pg_temp.journal(:id), '1:pay', 'a stranger changes nothing');

-- done once
select is(format('%s %s %s', verdict, flags, got), '0 0 0', 'continued')
from inferpipe_test.flush(:id, 1, 6, p_output => '"second"');
select is(pg_temp.journal(:id), '0:1', 'the journal is its first row');
select is(inferpipe_test.run(:id), 'state 1 owner 99 fence 2', 'the worker keeps it');
select is(crashes, 0::int2, 'that was progress') from inferpipe._inferpipe_runs where exec_id = :id;
select is(convert_from(result, 'UTF8'), '"second"', 'the row has the input')
from inferpipe.journal(array[:id], array[null::int8], 10) where kind = 14;
select is(count(*)::int, 0, 'no attempt is left') from inferpipe._inferpipe_attempts;
select is(string_agg(step_key::text, ' '), '0', 'the live state is, progress is not')
from inferpipe._inferpipe_states;
select is(count(*)::int, 2, 'the mailbox is as it was') from inferpipe.messages;
select is(pg_temp.payloads(:id), '"big"', 'payloads that nothing refers to are gone');
select is(format('%s %s', pg_temp.journal(:other), pg_temp.payloads(:other)), '1:other "others"',
  'another execution has its own');
select is(format('%s %s %s', continued, tokens, usd), '1 12 1.5', 'the cost is kept')
from inferpipe.executions where exec_id = :id;
select is(input::text, '"first"', 'what was asked for too') from inferpipe.executions
where exec_id = :id;

-- sent again, and what was late
select is(verdict, 2::int2, 'the same again is not ours')
from inferpipe_test.flush(:id, 1, 6, p_output => '"second"');
select is(verdict, 2::int2, 'nor is a row of the generation before')
from inferpipe_test.flush(:id, 1, 0, p_step => 'late');
select is(pg_temp.journal(:id), '0:1', 'it has continued once');
select is(fence, 2, 'its worker finds it among its own') from inferpipe.owned(99)
where exec_id = :id;

-- once more, with a large input
select count(*) from inferpipe_test.flush(:id, 2, 0, p_step => 'pay', p_result => '1');
select is(verdict, 0::int2, 'the next generation')
from inferpipe_test.flush(:id, 2, 6, p_large => '"large"');
select is(pg_temp.journal(:id), '0:2', 'has the next number');
select is(pg_temp.payloads(:id), '"big" "large"', 'the large input is kept');
select is(convert_from(result, 'UTF8'), '"large"', 'and found')
from inferpipe.journal(array[:id], array[null::int8], 10) where kind = 14;
select is(format('%s %s', continued, tokens), '2 12', 'costs go on adding up')
from inferpipe.executions where exec_id = :id;
select is(pg_temp.payloads(:id), '"big" "large"', 'twice the same input is kept once')
from inferpipe_test.flush(:id, 3, 6, p_large => '"large"');

-- it goes on like any other
select count(*) from inferpipe_test.flush(:id, 4, 4);
select is(format('%s %s', fence, has_journal), '5 t', 'who claims it reads the journal')
from inferpipe_test.claim(98) where exec_id = :id;
select * from finish();
rollback;
