/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_imaging_apart.c
 * Files read in worker processes give what they give in this one; one that kills or confuses its worker is one error.
 * This program is its own worker: words in a path make it misbehave.
 */
#include "dicom_fixture.h"
#include "imaging/apart.h"
#include "imaging/dicom_series.h"
#include "imaging/image_file.h"
#include "imaging/work.h"
#include "rvl/plan.h"
#include "rvl/verbs.h"
#include "verbs/serve.h"
#include "volume_fixture.h"
#include <signal.h>

static bool says(rvl_span request, const char *word)
{
    const size_t n = strlen(word);

    for (size_t i = 0; i + n <= request.n_bytes; i++)
        if (memcmp(request.ptr + i, word, n) == 0)
            return true;
    return false;
}

static rvl_status handle(rvl_worker_answer *answer, rvl_span request, rvl_error *err)
{
    const bool is_headers = rvl__work_kind(request) == RVL__WORK_SERIES_HEADERS;

    if (says(request, "kill-header") || (says(request, "kill-pixels") && !is_headers))
        signal(SIGSEGV, SIG_DFL), raise(SIGSEGV);
    if (says(request, "make-hang"))
        sleep(60);
    rvl_status st = rvl__verbs_serve(answer, request, err);
    if (!st && says(request, "make-short") && answer->n_body > 0)
        answer->n_body--;
    if (!st && says(request, "make-strange"))
        memset(answer->n_body ? answer->body : answer->head.ptr, 0x7f, 64);
    return st;
}

static rvl_workers *pool(int n)
{
    const rvl_worker_opts opts = {.n_workers = n, .max_seconds = 2};
    rvl_workers          *w = NULL;

    OK(rvl_workers_open(&w, &opts, &err));
    return w;
}

static rvl_dicom_scan *scan(const char *folder, rvl_workers *w)
{
    rvl_series_opts opts = rvl_series_opts_default();
    rvl_dicom_scan *s = NULL;

    opts.workers = w;
    OK(rvl_dicom_scan_open(&s, folder, &opts, &err));
    return s;
}

static void expect_same_volume(const rvl_volume *a, const rvl_volume *b)
{
    const rvl_grid g = rvl_volume_grid(a);
    const rvl_grid h = rvl_volume_grid(b);

    expect_same_grid(&g, &h);
    assert_int_equal(a->type, b->type);
    assert_int_equal(a->unit, b->unit);
    assert_int_equal(a->modality, b->modality);
    assert_int_equal(a->view, b->view);
    assert_int_equal(a->laterality, b->laterality);
    assert_int_equal(a->has_burned_in, b->has_burned_in);
    assert_string_equal(a->body_part, b->body_part);
    assert_memory_equal(a->voxels, b->voxels, (size_t)(a->depth * a->height * a->width) * rvl_voxel_bytes(a->type));
}

static void expect_same_stack(const rvl_dicom_stack *a, const rvl_dicom_stack *b)
{
    assert_string_equal(a->patient_id, b->patient_id);
    assert_string_equal(a->study_uid, b->study_uid);
    assert_string_equal(a->series_uid, b->series_uid);
    assert_string_equal(a->frame_of_reference_uid, b->frame_of_reference_uid);
    assert_int_equal(a->series_number, b->series_number);
    assert_int_equal(a->i_part, b->i_part);
    assert_int_equal(a->n_parts, b->n_parts);
    assert_string_equal(a->description, b->description);
    assert_string_equal(a->modality, b->modality);
    assert_string_equal(a->body_part, b->body_part);
    assert_string_equal(a->image_type, b->image_type);
    assert_string_equal(a->kernel, b->kernel);
    assert_int_equal(a->acquisition_number, b->acquisition_number);
    assert_int_equal(a->is_localiser, b->is_localiser);
    assert_int_equal(a->is_colour, b->is_colour);
    assert_int_equal(a->n_slices, b->n_slices);
    expect_same_grid(&a->grid, &b->grid);
    assert_memory_equal(&a->tilt_deg, &b->tilt_deg, sizeof a->tilt_deg);
    assert_int_equal(a->status, b->status);
    assert_string_equal(a->reason, b->reason);
    assert_int_equal(a->n_notes, b->n_notes);
    for (int64_t i = 0; i < a->n_notes; i++) {
        assert_int_equal(a->notes[i].kind, b->notes[i].kind);
        assert_string_equal(a->notes[i].text, b->notes[i].text);
    }
}

