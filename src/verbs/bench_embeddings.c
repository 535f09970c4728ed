/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_embeddings.c
 * Retrieval with embeddings that another program made.
 *
 * Row i of the images belongs with row i of the texts and of the labels, or the pairs table says it: columns
 * `image_row` and `text_row` (from 0), and optionally `patient` (or `patient_id`), `text` (equal texts are duplicates)
 * and `id`, by which labels are found.
 */
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "measure/bootstrap.h"
#include "verbs/bench_external.h"
#include "verbs/bench_parts.h"
#include "verbs/embeddings.h"
#include "verbs/scan_groups.h"
#include <math.h>
#include <string.h>

/* Pairs, a row each; texts and labels may be absent. */
typedef struct {
    rvl_embeddings  image, text; /* rows in the order of the pairs, once gathered */
    rvl_csv        *pairs;
    rvl_label_table labels;
    int64_t         n;
    const char    **ids, **patients, **texts; /* (n) borrowed; NULL where nothing says it */
    int64_t        *image_row, *text_row;     /* (n) */
    int64_t        *patient, *group;          /* (n) numbers */
    int64_t         n_patients, n_groups;
    uint8_t        *present; /* (n, labels.k) */
    bool            cosine;
} pairs;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for bench");
}

static void pairs_fini(pairs *p)
{
    rvl__embeddings_fini(&p->image);
    rvl__embeddings_fini(&p->text);
    rvl_csv_free(p->pairs);
    rvl__label_table_fini(&p->labels);
    rvl_free(p->ids);
    rvl_free(p->patients);
    rvl_free(p->texts);
    rvl_free(p->image_row);
    rvl_free(p->patient);
    rvl_free(p->present);
}

static rvl_status load_files(pairs *p, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_status st = RVL_OK;

    p->cosine = !o->similarity || rvl_str_equal(o->similarity, "cosine");
    if (!p->cosine && !rvl_str_equal(o->similarity, "dot"))
        return rvl_fail(err, RVL_ERR_USAGE, "--similarity is cosine or dot, not '%s'", o->similarity);
    if (!o->text_embeddings && !o->labels)
        return rvl_fail(err, RVL_ERR_USAGE, "--image-embeddings needs --text-embeddings or --labels");
    st = rvl__embeddings_load(&p->image, o->image_embeddings, "image", err);
    if (!st && o->text_embeddings)
        st = rvl__embeddings_load(&p->text, o->text_embeddings, "text", err);
    if (!st && o->text_embeddings && p->image.e != p->text.e)
        st = rvl_fail(err, RVL_ERR_SHAPE, "image embeddings have %lld values, text embeddings %lld",
                      (long long)p->image.e, (long long)p->text.e);
    if (!st && o->pairs)
        st = rvl_csv_load(&p->pairs, o->pairs, 0, err);
    else if (!st && o->text_embeddings && p->image.n != p->text.n)
        st = rvl_fail(err, RVL_ERR_SHAPE,
                      "%lld images and %lld texts do not pair row by row\nhint: say which belong together with --pairs",
                      (long long)p->image.n, (long long)p->text.n);
    if (!st && o->labels)
        st = rvl__label_table_load(&p->labels, o->labels, NULL, 0, NULL, err);
    if (!st)
        p->n = p->pairs ? (int64_t)rvl_csv_n_rows(p->pairs) : p->image.n;
    if (!st && p->n < 2)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "fewer than two pairs: nothing can be retrieved");
    return st;
}

static rvl_status read_row(int64_t *out, const rvl_csv *t, size_t row, int column, int64_t n, rvl_error *err)
{
    if (rvl_parse_i64(rvl_csv_cell(t, row, (size_t)column), out) && *out >= 0 && *out < n)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: '%s' is not a row of 0..%lld", rvl_csv_file(t),
                    (long long)rvl_csv_line(t, row), rvl_csv_cell(t, row, (size_t)column), (long long)(n - 1));
}

/* A column of the pairs table as texts; NULL without it. */
static rvl_status column_texts(const char ***out, const pairs *p, int column, rvl_error *err)
{
    *out = NULL;
    if (column < 0)
        return RVL_OK;
    *out = rvl_alloc_array((size_t)p->n + 1, sizeof **out);
    for (int64_t i = 0; *out && i < p->n; i++)
        (*out)[i] = rvl_csv_cell(p->pairs, (size_t)i, (size_t)column);
    return *out ? RVL_OK : no_memory(err);
}

