/* SPDX-License-Identifier: Apache-2.0 */
/* Written by metadata_baseline.py; do not edit. */
/* clang-format off */
enum { BASELINE_TRAIN = 150, BASELINE_TEST = 120 };
/* AUROC and average precision of metadata, share present */
static const double baseline_golden[2][3] = {
    {0.7002093301435407, 0.63036925047854009, 0.36666666666666664},
    {0.72610294117647056, 0.69200364655158808, 0.43333333333333335},
};
/* clang-format on */
