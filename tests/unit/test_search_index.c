/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_search_index.c
 * Search against sorting all scores, the index file there and back, merging, refusals, and the contact sheet.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "engine/safetensors.h"
#include "search/index.h"
#include "search/sheet.h"
#include <math.h>

static char        dir[PATH_BYTES];
static char        path[PATH_BYTES + 16];
static const char *findings[] = {"nodule", "edema"};

static int dir_make(void **state)
{
    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/x.safetensors", dir);
    return 0;
}

static int dir_remove(void **state)
{
    (void)state;
    temp_dir_remove(dir);
    return 0;
}

/* `n` cases "c0", "c1", ... that have both modalities. */
static rvl_index_case *cases_new(int64_t n)
{
    rvl_index_case *cases = calloc((size_t)n, sizeof *cases);

    for (int64_t i = 0; i < n; i++) {
        char *id = malloc(24);
        snprintf(id, 24, "c%lld", (long long)i);
        cases[i] = (rvl_index_case){.case_id = id,
                                    .split = "",
                                    .snippet = "",
                                    .cohort = "",
                                    .pack_row = i,
                                    .has_image = true,
                                    .has_text = true};
    }
    return cases;
}

static void cases_free(rvl_index_case *cases, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        free((void *)(uintptr_t)cases[i].case_id);
    free(cases);
}

static rvl_index *save_open(const rvl_index_data *d)
{
    rvl_index *x = NULL;
    rvl_error  err = {0};

    if (rvl_index_save(path, d, &err) || rvl_index_open(&x, path, &err))
        fail_msg("%s", err.text);
    return x;
}

typedef struct {
    double  score;
    int64_t i;
} scored;

static int scored_compare(const void *a, const void *b)
{
    const scored *x = a;
    const scored *y = b;
    if (x->score != y->score)
        return x->score > y->score ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

/* Score as the definition says, no blocks, no heap. */
static double plain_score(const float *a, const float *b, int64_t n, rvl_similarity s, double scale)
{
    double ab = 0.0;
    double aa = 0.0;
    double bb = 0.0;

    for (int64_t e = 0; e < n; e++) {
        ab += (double)a[e] * b[e];
        aa += (double)a[e] * a[e];
        bb += (double)b[e] * b[e];
    }
    return s == RVL_SIMILARITY_COSINE ? ab / sqrt(aa) / sqrt(bb) : s == RVL_SIMILARITY_SCALED ? ab * scale : ab;
}

static void brute_force_compare(int64_t n, int64_t n_embed, int64_t n_queries, int k, rvl_similarity s, bool integers)
{
    rvl_rng         r = rvl_rng_make(7, (uint64_t)(n * 1000 + n_embed));
    float          *gallery = calloc((size_t)(n * n_embed), sizeof *gallery);
    float          *queries = calloc((size_t)(n_queries * n_embed), sizeof *queries);
    int64_t        *exclude = calloc((size_t)n_queries, sizeof *exclude);
    rvl_hit        *hits = calloc((size_t)(n_queries * k), sizeof *hits);
    int            *n_hits = calloc((size_t)n_queries, sizeof *n_hits);
    scored         *all = calloc((size_t)n, sizeof *all);
    rvl_index_case *cases = cases_new(n);
    rvl_error       err = {0};

    for (int64_t i = 0; i < n * n_embed; i++) /* small integers: many exact ties */
        gallery[i] = integers ? (float)(rvl_rng_below(&r, 3) - 1) : (float)rvl_rng_normal(&r);
    for (int64_t i = 0; i < n_queries * n_embed; i++)
        queries[i] = integers ? (float)(rvl_rng_below(&r, 3) - 1) : (float)rvl_rng_normal(&r);
    for (int64_t q = 0; q < n_queries; q++)
        exclude[q] = q % 3 == 0 ? -1 : q % n;
    rvl_index_data  d = {.model = "m",
                         .similarity = s,
                         .scale = 14.25,
                         .n_cases = n,
                         .n_embed = n_embed,
                         .cases = cases,
                         .text = gallery};
    rvl_index      *x = save_open(&d);
    rvl_index_query query = {.vectors = queries,
                             .n_queries = n_queries,
                             .n_embed = n_embed,
                             .k = k,
                             .modality = RVL_INDEX_TEXT,
                             .exclude = exclude};
    assert_int_equal(rvl_index_search(hits, n_hits, x, &query, &err), RVL_OK);
    for (int64_t q = 0; q < n_queries; q++) {
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++)
            if (i != exclude[q])
                all[m++] = (scored){plain_score(queries + q * n_embed, gallery + i * n_embed, n_embed, s, 14.25), i};
        qsort(all, (size_t)m, sizeof *all, scored_compare);
        assert_int_equal(n_hits[q], m < k ? m : k);
        for (int i = 0; i < n_hits[q]; i++) {
            const rvl_hit *h = &hits[q * k + i];
            assert_true(fabs(h->score - all[i].score) < 1e-12 * (1.0 + fabs(all[i].score)));
            assert_int_equal(h->i_case, all[i].i);
        }
    }
    rvl_index_close(x);
    cases_free(cases, n);
    free(gallery);
    free(queries);
    free(exclude);
    free(hits);
    free(n_hits);
    free(all);
}

