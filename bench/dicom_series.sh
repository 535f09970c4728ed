#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A CT series to NIfTI, by rvl and by dcm2niix -z n (Debian package dcm2niix), in turns, warm cache, output written.
#   bench/dicom_series.sh [FOLDER [ROUNDS]]
# FOLDER: one DICOM series; without it a series of 300 slices of 512 x 512 is made from one slice of the data pack
# (RVL_TEST_DATA): positions and identifiers are written anew, the pixels are that slice's. Prints medians. rvl syncs its
# output to the disk before it calls it written, dcm2niix does not: with TMPDIR=/dev/shm the disk is out of the comparison.
set -euo pipefail
rounds=${2:-9}
rvl=${RVL_BIN:-build/release/rvl}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
command -v dcm2niix > /dev/null || { echo "dcm2niix is not installed" >&2; exit 1; }

if [ -n "${1:-}" ]; then
    folder=$1
else
    folder=$work/series
    mkdir "$folder"
    python3 - "${RVL_TEST_DATA:-../shared/data}/ct/dicom_series/ct_multiframe_vs_classic/slice1.dcm" "$folder" << 'EOF'
import struct, sys
data = open(sys.argv[1], "rb").read()
def put(out, tag, text):  # implicit little endian; the data set's groups have no lengths that would change
    key = struct.pack("<HH", tag >> 16, tag & 0xFFFF)
    at = out.index(key, 132)
    n = struct.unpack("<I", out[at + 4:at + 8])[0]
    text += (b"\0" if tag == 0x00080018 else b" ") * (len(text) % 2)
    return out[:at] + key + struct.pack("<I", len(text)) + text + out[at + 8 + n:]
for i in range(300):
    out = put(data, 0x00080018, b"1.2.3.4.%d" % i)
    out = put(out, 0x00200013, b"%d" % (i + 1))
    out = put(out, 0x00200032, b"-100\\-100\\%d" % (4 * i))
    open("%s/%04d.dcm" % (sys.argv[2], i), "wb").write(out)
EOF
fi

seconds() { # wall and CPU seconds of a command, a line to the file named first
    local out=$1
    shift
    TIMEFORMAT='%R %U %S'
    { time "$@" > "$work/log" 2>&1; } 2> "$work/time" || { cat "$work/log" >&2; exit 1; }
    awk '{ print $1, $2 + $3 }' "$work/time" >> "$out"
}
median() { # of column $2
    awk -v c="$2" '{ print $c }' "$1" | sort -n | awk '{ v[NR] = $1 } END { printf "%.3f", v[int((NR + 1) / 2)] }'
}
row() { # name, which
    printf '%-27s wall %s s, CPU %s s, %s\n' "$1" "$(median "$work/$2.times" 1)" "$(median "$work/$2.times" 2)" \
        "$(tr '\n' ' ' < "$work/$2.size")"
}

run() { # a, b or c into a folder of its own
    rm -rf "$work/out"
    mkdir "$work/out"
    case $1 in
    a) seconds "$work/a.times" "$rvl" convert "$folder" "$work/out" --to nii ;;
    b) seconds "$work/b.times" "$rvl" convert "$folder" "$work/out" --to nii -j 1 ;;
    c) seconds "$work/c.times" dcm2niix -z n -b n -o "$work/out" "$folder" ;;
    esac
    (cd "$work/out" && stat -c '%s bytes' ./*) > "$work/$1.size"
}
for ((i = 0; i <= rounds; i++)); do # the first round only warms up; each takes its turn as first
    [ "$i" != 1 ] || rm -f "$work"/*.times
    case $((i % 3)) in
    0) run a; run b; run c ;;
    1) run b; run c; run a ;;
    2) run c; run a; run b ;;
    esac
done
echo "$(grep -m1 'model name' /proc/cpuinfo | cut -d: -f2-), $(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg)"
echo "files $(find "$folder" -type f | wc -l), $(du -sm "$folder" | cut -f1) MB; rounds $rounds, medians"
row "rvl convert --to nii" a
row "rvl convert --to nii -j 1" b
row "dcm2niix -z n -b n" c