/* The folder by workers and by this process: stacks, volumes, skips, errors. */
static void expect_same_scan(const char *folder)
{
    rvl_workers    *w = pool(3);
    rvl_dicom_scan *here = scan(folder, NULL);
    rvl_dicom_scan *apart = scan(folder, w);

    assert_int_equal(rvl_dicom_scan_count(here), rvl_dicom_scan_count(apart));
    for (int64_t i = 0; i < rvl_dicom_scan_count(here); i++) {
        rvl_volume *a = NULL;
        rvl_volume *b = NULL;
        rvl_error   why_a = {0};
        rvl_error   why_b = {0};
        rvl_status  st = rvl_dicom_scan_load(&a, here, i, &why_a);
        assert_int_equal(rvl_dicom_scan_load(&b, apart, i, &why_b), st);
        expect_same_stack(rvl_dicom_scan_get(here, i), rvl_dicom_scan_get(apart, i));
        if (st)
            assert_string_equal(why_a.text, why_b.text);
        else
            expect_same_volume(a, b);
        rvl_volume_free(a);
        rvl_volume_free(b);
    }
    assert_int_equal(rvl_dicom_scan_n_skips(here), rvl_dicom_scan_n_skips(apart));
    for (int64_t i = 0; i < rvl_dicom_scan_n_skips(here); i++) {
        const rvl_dicom_skip a = rvl_dicom_scan_skip(here, i);
        const rvl_dicom_skip b = rvl_dicom_scan_skip(apart, i);
        assert_int_equal(a.kind, b.kind);
        assert_string_equal(a.path, b.path);
        assert_string_equal(a.text, b.text);
    }
    rvl_dicom_scan_close(here);
    rvl_dicom_scan_close(apart);
    rvl_workers_close(w);
}

/* Big-endian slices need a decoder, others do not. */
static void write_stack(const char *folder, const char *prefix, int n, bool is_big_endian)
{
    for (int i = 0; i < n; i++) {
        dicom_slice d = {.z = 2.0 * i, .value = 1000 + i, .is_big_endian = is_big_endian, .description = "chest"};
        char        name[64];
        snprintf(name, sizeof name, "%s%03d", prefix, i * 7 % 50);
        dicom_write(folder, name, &d);
    }
}

static void scan__by_workers_is_the_scan_of_this_process(void **state)
{
    const dicom_slice twin = {.z = 4, .value = 1002, .is_big_endian = true, .description = "chest"};
    const dicom_slice real = {.z = 1, .value = 40000, .slope = 0.5, .intercept = 0.25, .series = "1.2.3.1.2"};
    dicom_slice       next = real;

    SKIP_WITHOUT_DICOM();
    write_stack(*state, "native/", 40, false);
    expect_same_scan(*state);
    write_stack(*state, "native/", 40, true);
    dicom_write(*state, "twin", &twin); /* dropped, after a look at its pixels */
    next.z = 2;
    dicom_write(*state, "real1", &real);
    dicom_write(*state, "real2", &next);
    char *path = rvl_path_join(*state, "no.txt");
    OK(rvl_file_write(path, "no", 2, &err));
    rvl_free(path);
    expect_same_scan(*state);
}

static void pack__by_workers_is_the_pack_of_this_process(void **state)
{
    static const char *const folders[] = {"ct/dicom_series", "dicom_odd", "mammo"};
    char                     path[PATH_BYTES];

    (void)state;
    SKIP_WITHOUT_DICOM();
    SKIP_WITHOUT_DATA("ct/dicom_series");
    for (size_t i = 0; i < RVL_ARRAY_LEN(folders); i++)
        if (test_data_path(path, sizeof path, folders[i]))
            expect_same_scan(path);
}