static void search__equals_sorting_all_scores(void **state)
{
    static const int64_t sizes[][4] = {{1, 1, 1, 1},   {1, 3, 2, 4},      {7, 5, 3, 7},
                                       {33, 8, 17, 5}, {257, 19, 40, 10}, {100, 16, 16, 100}};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(sizes); i++) {
        brute_force_compare(sizes[i][0], sizes[i][1], sizes[i][2], (int)sizes[i][3], RVL_SIMILARITY_COSINE, false);
        brute_force_compare(sizes[i][0], sizes[i][1], sizes[i][2], (int)sizes[i][3], RVL_SIMILARITY_DOT, true);
        brute_force_compare(sizes[i][0], sizes[i][1], sizes[i][2], (int)sizes[i][3], RVL_SIMILARITY_SCALED, true);
    }
}

/* Three cases worked out by hand: cosine to (3, 4) is 1, 0.6 and 0.8. */
static const float hand[] = {6.0f, 8.0f, 1.0f, 0.0f, 0.0f, 2.0f};

static rvl_index_data hand_data(const rvl_index_case *cases)
{
    return (rvl_index_data){.model = "0123abcd",
                            .similarity = RVL_SIMILARITY_COSINE,
                            .scale = 1.0,
                            .n_cases = 3,
                            .n_embed = 2,
                            .cases = cases,
                            .image = hand};
}

static void search__ranks_the_hand_made_cases(void **state)
{
    rvl_index_case *cases = cases_new(3);
    rvl_index_data  d = hand_data(cases);
    const float     query[] = {0.3f, 0.4f};
    const uint8_t   allowed[] = {1, 1, 0};
    const int64_t   exclude[] = {0};
    rvl_hit         hits[3];
    int             n = 0;
    rvl_error       err = {0};
    rvl_index      *x = save_open(&d);
    rvl_index_query q = {.vectors = query, .n_queries = 1, .n_embed = 2, .k = 3, .modality = RVL_INDEX_IMAGE};

    (void)state;
    assert_int_equal(rvl_index_search(hits, &n, x, &q, &err), RVL_OK);
    assert_int_equal(n, 3);
    assert_int_equal(hits[0].i_case, 0);
    assert_int_equal(hits[1].i_case, 2);
    assert_int_equal(hits[2].i_case, 1);
    assert_true(fabs(hits[0].score - 1.0) < 1e-7 && fabs(hits[1].score - 0.8) < 1e-7 &&
                fabs(hits[2].score - 0.6) < 1e-7);
    q.allowed = allowed;
    q.exclude = exclude;
    assert_int_equal(rvl_index_search(hits, &n, x, &q, &err), RVL_OK);
    assert_int_equal(n, 1);
    assert_int_equal(hits[0].i_case, 1);
    q.modality = RVL_INDEX_TEXT;
    assert_int_equal(rvl_index_search(hits, &n, x, &q, &err), RVL_ERR_NOT_FOUND);
    rvl_index_close(x);
    cases_free(cases, 3);
}

static void search__refuses_bad_queries(void **state)
{
    rvl_index_case *cases = cases_new(3);
    rvl_index_data  d = hand_data(cases);
    float           query[] = {0.0f, 0.0f, 1.0f, 1.0f};
    rvl_hit         hits[8];
    int             n[2];
    rvl_error       err = {0};
    rvl_index      *x = save_open(&d);
    rvl_index_query q = {.vectors = query, .n_queries = 1, .n_embed = 2, .k = 3, .modality = RVL_INDEX_IMAGE};

    (void)state;
    assert_int_equal(rvl_index_search(hits, n, x, &q, &err), RVL_ERR_NUMERIC); /* no direction */
    query[1] = NAN;
    assert_int_equal(rvl_index_search(hits, n, x, &q, &err), RVL_ERR_NUMERIC);
    query[1] = 1.0f;
    q.n_embed = 3;
    assert_int_equal(rvl_index_search(hits, n, x, &q, &err), RVL_ERR_SHAPE);
    q.n_embed = 2;
    q.k = 0;
    assert_int_equal(rvl_index_search(hits, n, x, &q, &err), RVL_ERR_USAGE);
    rvl_index_close(x);
    cases_free(cases, 3);
}

