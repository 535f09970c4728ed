/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_measure_dialects.c
 * Retrieval dialects [ct-clip], [spectre] and the clean Jaccard mean against tests/golden/retrieval_dialects.py, by
 * hand.
 */
#include "support.h"
#include "base/rng.h"
#include "measure/average_precision.h"
#include "measure/jaccard.h"
#include "measure/retrieval.h"
#include <math.h>
#include "golden/retrieval_dialects.h"

enum { MAX_N = 130, MAX_E = 12, MAX_F = 70 };
static const int64_t map_ks[] = {1, 5, 10, 50}, recall_ks[] = {5, 10, 50, 100};

typedef struct {
    float   image[MAX_N * MAX_E], text[MAX_N * MAX_E];
    uint8_t present[MAX_N * MAX_F];
    int64_t patient[MAX_N];
    int     n, e, f;
} cohort;

static void draw_embeddings(float *x, int n, int e, bool ties, uint64_t seed, uint64_t stream)
{
    rvl_rng r = rvl_rng_make(seed, stream);

    for (int i = 0; i < n; i++) {
        bool is_zero = true;
        for (int d = 0; d < e; d++) {
            x[i * e + d] = (float)(ties ? floor(8 * rvl_rng_uniform(&r) - 4) : rvl_rng_normal(&r));
            is_zero = is_zero && x[i * e + d] == 0;
        }
        for (int d = 0; is_zero && d < e; d++)
            x[i * e + d] = 1;
    }
}

static void draw(cohort *c, size_t i)
{
    const uint64_t seed = 900 + i;
    rvl_rng        r[2] = {rvl_rng_make(seed, 2), rvl_rng_make(seed, 3)};

    c->n = dialect_golden[i].n;
    c->e = dialect_golden[i].e;
    c->f = dialect_golden[i].f;
    draw_embeddings(c->image, c->n, c->e, dialect_golden[i].ties, seed, 1);
    draw_embeddings(c->text, c->n, c->e, dialect_golden[i].ties, seed, 4);
    for (int j = 0; j < c->n * c->f; j++)
        c->present[j] = rvl_rng_uniform(&r[0]) < 0.2;
    for (int j = 0; j < c->n; j++)
        c->patient[j] = (int64_t)floor(rvl_rng_uniform(&r[1]) * c->n / 2);
}

static void same(double got, double want, const char *what, size_t i, int q)
{
    if (isnan(want) ? !isnan(got) : !(fabs(got - want) < 1e-12))
        fail_msg("case %zu %s %d: %.17g is not %.17g", i, what, q, got, want);
}

static rvl_labelled_images images_of(const cohort *c)
{
    return (rvl_labelled_images){c->n, c->e, c->image, c->f, c->present, c->patient, true};
}

static void jaccard_means__equal_the_reference(void **state)
{
    static cohort c;
    double        at[4 * MAX_N], chance[MAX_N], mean[4], printed[4];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(dialect_golden); i++) {
        draw(&c, i);
        rvl_labelled_images p = images_of(&c);
        p.cosine = false; /* [ct-clip] takes the cosine all the same */
        OK(rvl_jaccard_at(at, chance, &p, RVL_JACCARD_CT_CLIP, map_ks, 4, &err));
        for (int q = 0; q < 4; q++)
            same(mean[q] = rvl_mean_defined(at + q * c.n, NULL, c.n), dialect_golden[i].ct_clip[q], "ct-clip", i, q);
        rvl_jaccard_printed(printed, mean, 4);
        for (int q = 0; q < 4; q++)
            same(printed[q], dialect_golden[i].printed[q], "printed", i, q);
        same(rvl_mean_defined(chance, NULL, c.n), dialect_golden[i].ct_clip_chance, "any order", i, 0);
        p.cosine = true;
        OK(rvl_jaccard_at(at, chance, &p, RVL_JACCARD_CLEAN, map_ks, 4, &err));
        for (int q = 0; q < 4; q++)
            same(rvl_mean_defined(at + q * c.n, NULL, c.n), dialect_golden[i].clean[q], "clean", i, q);
        same(rvl_mean_defined(chance, NULL, c.n), dialect_golden[i].clean_chance, "clean any order", i, 0);
    }
}