static void header__that_kills_costs_its_file(void **state)
{
    const dicom_slice bad = {.z = 100};
    rvl_workers      *w = pool(2);

    SKIP_WITHOUT_DICOM();
    write_stack(*state, "native/", 40, false);
    dicom_write(*state, "native/030-kill-header", &bad);
    dicom_write(*state, "native/050-make-strange", &bad);
    rvl_dicom_scan *s = scan(*state, w);
    assert_int_equal(rvl_dicom_scan_n_skips(s), 2);
    assert_string_equal(rvl_dicom_scan_skip(s, 0).path, "native/030-kill-header");
    assert_non_null(strstr(rvl_dicom_scan_skip(s, 0).text, "it crashed the decoder (SIGSEGV)"));
    assert_non_null(strstr(rvl_dicom_scan_skip(s, 1).text, "its decoder gave a broken answer"));
    assert_int_equal(rvl_dicom_scan_skip(s, 0).kind, RVL_SKIP_DAMAGED);
    assert_int_equal(rvl_dicom_scan_count(s), 1);
    assert_int_equal(rvl_dicom_scan_get(s, 0)->n_slices, 40);
    rvl_dicom_scan_close(s);
    rvl_workers_close(w);
}

static void pixels__that_kill_cost_their_stack(void **state)
{
    const dicom_slice bad = {.z = 6, .is_big_endian = true, .description = "chest"};
    const dicom_slice other = {.series = "1.2.3.1.2", .series_number = "3"};
    rvl_workers      *w = pool(2);
    rvl_volume       *v = NULL;
    rvl_error         why = {0};

    SKIP_WITHOUT_DICOM();
    write_stack(*state, "a", 3, true);
    dicom_write(*state, "kill-pixels", &bad);
    dicom_write(*state, "other", &other);
    rvl_dicom_scan *s = scan(*state, w);
    assert_int_equal(rvl_dicom_scan_count(s), 2);
    assert_int_equal(rvl_dicom_scan_load(&v, s, 0, &why), RVL_ERR_FORMAT);
    assert_null(v);
    assert_non_null(strstr(why.text, "kill-pixels': it crashed the decoder (SIGSEGV)"));
    OK(rvl_dicom_scan_load(&v, s, 1, &err)); /* the workers serve on */
    rvl_volume_free(v);
    rvl_dicom_scan_close(s);
    rvl_workers_close(w);
}

/* ---- planes one by one ---------------------------------------------------------------------------------------- */

typedef struct {
    rvl_volume facts;
    int16_t    voxels[64 * 6];
    int        n_begun, fails_at; /* plane that fails, -1 for none */
    bool       has_plane[64];
} taken;

static rvl_status take_begin(void *context, const rvl_volume *facts, rvl_error *err)
{
    taken *t = context;

    (void)err;
    assert_null(facts->voxels);
    t->facts = *facts;
    t->n_begun++;
    return RVL_OK;
}

static rvl_status take_plane(void *context, int64_t z, const void *voxels, size_t n_bytes, rvl_error *err)
{
    taken *t = context;

    if (z == t->fails_at)
        return rvl_fail(err, RVL_ERR_IO, "no more room");
    memcpy(t->voxels + z * 6, voxels, n_bytes);
    t->has_plane[z] = true;
    return RVL_OK;
}

static rvl_status stream(taken *t, bool *is_done, const char *folder, int fails_at, rvl_error *err)
{
    const rvl_plane_sink sink = {take_begin, take_plane, t};
    rvl_dicom_scan      *s = scan(folder, NULL);

    *t = (taken){.fails_at = fails_at};
    rvl_status st = rvl_dicom_scan_stream(is_done, s, 0, &sink, err);
    rvl_dicom_scan_close(s);
    return st;
}

static void stream__gives_the_planes_of_the_volume(void **state)
{
    taken       t;
    bool        is_done = false;
    rvl_volume *v = NULL;
    rvl_error   why = {0};

    SKIP_WITHOUT_DICOM();
    write_stack(*state, "f", 40, false);
    assert_int_equal(stream(&t, &is_done, *state, -1, &why), RVL_OK);
    assert_true(is_done);
    rvl_dicom_scan *s = scan(*state, NULL);
    OK(rvl_dicom_scan_load(&v, s, 0, &err));
    rvl_dicom_scan_close(s);
    assert_int_equal(t.n_begun, 1);
    for (int z = 0; z < 40; z++)
        assert_true(t.has_plane[z]);
    t.facts.voxels = t.voxels;
    expect_same_volume(&t.facts, v);
    rvl_volume_free(v);
    assert_int_equal(stream(&t, &is_done, *state, 7, &why), RVL_ERR_IO);
    assert_false(is_done);
    assert_string_equal(why.text, "no more room");
}

