#!/bin/bash
# tests/cli/serve.sh - serve as a command: TLS with two processes on one port, SIGHUP, --json, exit codes.
. "$(dirname "$0")/lib.bash"
new_database -T ifp_template
samples=$build/examples/samples

# make_certificate NAME: self-signed, in the place of the present one.
make_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
        -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null
}
# shows NAME: so many new connections all get the certificate of this name; they come to either process.
shows() {
    local n
    for n in 1 2 3 4 5 6 7 8 9 10 11 12; do
        curl -skv -m 10 -o /dev/null "$url/health" 2>&1 | grep -q "subject: CN=$1\$" || return 1
    done
}

make_certificate first
"$samples" serve --tls-cert "$work/cert.pem" --tls-key "$work/key.pem" --processes 2 --json \
    --ready-file "$work/ready" >"$work/serve.out" 2>"$work/serve.err" &
serve=$!
children+=($serve)
check "two processes come up" await 30 test -s "$work/ready"
url=$(cat "$work/ready")
check "it says where it listens, once" grep -qx "{\"listening\":\"$url\"}" "$work/serve.out"
check "with TLS" grep -q '^https://127.0.0.1:[1-9]' "$work/ready"
check "each connection gets the certificate" shows first
make_certificate second
kill -HUP $serve
check "SIGHUP has it read anew, in both" await 20 shows second
echo broken >"$work/cert.pem"
kill -HUP $serve
both_refused() { [ "$(grep -c 'was not read anew' "$work/serve.err")" = 2 ]; }
check "a broken one is refused" await 20 both_refused
check "and the one before stays" shows second
kill -TERM $serve
status=0
wait $serve || status=$?
check "SIGTERM ends it with 0" test $status = 0

expect "a certificate that is not there" 2 'tls-cert|nothing.pem' \
    "$samples" serve --tls-cert "$work/nothing.pem" --tls-key "$work/key.pem"
expect "a host that is not there" 2 'host|listen' "$samples" serve --host 256.0.0.1
expect "an interceptor that is not there" 2 'nothing' "$samples" serve --http-chain '*=-nothing'
finish