static rvl_relevance same_labels(const void *context, int64_t i, int64_t j)
{
    const cohort *c = context;

    if (i == j)
        return RVL_RELEVANCE_BARRED;
    return memcmp(c->present + i * c->f, c->present + j * c->f, (size_t)c->f) ? RVL_RELEVANCE_NO : RVL_RELEVANCE_YES;
}

static void spectre_map__equals_the_reference(void **state)
{
    static cohort c;
    double        ap[4 * MAX_N], chance[4 * MAX_N];
    int           n_cases = 0;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(dialect_golden); i++) {
        int n_queries = 0;
        if (dialect_golden[i].ties)
            continue;
        draw(&c, i);
        const rvl_ranking r = {c.image, c.image, c.n, c.n, c.e, true, same_labels, &c};
        OK(rvl_average_precision_at(ap, chance, &r, map_ks, 4, &err));
        for (int j = 0; j < c.n; j++)
            n_queries += !isnan(ap[j]);
        assert_int_equal(n_queries, dialect_golden[i].n_spectre);
        for (int q = 0; q < 4; q++)
            same(rvl_mean_defined(ap + q * c.n, NULL, c.n), dialect_golden[i].spectre[q], "spectre", i, q);
        n_cases += n_queries > 0;
    }
    assert_true(n_cases >= 2);
}

static void report_recall__equals_the_reference(void **state)
{
    static cohort c;
    int64_t       ct_clip[MAX_N], *rank[RVL_GALLERY_COUNT] = {NULL};

    (void)state;
    rank[RVL_GALLERY_CT_CLIP] = ct_clip;
    for (size_t i = 0; i < RVL_ARRAY_LEN(dialect_golden); i++) {
        draw(&c, i);
        const rvl_retrieval r = {.query = c.text, .gallery = c.image, .n = c.n, .e = c.e};
        OK(rvl_retrieval_ranks(rank, &r, &err));
        for (int q = 0; q < 4; q++)
            same(rvl_recall_at(ct_clip, NULL, c.n, recall_ks[q]), dialect_golden[i].recall[q], "recall", i, q);
    }
}

/* Four images on a line of angles; the last has no finding. */
static void jaccard_means__by_hand(void **state)
{
    const float         x[] = {1, 0, 1, 0.1F, 1, 0.3F, 1, 0.05F};
    const uint8_t       present[] = {1, 1, 0, 1, 0, 0, 1, 0, 1, 0, 0, 0};
    const int64_t       patient[] = {0, 0, 1, 2}, ks[] = {1, 2};
    rvl_labelled_images p = {4, 2, x, 3, present, patient, true};
    double              at[8], any[4];

    (void)state;
    OK(rvl_jaccard_at(at, any, &p, RVL_JACCARD_CT_CLIP, ks, 2, &err));
    assert_true(at[0] == 1 && at[1] == 1 && at[2] == 1); /* themselves */
    assert_true(at[3] == 0);                             /* an image without findings has nothing in common */
    assert_true(at[4] == (1 + 0.5) / 2 && at[5] == (1 + 0.5) / 2);
    assert_true(any[0] == (0.5 + 1.0 / 3) / 2);
    OK(rvl_jaccard_at(at, any, &p, RVL_JACCARD_CLEAN, ks, 2, &err));
    assert_true(at[0] == 1.0 / 3 && at[4] == 1.0 / 3); /* only image 2 is of another patient */
    assert_true(at[1] == 0.5 && at[2] == 0.5);         /* {1} and {1, 3}; image 1 is nearer to image 2 than image 0 */
    assert_true(isnan(at[3]) && isnan(any[3]));
    assert_int_equal(rvl_jaccard_at(at, any, &p, RVL_JACCARD_CLEAN, (const int64_t[]){2, 1}, 2, NULL), RVL_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(jaccard_means__equal_the_reference), cmocka_unit_test(spectre_map__equals_the_reference),
        cmocka_unit_test(report_recall__equals_the_reference), cmocka_unit_test(jaccard_means__by_hand)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