static rvl_status read_pairs(pairs *p, rvl_error *err)
{
    int        image = -1;
    int        text = -1;
    rvl_status st = rvl_csv_need_column(&image, p->pairs, "image_row", err);

    if (!st && p->text.x)
        st = rvl_csv_need_column(&text, p->pairs, "text_row", err);
    for (int64_t i = 0; !st && i < p->n; i++) {
        st = read_row(&p->image_row[i], p->pairs, (size_t)i, image, p->image.n, err);
        if (!st && p->text.x)
            st = read_row(&p->text_row[i], p->pairs, (size_t)i, text, p->text.n, err);
    }
    if (!st)
        st = column_texts(&p->ids, p, rvl_csv_column(p->pairs, "id"), err);
    if (!st)
        st = column_texts(&p->patients, p, rvl__patient_column(p->pairs), err);
    if (!st)
        st = column_texts(&p->texts, p, rvl_csv_column(p->pairs, "text"), err);
    for (int64_t i = 0; !st && p->patients && i < p->n; i++)
        if (!*p->patients[i])
            st = rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the patient is empty", rvl_csv_file(p->pairs),
                          (long long)rvl_csv_line(p->pairs, (size_t)i));
    return st;
}

/* Ids that stand in the table of the embeddings, or, row by row, in that of the labels. */
static rvl_status find_ids(pairs *p, rvl_error *err)
{
    const rvl_csv *from = p->image.table ? p->image.table : p->pairs ? NULL : p->labels.table;

    if (p->ids || !from)
        return RVL_OK;
    if ((int64_t)rvl_csv_n_rows(from) != p->image.n)
        return rvl_fail(
            err, RVL_ERR_SHAPE,
            "%lld images and %lld rows of labels do not go row by row\nhint: ids in a --pairs table say which "
            "belong together",
            (long long)p->image.n, (long long)rvl_csv_n_rows(from));
    p->ids = rvl_alloc_array((size_t)p->n + 1, sizeof *p->ids);
    for (int64_t i = 0; p->ids && i < p->n; i++)
        p->ids[i] = rvl_csv_cell(from, (size_t)p->image_row[i], 0);
    return p->ids ? RVL_OK : no_memory(err);
}

/* Rows in the order of the pairs; cosines need a length. */
static rvl_status gather(rvl_embeddings *m, const int64_t *row, int64_t n, bool cosine, rvl_error *err)
{
    float *x = rvl_alloc_array((size_t)(n * m->e) + 1, sizeof *x);

    if (!x)
        return no_memory(err);
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t j = 0; j < m->e; j++) {
            x[i * m->e + j] = m->x[row[i] * m->e + j];
            square += (double)x[i * m->e + j] * x[i * m->e + j];
        }
        if (isfinite(square) && (square > 0 || !cosine))
            continue;
        rvl_free(x);
        return rvl_fail(err, RVL_ERR_NUMERIC, "'%s' row %lld: the embedding is %s", m->path, (long long)row[i],
                        isfinite(square) ? "zero" : "not finite");
    }
    rvl_free(m->x);
    m->x = x;
    return RVL_OK;
}

static rvl_status read_labels(pairs *p, const rvl_table_policy *policy, rvl_error *err)
{
    const size_t k = (size_t)p->labels.k;
    double      *valid = rvl_alloc_array(k + 1, sizeof *valid);
    bool        *seen = rvl_alloc_array((size_t)p->image.n + 1, sizeof *seen);
    const bool   wants_patients = !p->patients && p->labels.patient >= 0;
    rvl_status   st = RVL_OK;

    p->present = rvl_alloc_array((size_t)p->n * k + 1, sizeof *p->present);
    if (wants_patients)
        p->patients = rvl_alloc_array((size_t)p->n + 1, sizeof *p->patients);
    if (!valid || !seen || !p->present || (wants_patients && !p->patients))
        st = no_memory(err);
    for (int64_t i = 0; !st && i < p->n; i++) {
        const rvl_id_row *found = p->ids ? rvl__table_find(p->labels.rows, p->labels.table, p->ids[i]) : NULL;
        if (!found)
            st = rvl_fail(err, RVL_ERR_FORMAT,
                          "pair %lld: its image has no labels in '%s'\nhint: a column `id` of the "
                          "pairs names them",
                          (long long)i + 1, rvl_csv_file(p->labels.table));
        else if (seen[p->image_row[i]])
            st = rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: with --labels an image stands in one pair",
                          rvl_csv_file(p->pairs), (long long)rvl_csv_line(p->pairs, (size_t)i));
        if (st)
            break;
        seen[p->image_row[i]] = true;
        st = rvl__label_row(p->present + (size_t)i * k, valid, &p->labels, found->row, policy, err);
        for (size_t j = 0; !st && j < k; j++)
            p->present[(size_t)i * k + j] = p->present[(size_t)i * k + j] && valid[j] > 0;
        if (wants_patients)
            p->patients[i] = rvl_csv_cell(p->labels.table, found->row, (size_t)p->labels.patient);
    }
    rvl_free(valid);
    rvl_free(seen);
    return st;
}

