/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_cohort_loader.c
 * Batches depend on (seed, epoch, batch) alone: not on threads, not on how the loader came there.
 */
#include "cohort_fixture.h"
#include "base/util.h"
#include "cohort/loader.h"
#include <math.h>

#define N_STUDIES 23
#define SIDE 12

/* study i has 1 + i % 3 images */
static int n_images_of(int64_t i_study)
{
    return 1 + (int)(i_study % 3);
}

static int cohort_make(void **state)
{
    rvl_str text = {0};
    int     n = 0;

    if (folder_make(state))
        return -1;
    write_images(*state, 3 * N_STUDIES, 16);
    rvl_str_add(&text, "path,stu,pneu\n");
    for (int i = 0; i < N_STUDIES; i++) {
        for (int j = 0; j < n_images_of(i); j++)
            rvl_str_addf(&text, "img%d.png,s%d,%d\n", n++, i, i % 2);
    }
    write_text(*state, "t.csv", text.ptr);
    write_text(*state, "map.yaml",
               "table: t.csv\nmodality: cxr\nschema: pneumonia-1\nlabels: {pneumonia: pneu}\n"
               "columns: {image: path, study: stu}\npreprocess: {height: 12, width: 12, window: range}\n");
    rvl_str_free(&text);
    ingest_ok(ingest_opts(*state, at(*state, "c")));
    return 0;
}

typedef struct {
    rvl_cohort   *c;
    rvl_case_list list;
} fixture;

static fixture fixture_open(void **state)
{
    fixture f = {.c = cohort_open(at(*state, "c"))};

    f.list = cohort_cases(f.c, "all");
    assert_int_equal(f.list.n_cases, N_STUDIES);
    return f;
}

static void fixture_close(fixture *f)
{
    rvl_case_list_fini(&f->list);
    rvl_cohort_close(f->c);
}

static rvl_loader *loader_make(fixture *f, rvl_loader_opts opts)
{
    rvl_loader *l = NULL;
    rvl_error   err = {0};

    if (rvl_loader_new(&l, f->c, &f->list, opts, &err))
        fail_msg("%s", err.text);
    return l;
}

static rvl_batch next(rvl_loader *l)
{
    rvl_batch b;
    rvl_error err = {0};

    if (rvl_loader_next(l, &b, &err))
        fail_msg("%s", err.text);
    return b;
}

/** All bytes of a batch in one number. */
static uint64_t batch_hash(const rvl_batch *b, const rvl_loader_opts *o)
{
    size_t   n = (size_t)o->batch_size, s = (size_t)(o->images_per_study ? o->images_per_study : 1);
    uint64_t h = rvl_hash64(&b->n, sizeof b->n);

    h = rvl_rng_mix(h, rvl_hash64(b->i_case, n * sizeof *b->i_case));
    h = rvl_rng_mix(h, rvl_hash64(b->images, n * s * SIDE * SIDE * sizeof *b->images));
    h = rvl_rng_mix(h, rvl_hash64(b->image_mask, n * s * sizeof *b->image_mask));
    return rvl_rng_mix(h, rvl_hash64(b->labels, n));
}

static rvl_loader_opts training(int n_threads)
{
    return (rvl_loader_opts){.batch_size = 5,
                             .images_per_study = 2,
                             .shuffle = true,
                             .augment = true,
                             .augmentation = rvl_augment_default(NULL),
                             .seed = 11,
                             .n_threads = n_threads};
}

static void loader__gives_the_same_bytes_for_any_number_of_threads(void **state)
{
    static const int n_threads[] = {0, 1, 3, 8};
    fixture          f = fixture_open(state);
    uint64_t         first[20], differing = 0;

    for (size_t t = 0; t < RVL_ARRAY_LEN(n_threads); t++) {
        rvl_loader_opts o = training(n_threads[t]);
        rvl_loader     *l = loader_make(&f, o);
        for (int i = 0; i < 20; i++) {
            rvl_batch b = next(l);
            uint64_t  h = batch_hash(&b, &o);
            if (t == 0)
                first[i] = h;
            assert_true(h == first[i]);
            differing += i > 0 && h != first[0];
        }
        rvl_loader_free(l);
    }
    assert_int_equal(differing, 19 * RVL_ARRAY_LEN(n_threads));
    fixture_close(&f);
}

static void loader__goes_on_after_a_seek_as_if_never_stopped(void **state)
{
    fixture  f = fixture_open(state);
    uint64_t straight[15];

    for (int n_threads = 0; n_threads <= 2; n_threads += 2) {
        rvl_loader_opts o = training(n_threads);
        rvl_loader     *l = loader_make(&f, o);
        rvl_error       err = {0};
        for (int i = 0; i < 15; i++) {
            rvl_batch b = next(l);
            straight[i] = batch_hash(&b, &o);
        }
        for (int start = 14; start >= 0; start -= 3) { /* backwards, with batches still in the ring */
            assert_int_equal(rvl_loader_seek(l, start / 5, start % 5, &err), RVL_OK);
            for (int i = start; i < 15; i++) {
                rvl_batch b = next(l);
                assert_true(batch_hash(&b, &o) == straight[i]);
            }
        }
        assert_int_equal(rvl_loader_seek(l, 0, 5, &err), RVL_ERR_USAGE);
        rvl_loader_free(l);
        l = loader_make(&f, o); /* a new process resumes */
        assert_int_equal(rvl_loader_seek(l, 2, 1, &err), RVL_OK);
        rvl_batch b = next(l);
        assert_true(batch_hash(&b, &o) == straight[11]);
        rvl_loader_free(l);
    }
    fixture_close(&f);
}

