#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labels from reports: tables in and out, texts that are missing or equal, a run that was killed, cohorts.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
cat > r.csv << 'C'
report_id,findings,impression
a,"Small left pleural effusion. No lung nodule was seen.","Effusion."
b,Not given.,
c,"Small left pleural effusion. No lung nodule was seen.","Effusion."
d,"The lungs are clear, possible effusion.",Not given.
C
label() { "$rvl" label r.csv --text-column findings,impression --schema ct-rate-18 --rules "$@"; }
want 0 "a table of reports" 'labelled 3 reports.*1 without text' label -o l.csv --states --evidence
is "one row a report" "$(wc -l < l.csv)" 5
is "columns: id, 18 probabilities, 18 states, 18 evidences" "$(head -1 l.csv | tr , '\n' | wc -l)" 55
is "equal texts have equal labels" "$(sed -n 2p l.csv | cut -d, -f2-)" "$(sed -n 4p l.csv | cut -d, -f2-)"
is "a report without text has empty cells" "$(sed -n 3p l.csv | tr -d ,)" b
has "and is listed" '"report_id": ?"b".*"no text"' l.csv.failures.jsonl
has "evidence" 'left pleural effusion|pleural effusion' l.csv
absent "the journal goes when all is written" l.csv.journal
want 2 "an output that exists is kept" "'l.csv' exists" label -o l.csv
want 0 "JSON lines" '' label -o l.jsonl
is "a line a report" "$(wc -l < l.jsonl)" 4
has "with state, probability, place, source and version" \
    '"pleural_effusion": ?\{"state": ?"present", ?"probability": ?0\.9[0-9]*, ?"at": ?\[[0-9]+, ?[0-9]+\].*"source": ?"rules", ?"version": ?"ct-rate-18/' l.jsonl
"$rvl" label l.jsonl --text-column labels --schema ct-rate-18 --rules -o x.csv > out 2> err
has "a column that is no text" "'labels' is no text" err
printf '{"report_id":"a","report":"No effusion."}\n\n{"report_id":"b","report":null}\n' > r.jsonl
want 0 "JSON lines as input" 'labelled 1 reports.*1 without text' "$rvl" label r.jsonl --schema nih-14 --rules -o j.csv --states
has "labelled" '^a,.*absent' j.csv
want 2 "no labeller" 'hint: --rules' "$rvl" label r.jsonl --schema nih-14 -o k.csv
want 2 "no schema" 'hint: --schema' "$rvl" label r.jsonl --rules -o k.csv
want 4 "no such column" "findings" "$rvl" label r.csv --text-column finding --schema nih-14 --rules -o k.csv
want 3 "rules that are not there" "no built-in rules 'mine'" "$rvl" label r.csv --text-column findings --schema nih-14 --rules=mine -o k.csv
absent "a refused run writes nothing" k.csv

# a journal of a killed run: its lines are used, and the run ends as if it had not been killed
printf 'name: q\ninclude: english\nfindings: [{name: pneumonia, mentions: [pneumon*]}]\n' > q.yaml
printf 'report\n' > many.csv
for i in $(seq 3000); do echo "Pneumonia of kind $i is seen. No other $i." >> many.csv; done
"$rvl" label many.csv --schema pneumonia-1 --rules=./q.yaml -o all.csv -q
for delay in 0.01 0.02 0.03 0.05; do
    rm -f cut.csv
    "$rvl" label many.csv --schema pneumonia-1 --rules=./q.yaml -o cut.csv -q & pid=$!
    sleep $delay
    kill -9 $pid 2> /dev/null
    wait $pid 2> /dev/null
    [ -e cut.csv ] || "$rvl" label many.csv --schema pneumonia-1 --rules=./q.yaml -o cut.csv -q
    cmp -s all.csv cut.csv || break
done
is "killed and run again it ends with the same table" "$(cmp all.csv cut.csv && echo same)" same
printf '{"format":"rvl.label-journal/1"}\n' > new.csv.journal
want 2 "a journal of another labeller is refused" 'begun with another schema, labeller or version' \
    "$rvl" label many.csv --schema pneumonia-1 --rules=./q.yaml -o new.csv

# cohorts: labels of a source beside those of the table
"$rvl" synth images -n 24 --size 48 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
want 0 "a cohort" 'labelled 24 reports' "$rvl" label cohort --rules
want 0 "again: the same source is replaced" 'labelled 24 reports' "$rvl" label cohort --rules
absent "no journal stays" cohort/labels-rules.journal
want 0 "another source, and a table too" '' "$rvl" label cohort --rules --source mine -o cohort.csv --states
has "by case" '^c000001,' cohort.csv
want 0 "training chooses the source" '' "$rvl" pretrain cohort --name silver --labels mine --epochs 1 --width 4 --depth 1 -q
want 3 "a source that is not there" 'has mine, rules' "$rvl" pretrain cohort --name no --labels nosuch --epochs 1 -q
want 2 "a name that is none" 'no name of a source' "$rvl" label cohort --rules --source 'a b'
want 0 "the cohort is whole" '' "$rvl" ingest cohort --check
finish