static rvl_status number_rows(pairs *p, rvl_error *err)
{
    rvl_status st = RVL_OK;

    p->n_patients = p->n_groups = p->n;
    for (int64_t i = 0; i < p->n; i++) {
        p->patient[i] = p->pairs && !p->patients ? p->image_row[i] : i;
        p->group[i] = p->pairs && !p->texts && p->text.x ? p->text_row[i] : i;
    }
    if (p->pairs && !p->patients)
        p->n_patients = p->image.n;
    if (p->pairs && !p->texts && p->text.x)
        p->n_groups = p->text.n;
    if (p->patients)
        st = rvl_number_groups(p->patient, &p->n_patients, p->patients, p->n, err);
    if (!st && p->texts)
        st = rvl_number_groups(p->group, &p->n_groups, p->texts, p->n, err);
    return st;
}

/* One row per scan: means of embeddings; findings, patient and text are shared. */
static rvl_status join_scans(pairs *p, const char *how, rvl_error *err)
{
    rvl_scan_groups g = {0};
    double         *scratch = rvl_alloc_array((size_t)(p->n * p->image.e) + 1, sizeof *scratch);
    rvl_status      st = scratch ? RVL_OK : no_memory(err);

    if (!st && !p->ids)
        st = rvl_fail(err, RVL_ERR_USAGE,
                      "--group needs the volumes' names: a column `id` in --pairs, ids in a CSV of "
                      "embeddings, or --labels");
    if (!st)
        st = rvl__scan_groups_make(&g, p->ids, p->n, how, p->pairs ? "pairs" : "images", err);
    if (!st && ((p->present && rvl__scan_shared(&g, p->present, (size_t)p->labels.k) >= 0) ||
                (p->patients && rvl__scan_shared(&g, p->patient, sizeof *p->patient) >= 0) ||
                (p->texts && rvl__scan_shared(&g, p->group, sizeof *p->group) >= 0)))
        st = rvl_fail(err, RVL_ERR_FORMAT, "reconstructions of one scan differ in labels, patient or text");
    if (!st) {
        rvl__scan_mean_embeddings(&g, p->image.x, p->image.e, p->cosine, scratch);
        if (p->text.x)
            rvl__scan_mean_embeddings(&g, p->text.x, p->text.e, p->cosine, scratch);
        p->n = g.n_groups;
        if (!p->patients) {
            memcpy(p->patient, g.patient, (size_t)p->n * sizeof *p->patient);
            p->n_patients = g.n_patients;
        }
        for (int64_t i = 0; !p->texts && i < p->n; i++)
            p->group[i] = i;
        p->n_groups = p->texts ? p->n_groups : p->n;
    }
    rvl_free(scratch);
    rvl__scan_groups_fini(&g);
    return st;
}

static rvl_status prepare(pairs *p, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_table_policy policy = {0};
    rvl_status       st = rvl__table_policy(&policy, o, err);

    if (!st)
        st = load_files(p, o, err);
    if (st)
        return st;
    p->image_row = rvl_alloc_array((size_t)p->n + 1, 2 * sizeof *p->image_row);
    p->patient = rvl_alloc_array((size_t)p->n + 1, 2 * sizeof *p->patient);
    if (!p->image_row || !p->patient)
        return no_memory(err);
    p->text_row = p->image_row + p->n;
    p->group = p->patient + p->n;
    for (int64_t i = 0; i < p->n; i++)
        p->image_row[i] = p->text_row[i] = i;
    if (p->pairs)
        st = read_pairs(p, err);
    if (!st)
        st = find_ids(p, err);
    if (!st)
        st = gather(&p->image, p->image_row, p->n, p->cosine, err);
    if (!st && p->text.x)
        st = gather(&p->text, p->text_row, p->n, p->cosine, err);
    if (!st && p->labels.table)
        st = read_labels(p, &policy, err);
    if (!st)
        st = number_rows(p, err);
    return !st && policy.group ? join_scans(p, policy.group, err) : st;
}

rvl_status rvl__bench_embeddings(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    pairs      p = {0};
    json_t    *out = NULL;
    json_t    *images = NULL;
    rvl_status st = prepare(&p, o, err);

    if (!st && p.text.x) {
        const rvl_bench_pairs b = {p.n,        p.image.e, p.image.x,    p.text.x, p.group,
                                   p.n_groups, p.patient, p.n_patients, p.cosine};
        st = rvl__bench_retrieval(&out, &b, o->n_bootstrap, (uint64_t)o->seed, err);
    }
    if (!st && p.present) {
        const rvl_bench_images b = {p.n,       p.image.e, p.image.x,    p.labels.k,
                                    p.present, p.patient, p.n_patients, p.cosine};
        st = rvl__bench_images(&images, &b, o->n_bootstrap, (uint64_t)o->seed, err);
    }
    if (!st && !out)
        out = json_object();
    if (!st && images)
        rvl_json_set(out, "image_to_image", images);
    if (!st)
        rvl_json_set(root, "retrieval", out);
    else
        json_decref(out);
    pairs_fini(&p);
    return st;
}
