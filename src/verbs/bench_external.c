/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_external.c
 * Numbers for predictions and embeddings that another program made.
 *
 * Predictions and labels are CSV tables: a first column with a case id, one column per finding, and optionally
 * `patient` (or `patient_id`). Embeddings are npy or safetensors of shape (n, e); the pairs table has columns
 * `image_row` and `text_row` (from 0), and optionally `patient` (or `patient_id`) and `text` (equal texts are
 * duplicates).
 */
#include "base/alloc.h"
#include "base/csv.h"
#include "base/json.h"
#include "base/log.h"
#include "engine/safetensors.h"
#include "findings/schema.h"
#include "imaging/npy.h"
#include "measure/bootstrap.h"
#include "verbs/bench_parts.h"
#include "verbs/label_policy.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for bench");
}

static bool is_finding_column(const rvl_csv *t, size_t c)
{
    const char *name = rvl_csv_name(t, c);
    return c > 0 && strcmp(name, "patient") != 0 && strcmp(name, "patient_id") != 0;
}

typedef struct {
    const char *id;
    size_t      row;
} id_row;

static int by_id(const void *a, const void *b)
{
    return strcmp(((const id_row *)a)->id, ((const id_row *)b)->id);
}

/* Equal ids in the order of the table, so that messages name the first line first. */
static int by_id_then_row(const void *a, const void *b)
{
    const size_t x = ((const id_row *)a)->row;
    const size_t y = ((const id_row *)b)->row;
    const int    c = by_id(a, b);
    return c ? c : x < y ? -1 : x > y;
}

/* Rows of `t` sorted by id; empty ids and duplicates are an error. */
static rvl_status index_rows(id_row **out, const rvl_csv *t, rvl_error *err)
{
    const size_t n = rvl_csv_n_rows(t);
    id_row      *rows = rvl_alloc_array(n + 1, sizeof *rows);

    *out = rows;
    if (!rows)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        rows[i] = (id_row){rvl_csv_cell(t, i, 0), i};
    qsort(rows, n, sizeof *rows, by_id_then_row);
    for (size_t i = 1; i < n; i++)
        if (strcmp(rows[i].id, rows[i - 1].id) == 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the id of line %lld stands here again",
                            rvl_csv_file(t), (long long)rvl_csv_line(t, rows[i].row),
                            (long long)rvl_csv_line(t, rows[i - 1].row));
    if (n > 0 && !*rows[0].id)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the id is empty", rvl_csv_file(t),
                        (long long)rvl_csv_line(t, rows[0].row));
    return RVL_OK;
}

typedef struct {
    rvl_csv     *predictions, *labels;
    id_row      *label_rows, *prediction_rows; /* sorted by id */
    int          k;
    const char **names;         /* (k) borrowed from predictions */
    int         *p_col, *l_col; /* (k) */
    double      *score, *valid; /* (n, k) */
    uint8_t     *truth;
    const char **patients; /* (n) */
    int64_t      n;
} joined;

static void joined_fini(joined *t)
{
    rvl_csv_free(t->predictions);
    rvl_csv_free(t->labels);
    rvl_free(t->label_rows);
    rvl_free(t->prediction_rows);
    rvl_free(t->names);
    rvl_free(t->p_col);
    rvl_free(t->l_col);
    rvl_free(t->score);
    rvl_free(t->valid);
    rvl_free(t->truth);
    rvl_free(t->patients);
}

static rvl_status match_columns(joined *t, rvl_error *err)
{
    const size_t n_columns = rvl_csv_n_columns(t->predictions);

    t->names = rvl_alloc_array(n_columns + 1, sizeof *t->names);
    t->p_col = rvl_alloc_array(n_columns + 1, sizeof *t->p_col);
    t->l_col = rvl_alloc_array(n_columns + 1, sizeof *t->l_col);
    if (!t->names || !t->p_col || !t->l_col)
        return no_memory(err);
    for (size_t c = 0; c < n_columns; c++) {
        if (!is_finding_column(t->predictions, c))
            continue;
        t->names[t->k] = rvl_csv_name(t->predictions, c);
        t->p_col[t->k] = (int)c;
        rvl_status st = rvl_csv_need_column(&t->l_col[t->k], t->labels, t->names[t->k], err);
        if (st)
            return st;
        t->k++;
    }
    if (t->k == 0)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' has no finding column behind its first",
                        rvl_csv_file(t->predictions));
    return RVL_OK;
}

