#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# convert and inspect of DICOM folders: names, tables, what is refused or skipped, exit codes; no identifier comes out.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
jq_of() { jq -c "$1" out; }

el() { # tag as \x bytes, VR, text with | for a backslash: one element, explicit little endian
    local text=${3//|/\\} pad=''
    [ $((${#text} % 2)) = 0 ] || pad='\x20'
    [ -z "$pad" ] || [ "$2" != UI ] || pad='\x00'
    printf '%b%s%b%s%b' "$1" "$2" "\\x$(printf %02x $(((${#text} + 1) / 2 * 2)))\\x00" "$text" "$pad"
}
us() { printf '%bUS\x02\x00%b' "$1" "\\x$(printf %02x "$2")\\x00"; }
slice() { # series, description, position x|y|z, value of all pixels (0..127), image type
    head -c 128 /dev/zero
    printf DICM
    el '\x02\x00\x10\x00' UI 1.2.840.10008.1.2.1
    el '\x08\x00\x08\x00' CS "${5-ORIGINAL}"
    el '\x08\x00\x60\x00' CS CT
    el '\x08\x00\x3e\x10' LO "$2"
    el '\x10\x00\x10\x00' PN PLANTED^NAME
    el '\x10\x00\x20\x00' LO PLANTED-7
    el '\x20\x00\x0d\x00' UI 1.2.3.999999
    el '\x20\x00\x0e\x00' UI "1.2.3.999999.$1"
    el '\x20\x00\x11\x00' IS "$1"
    el '\x20\x00\x32\x00' DS "$3"
    el '\x20\x00\x37\x00' DS '1|0|0|0|1|0'
    us '\x28\x00\x02\x00' 1
    el '\x28\x00\x04\x00' CS MONOCHROME2
    us '\x28\x00\x10\x00' 2
    us '\x28\x00\x11\x00' 2
    el '\x28\x00\x30\x00' DS '0.5|0.5'
    us '\x28\x00\x00\x01' 8
    us '\x28\x00\x01\x01' 8
    us '\x28\x00\x02\x01' 7
    us '\x28\x00\x03\x01' 0
    el '\x28\x00\x52\x10' DS -1024
    el '\x28\x00\x53\x10' DS 1
    printf '\xe0\x7f\x10\x00OB\x00\x00\x04\x00\x00\x00'
    for _ in 1 2 3 4; do printf '%b' "\\x$(printf %02x "$4")"; done
}

mkdir -p scans/a scans/b/c
slice 3 'Chest 1.0/B70' '0|0|2' 12 > scans/a/x
slice 3 'Chest 1.0/B70' '0|0|0' 10 > scans/b/c/y.dcm
slice 3 'Chest 1.0/B70' '0|0|1' 11 > scans/z
slice 4 'of Planted' '0|0|0' 1 > scans/p0
slice 4 'of Planted' '0|0|1' 2 > scans/p1
slice 1 scout '0|0|0' 1 'ORIGINAL|PRIMARY|LOCALIZER' > scans/scout
"$rvl" inspect scans > out 2> err
code=$?
if [ "$code" = 8 ]; then
    has "a build without DICOM says so" 'this build reads no DICOM' err
    finish
fi
is "inspect shows a folder" "$code" 0
has "a series a line" '^3 +CT +3 x 2 x 2 +1 x 0.5 x 0.5 +volume +Chest 1.0/B70' out
has "localisers apart" '^1 .* localiser +scout' out
is "no patient" "$(grep -ci planted out)" 0
is "no study" "$(grep -c 999999 out)" 0
want 0 "as JSON" '"kind": "DICOM series"' "$rvl" inspect scans --json
is "with sides and spacing" "$(jq_of '.volumes[1] | [.shape, .spacing_mm, .status]')" '[[3,2,2],[0.5,0.5,1],"volume"]'

want 0 "convert needs no options" 'wrote 2 volumes to scans-nifti' "$rvl" convert scans/
is "a file a volume" "$(ls scans-nifti | tr '\n' ' ')" "003_Chest_1.0_B70.nii.gz 004_CT.nii.gz "
want 0 "in LPS" '^  origin_lps_mm: \[0.0,0.0,0.0\]' "$rvl" inspect scans-nifti/003_Chest_1.0_B70.nii.gz
want 0 "plain" '' "$rvl" convert scans out1 --to nii --localisers --json
is "with localisers when asked" "$(ls out1 | tr '\n' ' ')" "001_scout.nii 003_Chest_1.0_B70.nii 004_CT.nii "
is "in HU" "$(jq_of '[.volumes[].unit]')" '["hu","hu","hu"]'
is "by position" "$(tail -c +353 out1/003_Chest_1.0_B70.nii | od -An -td2 | tr -s ' \n' ' ')" \
    " -1014 -1014 -1014 -1014 -1013 -1013 -1013 -1013 -1012 -1012 -1012 -1012 "
want 2 "files are not replaced" "'scans-nifti/003_Chest_1.0_B70.nii.gz' exists" "$rvl" convert scans
want 0 "unless forced" '' "$rvl" convert scans --force
want 0 "one file" 'wrote 1 volumes to p0-nifti' "$rvl" convert scans/p0
is "is a folder's" "$(ls p0-nifti)" 004_CT.nii.gz

mkdir one
cp scans/a/x scans/b/c/y.dcm scans/z one
want 0 "one volume to one file" 'wrote one.nii.gz: 3 x 2 x 2' "$rvl" convert one one.nii.gz
want 0 "on another grid" 'wrote small.nii: 2 x 1 x 1' "$rvl" convert one small.nii --spacing 1,1,2
want 4 "several to one are refused" 'holds 2 series' "$rvl" convert scans no.nii
want 2 "grid options want one file" 'spacing.*has no effect' "$rvl" convert one no --spacing 1,1,1
want 2 "folder options do not" 'localisers.*has no effect' "$rvl" convert one no.nii --localisers
want 2 "DICOM options want DICOM" 'tilt.*has no effect' "$rvl" convert small.nii no.nii --tilt keep
want 2 "no such tilt" "no tilt 'x'" "$rvl" convert one no --tilt x
want 2 "no such format" "no format 'x'" "$rvl" convert one no --to x

slice 3 'Chest 1.0/B70' '0|0|4' 14 > scans/far
head -c $(($(wc -c < scans/p1) - 1)) scans/p1 > scans/cut
echo hello > scans/readme.txt
want 5 "what fails is told" 'wrote 1 volumes to part;' "$rvl" convert scans part
has "with the gap" 'refused +Chest 1.0/B70 +1 slices are missing in 1 places, first behind 2.00 mm' out
has "and the option" 'hint: .*--fill-gaps' err
has "and the damaged file" "^skipped cut: .*the file ends before" out
has "and what is not DICOM" '^1 files are not DICOM' out
is "and the rest is written" "$(ls part)" 004_CT.nii.gz
rm scans/cut
want 0 "when asked" '1 of the slices at every 1 mm are missing between 2.00 and 4.00 mm' "$rvl" convert scans filled --fill-gaps --to nii --force
is "by its neighbours" "$(tail -c +353 filled/003_Chest_1.0_B70.nii | od -An -td2 -w8 | awk '{ print $1 }' | tr '\n' ' ')" \
    "-1014 -1013 -1012 -1011 -1010 "
mkdir empty
want 3 "a folder without DICOM" 'holds no DICOM file' "$rvl" convert empty no
want 4 "is nothing to inspect" 'and holds no DICOM' "$rvl" inspect empty
want 3 "an absent folder" 'absent' "$rvl" convert absent no.nii
for f in no no.nii empty-nifti; do absent "nothing was left" "$f"; done
finish
