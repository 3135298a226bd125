#!/bin/bash
# tests/cli/usage.sh - help, usage errors, completion: what works without a database.
. "$(dirname "$0")/lib.bash"

expect "no command is a usage error" 2 'no command given' "$ip"
expect "help lists the commands" 0 'execution start +start an execution' "$ip" --help
expect "help names the exit codes" 0 '0 ok, 1 failed, 2 usage' "$ip" help
expect "help of a group lists its commands" 0 'execution retry' "$ip" execution --help
expect "help of an unknown command" 2 'did you mean "worker"' "$ip" help worke
expect "a group alone is a usage error" 2 'needs one of: start, list, get' "$ip" execution
expect "an unknown command is a usage error" 2 'unknown command "migrat"; did you mean "migrate"' \
    "$ip" migrat
expect "a usage error shows where to read on" 2 '^see: inferpipe execution start --help$' \
    "$ip" execution start
expect "an unknown option is a usage error" 2 'unknown option "--lmit"; did you mean "--limit"' \
    "$ip" execution list --lmit 3
expect "a setting out of range" 2 'slots' "$ip" worker --slots 0
expect "a wrong setting in the environment" 2 'INFERPIPE_SLOTS' \
    env INFERPIPE_SLOTS=many "$ip" config
expect "a wrong setting does not hinder help" 0 'Usage' env INFERPIPE_SLOTS=many "$ip" help
expect "an unknown name in the file" 2 'slotz' \
    "$ip" config --config <(echo 'slotz = 3')
expect "errors are JSON under --json" 2 '^\{"error":\{"code":"INVALID_INPUT".*\}\}$' \
    "$ip" nonsense --json
expect "a full disk is an error" 1 'cannot write the output' \
    bash -c "'$ip' version >/dev/full"
expect "version" 0 '^InferPipe [0-9.]+, schema [0-9]+$' "$ip" version
expect "the program without workflows is no worker" 2 'has no workflows' "$ip" worker
expect "an unknown shell" 2 'bash, zsh or fish' "$ip" completion csh
expect "dev refuses a database of others" 2 'makes a database of its own' \
    "$ip" dev --database-url postgres:///x --data "$work/dev"
expect "dev refuses a program that is not there" 2 'cannot run "/nonexistent"' \
    "$ip" dev --worker /nonexistent --data "$work/dev"

# Every command explains itself, with an example.
while read -r path; do
    # shellcheck disable=SC2086
    expect "help of $path" 0 "^  inferpipe $path" "$ip" $path --help
done < <("$ip" help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\( [a-z]*\)\{0,1\}\)  .*/\1/p')

# Settings: where each comes from, and no secret in sight.
export INFERPIPE_THREADS=5
printf 'threads = 4\nlease = 20s\n' >"$work/file"
expect "a flag is stronger than the rest" 0 '^slots +12 +flag' "$ip" config --slots 12
expect "the environment is stronger than the file" 0 '^threads +5 +environment' \
    "$ip" config --config "$work/file"
expect "the file is stronger than the default" 0 '^lease +20s +file' "$ip" config --config "$work/file"
expect "a secret shows only that it is there" 0 'database-url +\[redacted\] +flag' \
    "$ip" config --database-url postgres://u:hunter2@/x
check "a secret is not printed" bash -c "! '$ip' config --database-url x:hunter2 --json | grep -q hunter2"
unset INFERPIPE_THREADS

# Completion: the scripts load, and bash's completes.
check "the bash completion loads" bash -n <("$ip" completion bash)
complete_words() {
    bash -c '. <("$0" completion bash); COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
             _inferpipe; echo "${COMPREPLY[*]}"' "$ip" "$@"
}
check "bash completes a command" test "$(complete_words inferpipe exe)" = execution
check "bash completes a subcommand" test "$(complete_words inferpipe execution wa)" = watch
check "bash completes an option" test "$(complete_words inferpipe execution start x --pri)" = --priority
check "bash completes a setting" test "$(complete_words inferpipe worker --slo)" = --slots
expect "the zsh completion" 0 '^#compdef inferpipe' "$ip" completion zsh
expect "the fish completion" 0 "^complete -c inferpipe .* -a start " "$ip" completion fish

finish