static void shuffle__covers_each_case_once_per_epoch(void **state)
{
    fixture     f = fixture_open(state);
    rvl_loader *l = loader_make(&f, training(2));
    int64_t     order[2][N_STUDIES];

    assert_int_equal(rvl_loader_n_batches(l), 5);
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[N_STUDIES] = {0}, n = 0;
        for (int i = 0; i < 5; i++) {
            rvl_batch b = next(l);
            assert_int_equal(b.n, i < 4 ? 5 : 3);
            for (int j = 0; j < b.n; j++) {
                order[epoch][n++] = b.i_case[j];
                seen[b.i_case[j]]++;
            }
            for (int j = b.n; j < 5; j++)
                assert_int_equal(b.i_case[j], -1);
        }
        for (int i = 0; i < N_STUDIES; i++)
            assert_int_equal(seen[i], 1);
    }
    assert_memory_not_equal(order[0], order[1], sizeof order[0]);
    rvl_loader_free(l);
    fixture_close(&f);
}

static void batch__holds_decoded_rows_masks_and_labels(void **state)
{
    fixture         f = fixture_open(state);
    rvl_loader_opts o = {.batch_size = 4, .images_per_study = 2};
    rvl_loader     *l = loader_make(&f, o);
    float           expected[SIDE * SIDE];
    rvl_error       err = {0};

    for (int64_t i = 0; i < 6; i++) {
        rvl_batch b = next(l);
        for (int j = 0; j < 4; j++) {
            bool is_real = i * 4 + j < N_STUDIES;
            assert_int_equal(b.i_case[j], is_real ? i * 4 + j : -1);
            for (int s = 0; s < 2; s++) {
                const float *image = b.images + (j * 2 + s) * SIDE * SIDE;
                bool         is_there = is_real && s < n_images_of(i * 4 + j);
                const void  *codes;
                assert_true(b.image_mask[j * 2 + s] == (is_there ? 1.0f : 0.0f));
                memset(expected, 0, sizeof expected);
                if (is_there) {
                    int64_t row = f.list.cases[i * 4 + j].image_rows[s];
                    assert_int_equal(rvl_cohort_pack_row(&codes, f.c, row, &err), RVL_OK);
                    rvl_preprocess_decode(expected, rvl_cohort_preprocess(f.c), codes, SIDE * SIDE);
                }
                assert_memory_equal(image, expected, sizeof expected);
            }
            if (is_real)
                assert_int_equal(b.labels[j], (i * 4 + j) % 2 ? RVL_LABEL_PRESENT : RVL_LABEL_ABSENT);
        }
    }
    rvl_loader_free(l);
    fixture_close(&f);
}

static void loader__drops_a_short_batch_if_told(void **state)
{
    fixture         f = fixture_open(state);
    rvl_loader_opts o = {.batch_size = 5, .drop_last = true};
    rvl_loader     *l = loader_make(&f, o);
    rvl_error       err = {0};

    assert_int_equal(rvl_loader_n_batches(l), 4);
    for (int i = 0; i < 9; i++)
        assert_int_equal(next(l).n, 5);
    rvl_loader_free(l);
    o.batch_size = N_STUDIES + 1;
    assert_int_equal(rvl_loader_new(&l, f.c, &f.list, o, &err), RVL_ERR_USAGE);
    assert_null(l);
    fixture_close(&f);
}

static void shuffle__draws_among_the_images_of_a_study(void **state)
{
    fixture         f = fixture_open(state);
    rvl_loader_opts o = {.batch_size = N_STUDIES, .shuffle = true};
    rvl_loader     *l = loader_make(&f, o);
    uint64_t        seen[N_STUDIES][3] = {{0}};
    int             n_seen[N_STUDIES] = {0};

    for (int epoch = 0; epoch < 40; epoch++) {
        rvl_batch b = next(l);
        for (int j = 0; j < b.n; j++) {
            uint64_t h = rvl_hash64(b.images + j * SIDE * SIDE, SIDE * SIDE * sizeof(float));
            int64_t  i = b.i_case[j];
            int      k = 0;
            while (k < n_seen[i] && seen[i][k] != h)
                k++;
            if (k == n_seen[i]) {
                assert_in_range(k, 0, 2);
                seen[i][n_seen[i]++] = h;
            }
        }
    }
    for (int i = 0; i < N_STUDIES; i++)
        assert_int_equal(n_seen[i], n_images_of(i));
    rvl_loader_free(l);
    fixture_close(&f);
}

static void loader__names_the_case_with_a_bad_image(void **state)
{
    for (int n_threads = 0; n_threads <= 2; n_threads += 2) {
        fixture         f = fixture_open(state);
        rvl_loader_opts o = training(n_threads);
        rvl_loader     *l;
        rvl_batch       b;
        rvl_error       err = {0};

        o.augmentation.noise = INFINITY;
        l = loader_make(&f, o);
        assert_int_equal(rvl_loader_next(l, &b, &err), RVL_ERR_NUMERIC);
        assert_non_null(strstr(err.text, "case 'c0000"));
        assert_int_equal(rvl_loader_next(l, &b, &err), RVL_ERR_NUMERIC);
        rvl_loader_free(l);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loader__gives_the_same_bytes_for_any_number_of_threads),
        cmocka_unit_test(loader__goes_on_after_a_seek_as_if_never_stopped),
        cmocka_unit_test(shuffle__covers_each_case_once_per_epoch),
        cmocka_unit_test(batch__holds_decoded_rows_masks_and_labels),
        cmocka_unit_test(loader__drops_a_short_batch_if_told),
        cmocka_unit_test(shuffle__draws_among_the_images_of_a_study),
        cmocka_unit_test(loader__names_the_case_with_a_bad_image),
    };
    return cmocka_run_group_tests(tests, cohort_make, folder_remove);
}
