/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/ref/tile.c
 * The product tile under convolution and matmul.
 */
#include "engine/ref/ref.h"

RVL_CLONES void rvl__ref_tile(double *acc, const double *a, const double *b, int64_t m, int64_t n, int64_t n_k)
{
    for (int64_t j = 0; j < n; j += 8) {
        for (int64_t i = 0; i < m; i += 4) {
            rvl_ref_f64x8 *row0 = (rvl_ref_f64x8 *)(acc + i * RVL_TILE_PITCH + j);
            rvl_ref_f64x8 *row1 = (rvl_ref_f64x8 *)(acc + (i + 1) * RVL_TILE_PITCH + j);
            rvl_ref_f64x8 *row2 = (rvl_ref_f64x8 *)(acc + (i + 2) * RVL_TILE_PITCH + j);
            rvl_ref_f64x8 *row3 = (rvl_ref_f64x8 *)(acc + (i + 3) * RVL_TILE_PITCH + j);
            rvl_ref_f64x8  c0 = *row0, c1 = *row1, c2 = *row2, c3 = *row3;

            for (int64_t k = 0; k < n_k; k++) {
                const rvl_ref_f64x8 bk = *(const rvl_ref_f64x8 *)(b + k * RVL_TILE_PITCH + j);
                const double       *ak = a + k * RVL_TILE_M + i;

                c0 += ak[0] * bk;
                c1 += ak[1] * bk;
                c2 += ak[2] * bk;
                c3 += ak[3] * bk;
            }
            *row0 = c0;
            *row1 = c1;
            *row2 = c2;
            *row3 = c3;
        }
    }
}
