#!/bin/bash
# bench/limit/gen.sh FOLDER - writes pgbench scripts into FOLDER: what PostgreSQL itself can do.
#
#   c_life1, c_life10          a minimal durable workflow: enqueue, claim, 1 or 10 steps, complete,
#                              one transaction for each statement
#   d_wf1_b100, d_wf10_b100    100 of them claimed, stepped and completed in one transaction
#
# Steps have a payload of 65 bytes. Beside them go schema.sql, which makes the tables, and
# insert.sql, a single commit.
set -eu
folder=$1
payload='{"result":"ok","n":12345,"pad":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}'
due="select id from lim_wf where status = 0 order by id limit"
claimed="update lim_wf set status = 1, owner = :client_id, started = now()"
completed="update lim_wf w set status = 2, finished = now(), output = '{\"result\":\"ok\"}'"

# life STEPS
life() {
    local seq
    echo "insert into lim_wf (id, input) values (nextval('lim_seq'), '{\"x\":1}');"
    echo "$claimed where id = ($due 1 for update skip locked) returning id as wid \\gset"
    for seq in $(seq 0 $(($1 - 1))); do
        echo "insert into lim_step (wf, seq, output) values (:wid, $seq, '$payload');"
    done
    echo "$completed where id = :wid;"
}

# An array literal of as many payloads.
payloads() {
    local one i
    one="\"$(printf '%s' "$payload" | sed 's/"/\\"/g')\""
    printf '{%s' "$one"
    for i in $(seq 2 "$1"); do
        printf ',%s' "$one"
    done
    printf '}'
}

# batched STEPS SIZE
batched() {
    local seq all
    all=$(payloads "$2")
    echo "with c as ($claimed where id in ($due $2 for update skip locked) returning id)" \
        "select array_agg(id) as ids from c \\gset"
    for seq in $(seq 0 $(($1 - 1))); do
        echo "insert into lim_step (wf, seq, output) select u.i, $seq, u.p::jsonb" \
            "from unnest(:ids::bigint[], '$all'::text[]) as u(i, p);"
    done
    echo "$completed from unnest(:ids::bigint[]) u(i) where w.id = u.i;"
}

mkdir -p "$folder"
cp "$(dirname "$0")"/{schema,insert}.sql "$folder"
for steps in 1 10; do
    life $steps >"$folder/c_life$steps.sql"
    batched $steps 100 >"$folder/d_wf${steps}_b100.sql"
done