static rvl_status join_row(joined *t, size_t i, int patient_col, const rvl_bench_opts *o, rvl_error *err)
{
    const char          *id = rvl_csv_cell(t->predictions, i, 0);
    const id_row         key = {id, 0};
    const id_row        *found = bsearch(&key, t->label_rows, rvl_csv_n_rows(t->labels), sizeof key, by_id);
    rvl_uncertain_policy u;
    rvl_missing_policy   m;
    rvl_status           st = rvl__uncertain_parse(&u, o->uncertain, err);

    if (!st)
        st = rvl__missing_parse(&m, o->missing, err);
    if (st)
        return st;
    if (!found)
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: its case is not in '%s'",
                        rvl_csv_file(t->predictions), (long long)rvl_csv_line(t->predictions, i),
                        rvl_csv_file(t->labels));
    t->patients[i] = patient_col >= 0 ? rvl_csv_cell(t->labels, found->row, (size_t)patient_col) : id;
    if (!*t->patients[i])
        return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the patient is empty", rvl_csv_file(t->labels),
                        (long long)rvl_csv_line(t->labels, found->row));
    for (int j = 0; j < t->k; j++) {
        const size_t    at = i * (size_t)t->k + (size_t)j;
        rvl_label_state state;
        float           target;
        float           weight;
        if (!rvl_parse_f64(rvl_csv_cell(t->predictions, i, (size_t)t->p_col[j]), &t->score[at]))
            return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the score of '%s' is no finite number",
                            rvl_csv_file(t->predictions), (long long)rvl_csv_line(t->predictions, i), t->names[j]);
        if (!rvl_label_parse(rvl_csv_cell(t->labels, found->row, (size_t)t->l_col[j]), &state))
            return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: '%s' is no label state",
                            rvl_csv_file(t->labels), (long long)rvl_csv_line(t->labels, found->row), t->names[j]);
        rvl_label_target(state, u, m, &target, &weight);
        t->truth[at] = target > 0.5F;
        t->valid[at] = weight;
    }
    return RVL_OK;
}

/* Join predictions and labels by id. */
static rvl_status join(joined *t, const char *predictions, const char *labels, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_status st = rvl_csv_load(&t->predictions, predictions, 0, err);

    if (!st)
        st = rvl_csv_load(&t->labels, labels, 0, err);
    if (!st)
        st = match_columns(t, err);
    if (!st)
        st = index_rows(&t->label_rows, t->labels, err);
    if (!st)
        st = index_rows(&t->prediction_rows, t->predictions, err);
    if (st)
        return st;
    t->n = (int64_t)rvl_csv_n_rows(t->predictions);
    const size_t cells = (size_t)t->n * (size_t)t->k + 1;
    t->score = rvl_alloc_array(cells, sizeof *t->score);
    t->valid = rvl_alloc_array(cells, sizeof *t->valid);
    t->truth = rvl_alloc_array(cells, sizeof *t->truth);
    t->patients = rvl_alloc_array((size_t)t->n + 1, sizeof *t->patients);
    if (!t->score || !t->valid || !t->truth || !t->patients)
        return no_memory(err);
    int patient = rvl_csv_column(t->labels, "patient");
    if (patient < 0)
        patient = rvl_csv_column(t->labels, "patient_id");
    if (patient < 0)
        rvl_log(RVL_LOG_WARN, "'%s' names no patients: each case counts as its own in the intervals", labels);
    for (int64_t i = 0; !st && i < t->n; i++)
        st = join_row(t, (size_t)i, patient, o, err);
    if (!st && t->n == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "table '%s' has no rows", predictions);
    const int64_t n_left = (int64_t)rvl_csv_n_rows(t->labels) - t->n; /* each prediction has its own label row */
    if (!st && n_left > 0)
        rvl_log(RVL_LOG_WARN, "%lld cases of '%s' have no prediction in '%s' and are left out", (long long)n_left,
                labels, predictions);
    return st;
}

