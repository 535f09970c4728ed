/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/scan_groups.c
 * Names of volumes, and sums over their scans.
 */
#include "verbs/scan_groups.h"
#include "base/alloc.h"
#include "measure/bootstrap.h"
#include <math.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Length of base[0..n) without a last part of digits or letters and the '_' before it; 0 if it does not end so. */
static size_t without_part(const char *base, size_t n, bool (*belongs)(char))
{
    size_t at = n;

    while (at > 0 && belongs(base[at - 1]))
        at--;
    return at > 1 && at < n && base[at - 1] == '_' ? at - 1 : 0;
}

bool rvl_volume_name_parse(rvl_volume_name *out, const char *name)
{
    const char  *slash = strrchr(name, '/');
    const char  *base = slash ? slash + 1 : name;
    const size_t n = strcspn(base, ".");
    const size_t n_scan = without_part(base, n, is_digit);
    const size_t n_number = n_scan ? without_part(base, n_scan, is_letter) : 0;

    *out = (rvl_volume_name){base, n_scan, n_number, 0};
    if (!n_number || n - n_scan > 10 || !without_part(base, n_number, is_digit))
        return false;
    for (size_t i = n_scan + 1; i < n; i++)
        out->recon = out->recon * 10 + (base[i] - '0');
    return true;
}

rvl_status rvl__scan_groups_check(const char *how, rvl_error *err)
{
    if (!how || strcmp(how, "scan") == 0 || strcmp(how, "scan-first") == 0)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_USAGE, "--group is scan or scan-first, not '%s'", how);
}

/* The beginnings of the names, as texts of the arena. */
static rvl_status cut_names(const char **scans, const char **patients, int64_t *recon, rvl_arena *arena,
                            const char *const *names, int64_t n, const char *where, rvl_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        rvl_volume_name v;
        if (!rvl_volume_name_parse(&v, names[i]))
            return rvl_fail(
                err, RVL_ERR_FORMAT,
                "%s row %lld: the name is not split_patient_scan_recon\nhint: --group is for volumes named as "
                "CT-RATE names them, like valid_53_a_1.nii.gz",
                where, (long long)i + 1);
        scans[i] = rvl_arena_strndup(arena, v.base, v.n_scan);
        patients[i] = rvl_arena_strndup(arena, v.base, v.n_patient);
        recon[i] = v.recon;
        if (!scans[i] || !patients[i])
            return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scans");
    }
    return RVL_OK;
}

static void fill_groups(rvl_scan_groups *g, const int64_t *recon, const int64_t *patient)
{
    for (int64_t i = 0; i < g->n; i++) {
        const int64_t k = g->group[i];
        if (g->size[k]++ == 0 || recon[i] < recon[g->first[k]])
            g->first[k] = i;
        g->patient[k] = patient[i];
    }
}

rvl_status rvl__scan_groups_make(rvl_scan_groups *out, const char *const *names, int64_t n, const char *how,
                                 const char *where, rvl_error *err)
{
    const size_t room = (size_t)n + 1;
    rvl_arena   *arena = rvl_arena_new();
    const char **texts = rvl_alloc_array(room, 2 * sizeof *texts);
    int64_t     *numbers = rvl_alloc_array(room, 2 * sizeof *numbers); /* reconstruction, patient */
    rvl_status   st = rvl__scan_groups_check(how, err);

    memset(out, 0, sizeof *out);
    out->n = n;
    out->first_only = strcmp(how, "scan-first") == 0;
    out->group = rvl_alloc_array(room, sizeof *out->group);
    out->first = rvl_alloc_array(room, sizeof *out->first);
    out->size = rvl_alloc_array(room, sizeof *out->size);
    out->patient = rvl_alloc_array(room, sizeof *out->patient);
    if (!st && !(arena && texts && numbers && out->group && out->first && out->size && out->patient))
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scans");
    if (!st)
        st = cut_names(texts, texts + n, numbers, arena, names, n, where, err);
    if (!st)
        st = rvl_number_groups(out->group, &out->n_groups, texts, n, err);
    if (!st)
        st = rvl_number_groups(numbers + n, &out->n_patients, texts + n, n, err);
    if (!st)
        fill_groups(out, numbers, numbers + n);
    rvl_arena_free(arena);
    rvl_free(texts);
    rvl_free(numbers);
    return st;
}

void rvl__scan_groups_fini(rvl_scan_groups *g)
{
    rvl_free(g->group);
    rvl_free(g->first);
    rvl_free(g->size);
    rvl_free(g->patient);
    memset(g, 0, sizeof *g);
}

/* What row i adds to its scan's sum. */
static double share_of(const rvl_scan_groups *g, int64_t i)
{
    const int64_t k = g->group[i];
    return g->first_only ? (double)(g->first[k] == i) : 1 / (double)g->size[k];
}

void rvl__scan_means(const rvl_scan_groups *g, double *x, int64_t width, double *scratch)
{
    memset(scratch, 0, (size_t)(g->n_groups * width) * sizeof *scratch);
    for (int64_t i = 0; i < g->n; i++) {
        const double share = share_of(g, i);
        for (int64_t j = 0; share > 0 && j < width; j++)
            scratch[g->group[i] * width + j] += share * x[i * width + j];
    }
    memcpy(x, scratch, (size_t)(g->n_groups * width) * sizeof *x);
}

void rvl__scan_mean_embeddings(const rvl_scan_groups *g, float *x, int64_t e, bool cosine, double *scratch)
{
    memset(scratch, 0, (size_t)(g->n_groups * e) * sizeof *scratch);
    for (int64_t i = 0; i < g->n; i++) {
        double share = share_of(g, i);
        double square = 0;
        for (int64_t j = 0; j < e; j++)
            square += (double)x[i * e + j] * x[i * e + j];
        if (cosine && square > 0 && !g->first_only)
            share /= sqrt(square);
        for (int64_t j = 0; share > 0 && j < e; j++)
            scratch[g->group[i] * e + j] += share * x[i * e + j];
    }
    for (int64_t i = 0; i < g->n_groups * e; i++)
        x[i] = (float)scratch[i];
}

int64_t rvl__scan_shared(const rvl_scan_groups *g, void *x, size_t n_bytes)
{
    char *bytes = x;

    for (int64_t i = 0; i < g->n; i++)
        if (memcmp(bytes + (size_t)i * n_bytes, bytes + (size_t)g->first[g->group[i]] * n_bytes, n_bytes) != 0)
            return i;
    for (int64_t k = 0, i = 0; i < g->n;
         i++) /* groups are numbered in order of appearance: no row is overwritten early */
        if (g->group[i] == k)
            memmove(bytes + (size_t)k++ * n_bytes, bytes + (size_t)i * n_bytes, n_bytes);
    return -1;
}
