#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labels against gold: numbers that can be counted by hand, two sources, the page, the queue and its way back.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
cat > gold.csv << 'C'
report_id,label_effusion,label_nodule
a,1,0
b,1,0
c,0,1
d,0,-1
e,0,
f,1,1
C
cat > p.csv << 'C'
report_id,effusion,nodule
a,0.9,0.1
b,0.4,0.2
c,0.6,0.8
d,0.1,0.9
e,0.2,0.5
x,1,1
C
sed 's/^b,0.4/b,0.8/; s/^c,0.6/c,0.3/' p.csv > q.csv
value() { python3 -c 'import json,sys; v = json.load(open("out"))
for k in sys.argv[1:]: v = v[int(k) if k.isdigit() else k]
print("%.4f" % v if isinstance(v, float) else v)' "$@"; }
want 0 "predictions against gold" '' "$rvl" label p.csv --audit gold.csv --json --bootstrap 50 --seed 3
if command -v python3 > /dev/null; then
    is "reports with both" "$(value n_reports)" 5
    is "gold rows without a label" "$(value n_unmatched)" 1
    is "AUROC of effusion: 5 of 6 pairs" "$(value a findings 0 auroc value)" 0.8333
    is "F1: one right, one wrong, one missed" "$(value a findings 0 f1 value)" 0.5000
    is "balanced accuracy" "$(value a findings 0 balanced_accuracy value)" 0.5833
    is "kappa" "$(value a findings 0 kappa value)" 0.1667
    is "an uncertain and an empty gold label do not count" "$(value a findings 1 n)" 3.0000
    is "the macro is the mean" "$(value a macro auroc value)" 0.9167
    is "F1 of all decisions" "$(value a weighted micro_f1 value)" 0.6667
    "$rvl" label p.csv --audit gold.csv --json --bootstrap 50 --uncertain present --missing absent > out
    is "unless they are told to" "$(value a findings 1 n)" 5.0000
    "$rvl" label p.csv --audit gold.csv --compare q.csv --json --bootstrap 50 > out
    is "a second source" "$(value b findings 0 auroc value)" 1.0000
    is "its difference" "$(value difference findings 0 auroc value)" -0.1667
    is "whom McNemar counts" "$(value difference findings 0 only_b_right)" 2
else
    skip "numbers counted by hand" "python3 is not installed"
fi
want 0 "as a table" '^macro +0\.917' "$rvl" label p.csv --audit gold.csv --bootstrap 0
want 0 "page and queue" '' "$rvl" label p.csv --audit gold.csv --compare q.csv --html page.html --queue queue.csv --bootstrap 20
has "the page has both, and their difference" 'Difference, first minus second' page.html
is "the queue has what differs" "$(cut -d, -f1,2 queue.csv | tr '\n' ' ')" "report_id,finding b,effusion c,effusion "
sed -i '2s/,,$/,present,Dr A/' queue.csv
want 0 "decisions come back" '1 corrections, 1 of them change a label, 1 rows undecided' \
    "$rvl" label p.csv --import queue.csv -o fixed.csv
has "with who decided" '^b,1\.0000,0\.2,"?effusion=present by Dr A' fixed.csv
is "and nothing else is touched" "$(grep -v '^b' fixed.csv | sed 's/,$//; s/,corrected//' | tail -n +2)" "$(grep -v '^b' p.csv | tail -n +2)"
printf 'report_id,finding,state\nz,effusion,present\n' > bad.csv
want 3 "a report that is not there" 'line 2' "$rvl" label p.csv --import bad.csv --reviewer me -o no.csv
printf 'report_id,finding,state\na,effusion,perhaps\n' > bad.csv
want 4 "a state that is none" "'perhaps' is no state" "$rvl" label p.csv --import bad.csv --reviewer me -o no.csv
printf 'report_id,finding,state\na,effusion,absent\n' > bad.csv
want 4 "nobody decided" 'names no reviewer' "$rvl" label p.csv --import bad.csv -o no.csv
absent "a refused import writes nothing" no.csv

cat > r.csv << 'C'
report_id,report
a,Left effusion <b>&amp; nothing else.
b,No effusion.
c,
C
printf 'report_id,effusion\na,0\nb,0\nc,1\n' > g.csv
want 0 "reports labelled on the fly" '' "$rvl" label r.csv --schema nih-14 --rules --audit g.csv --html fly.html --queue fly.csv --bootstrap 20
has "what was judged wrong, evidence marked, text escaped" 'Left <mark>effusion</mark> &lt;b&gt;' fly.html
has "the queue has the words" '^a,effusion,absent,present,0\.9[0-9]*,,,effusion,,$' fly.csv
cat > r2.csv << 'C'
report_id,report
a,"Nodule? <i>Possible effusion</i>."
b,"No effusion. Cardiomegaly & an infiltrate, clearly."
c,"Effusion is present."
C
printf 'report_id,effusion,cardiomegaly,infiltration\na,1,,\nb,1,0,0\nc,1,0,0\n' > g2.csv
two() { "$rvl" label r2.csv --schema nih-14 --rules --audit g2.csv --bootstrap 0 "$@"; }
want 0 "a queue as a page" '' two --queue q2.html
want 0 "and as CSV" '' two --queue q2.csv
is "the widest difference first, a report's findings together" "$(sed 's/<h2>/\n<h2>/g' q2.html | grep -o '<h2>[^<]*' | tr '\n' ' ')" '<h2>b <h2>a '
is "in the table too" "$(cut -d, -f1 q2.csv | uniq | tr '\n' ' ')" "report_id b a "
has "the whole report, every evidence marked with its finding, text escaped" \
    '"report">No <mark title="effusion">effusion</mark>\. <mark title="cardiomegaly">Cardiomegaly</mark> &amp; an <mark title="infiltration">infiltrate</mark>, clearly\.</p>' q2.html
has "markup of a report is none of the page" '&lt;i&gt;Possible <mark title="effusion">effusion</mark>&lt;/i&gt;' q2.html
has "a page says how decisions come back" 'rvl label labels.csv --import queue.csv' q2.html
is "and carries the table itself" "$(grep -o 'base64,[^"]*' q2.html | cut -d, -f2 | base64 -d | cmp - q2.csv && echo same)" same
is "nothing comes from elsewhere" "$(grep -cE '<script|<link|src=|https?://' q2.html)" 0
want 0 "without texts it is a page of tables" '' "$rvl" label p.csv --audit gold.csv --compare q.csv --queue q3.html --bootstrap 0
has "with both sources" '<th>effusion</th><td>present</td><td>absent 0\.40</td><td>present 0\.80</td><td class="num">0\.60</td>' q3.html
want 4 "a score that is none" 'is no probability' sh -c "sed 's/^a,0.9/a,2/' p.csv > bad.csv; '$rvl' label bad.csv --audit gold.csv"
want 4 "two rows of one id" 'two rows of one id' sh -c "sed 's/^b/a/' p.csv > bad.csv; '$rvl' label bad.csv --audit gold.csv"
want 3 "no report in common" 'no row of' sh -c "sed 's/^[a-f],/&z/; s/^\(.\),z/z\1,/' p.csv > bad.csv; '$rvl' label bad.csv --audit gold.csv"
want 2 "options without effect" 'no effect' "$rvl" label r.csv --schema nih-14 --rules -o l.csv --html x.html

"$rvl" synth images -n 12 --size 48 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
printf 'case_id,finding,state,reviewer\nc000001,cardiomegaly,present,Dr B\n' > c.csv
want 0 "corrections of a cohort" '1 corrections' "$rvl" label cohort --import c.csv
want 3 "have a source of their own" 'has human' "$rvl" pretrain cohort --labels nosuch --name x
printf 'case_id,finding,state,reviewer\nc999999,cardiomegaly,present,Dr B\n' > c.csv
want 3 "a case that is not there" "no case 'c999999'" "$rvl" label cohort --import c.csv
finish