static bool all_probabilities(const joined *t)
{
    for (int64_t i = 0; i < t->n * t->k; i++)
        if (t->score[i] < 0 || t->score[i] > 1)
            return false;
    return true;
}

static rvl_status bench_predictions(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    joined     t = {0};
    joined     val = {0};
    int64_t   *patient = NULL;
    int64_t    n_patients = 0;
    json_t    *out = NULL;
    rvl_status st = o->labels ? join(&t, o->predictions, o->labels, o, err)
                              : rvl_fail(err, RVL_ERR_USAGE, "--predictions needs --labels");

    if (!st && (o->val_predictions != NULL) != (o->val_labels != NULL))
        st = rvl_fail(err, RVL_ERR_USAGE, "--val-predictions and --val-labels go together");
    if (!st && o->val_predictions)
        st = join(&val, o->val_predictions, o->val_labels, o, err);
    if (!st && o->val_predictions) {
        bool same = val.k == t.k;
        for (int j = 0; same && j < t.k; j++)
            same = strcmp(val.names[j], t.names[j]) == 0;
        if (!same)
            st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has other finding columns than '%s'", o->val_predictions,
                          o->predictions);
    }
    if (!st) {
        patient = rvl_alloc_array((size_t)t.n + 1, sizeof *patient);
        st = patient ? rvl_number_groups(patient, &n_patients, t.patients, t.n, err) : no_memory(err);
    }
    if (!st) {
        rvl_bench_findings f = {.n = t.n,
                                .k = t.k,
                                .names = t.names,
                                .score = t.score,
                                .truth = t.truth,
                                .valid = t.valid,
                                .patient = patient,
                                .n_patients = n_patients,
                                .n_val = val.n,
                                .val_score = val.score,
                                .val_valid = val.valid,
                                .val_truth = val.truth,
                                .is_probability = all_probabilities(&t)};
        st = rvl__bench_findings(&out, &f, o->n_bootstrap, (uint64_t)o->seed, err);
    }
    if (!st)
        rvl_json_set(root, "predictions", out);
    rvl_free(patient);
    joined_fini(&t);
    joined_fini(&val);
    return st;
}

typedef struct {
    float      *x; /* (n, e) */
    int64_t     n, e;
    const char *path;
} matrix;

/* Cosines need a length. */
static rvl_status check_embedding(const matrix *m, int64_t row, rvl_error *err)
{
    double sum = 0;
    for (int64_t j = 0; j < m->e; j++)
        sum += (double)m->x[row * m->e + j] * m->x[row * m->e + j];
    if (isfinite(sum) && sum > 0)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_NUMERIC, "'%s' row %lld: the embedding is %s", m->path, (long long)row,
                    isfinite(sum) ? "zero" : "not finite");
}

static rvl_status from_safetensors(matrix *out, const char *path, const char *which, rvl_error *err)
{
    rvl_safetensors *f = NULL;
    rvl_tensor      *t = NULL;
    rvl_status       st = rvl_safetensors_open(&f, path, err);

    if (st)
        return st;
    const rvl_tensor *source =
        rvl_safetensors_count(f) == 1 ? rvl_safetensors_tensor(f, 0) : rvl_safetensors_find(f, which);
    if (!source || rvl_tensor_n_dims(source) != 2)
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no 2-D tensor '%s'", path, which);
    if (!st)
        st = rvl_tensor_convert(&t, source, RVL_DTYPE_F32, err);
    if (!st) {
        out->n = rvl_tensor_shape(t)[0];
        out->e = rvl_tensor_shape(t)[1];
        out->x = rvl_alloc(rvl_tensor_bytes(t) + 1);
        if (out->x)
            memcpy(out->x, rvl_tensor_const_data(t), rvl_tensor_bytes(t));
        else
            st = no_memory(err);
    }
    rvl_tensor_free(t);
    rvl_safetensors_close(f);
    return st;
}