static void index__comes_back_as_it_was_saved(void **state)
{
    static const uint8_t labels[3][2] = {{1, 0}, {2, 3}, {0, 1}};
    static const float   text[] = {1.0f, 2.0f, 3.0f, 4.0f, 0.0f, 0.0f};
    rvl_index_case      *cases = cases_new(3);
    rvl_index_data       d = hand_data(cases);
    rvl_error            err = {0};

    (void)state;
    cases[0].split = "test";
    cases[0].snippet = "Large <effusion> & \"more\" \xc3\xa9.";
    cases[0].cohort = "cohort/a";
    cases[0].pack_row = 41;
    cases[0].labels = labels[0];
    cases[1].labels = labels[1];
    cases[2].has_text = false;
    d.text = text;
    d.n_findings = 2;
    d.findings = findings;
    d.scale = 0.1;
    d.similarity = RVL_SIMILARITY_SCALED;
    rvl_index            *x = save_open(&d);
    const rvl_index_data *g = rvl_index_get(x);
    assert_string_equal(g->model, "0123abcd");
    assert_int_equal(g->similarity, RVL_SIMILARITY_SCALED);
    assert_true(g->scale == 0.1);
    assert_int_equal(g->n_cases, 3);
    assert_int_equal(g->n_embed, 2);
    assert_memory_equal(g->image, hand, sizeof hand);
    assert_memory_equal(g->text, text, sizeof text);
    assert_int_equal(g->n_findings, 2);
    assert_string_equal(g->findings[1], "edema");
    assert_string_equal(g->cases[0].snippet, cases[0].snippet);
    assert_string_equal(g->cases[0].split, "test");
    assert_string_equal(g->cases[0].cohort, "cohort/a");
    assert_int_equal(g->cases[0].pack_row, 41);
    assert_memory_equal(g->cases[1].labels, labels[1], 2);
    assert_null(g->cases[2].labels);
    assert_true(g->cases[1].has_text);
    assert_false(g->cases[2].has_text);
    assert_int_equal(rvl_index_find(x, "c1"), 1);
    assert_int_equal(rvl_index_find(x, "c7"), -1);
    assert_int_equal(rvl_index_check_model(x, "0123abcd", &err), RVL_OK);
    assert_int_equal(rvl_index_check_model(x, "ffff", &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "0123abcd"));

    const float     query[] = {1.0f, 1.0f};
    rvl_hit         hits[3];
    int             n = 0;
    rvl_index_query q = {.vectors = query, .n_queries = 1, .n_embed = 2, .k = 3, .modality = RVL_INDEX_TEXT};
    assert_int_equal(rvl_index_search(hits, &n, x, &q, &err), RVL_OK);
    assert_int_equal(n, 2); /* the case without a report is no hit */
    assert_int_equal(hits[0].i_case, 1);
    assert_true(fabs(hits[0].score - 0.7) < 1e-12);
    rvl_index_close(x);
    cases_free(cases, 3);
}

static void save__refuses_values_that_are_not_finite_and_double_ids(void **state)
{
    rvl_index_case *cases = cases_new(3);
    rvl_index_data  d = hand_data(cases);
    float           bad[6] = {1.0f, 1.0f, 1.0f, INFINITY, 1.0f, 1.0f};
    rvl_error       err = {0};

    (void)state;
    (void)remove(path);
    d.image = bad;
    assert_int_equal(rvl_index_save(path, &d, &err), RVL_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "'c1'"));
    bad[3] = 1.0f;
    d.text = bad;
    bad[5] = NAN;
    assert_int_equal(rvl_index_save(path, &d, &err), RVL_ERR_NUMERIC);
    bad[5] = 1.0f;
    const char *own = cases[2].case_id;
    cases[2].case_id = "c0";
    assert_int_equal(rvl_index_save(path, &d, &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "'c0'"));
    cases[2].case_id = own;
    d.image = d.text = NULL;
    assert_int_equal(rvl_index_save(path, &d, &err), RVL_ERR_NOT_FOUND);
    assert_false(rvl_path_exists(path));
    cases_free(cases, 3);
}

