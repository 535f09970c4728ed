#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Labels by a classifier of reports, alone and with rules.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
echo report_id,report,pneumonia > r.csv
for i in $(seq 120); do
    case $((i % 3)) in
    0) echo "$i,Consolidation and fever in patient $i.,1" ;;
    1) echo "$i,Clear lungs of patient $i.,0" ;;
    2) echo "$i,Pneumonia in patient $i.,1" ;;
    esac
done >> r.csv
small=(--text-layers 1 --text-width 16 --text-heads 2 --max-tok 24 --vocabulary-size 200 --epochs 12 --lr 3e-3 --batch-size 8 --dropout 0)
want 0 "a classifier is trained" 'best -BCE on val.*next: rvl label' \
    "$rvl" pretrain --tower text r.csv --schema pneumonia-1 "${small[@]}" --name reader
want 0 "it labels" 'labelled 120 reports.*with classifier' "$rvl" label r.csv --schema pneumonia-1 -m runs/reader -o c.csv --states
has "present" '^3,0\.[5-9][0-9]*,present' c.csv
has "absent" '^1,0\.[0-4][0-9]*,absent' c.csv
want 0 "with rules it makes one probability" 'with rules\+classifier' \
    "$rvl" label r.csv --schema pneumonia-1 --rules -m runs/reader -o b.csv
want 0 "rules alone miss what has another name" '' "$rvl" label r.csv --schema pneumonia-1 --rules -o rules.csv
is "the pool's odds are the root of the product" "$(paste -d, rules.csv c.csv b.csv | awk -F, 'NR > 1 {
    p = $2; q = $4; r = $7; if (p < .001) p = .001; if (q < .001) q = .001; if (p > .999) p = .999; if (q > .999) q = .999
    o = sqrt(p / (1 - p) * q / (1 - q)); d = o / (1 + o) - r; if (d < 0) d = -d; if (d > 2e-4) bad++ } END { print bad + 0 }')" 0
want 0 "an audit of what it says" 'macro' "$rvl" label r.csv --schema pneumonia-1 -m runs/reader --audit r.csv --bootstrap 50
want 2 "findings that it was not trained for" "has no finding 'lung_nodule'|has no finding" "$rvl" label r.csv --schema nih-14 -m runs/reader -o x.csv
"$rvl" synth images -n 24 --size 48 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
"$rvl" pretrain cohort --width 4 --depth 1,1,0,0 --epochs 1 --name image -q
want 2 "a model of images" 'classifies no texts' "$rvl" label r.csv --schema phantom-8 -m runs/image -o x.csv
want 2 "options of the other tower" 'width has no effect with --tower text' "$rvl" pretrain --tower text r.csv --width 4
finish
