/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/volume_fixture.h
 * Small CT volumes drawn in HU: a body of soft tissue in air, two lungs, fluid at the back of them in every second one.
 */
#ifndef RVL_TESTS_VOLUME_FIXTURE_H
#define RVL_TESTS_VOLUME_FIXTURE_H
#include "base/file.h"
#include "base/rng.h"
#include "base/str.h"
#include "imaging/nifti.h"
#include <stdio.h>

static inline double chest_hu(double x, double y, double z, bool has_fluid)
{
    const double body = (x * x) / (150 * 150) + (y * y) / (105 * 105);
    const double side = x < 0 ? x + 68 : x - 68;
    const double lung = (side * side) / (52 * 52) + (y * y) / (80 * 80) + (z * z) / (120 * 120);

    if (body > 1)
        return -1000;
    if (lung < 1)
        return has_fluid && y > 15 && z < 20 ? 10 : -850;
    return body > 0.9 ? -100 : 40;
}

/** Volume `key`: sides and spacing differ from one to the next; axes run R to L, A to P, feet to head, or (odd keys)
 *  turned round along width. Owned by the caller; NULL on failure. */
static inline rvl_volume *chest_volume(uint64_t key, bool has_fluid)
{
    const int64_t side[3] = {40 + (int64_t)(key % 3) * 4, 36, 20 + (int64_t)(key % 2) * 6};
    const bool    turned = key % 2 == 1;
    rvl_volume   *v = NULL;
    rvl_rng       r = rvl_rng_make(11, key);

    if (rvl_volume_new(&v, RVL_VOXEL_I16, side[2], side[1], side[0], NULL))
        return NULL;
    v->has_spacing = v->has_geometry = true;
    v->spacing_mm = (rvl_vec3){340.0 / (double)side[0], 250.0 / (double)side[1], 250.0 / (double)side[2]};
    for (int a = 0; a < 3; a++)
        v->direction[a][a] = a == 0 && turned ? -1 : 1;
    v->origin_mm =
        (rvl_vec3){(turned ? 0.5 : -0.5) * v->spacing_mm.x * (double)(side[0] - 1),
                   -0.5 * v->spacing_mm.y * (double)(side[1] - 1), -0.5 * v->spacing_mm.z * (double)(side[2] - 1)};
    for (int64_t i = 0; i < side[0] * side[1] * side[2]; i++) {
        const double x = v->origin_mm.x + v->direction[0][0] * v->spacing_mm.x * (double)(i % side[0]);
        const double y = v->origin_mm.y + v->spacing_mm.y * (double)(i / side[0] % side[1]);
        const double z = v->origin_mm.z + v->spacing_mm.z * (double)(i / side[0] / side[1]);
        ((int16_t *)v->voxels)[i] = (int16_t)(chest_hu(x, y, z, has_fluid) + 20 * rvl_rng_normal(&r));
    }
    return v;
}

/** `n` volumes as FOLDER/ct0.nii.gz .., table.csv and map.yaml, without a preprocessing. False on failure. */
static inline bool chest_folder(const char *folder, int n)
{
    rvl_str table = {0};
    char    path[4096 + 32];
    bool    is_ok = true;

    rvl_str_add(&table, "volume,patient,split,effusion,findings\n");
    for (int i = 0; is_ok && i < n; i++) {
        const bool  has_fluid = i % 2 == 1;
        rvl_volume *v = chest_volume((uint64_t)i, has_fluid);
        snprintf(path, sizeof path, "%s/ct%d.nii.gz", folder, i);
        is_ok = v && rvl_nifti_save(v, path, NULL) == RVL_OK;
        rvl_volume_free(v);
        rvl_str_addf(&table, "ct%d.nii.gz,p%d,%s,%d,%s %d\n", i, i,
                     i / 2 % 4 == 2   ? "val"
                     : i / 2 % 4 == 3 ? "test"
                                      : "train",
                     has_fluid, has_fluid ? "Pleural effusion on both sides. Scan" : "No pleural effusion. Scan", i);
    }
    static const char map[] = "table: table.csv\nmodality: ct\nbody_part: chest\nschema: chexpert-14\n"
                              "columns: {image: volume, patient: patient, split: split, findings: findings}\n"
                              "labels: {pleural_effusion: effusion}\n";
    snprintf(path, sizeof path, "%s/table.csv", folder);
    is_ok = is_ok && !table.failed && rvl_file_write(path, table.ptr, table.n_bytes, NULL) == RVL_OK;
    snprintf(path, sizeof path, "%s/map.yaml", folder);
    is_ok = is_ok && rvl_file_write(path, map, sizeof map - 1, NULL) == RVL_OK;
    rvl_str_free(&table);
    return is_ok;
}

#endif /* RVL_TESTS_VOLUME_FIXTURE_H */
