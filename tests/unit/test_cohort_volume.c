/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_volume.c
 * CT volumes in a cohort: packs hold what preprocessing gives, batches what packs hold; bad files fail alone.
 */
#include "cohort_fixture.h"
#include "cohort/loader.h"
#include "dicom_fixture.h"
#include "volume_fixture.h"

#define GRID                                                                                                           \
    "preprocess: {depth: 10, height: 16, width: 18, spacing: [18, 18, 28], orient: LPS, window: fixed, window_low: "   \
    "-1000, window_high: 200"

static void write_map(const char *folder, const char *more)
{
    char text[1024];

    snprintf(text, sizeof text,
             "table: table.csv\nmodality: ct\nbody_part: chest\nschema: chexpert-14\n"
             "columns: {image: volume, patient: patient, split: split, findings: findings}\n"
             "labels: {pleural_effusion: effusion}\n%s%s}\n",
             GRID, more);
    write_text(folder, "map.yaml", text);
}

static int volumes_make(void **state)
{
    if (folder_make(state))
        return -1;
    if (!chest_folder(*state, 8))
        return -1;
    write_map(*state, "");
    return 0;
}

static void batch__is_what_preprocessing_gives(void **state)
{
    rvl_loader *l = NULL;
    rvl_batch   b;

    ingest_ok(ingest_opts(*state, at(*state, "c")));
    rvl_cohort          *c = cohort_open(at(*state, "c"));
    rvl_case_list        list = cohort_cases(c, "all");
    const rvl_preprocess p = *rvl_cohort_preprocess(c);
    const int64_t        n = rvl_preprocess_count(&p);
    float               *want = rvl_alloc_array((size_t)n, sizeof *want);
    assert_int_equal(n, 10 * 16 * 18);
    OK(rvl_loader_new(&l, c, &list, (rvl_loader_opts){.batch_size = 8, .n_threads = 2}, &err));
    OK(rvl_loader_next(l, &b, &err));
    assert_int_equal(b.n, 8);
    for (int i = 0; i < 8; i++) {
        rvl_volume *v = NULL;
        OK(rvl_preprocess_load(&v, &p, at(*state, list.cases[b.i_case[i]].image_paths[0]), NULL, &err));
        OK(rvl_preprocess_apply(want, &p, v, false, NULL, &err));
        assert_memory_equal(b.images + i * n, want, (size_t)n * sizeof *want);
        rvl_volume_free(v);
    }
    rvl_loader_free(l);
    rvl_free(want);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
}

/* Two epochs of augmented batches are the same whatever the number of readers; the crops move between epochs. */
static void batch__of_random_crops_does_not_depend_on_threads(void **state)
{
    write_map(*state, ", load: [14, 20, 18]");
    ingest_ok(ingest_opts(*state, at(*state, "c")));
    rvl_cohort   *c = cohort_open(at(*state, "c"));
    rvl_case_list list = cohort_cases(c, "all");
    const int64_t n = 10 * 16 * 18;
    float        *first = rvl_alloc_array((size_t)(4 * 4 * n), sizeof *first);

    for (int threads = 0; threads < 4; threads += 3) {
        rvl_loader           *l = NULL;
        rvl_batch             b;
        const rvl_loader_opts opts = {.batch_size = 4,
                                      .shuffle = true,
                                      .augment = true,
                                      .augmentation = rvl_augment_default(NULL),
                                      .seed = 5,
                                      .n_threads = threads};
        OK(rvl_loader_new(&l, c, &list, opts, &err));
        for (int i = 0; i < 4; i++) {
            OK(rvl_loader_next(l, &b, &err));
            if (threads == 0)
                memcpy(first + i * 4 * n, b.images, (size_t)(4 * n) * sizeof *first);
            else
                assert_memory_equal(first + i * 4 * n, b.images, (size_t)(4 * n) * sizeof *first);
        }
        rvl_loader_free(l);
    }
    rvl_free(first);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
}

static void ingest__takes_what_it_can_and_says_why_not(void **state)
{
    rvl_volume *v = chest_volume(1, false);

    assert_non_null(v);
    for (int64_t i = 0; i < v->depth * v->height * v->width; i++)
        ((int16_t *)v->voxels)[i] = (int16_t)(i % 3); /* no CT */
    assert_int_equal(rvl_nifti_save(v, at(*state, "ct3.nii.gz"), NULL), RVL_OK);
    rvl_volume_free(v);
    write_text(*state, "ct4.nii.gz", "not a volume");
    remove(at(*state, "ct5.nii.gz"));
    write_image(*state, "ct6.nii.gz", 1, 20, 20); /* one slice */
    rvl_ingest_result r = ingest_ok(ingest_opts(*state, at(*state, "c")));
    assert_int_equal(r.n_images, 4);
    assert_int_equal(r.n_failed, 4);
    file_contains(at(*state, "c/failures.jsonl"), "ct3.nii.gz");
    file_contains(at(*state, "c/failures.jsonl"), "no such file");
    char *text = read_text(at(*state, "c/failures.jsonl"), NULL);
    assert_null(strstr(text, *state)); /* the folder's own path is nobody's business */
    rvl_free(text);
    OK(rvl_cohort_check(&r, at(*state, "c"), &err));
}

