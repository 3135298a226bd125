#!/usr/bin/env bash
# tests/sql-sessions/children.sh - a child's end and its parent's wait at once: nobody waits for a
# parent that another transaction holds, and no end is lost in either order.  Needs DATABASE_URL;
# the exit code counts.
source "$(dirname "$0")/lib/session.sh"

session a
session b
once "select inferpipe_test.setup()" >/dev/null
claim="select count(*) from inferpipe_test.claim()"
run() { once "select inferpipe_test.run($1)"; }
spawn="select verdict from inferpipe_test.spawn"
finish="select verdict from inferpipe_test.flush"
child() { once "select inferpipe_test.child($1, $2)"; }
ends() { once "select count(*) from inferpipe._inferpipe_steps where exec_id = $1 and kind = 10"; }

parent=$(once "select inferpipe_test.start()")
once "$claim" >/dev/null
once "$spawn($parent, 1, array['a', 'b', 'c'])" >/dev/null
once "$claim" >/dev/null
one=$(child "$parent" 1) two=$(child "$parent" 2) three=$(child "$parent" 3)

# -- a user holds the parent: the child's end comes again ---
ask a "begin" >/dev/null
ask a "select inferpipe.execution_send(1, $parent, 'm', '1', null, null)" >/dev/null
is "$(ask b "$finish($one, 1, 2, p_output => '1')")" 1 "a held parent: the child's flush answers at once"
is "$(run "$one")" "state 1 owner 99 fence 1" "and writes nothing"
ask a "commit" >/dev/null
is "$(ask b "$finish($one, 1, 2, p_output => '1')")" 0 "after that it ends"
is "$(ends "$parent")" 1 "and its parent is told"

# -- the end first, the wait meanwhile ---
ask a "begin" >/dev/null
is "$(ask a "$finish($two, 1, 2, p_output => '2')")" 0 "an end in an open transaction"
is "$(ask b "$spawn($parent, 1, '{}', 5, 2)")" 1 "the wait of its parent comes again"
ask a "commit" >/dev/null
is "$(ask b "$spawn($parent, 1, '{}', 5, 2)")" 0 "then it is written"
is "$(run "$parent")" "state 0 owner 0 fence 1" "and finds both ends"

# -- the wait first, the end meanwhile ---
once "$claim" >/dev/null
ask a "begin" >/dev/null
is "$(ask a "$spawn($parent, 2, '{}', 5, 3)")" 0 "a wait in an open transaction"
is "$(ask b "$finish($three, 1, 2, p_output => '3')")" 1 "the end comes again"
ask a "commit" >/dev/null
is "$(run "$parent")" "state 6 owner 0 fence 2" "the parent waits"
is "$(ask b "$finish($three, 1, 2, p_output => '3')")" 0 "then the child ends"
is "$(run "$parent")" "state 0 owner 0 fence 2" "and wakes it"

# -- a child that another holds when its parent ends is left to the tick ---
once "$claim" >/dev/null
once "$spawn($parent, 3, array['held'])" >/dev/null
held=$(child "$parent" 4)
ask a "begin" >/dev/null
ask a "select inferpipe.execution_send(1, $held, 'm', '1', null, null)" >/dev/null
is "$(ask b "$finish($parent, 3, 2, p_output => '0')")" 0 "the parent ends, nobody waits"
is "$(once "select count(*) from inferpipe._inferpipe_orphans")" 1 "its child is remembered"
ask a "commit" >/dev/null
once "select inferpipe.orphans_cancel()" >/dev/null
is "$(run "$held")" gone "and ended by the next tick"
is "$(once "select count(*) from inferpipe._inferpipe_orphans")" 0 "then nothing is left"

is "$(once "select count(*) from inferpipe.doctor(null, null) where severity = 'error'")" 0 "doctor is content"
closing
