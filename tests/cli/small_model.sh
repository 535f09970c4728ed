# SPDX-License-Identifier: Apache-2.0
# A small cohort, a supervised run and an aligned run for tests that use models; sourced behind lib.sh.
"$rvl" synth images -n 40 --size 64 --seed 3 -o raw -q &&
    "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null &&
    "$rvl" pretrain cohort --name pre --epochs 1 --width 4 --depth 1 -q &&
    "$rvl" align cohort --name clip --epochs 1 --width 4 --depth 1 --text-width 16 --text-layers 1 --text-heads 2 \
        --embed-dim 8 --max-tok 48 --vocabulary-size 200 -q
report $? "a cohort, a supervised run, an aligned run"
