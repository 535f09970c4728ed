#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# inspect --stats: stored values with their sum, physical values with their unit; DICOM facts without identifiers.
. "${RVL_SOURCE_DIR:?}/tests/cli/lib.sh"
seeds=$repo/tests/fuzz/corpus

printf '\x93NUMPY\x01\x00\x76\x00{"descr": "<i2", "fortran_order": False, "shape": (2, 3), }' | tr '"' "'" > a.npy
while [ "$(wc -c < a.npy)" -lt 127 ]; do printf ' ' >> a.npy; done
printf '\n' >> a.npy
printf '\x01\x00\xff\xff\x03\x00\x04\x00\x05\x00\x06\x00' | tee -a a.npy > a.bytes
want 0 "an array" '"kind": "array"' "$rvl" inspect --stats --json a.npy
is "its shape" "$(jq -c .stored.shape out)" '[2,3]'
is "its type" "$(jq -r .stored.dtype out)" int16
is "its values" "$(jq -c '[.stored.min, .stored.max, .stored.mean]' out)" '[-1,6,3]'
is "their sum" "$(jq -r .stored.sha256 out)" "$(sha256sum < a.bytes | cut -d' ' -f1)"
is "what they are" "$(jq -c '[.physical.unit, .physical.max]' out)" '["1",6]'
want 0 "an image" '"dtype": "uint8"' "$rvl" inspect --stats --json "$seeds/png/gray8"
want 2 "a folder has none" 'is a folder' "$rvl" inspect --stats .
want 2 "nor a plan" '--plan' "$rvl" inspect --stats --plan .

"$rvl" inspect "$seeds/dicom/explicit16" > out 2> err
code=$?
if [ "$code" = 8 ]; then
    has "a build without DICOM says so" 'this build reads no DICOM' err
else
    is "a DICOM file" "$code" 0
    has "its transfer syntax" 'transfer_syntax: 1.2.840.10008.1.2.1$' out
    want 0 "its values" '"kind": "dicom"' "$rvl" inspect --stats --json "$seeds/dicom/explicit16"
    printf '\x00\x00\x01\x00\x02\x00\x2c\x01\xff\x0f\xff\xff' > pixels # 0 1 2 300 4095 65535
    is "their sum" "$(jq -r .stored.sha256 out)" "$(sha256sum < pixels | cut -d' ' -f1)"
    is "their mean" "$(jq .stored.mean out)" 11655.5
    want 0 "CT" '"unit": "HU"' "$rvl" inspect --stats --json "$seeds/dicom/signed12"
    want 0 "a mammogram" 'view: mlo$' "$rvl" inspect "$seeds/dicom/mammogram"
    has "its side" 'laterality: L$' out
    is "no patient" "$(grep -c PLANTED out)" 0
    is "no study" "$(grep -c 999999 out)" 0
    want 4 "a cut file" "'.*cut'.*the file ends before" "$rvl" inspect --stats "$seeds/dicom/cut"
    want 4 "a file without pixels" 'holds no pixels' "$rvl" inspect --stats "$seeds/dicom/no_pixels"
    want 0 "whose facts are shown" 'has_pixels: false' "$rvl" inspect "$seeds/dicom/no_pixels"
fi
finish