static void append__replaces_known_cases_and_adds_others(void **state)
{
    static const float more_image[] = {-1.0f, -1.0f, 9.0f, 9.0f};
    static const float more_text[] = {5.0f, 6.0f, 7.0f, 8.0f};
    rvl_index_case    *cases = cases_new(3);
    rvl_index_case    *more_cases = cases_new(2);
    rvl_index_data     d = hand_data(cases);
    rvl_index_data     more = d;
    rvl_index         *x = NULL;
    rvl_error          err = {0};
    const char        *own = more_cases[0].case_id;

    (void)state;
    (void)remove(path);
    assert_int_equal(rvl_index_append(path, &d, &err), RVL_OK); /* made, for there was none */
    more_cases[0].case_id = "c9";
    more_cases[1].snippet = "new";
    more.n_cases = 2;
    more.cases = more_cases;
    more.image = more_image;
    more.text = more_text;
    assert_int_equal(rvl_index_append(path, &more, &err), RVL_OK);
    assert_int_equal(rvl_index_open(&x, path, &err), RVL_OK);
    const rvl_index_data *g = rvl_index_get(x);
    const float           want_image[] = {6, 8, 9, 9, 0, 2, -1, -1};
    const float           want_text[] = {0, 0, 7, 8, 0, 0, 5, 6};
    assert_int_equal(g->n_cases, 4);
    assert_memory_equal(g->image, want_image, sizeof want_image);
    assert_memory_equal(g->text, want_text, sizeof want_text);
    assert_string_equal(g->cases[3].case_id, "c9");
    assert_string_equal(g->cases[1].snippet, "new");
    assert_false(g->cases[0].has_text);
    assert_true(g->cases[1].has_text);
    rvl_index_close(x);

    more.model = "other";
    assert_int_equal(rvl_index_append(path, &more, &err), RVL_ERR_STATE);
    assert_non_null(strstr(err.text, "other"));
    more.model = d.model;
    more.similarity = RVL_SIMILARITY_DOT;
    assert_int_equal(rvl_index_append(path, &more, &err), RVL_ERR_STATE);
    more.similarity = d.similarity;
    more.n_findings = 2;
    more.findings = findings;
    assert_int_equal(rvl_index_append(path, &more, &err), RVL_ERR_STATE);
    more_cases[0].case_id = own;
    cases_free(cases, 3);
    cases_free(more_cases, 2);
}

/* Save two vectors with metadata of our own making and open them as an index. */
static rvl_status open_made(const char *key, const char *value, const char *said)
{
    static float  values[] = {1.0f, 2.0f};
    const int64_t shape[] = {1, 2};
    const char   *names[] = {"image"};
    rvl_tensor   *t = NULL;
    rvl_index    *x = NULL;
    rvl_error     err = {0};
    json_t       *m = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s,s:s}", "rvl.format", "rvl.index/1", "rvl.model", "m",
                                "rvl.similarity", "dot", "rvl.scale", "1", "ids", "[\"a\"]", "findings", "[\"f\"]", "cases",
                                "[{\"image\":true,\"labels\":\"1\"}]");

    if (key && value)
        json_object_set_new(m, key, json_string(value));
    else if (key)
        json_object_del(m, key);
    assert_int_equal(rvl_tensor_borrow(&t, RVL_DTYPE_F32, 2, shape, values, &err), RVL_OK);
    assert_int_equal(rvl_safetensors_save(path, 1, names, (const rvl_tensor *const *)&t, m, &err), RVL_OK);
    rvl_status st = rvl_index_open(&x, path, &err);
    if (st && !strstr(err.text, said))
        fail_msg("'%s' does not say '%s'", err.text, said);
    rvl_index_close(x);
    rvl_tensor_free(t);
    json_decref(m);
    return st;
}

