/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_group.c
 * Scans among the cases of a cohort.
 */
#include "verbs/bench_group.h"
#include "base/alloc.h"
#include <string.h>

rvl_status rvl__case_scans(rvl_scan_groups *out, const rvl_case_list *list, const char *how, rvl_error *err)
{
    const char **names = rvl_alloc_array((size_t)list->n_cases + 1, sizeof *names);
    rvl_status   st = names ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scans");

    for (int64_t i = 0; !st && i < list->n_cases; i++)
        names[i] = list->cases[i].n_images > 0 ? list->cases[i].image_paths[0] : "";
    if (!st)
        st = rvl__scan_groups_make(out, names, list->n_cases, how, "cases", err);
    rvl_free(names);
    return st;
}

static void *copy(const void *from, size_t n, size_t size)
{
    void *to = rvl_alloc_array(n + 1, size);

    if (to)
        memcpy(to, from, n * size);
    return to;
}

static rvl_status group_rows(rvl_grouped_part *g, const rvl_split_part *p, int k, const char *how, rvl_error *err)
{
    rvl_scan_groups s = {0};
    double         *scratch = rvl_alloc_array((size_t)(g->n * k) + 1, sizeof *scratch);
    rvl_status      st =
        scratch ? rvl__case_scans(&s, &p->list, how, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scans");

    if (!st && (rvl__scan_shared(&s, g->truth, (size_t)k * sizeof *g->truth) >= 0 ||
                rvl__scan_shared(&s, g->valid, (size_t)k * sizeof *g->valid) >= 0 ||
                rvl__scan_shared(&s, g->patient, sizeof *g->patient) >= 0))
        st = rvl_fail(err, RVL_ERR_FORMAT, "reconstructions of one scan differ in labels or patient");
    if (!st) {
        rvl__scan_means(&s, g->score, k, scratch);
        g->n = g->list.n_cases = s.n_groups;
        for (int64_t i = 0; i < g->n; i++)
            g->list.cases[i] = p->list.cases[s.first[i]];
    }
    rvl_free(scratch);
    rvl__scan_groups_fini(&s);
    return st;
}

rvl_status rvl__group_part(rvl_grouped_part *out, const rvl_split_part *p, int k, const char *how, rvl_error *err)
{
    const size_t n = (size_t)p->list.n_cases;
    const size_t cells = n * (size_t)k;

    out->n = p->list.n_cases;
    out->n_patients = p->n_patients;
    out->score = copy(p->score, cells, sizeof *out->score);
    out->valid = copy(p->valid, cells, sizeof *out->valid);
    out->truth = copy(p->truth, cells, sizeof *out->truth);
    out->patient = copy(p->patient, n, sizeof *out->patient);
    out->list.n_cases = out->n;
    out->list.cases = copy(p->list.cases, n, sizeof *out->list.cases);
    if (!out->score || !out->valid || !out->truth || !out->patient || !out->list.cases)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scans");
    return how ? group_rows(out, p, k, how, err) : RVL_OK;
}

void rvl__grouped_part_fini(rvl_grouped_part *g)
{
    rvl_free(g->score);
    rvl_free(g->valid);
    rvl_free(g->truth);
    rvl_free(g->patient);
    rvl_free(g->list.cases);
    memset(g, 0, sizeof *g);
}

rvl_status rvl__group_embeddings(int64_t *n, float *image, float *text, int64_t e, bool cosine, void *shared,
                                 size_t shared_bytes, int64_t *patient, const rvl_case_list *list, const char *how,
                                 rvl_error *err)
{
    rvl_scan_groups s = {0};
    double         *scratch = NULL;
    rvl_status      st = RVL_OK;

    if (!how)
        return RVL_OK;
    scratch = rvl_alloc_array((size_t)(*n * e) + 1, sizeof *scratch);
    st = scratch ? rvl__case_scans(&s, list, how, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scans");
    if (!st && (rvl__scan_shared(&s, shared, shared_bytes) >= 0 || rvl__scan_shared(&s, patient, sizeof *patient) >= 0))
        st = rvl_fail(err, RVL_ERR_FORMAT, "reconstructions of one scan differ in report, labels or patient");
    if (!st) {
        rvl__scan_mean_embeddings(&s, image, e, cosine, scratch);
        if (text)
            rvl__scan_mean_embeddings(&s, text, e, cosine, scratch);
        *n = s.n_groups;
    }
    rvl_free(scratch);
    rvl__scan_groups_fini(&s);
    return st;
}