/* Row 0 is a folder of slices in any order, row 1 the same volume as NIfTI; a folder of two series fails alone. */
static void ingest__takes_a_folder_of_slices_as_one_volume(void **state)
{
    rvl_volume *v = chest_volume(0, true);
    char        name[32], nifti[PATH_BYTES];

    SKIP_WITHOUT_DICOM();
    assert_non_null(v);
    v->spacing_mm = (rvl_vec3){8, 8, 12};
    v->origin_mm = (rvl_vec3){0, 0, 0};
    const int64_t n = v->height * v->width;
    int          *pixels = rvl_alloc_array((size_t)n, sizeof *pixels);
    for (int64_t z = 0; z < v->depth; z++) {
        for (int64_t i = 0; i < n; i++) {
            int16_t *hu = (int16_t *)v->voxels + z * n + i;
            *hu = *hu < -1024 ? -1024 : *hu;
            pixels[i] = *hu + 1024;
        }
        dicom_slice d = {
            .z = 12.0 * (double)z, .step = 8, .rows = (int)v->height, .columns = (int)v->width, .pixels = pixels};
        snprintf(name, sizeof name, "slices/%d", (int)(z * 7 % v->depth));
        dicom_write(*state, name, &d);
        d.series = z % 2 ? "1.2.3.4" : "1.2.3.5";
        snprintf(name, sizeof name, "two/%d", (int)z);
        dicom_write(*state, name, &d);
    }
    OK(rvl_nifti_save(v, path_in(nifti, *state, "ct1.nii.gz"), &err));
    write_text(*state, "table.csv",
               "volume,patient,split,effusion,findings\nslices,a,train,1,A.\nct1.nii.gz,b,val,1,B.\ntwo,c,test,0,C.\n");
    rvl_ingest_result r = ingest_ok(ingest_opts(*state, at(*state, "c")));
    assert_int_equal(r.n_images, 2);
    assert_int_equal(r.leak_pixels, 1); /* both are the same row of the pack */
    file_contains(at(*state, "c/failures.jsonl"), "holds 2 CT series");
    rvl_free(pixels);
    rvl_volume_free(v);
}

static void ingest__finds_copies_of_volumes(void **state)
{
    size_t n_bytes;
    char  *bytes = read_text(at(*state, "ct0.nii.gz"), &n_bytes); /* train */

    OK(rvl_file_write(at(*state, "ct6.nii.gz"), bytes, n_bytes, &err)); /* test */
    rvl_free(bytes);
    rvl_ingest_result r = ingest_ok(ingest_opts(*state, at(*state, "c")));
    assert_int_equal(r.leak_pixels, 1);
    assert_int_equal(r.duplicate_pixels, 1);
}

static void ingest__refuses_maps_that_make_no_sense(void **state)
{
    write_map(*state, ", load: [5, 16, 18]");
    ingest_fails(ingest_opts(*state, at(*state, "c")), RVL_ERR_FORMAT, "smaller than the model's grid");
    write_map(*state, ", resample: ct-clip");
    ingest_fails(ingest_opts(*state, at(*state, "c")), RVL_ERR_FORMAT, "ct-clip");
    write_map(*state, ", load: [5, 16]");
    ingest_fails(ingest_opts(*state, at(*state, "c")), RVL_ERR_FORMAT, "three numbers");
    write_map(*state, ", preset: none");
    ingest_fails(ingest_opts(*state, at(*state, "c")), RVL_ERR_USAGE, "ct-tiny");
    write_map(*state, "");
    rvl_ingest_opts opts = ingest_opts(*state, at(*state, "c"));
    opts.preset = "other";
    ingest_fails(opts, RVL_ERR_USAGE, "ct-tiny");
    opts.preset = NULL;
    opts.depth = 1;
    opts.height = opts.width = 0;
    ingest_fails(opts, RVL_ERR_USAGE, "no grid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batch__is_what_preprocessing_gives, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(batch__of_random_crops_does_not_depend_on_threads, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(ingest__takes_what_it_can_and_says_why_not, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(ingest__takes_a_folder_of_slices_as_one_volume, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(ingest__finds_copies_of_volumes, volumes_make, folder_remove),
        cmocka_unit_test_setup_teardown(ingest__refuses_maps_that_make_no_sense, volumes_make, folder_remove),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
