# tests/sql-sessions/lib/session.sh - sourced: psql sessions that stay open, for tests of several.
#
#   session NAME            opens one
#   tell NAME SQL           sends a statement and does not wait
#   ask NAME SQL            sends a statement, waits for its end, prints what it gave
#   wait_blocked NAME       returns when the session waits for a lock (asks pg_locks; fails after 10 s)
#   answer NAME             waits for what `tell` sent
#   is GOT WANTED WHAT      counts
#   closing                 prints the count and gives the exit code
#
# The database is a copy of the template, made here and dropped at the end.
set -euo pipefail
: "${DATABASE_URL:?set DATABASE_URL to a server with the database ifp_template (scripts/testdb does)}"

PSQL=(psql -Xqtw -v ON_ERROR_STOP=0 -v VERBOSITY=sqlstate)
db=ifp_sessions_$$
passed=0 failed=0
declare -A in out pid backend
end_mark=ifp-end-of-answer

# DATABASE_URL's server, another database.
url_of() {
    if [[ $DATABASE_URL == *://* ]]; then
        sed -E "s#^([a-z]+://[^/?]*)(/[^?]*)?#\1/$1#" <<<"$DATABASE_URL"
    else
        echo "$DATABASE_URL dbname=$1"
    fi
}

session() {
    local name=$1 fd_in fd_out
    coproc PSQL_SESSION { exec "${PSQL[@]}" -A -d "$(url_of "$db")" 2>&1; }
    exec {fd_out}<&"${PSQL_SESSION[0]}" {fd_in}>&"${PSQL_SESSION[1]}"
    exec {PSQL_SESSION[0]}<&- {PSQL_SESSION[1]}>&-
    in[$name]=$fd_in out[$name]=$fd_out pid[$name]=$PSQL_SESSION_PID
    backend[$name]=$(ask "$name" 'select pg_backend_pid()')
}

tell() { printf '%s;\n\\echo %s\n' "$2" "$end_mark" >&"${in[$1]}"; }

answer() {
    local line text=
    while IFS= read -r -t 30 -u "${out[$1]}" line; do
        [[ $line == "$end_mark" ]] && { printf '%s' "${text%$'\n'}"; return; }
        text+=$line$'\n'
    done
    echo "session $1 gave no answer" >&2
    return 1
}

ask() { tell "$1" "$2"; answer "$1"; }

# One statement of a session of its own.
once() { "${PSQL[@]}" -A -d "$(url_of "$db")" -c "$1"; }

wait_blocked() {
    once "do \$\$ begin
        for i in 1 .. 1000000 loop
            if exists (select from pg_locks where pid = ${backend[$1]} and not granted) then
                return;
            end if;
            if clock_timestamp() > now() + interval '10 s' then
                raise exception 'session $1 does not wait';
            end if;
        end loop; end \$\$"
}

is() {
    if [[ $1 == "$2" ]]; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        printf 'FAIL  %s\n  got    %s\n  wanted %s\n' "$3" "$1" "$2"
    fi
}

like() {
    if [[ $1 == *$2* ]]; then is ok ok "$3"; else is "$1" "*$2*" "$3"; fi
}

closing() {
    echo "$passed passed, $failed failed"
    [[ $failed -eq 0 && $passed -gt 0 ]]
}

end_sessions() {
    local name
    for name in "${!pid[@]}"; do
        exec {in[$name]}>&-
        wait "${pid[$name]}" 2>/dev/null || true
    done
    "${PSQL[@]}" -d "$(url_of postgres)" -c "drop database if exists $db with (force)" >/dev/null 2>&1
}
trap end_sessions EXIT
"${PSQL[@]}" -d "$(url_of postgres)" -c "create database $db template ifp_template" >/dev/null