static rvl_status load_matrix(matrix *out, const char *path, const char *which, rvl_error *err)
{
    rvl_npy a;
    out->path = path;
    if (rvl_str_ends(path, ".safetensors"))
        return from_safetensors(out, path, which, err);
    rvl_status st = rvl_npy_load(&a, path, 0, err);
    if (st)
        return st;
    if (a.n_dims != 2)
        st = rvl_fail(err, RVL_ERR_SHAPE, "'%s' has %d axes, embeddings have two: (n, e)", path, a.n_dims);
    if (!st) {
        out->n = a.shape[0];
        out->e = a.shape[1];
        out->x = rvl_alloc_array((size_t)a.count + 1, sizeof *out->x);
        if (!out->x)
            st = no_memory(err);
    }
    for (int64_t i = 0; !st && i < a.count; i++)
        out->x[i] = (float)rvl_npy_at(&a, i);
    rvl_npy_fini(&a);
    return st;
}

static rvl_status read_row(int64_t *out, const rvl_csv *t, size_t row, int column, int64_t n, rvl_error *err)
{
    if (rvl_parse_i64(rvl_csv_cell(t, row, (size_t)column), out) && *out >= 0 && *out < n)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: '%s' is not a row of 0..%lld", rvl_csv_file(t),
                    (long long)rvl_csv_line(t, row), rvl_csv_cell(t, row, (size_t)column), (long long)(n - 1));
}

/* Gather the paired rows of both matrices; `patients` and `texts` are borrowed from the table. */
static rvl_status apply_pairs(matrix *image, matrix *text, const char **patients, const char **texts, const rvl_csv *t,
                              rvl_error *err)
{
    const size_t n = rvl_csv_n_rows(t);
    int          image_col;
    int          text_col;
    matrix       a = {rvl_alloc_array(n * (size_t)image->e + 1, sizeof(float)), (int64_t)n, image->e, image->path};
    matrix       b = {rvl_alloc_array(n * (size_t)image->e + 1, sizeof(float)), (int64_t)n, image->e, text->path};
    rvl_status   st = a.x && b.x ? RVL_OK : no_memory(err);
    int          patient_col = rvl_csv_column(t, "patient");
    const int    group_col = rvl_csv_column(t, "text");

    if (patient_col < 0)
        patient_col = rvl_csv_column(t, "patient_id");
    if (!st)
        st = rvl_csv_need_column(&image_col, t, "image_row", err);
    if (!st)
        st = rvl_csv_need_column(&text_col, t, "text_row", err);
    for (size_t i = 0; !st && i < n; i++) {
        int64_t from = 0;
        st = read_row(&from, t, i, image_col, image->n, err);
        if (!st)
            st = check_embedding(image, from, err);
        if (!st)
            memcpy(a.x + i * (size_t)a.e, image->x + from * a.e, (size_t)a.e * sizeof *a.x);
        if (!st)
            st = read_row(&from, t, i, text_col, text->n, err);
        if (!st)
            st = check_embedding(text, from, err);
        if (!st)
            memcpy(b.x + i * (size_t)a.e, text->x + from * a.e, (size_t)a.e * sizeof *a.x);
        patients[i] = patient_col >= 0 ? rvl_csv_cell(t, i, (size_t)patient_col)
                                       : rvl_csv_cell(t, i, (size_t)(st ? 0 : image_col));
        if (!st && !*patients[i])
            st = rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: the patient is empty", rvl_csv_file(t),
                          (long long)rvl_csv_line(t, i));
        texts[i] = rvl_csv_cell(t, i, (size_t)(group_col >= 0 ? group_col : st ? 0 : text_col));
    }
    rvl_free(image->x);
    rvl_free(text->x);
    *image = a;
    *text = b;
    return st;
}

