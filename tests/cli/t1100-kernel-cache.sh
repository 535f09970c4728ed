#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Kernels of convolutions are chosen by timing, once per machine: the cache is made, believed, replaced when damaged, and
# left alone by --deterministic.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"

export RVL_CACHE_DIR=$PWD/cache
unset RVL_CPU_CONV
train() { "$rvl" pretrain cohort --epochs 1 --width 16 --depth 1,1 -q "$@"; }
kernels() { "$rvl" inspect "runs/$1" --plan --json | jq -r '.nodes[].kernel' | grep -cE "^$2"; }

"$rvl" synth images -n 40 --size 64 --seed 3 -o raw -q && "$rvl" ingest raw -o cohort --height 32 --width 32 -q > /dev/null
report $? "a cohort"
train --name fixed --deterministic
report $? "deterministic training"
is "times nothing" "$(test -e cache && echo there || echo absent)" absent
train --name first
report $? "training"
is "leaves the machine's choices" "$(jq -r .schema cache/kernels.json)" rvl.kernels/1
is "of every convolution that has one" "$(jq '.choices | length > 2' cache/kernels.json)" true
for kernel in direct winograd; do
    jq --arg kernel $kernel '.choices |= map_values($kernel)' cache/kernels.json > new && mv new cache/kernels.json
    train --name "all_$kernel"
    report $? "training when all answers are $kernel"
    is "is believed" "$(test "$(kernels "all_$kernel" winograd)" -gt 0 && echo winograd || echo direct)" $kernel
done
echo '{"schema": "something else"}' > cache/kernels.json
want 0 "training over a damaged cache" 'is no kernel cache and is made anew' \
    "$rvl" pretrain cohort --epochs 1 --width 16 --depth 1,1 --name damaged
is "makes it again" "$(jq '.choices | length > 2' cache/kernels.json)" true
RVL_CACHE_DIR=/proc/nowhere train --name readonly
report $? "a cache that cannot be written stops nothing"
RVL_CPU_CONV=direct train --name forced
is "RVL_CPU_CONV decides" "$(kernels forced winograd)" 0
finish
