-- Who may do what with schedules; see grants.sql.
grant insert, update, delete on
  inferpipe._inferpipe_cron_jobs, inferpipe._inferpipe_cron_executions,
  inferpipe._inferpipe_cron_locks
  to inferpipe_worker;
grant select on inferpipe.cron_jobs, inferpipe.cron_executions to inferpipe_reader;
grant execute on function inferpipe.cron_outcome_text to inferpipe_reader;