static void stream__leaves_what_needs_more_to_be_loaded(void **state)
{
    const dicom_slice last = {.z = 6, .value = 1003, .description = "chest"};
    dicom_slice       other = last;
    taken             t;
    bool              is_done = true;

    SKIP_WITHOUT_DICOM();
    write_stack(*state, "f", 3, false);
    other.is_big_endian = true; /* a decoder */
    dicom_write(*state, "g", &other);
    OK(stream(&t, &is_done, *state, -1, &err));
    assert_false(is_done);
    assert_int_equal(t.n_begun, 0);
    other = last, other.slope = 0.5, other.intercept = 0; /* no whole numbers */
    dicom_write(*state, "g", &other);
    OK(stream(&t, &is_done, *state, -1, &err));
    assert_false(is_done);
    other = last, other.slope = 1, other.intercept = 40000; /* beyond 16 bits */
    dicom_write(*state, "g", &other);
    OK(stream(&t, &is_done, *state, -1, &err));
    assert_false(is_done);
    dicom_write(*state, "g", &last);
    OK(stream(&t, &is_done, *state, -1, &err));
    assert_true(is_done);
}

static char *save(const char *folder, const char *name, const rvl_volume *v)
{
    char *path = rvl_path_join(folder, name);

    assert_non_null(path);
    if (strstr(name, ".png"))
        OK(rvl_png_save(v, path, &err));
    else
        OK(rvl_nifti_save(v, path, &err));
    return path;
}

static void volume__by_a_worker_is_the_volume_of_this_process(void **state)
{
    const rvl_volume_opts opts = rvl_volume_opts_default();
    rvl_preprocess        spec = rvl_preprocess_default(RVL_MODALITY_CXR, 8, 8);
    rvl_volume           *v = chest_volume(3, true);
    rvl_volume           *here = NULL;
    rvl_volume           *apart = NULL;
    rvl_workers          *w = pool(1);
    int64_t               n = 1;

    assert_non_null(v);
    char *path = save(*state, "a.nii.gz", v);
    OK(rvl_volume_load(&here, NULL, path, &opts, NULL, &err));
    OK(rvl_volume_load_apart(&apart, &n, w, path, &opts, &err));
    expect_same_volume(here, apart);
    assert_int_equal(n, 0);
    rvl_volume_free(here);
    rvl_volume_free(apart);
    OK(rvl_volume_load_apart(&apart, &n, NULL, path, &opts, &err)); /* without workers: here */
    rvl_volume_free(apart);
    rvl_free(path);
    rvl_volume_free(v);

    OK(rvl_volume_new(&v, RVL_VOXEL_U8, 1, 5, 7, &err));
    ((uint8_t *)v->voxels)[9] = 200;
    path = save(*state, "a.png", v);
    OK(rvl_preprocess_load(&here, &spec, path, NULL, &err));
    OK(rvl_preprocess_load_apart(&apart, w, &spec, path, &err));
    expect_same_volume(here, apart);
    rvl_volume_free(here);
    rvl_volume_free(apart);
    rvl_free(path);
    rvl_volume_free(v);
    rvl_workers_close(w);
}

static void expect_failure(const char *folder, const char *name, rvl_status status, const char *phrase)
{
    const rvl_volume_opts opts = rvl_volume_opts_default();
    rvl_volume           *v = chest_volume(1, false);
    rvl_volume           *out = NULL;
    rvl_workers          *w = pool(1);
    rvl_error             err = {0};
    int64_t               n = 0;

    assert_non_null(v);
    char *path = save(folder, name, v);
    assert_int_equal(rvl_volume_load_apart(&out, &n, w, path, &opts, &err), status);
    assert_null(out);
    if (!strstr(err.text, phrase) || !strstr(err.text, name))
        fail_msg("'%s', expected '%s' of '%s'", err.text, phrase, name);
    rvl_free(path);
    rvl_volume_free(v);
    rvl_workers_close(w);
}

