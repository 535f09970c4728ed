#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# convert: units told by values, axes, spacing, sides, windows, formats; what makes no sense is refused, nothing is left.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
data=$repo/tests/unit/data/nifti
field() { # of the last JSON document
    sed -n "s/^ *\"$1\": *\(.*[^,]\),*$/\1/p" out | head -1
}
shape() { tr -d ' \n' < out | sed 's/.*"shape":\[\([0-9,]*\)\].*/\1/'; }
values() { # lowest and highest voxel of a file
    "$rvl" inspect "$1" | awk '$1 == "min:" || $1 == "max:" { print $2 }' | tr '\n' ' '
}
voxels() { tail -c +353 "$1"; } # of an uncompressed NIfTI

want 0 "CT becomes HU" '"found": "hu"' "$rvl" convert "$data/chest.nii.gz" hu.nii --unit auto --json
is "in HU" "$(field unit)" '"hu"'
want 0 "HU beside a table with an intercept stays as it is" '"rescaled": false' \
    "$rvl" convert "$data/chest.nii.gz" v2.nii --unit auto --rescale 1,-1024 --json
voxels hu.nii | cmp - <(voxels v2.nii)
report $? "voxel for voxel"
want 0 "raw values and the table become HU" '"rescaled": true' \
    "$rvl" convert "$data/chest_raw.nii.gz" v1.nii --unit auto --rescale 1,-1024 --json
voxels hu.nii | cmp - <(voxels v1.nii)
report $? "the same HU"
want 0 "thousandths become HU" '"found": "hu/1000"' "$rvl" convert "$data/chest.npz" thousand.nii --unit auto --json
is "of the same range" "$(values thousand.nii)" "$(values hu.nii)"
outside=$(awk 'BEGIN { for (y = 0; y < 24; y++) for (x = 0; x < 24; x++) n += (x - 11.5) ^ 2 + (y - 11.5) ^ 2 > 144; print 8 * n }')
want 0 "padding becomes air" "\"padding_voxels\": $outside," "$rvl" convert "$data/chest_padded.nii.gz" padded.nii --unit auto --json
voxels hu.nii | cmp - <(voxels padded.nii)
report $? "and nothing else changes"
want 4 "raw values without a table are refused" 'would be HU with --rescale 1,-1024' "$rvl" convert "$data/chest_raw.nii.gz" no.nii --unit auto
want 4 "rescaling twice is refused" 'HU already' "$rvl" convert "$data/chest.nii.gz" no.nii --unit raw --rescale 1,-1024
want 4 "what is no CT is refused" 'do not look like CT' "$rvl" convert "$data/qform.nii" no.nii --unit auto

want 0 "axes turn" 'wrote ras.nii.gz' "$rvl" convert hu.nii ras.nii.gz --orient RAS
want 0 "to what was asked" '^  axes: RAS$' "$rvl" inspect ras.nii.gz
want 0 "and back" 'wrote lps.nii' "$rvl" convert ras.nii.gz lps.nii --orient LPS
cmp hu.nii lps.nii
report $? "to the same bytes"
want 0 "other spacing" '' "$rvl" convert hu.nii small.nii.gz --spacing 3,3,3 --json
is "halves the sides" "$(shape)" 8,12,12
want 0 "sides are cropped and padded" '' "$rvl" convert hu.nii fit.nii.gz --unit hu --size 12,20,30 --json
is "as asked" "$(shape)" 12,20,30
is "with air" "$(values fit.nii.gz)" "-1024 705 "
want 0 "CT-CLIP's input" '' "$rvl" convert hu.nii input.npy --unit auto --convention ct-clip --spacing 1.6,1.6,2 \
    --size 10,24,20 --window -1000,200 --range -1,1 --json
is "has its sides" "$(shape)" 10,24,20
is "and the window's low end for air" "$("$rvl" inspect input.npy | awk '$1 == "min:" { print $2 }')" -1
want 0 "a picture" 'wrote slices.png' "$rvl" convert hu.nii slices.png --unit hu --tiles 4
want 0 "of four slices" 'shape: \[48,48\]' "$rvl" inspect slices.png
want 0 "one frame of several" '' "$rvl" convert "$data/frames.nii.gz" frame.nii --frame 1
is "the second" "$(values frame.nii)" "-1000 1000 "
want 0 "NaN and Inf are filled when asked" '"filled_voxels": 3' "$rvl" convert "$data/non_finite.nii" filled.nii --fill -5 --json
is "with the number" "$(values filled.nii)" "-5 3 "
want 0 "spacing of a file without" '' "$rvl" convert "$data/chest.npz" told.nii --unit auto --source-spacing 0.8,0.8,0.8 --spacing 1.6,1.6,1.6 --json
is "is taken from the option" "$(shape)" 4,12,12

