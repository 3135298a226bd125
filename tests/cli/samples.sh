#!/bin/bash
# tests/cli/samples.sh - the workflows of examples/samples.c: what they give, and what they refuse.
. "$(dirname "$0")/lib.bash"

new_database -T ifp_template
"$build/examples/samples" worker --tick 100ms >"$work/worker.log" 2>&1 &
worker=$!
children+=($worker)
registered() { "$ip" workflow list | grep -q "^$1 "; }
await 20 registered image-generation || fail "the workflows" "they are not registered"

# gives NAME WORKFLOW INPUT PATTERN: the line with the result.
gives() {
    expect "$1" 0 "$4" "$ip" execution start "$2" --input "$3" --wait --timeout 20s
}
# refuses WORKFLOW INPUT PATTERN
refuses() {
    expect "$1 refuses $2" 1 "INVALID_INPUT: .*$3" \
        "$ip" execution start "$1" --input "$2" --wait --timeout 20s
}

gives "an echo is byte for byte" test-echo '{"message": "hello world", "n": 1e400}' \
    '^\{"message": "hello world", "n": 1e400\}$'
gives "praise" sentiment-analysis '{"text": "Great product!"}' \
    '^\{"sentiment":"positive","confidence":0.95\}$'
gives "a negation turns it round" sentiment-analysis '{"text": "I do not like it."}' '"negative"'
gives "one of each" sentiment-analysis '{"text": "Good but slow"}' \
    '^\{"sentiment":"neutral","confidence":0.5\}$'
refuses sentiment-analysis '{"text": 7}' /text
refuses sentiment-analysis '{"text": ""}' /text

gives "an outline" content-generation '{"topic": "AI automation"}' \
    '"outline":"1. What is AI automation\?\\n2. Why AI automation matters\\n'
gives "a topic with a percent sign" content-generation '{"topic": "50% off %s %n"}' \
    'What is 50% off %s %n\?'
refuses content-generation null /topic

gives "polish" content-enhancement '{"content": " two  words.here\tis one. and one"}' \
    '^\{"content":"Two words.here is one. And one.","changed":true\}$'
gives "nothing to polish" content-enhancement '{"text": "Done."}' '"changed":false'
refuses content-enhancement '{}' /content

gives "Spanish" translation '{"text": "Hello, my friend Ada!", "targetLanguage": "es"}' \
    '^\{"translatedText":"Hola, mi amigo Ada!","language":"es","unknownWords":1\}$'
gives "longer than before" translation '{"text": "please goodbye i", "targetLanguage": "FRENCH"}' \
    "\"s'il vous plaît au revoir je\""
refuses translation '{"text": "hello", "targetLanguage": "tlh"}' 'tlh: es, fr and de'
refuses translation '{"text": "hello"}' /targetLanguage

gives "words, sentences, keywords" document-analysis \
    '{"document": "The cat sat. A cat ran! Did the dog?"}' \
    '^\{"words":9,"sentences":3,"keywords":\["cat","sat","ran","did","dog"\]\}$'
gives "of a URL what it says" document-analysis '{"documentUrl": "https://example.com/doc.pdf"}' \
    '"name":"doc.pdf","format":"pdf"'
refuses document-analysis '{"documentUrl": "://"}' 'not a URL'
refuses document-analysis '{}' /document

gives "three steps at once" document-processing '{"document": "A great day. It rained."}' \
    '"sentiment":\{"sentiment":"positive","confidence":0.95\},"summary":"A great day."'
refuses document-processing '{}' /document

gives "an event for each clause" calendar-classifier \
    '{"input_as_text": "classify: meeting at 10am, lunch at Bo at 12:30, call moved"}' \
    '"events":\[\{"id":"event-1","title":"Meeting","time":"10am","color":"blue","isNew":true\},.*"Lunch at Bo","time":"12:30","color":"green".*"time":"all day","color":"orange","isNew":false'
refuses calendar-classifier '{"input_as_text": "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51"}' 'more than 50'

gives "a picture" image-generation '{"prompt": "a sunset"}' '^\{"svg":"<svg .*</svg>","width":256'
picture=$(tail -n 1 "$work/out")
gives "the same again" image-generation '{"prompt": "a sunset"}' "$(sed 's/[][\.*^$]/./g; s/[{}()+?|]/\\&/g' <<<"$picture")"

# ---- chat-assist, whose worker is killed while it answers ----
id=$("$ip" execution start chat-assist --input '{"prompt": "Hi", "paceMs": 100}')
tokens() { "$ip" execution events "$id" | grep -c token; }
has_tokens() { [ "$(tokens)" -ge 3 ]; }
check "words come one by one" await 20 has_tokens
kill -KILL $worker
"$build/examples/samples" worker --tick 100ms >>"$work/worker.log" 2>&1 &
children+=($!)
expect "another worker goes on" 0 '^completed$' timeout 40 "$ip" execution watch "$id"
check "each word is there once, in order" test "$(sql "
    select string_agg(data #>> '{}', '' order by seq) from inferpipe.events
    where id = '$id' and kind = 'token'")" = "You said: Hi. This answer comes from a C program, word by word."
refuses chat-assist '{"prompt": "Hi", "paceMs": -1}' /paceMs
refuses chat-assist '{}' /prompt
finish