static void volume__that_kills_or_lies_is_an_error(void **state)
{
    expect_failure(*state, "kill-pixels.nii", RVL_ERR_FORMAT, "it crashed the decoder (SIGSEGV)");
    expect_failure(*state, "make-hang.nii", RVL_ERR_LIMIT, "took more than 2 s");
    expect_failure(*state, "make-short.nii", RVL_ERR_FORMAT, "broken answer");
    rvl_volume           *out = NULL;
    rvl_workers          *w = pool(1);
    const rvl_volume_opts opts = rvl_volume_opts_default();
    rvl_error             err = {0};
    int64_t               n = 0;
    assert_int_equal(rvl_volume_load_apart(&out, &n, w, "/nowhere/a.nii", &opts, &err), RVL_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "/nowhere/a.nii"));
    rvl_workers_close(w);
}

static void verbs__name_the_file_that_kills(void **state)
{
    const dicom_slice       bad = {.z = 100};
    rvl_convert_opts        one = rvl_convert_opts_default();
    rvl_convert_series_opts all = rvl_convert_series_opts_default();
    rvl_convert_result      r;
    rvl_volume             *v = chest_volume(1, false);
    rvl_error               why = {0};
    char                   *json = NULL;

    assert_non_null(v);
    char *path = save(*state, "kill-pixels.nii", v);
    char *out = rvl_path_join(*state, "out.nii");
    assert_int_equal(rvl_inspect_run(&json, path, true, &why), RVL_ERR_FORMAT);
    assert_non_null(strstr(why.text, "kill-pixels.nii': it crashed the decoder (SIGSEGV)"));
    one.input = path;
    one.out = out;
    assert_int_equal(rvl_convert_run(&r, &one, &why), RVL_ERR_FORMAT);
    assert_non_null(strstr(why.text, "kill-pixels.nii': it crashed the decoder (SIGSEGV)"));
    assert_false(rvl_path_exists(out));
    rvl_free(path);
    rvl_volume_free(v);
    if (dicom_is_built()) {
        rvl_convert_series_result many;
        write_stack(*state, "dicom/", 5, false);
        dicom_write(*state, "dicom/kill-header", &bad);
        path = rvl_path_join(*state, "dicom");
        all.input = path;
        all.out = *state;
        OK(rvl_convert_series_run(&many, &all, &err));
        assert_int_equal(many.n_written, 1);
        assert_int_equal(many.n_failed, 1);
        assert_non_null(strstr(many.json, "it crashed the decoder (SIGSEGV)"));
        rvl_text_free(many.json);
        OK(rvl_inspect_run(&json, path, false, &err));
        assert_non_null(strstr(json, "it crashed the decoder (SIGSEGV)"));
        rvl_text_free(json);
        rvl_free(path);
    }
    rvl_free(out);
}

static void workers__are_not_given_what_only_this_process_can_open(void **state)
{
    rvl_workers *w = rvl__workers_for(*state, 2);

    assert_non_null(w);
    assert_int_equal(rvl_workers_count(w), 2);
    rvl_workers_close(w);
    assert_null(rvl__workers_for("/dev/stdin", 1));
    assert_null(rvl__workers_for("/dev/fd/0", 1));
    assert_null(rvl__workers_for("/dev/null", 1));
    assert_null(rvl__workers_for("/nowhere", 1));
    setenv("RVL_WORKER", "off", 1);
    assert_null(rvl__workers_for(*state, 1));
    unsetenv("RVL_WORKER");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(scan__by_workers_is_the_scan_of_this_process, temp_setup, temp_teardown),
        cmocka_unit_test(pack__by_workers_is_the_pack_of_this_process),
        cmocka_unit_test_setup_teardown(header__that_kills_costs_its_file, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(pixels__that_kill_cost_their_stack, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(stream__gives_the_planes_of_the_volume, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(stream__leaves_what_needs_more_to_be_loaded, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(volume__by_a_worker_is_the_volume_of_this_process, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(volume__that_kills_or_lies_is_an_error, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(verbs__name_the_file_that_kills, temp_setup, temp_teardown),
        cmocka_unit_test_setup_teardown(workers__are_not_given_what_only_this_process_can_open, temp_setup,
                                        temp_teardown),
    };
    int code;

    if (rvl_worker_main(&code, argc, argv, handle))
        return code;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