want 2 "an existing file stays" "'hu.nii' exists" "$rvl" convert "$data/chest.nii.gz" hu.nii
want 0 "unless forced" '' "$rvl" convert "$data/chest.nii.gz" hu.nii --force
for line in "9:3 of its 6 voxels are NaN or Inf:$data/non_finite.nii" "4:2 frames:$data/frames.nii.gz" "3:cannot:absent.nii" \
    "2:no unit 'x':hu.nii --unit x" "2:window needs a unit:hu.nii --window -1000,200" "2:is empty:hu.nii --unit hu --window 1,1" \
    "2:--range maps a window:hu.nii --range 0,1" "2:2 numbers with commas:hu.nii --unit hu --window 1,2,3" \
    "2:3 numbers with commas:hu.nii --spacing 1" "2:3 numbers with commas:hu.nii --spacing 1,2,x" "2:spacing of 1 x -2 x 3 mm:hu.nii --spacing 1,-2,3" \
    "2:whole numbers of 1 to 65535:hu.nii --size 1,2,2.5" "2:no orientation:hu.nii --orient LPX" \
    "2:--rescale makes HU:hu.nii --rescale 1,0" "2:--orient has no effect:hu.nii --orient LPS --convention ct-clip" \
    "2:no convention:hu.nii --convention x" "2:--source-spacing has no effect:hu.nii --source-spacing 1,1,1" \
    "2:tiles.* has no effect:hu.nii --tiles 3" "2:nearest.* has no effect:hu.nii --nearest" "2:is no npz archive:hu.nii --member ct" \
    "2:spacing is not known:$data/chest.npz --spacing 1,1,1" "3:has no array 'ct':$data/chest.npz --member ct" \
    "4:does not say how it lies:$data/chest_raw.nii.gz --orient LPS" "2:counted from 0:hu.nii --frame 1"; do
    code=${line%%:*}
    rest=${line#*:}
    # shellcheck disable=SC2086 # options
    set -- ${rest##*:}
    file=$1
    shift
    want "$code" "refused: ${rest%%:*}" "${rest%%:*}" "$rvl" convert "$file" no.nii "$@"
done
want 2 "a name without a format is refused" 'says no format' "$rvl" convert hu.nii no.mha
absent "nothing was left" no.nii
absent "of a name that was refused" no.mha

want 0 "inspect shows geometry" '^  axes: LPS$' "$rvl" inspect "$data/chest.nii.gz"
has "and origin in LPS" 'origin_lps_mm: \[-20.0,-30.0,-500.0\]' out
has "and what the values are" '^  values: hu$' out
is "and a histogram of all voxels" "$("$rvl" inspect "$data/chest.nii.gz" | sed -n 's/^  counts: \[\(.*\)\]/\1/p' | tr , '\n' | awk '{ n += $1 } END { print n }')" 4608
want 0 "inspect counts NaN and Inf" '^non_finite_voxels: 3$' "$rvl" inspect "$data/non_finite.nii"
want 0 "inspect says how many frames" '^frames: 2$' "$rvl" inspect "$data/frames.nii.gz"
want 0 "inspect of an npz" '^member: arr_0$' "$rvl" inspect "$data/chest.npz"
sum() { sha256sum | cut -d ' ' -f 1; }
want 0 "statistics of stored values" '"dtype": "int16"' "$rvl" inspect --stats --json "$data/big_i2.nii"
is "with the sum of their little-endian bytes" "$(field sha256)" "\"$(voxels "$data/big_i2.nii" | dd conv=swab status=none | sum)\""
want 0 "of all frames" '"max": 1000' "$rvl" inspect --stats --json "$data/frames.nii.gz"
is "in one sum" "$(field sha256)" "\"$(gzip -dc "$data/frames.nii.gz" | tail -c +353 | sum)\""
want 0 "before slope and intercept" '^  min: -100$' "$rvl" inspect --stats "$data/slope_half.nii"
has "and after" '^  min: -53$' out
want 0 "and of an npz" '^  dtype: float32$' "$rvl" inspect --stats "$data/chest.npz"
finish
