-- The smallest tables that a durable workflow can live in, for the scripts of gen.sh.
drop table if exists lim_ins, lim_step, lim_wf cascade;
drop sequence if exists lim_seq;
create sequence lim_seq cache 1000;
create table lim_ins (id bigserial primary key, payload text, created timestamptz default now());

-- One row for each finished step.
create table lim_step (
  wf bigint, seq int, output jsonb, created timestamptz default now(), primary key (wf, seq));

-- One row for each workflow; the partial index is the queue.
create table lim_wf (
  id bigint primary key, status smallint not null default 0, owner int, input jsonb, output jsonb,
  created timestamptz default now(), started timestamptz, finished timestamptz)
  with (fillfactor = 70);
create index lim_wf_ready on lim_wf (id) where status = 0;
