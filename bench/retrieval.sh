#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Seconds that the retrieval metrics of N pairs of embeddings of width E take: bench/retrieval.sh RVL [N] [E]
# Reading the files, every gallery, both directions and mAP; without intervals, and with those of 1,000 draws. Best of five.
set -eu
rvl=${1:?the program rvl}
n=${2:-3039}
e=${3:-512}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 - "$dir" "$n" "$e" << 'P'
import array, random, sys
folder, n, e = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
random.seed(1)
images = array.array("f", (random.gauss(0, 1) for _ in range(n * e)))
texts = array.array("f", (x + random.gauss(0, 1.5) for x in images))
head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, %d), }" % (n, e)
head += " " * (-(len(head) + 11) % 64) + "\n"
for name, values in (("images", images), ("texts", texts)):
    with open(f"{folder}/{name}.npy", "wb") as f:
        f.write(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head.encode() + values.tobytes())
P
for draws in 0 1000; do
    for _ in 1 2 3 4 5; do
        start=$(date +%s.%N)
        "$rvl" bench --image-embeddings "$dir/images.npy" --text-embeddings "$dir/texts.npy" --bootstrap $draws --json > "$dir/out.json"
        echo "$start $(date +%s.%N)" | awk '{ printf "%.2f\n", $2 - $1 }'
    done | sort -n | head -1 | sed "s/^/$n x $n, width $e, $draws draws: /; s/$/ s/"
done