static void open__refuses_files_that_do_not_add_up(void **state)
{
    rvl_index *x = NULL;
    rvl_error  err = {0};

    (void)state;
    assert_int_equal(open_made(NULL, NULL, ""), RVL_OK);
    assert_int_equal(open_made("rvl.format", "rvl.bundle/1", "rvl.index/1"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("rvl.format", NULL, "rvl.index/1"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("rvl.model", NULL, "rvl.model"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("rvl.scale", "nan", "rvl.scale"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("rvl.similarity", "near", "similarity"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("ids", "[\"a\",\"b\"]", "number"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("ids", "[7]", "case 0"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("ids", "[\"a\"", "ids"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("ids", "{}", "ids"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("cases", "[]", "number"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("cases", NULL, "cases"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("cases", "[{\"labels\":\"11\"}]", "labels"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("cases", "[{\"labels\":\"4\"}]", "labels"), RVL_ERR_FORMAT);
    assert_int_equal(open_made("findings", "[1]", "finding"), RVL_ERR_FORMAT);
    assert_int_equal(rvl_file_write(path, "short", 5, &err), RVL_OK);
    assert_int_equal(rvl_index_open(&x, path, &err), RVL_ERR_FORMAT);
    assert_null(x);
}

static void sheet__holds_pictures_and_escapes_texts(void **state)
{
    static const uint8_t labels[2] = {1, 3};
    uint8_t              pixels[64];
    rvl_index_case      *cases = cases_new(3);
    rvl_index_data       d = hand_data(cases);
    const rvl_hit        hits[] = {{2, 0.875}, {0, 0.5}};
    rvl_str              s = {0};
    rvl_error            err = {0};

    (void)state;
    for (int i = 0; i < 64; i++)
        pixels[i] = (uint8_t)(4 * i);
    const rvl_thumbnail thumbnails[] = {{pixels, 8, 8}, {NULL, 0, 0}};
    cases[2].snippet = "<script>alert(1)</script>";
    cases[2].labels = labels;
    d.findings = findings;
    d.n_findings = 2;
    rvl_sheet sheet = {.query = "effusion & \"more\"",
                       .query_image = {pixels, 8, 8},
                       .data = &d,
                       .n_hits = 2,
                       .hits = hits,
                       .thumbnails = thumbnails};
    assert_int_equal(rvl_search_html(&s, &sheet, &err), RVL_OK);
    assert_false(s.failed);
    assert_null(strstr(s.ptr, "<script"));
    assert_non_null(strstr(s.ptr, "&lt;script&gt;alert(1)"));
    assert_non_null(strstr(s.ptr, "effusion &amp; &quot;more&quot;"));
    assert_non_null(strstr(s.ptr, "1. c2"));
    assert_non_null(strstr(s.ptr, "0.8750"));
    assert_non_null(strstr(s.ptr, "present:</b> nodule<"));
    assert_non_null(strstr(s.ptr, "uncertain:</b> edema<"));
    assert_true(strstr(s.ptr, "2. c0") > strstr(s.ptr, "1. c2"));
    int n_images = 0; /* a JPEG begins ff d8 ff: "/9j/" in base64 */
    for (const char *at = s.ptr; (at = strstr(at, "data:image/jpeg;base64,/9j/")) != NULL; at++)
        n_images++;
    assert_int_equal(n_images, 2);
    assert_non_null(strstr(s.ptr, "</html>"));
    rvl_str_free(&s);
    cases_free(cases, 3);
}

static void index__survives_every_failed_allocation(void **state)
{
    rvl_index_case *cases = cases_new(3);
    rvl_index_data  d = hand_data(cases);
    size_t          live = rvl_alloc_get_stats().live_bytes;
    bool            done = false;

    (void)state;
    d.findings = findings;
    d.n_findings = 2;
    for (uint64_t nth = 1; nth < 2000 && !done; nth++) {
        rvl_index *x = NULL;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_index_append(path, &d, NULL);
        if (!st)
            st = rvl_index_append(path, &d, NULL);
        if (!st)
            st = rvl_index_open(&x, path, NULL);
        rvl_alloc_fail_at(0);
        done = st == RVL_OK;
        if (!done)
            assert_int_equal(st, RVL_ERR_NOMEM);
        rvl_index_close(x);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
        (void)remove(path);
    }
    assert_true(done);
    cases_free(cases, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search__equals_sorting_all_scores),
        cmocka_unit_test(search__ranks_the_hand_made_cases),
        cmocka_unit_test(search__refuses_bad_queries),
        cmocka_unit_test(index__comes_back_as_it_was_saved),
        cmocka_unit_test(save__refuses_values_that_are_not_finite_and_double_ids),
        cmocka_unit_test(append__replaces_known_cases_and_adds_others),
        cmocka_unit_test(open__refuses_files_that_do_not_add_up),
        cmocka_unit_test(sheet__holds_pictures_and_escapes_texts),
        cmocka_unit_test(index__survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