static rvl_status measure_pairs(json_t **out, const matrix *image, const matrix *text, const char *const *patients,
                                const char *const *texts, const rvl_bench_opts *o, rvl_error *err)
{
    const int64_t   n = image->n;
    int64_t        *numbers = rvl_alloc_array((size_t)(2 * n) + 1, sizeof *numbers);
    rvl_bench_pairs p = {.n = n,
                         .e = image->e,
                         .image = image->x,
                         .text = text->x,
                         .cosine = true,
                         .patient = numbers,
                         .n_patients = n,
                         .n_groups = n};
    rvl_status      st = numbers ? RVL_OK : no_memory(err);

    for (int64_t i = 0; !st && i < n; i++)
        numbers[i] = numbers[n + i] = i;
    if (!st && patients)
        st = rvl_number_groups(numbers, &p.n_patients, patients, n, err);
    if (!st && texts)
        st = rvl_number_groups(numbers + n, &p.n_groups, texts, n, err);
    if (!st) {
        p.group = numbers + n;
        st = rvl__bench_retrieval(out, &p, o->n_bootstrap, (uint64_t)o->seed, err);
    }
    rvl_free(numbers);
    return st;
}

static rvl_status bench_embeddings(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    matrix       image = {0};
    matrix       text = {0};
    rvl_csv     *table = NULL;
    const char **names = NULL;
    json_t      *out = NULL;
    size_t       n = 0;
    rvl_status   st = o->text_embeddings ? load_matrix(&image, o->image_embeddings, "image", err)
                                         : rvl_fail(err, RVL_ERR_USAGE, "--image-embeddings needs --text-embeddings");

    if (!st)
        st = load_matrix(&text, o->text_embeddings, "text", err);
    if (!st && image.e != text.e)
        st = rvl_fail(err, RVL_ERR_SHAPE, "image embeddings have %lld values, text embeddings %lld", (long long)image.e,
                      (long long)text.e);
    if (!st && o->pairs)
        st = rvl_csv_load(&table, o->pairs, 0, err);
    else if (!st && image.n != text.n)
        st = rvl_fail(err, RVL_ERR_SHAPE,
                      "%lld images and %lld texts do not pair row by row\nhint: say which belong together "
                      "with --pairs",
                      (long long)image.n, (long long)text.n);
    if (!st && table) {
        n = rvl_csv_n_rows(table);
        names = rvl_alloc_array(2 * n + 1, sizeof *names);
        st = names ? apply_pairs(&image, &text, names, names + n, table, err) : no_memory(err);
    }
    for (int64_t i = 0; !st && !table && i < image.n; i++) {
        st = check_embedding(&image, i, err);
        if (!st)
            st = check_embedding(&text, i, err);
    }
    if (!st && image.n < 2)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "fewer than two pairs: nothing can be retrieved");
    if (!st)
        st = measure_pairs(&out, &image, &text, names, names ? names + n : NULL, o, err);
    if (!st)
        rvl_json_set(root, "retrieval", out);
    rvl_free(image.x);
    rvl_free(text.x);
    rvl_free(names);
    rvl_csv_free(table);
    return st;
}

rvl_status rvl__bench_external(json_t *root, const rvl_bench_opts *o, rvl_error *err)
{
    rvl_status st = RVL_OK;
    if (o->cohort || o->model)
        return rvl_fail(err, RVL_ERR_USAGE,
                        "predictions or embeddings from files and a cohort or model exclude each other");
    if (o->predictions)
        st = bench_predictions(root, o, err);
    if (!st && o->image_embeddings)
        st = bench_embeddings(root, o, err);
    return st;
}
