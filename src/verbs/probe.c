/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/probe.c
 * Linear probe: how much of each finding a linear classifier reads from frozen features.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "engine/safetensors.h"
#include "learn/logistic.h"
#include "search/index.h"
#include "verbs/bench_parts.h"
#include "verbs/label_policy.h"
#include "verbs/model_use.h"
#include "verbs/split_part.h"
#include <math.h>
#include <string.h>

enum { TRAIN, VAL, TEST, N_PARTS };
enum { N_LAMBDAS = 15, LAMBDA_EXPONENT = 4 }; /* 10^4, 10^3.5, ..., 10^-3 */

typedef struct {
    const rvl_probe_opts *opts;
    rvl_use               use;
    rvl_index            *index; /* instead of the model */
    rvl_cohort           *cohort;
    rvl_uncertain_policy  uncertain;
    rvl_missing_policy    missing;
    rvl_split_part        parts[N_PARTS];
    double               *x[N_PARTS]; /* (n, f) standardised */
    int                   f, k;
    const char          **names;        /* (k) */
    int                  *column;       /* (k) of the cohort's schema */
    double               *mean, *scale; /* (f) */
    double               *coef;         /* (k, f + 1) */
    double               *lambda;       /* (k) */
    double               *loss;         /* (k) on the validation split */
    json_t               *left_out;
} probe;

rvl_probe_opts rvl_probe_opts_default(void)
{
    return (rvl_probe_opts){.features = "pooled",
                            .split = "train",
                            .val_split = "val",
                            .test_split = "test",
                            .uncertain = "ignore",
                            .missing = "absent",
                            .n_bootstrap = 1000};
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the probe");
}

static void probe_fini(probe *p)
{
    for (int i = 0; i < N_PARTS; i++) {
        rvl__part_fini(&p->parts[i]);
        rvl_free(p->x[i]);
    }
    rvl_free(p->names);
    rvl_free(p->column);
    rvl_free(p->mean);
    rvl_free(p->coef);
    rvl_free(p->lambda);
    json_decref(p->left_out);
    rvl_index_close(p->index);
    rvl_cohort_close(p->cohort);
    rvl__use_close(&p->use);
}

static rvl_status check_options(const rvl_probe_opts *o, rvl_error *err)
{
    if (!o->model == !o->index)
        return rvl_fail(err, RVL_ERR_USAGE, "features come from a model (-m) or an index (--index), one of them");
    if (!rvl_str_equal(o->features, "pooled") && !rvl_str_equal(o->features, "embedding"))
        return rvl_fail(err, RVL_ERR_USAGE, "--features is pooled or embedding, not '%s'", o->features);
    if (rvl_str_equal(o->uncertain, "half"))
        return rvl_fail(err, RVL_ERR_USAGE, "--uncertain is ignore, present or absent: half a case cannot be measured");
    if (o->n_bootstrap < 0)
        return rvl_fail(err, RVL_ERR_USAGE, "--bootstrap is not negative");
    if (o->out && !o->force && rvl_path_exists(o->out))
        return rvl_fail(err, RVL_ERR_STATE, "'%s' exists\nhint: --force replaces it", o->out);
    return RVL_OK;
}

static rvl_status open_all(probe *p, rvl_error *err)
{
    const rvl_probe_opts *o = p->opts;
    const char *const     splits[N_PARTS] = {o->split, o->val_split, o->test_split};
    rvl_status            st = rvl__uncertain_parse(&p->uncertain, o->uncertain, err);

    if (!st)
        st = rvl__missing_parse(&p->missing, o->missing, err);
    if (!st)
        st = rvl_cohort_open(&p->cohort, o->cohort, err);
    if (!st && !rvl_cohort_schema(p->cohort))
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no labels to probe for", o->cohort);
    for (int i = 0; !st && i < N_PARTS; i++)
        st = rvl__part_open(&p->parts[i], p->cohort, splits[i], 0, err);
    if (!st)
        st = o->index ? rvl_index_open(&p->index, o->index, err) : rvl__use_open(&p->use, o->model, o->threads, err);
    if (!st && p->index && !rvl_index_get(p->index)->image)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "index '%s' has no image embeddings", o->index);
    if (!st)
        p->f =
            p->index ? (int)rvl_index_get(p->index)->n_embed : (int)rvl_infer_width(p->use.infer, o->features, false);
    if (!st && p->f == 0)
        st = rvl_fail(err, RVL_ERR_USAGE, "'%s' has no '%s' of images", p->use.path, o->features);
    return st;
}

/* ---- findings --------------------------------------------------------------------------------------------------- */

static rvl_status choose_findings(probe *p, rvl_error *err)
{
    const rvl_schema *schema = rvl_cohort_schema(p->cohort);
    const int         n = rvl_schema_count(schema);
    bool             *wanted = NULL;
    rvl_status        st = rvl__findings_mask(&wanted, schema, p->opts->findings, err);

    p->names = rvl_alloc_array((size_t)n + 1, sizeof *p->names);
    p->column = rvl_alloc_array((size_t)n + 1, sizeof *p->column);
    if (!st && (!p->names || !p->column))
        st = no_memory(err);
    for (int j = 0; !st && j < n; j++) {
        if (wanted && !wanted[j])
            continue;
        p->column[p->k] = j;
        p->names[p->k++] = rvl_schema_at(schema, j)->name;
    }
    rvl_free(wanted);
    return st;
}

/* Weight of both classes of finding j. */
static void class_sums(double sums[2], const rvl_split_part *part, int j, int k)
{
    sums[0] = sums[1] = 0;
    for (int64_t i = 0; i < part->list.n_cases; i++)
        sums[part->truth[i * k + j]] += part->valid[i * k + j];
}

static rvl_status label_parts(probe *p, rvl_error *err)
{
    rvl_status st = RVL_OK;
    for (int i = 0; !st && i < N_PARTS; i++)
        st = rvl__part_labels(&p->parts[i], p->column, p->k, p->uncertain, p->missing, err);
    return st;
}

/* Findings that cannot be learned or whose lambda cannot be chosen are left out, and said to be. */
static rvl_status keep_learnable(probe *p, rvl_error *err)
{
    int        n_kept = 0;
    rvl_status st = label_parts(p, err);

    for (int j = 0; !st && j < p->k; j++) {
        double train[2];
        double val[2];
        class_sums(train, &p->parts[TRAIN], j, p->k);
        class_sums(val, &p->parts[VAL], j, p->k);
        const char *reason = train[1] <= 0                 ? "never present in the training split"
                             : train[0] <= 0               ? "never absent in the training split"
                             : !(val[0] > 0 || val[1] > 0) ? "not labelled in the validation split"
                                                           : NULL;
        if (reason) {
            rvl_log(RVL_LOG_WARN, "finding '%s' is %s: left out", p->names[j], reason);
            json_array_append_new(p->left_out, json_pack("{ssss}", "name", p->names[j], "reason", reason));
            continue;
        }
        p->column[n_kept] = p->column[j];
        p->names[n_kept++] = p->names[j];
    }
    if (!st && n_kept == 0)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "no finding of cohort '%s' has both classes in split '%s'",
                      p->opts->cohort, p->opts->split);
    p->k = n_kept;
    return st ? st : label_parts(p, err);
}

/* ---- features --------------------------------------------------------------------------------------------------- */

static rvl_status index_features(double *out, const probe *p, const rvl_case_list *list, rvl_error *err)
{
    const rvl_index_data *data = rvl_index_get(p->index);

    for (int64_t i = 0; i < list->n_cases; i++) {
        const int64_t row = rvl_index_find(p->index, list->cases[i].case_id);
        if (row < 0 || !data->cases[row].has_image)
            return rvl_fail(err, RVL_ERR_NOT_FOUND,
                            "index '%s' has no image of case '%s'\nhint: rvl embed -m MODEL %s -o INDEX --append",
                            p->opts->index, list->cases[i].case_id, p->opts->cohort);
        for (int j = 0; j < p->f; j++)
            out[i * p->f + j] = (double)data->image[row * p->f + j];
    }
    return RVL_OK;
}

static rvl_status model_features(double *out, probe *p, const rvl_case_list *list, rvl_error *err)
{
    const size_t n = (size_t)list->n_cases * (size_t)p->f;
    float       *x = rvl_alloc_array(n + 1, sizeof *x);
    rvl_status   st = x ? rvl_infer_cases(x, p->use.infer, p->opts->features, p->cohort, list, err) : no_memory(err);

    for (size_t i = 0; !st && i < n; i++)
        out[i] = (double)x[i];
    rvl_free(x);
    return st;
}

/* Mean 0 and variance 1 over the training split; a constant feature becomes 0. */
static rvl_status standardise(probe *p, rvl_error *err)
{
    const int64_t n = p->parts[TRAIN].list.n_cases;

    p->mean = rvl_alloc_array((size_t)p->f, 2 * sizeof *p->mean);
    if (!p->mean)
        return no_memory(err);
    p->scale = p->mean + p->f;
    for (int j = 0; j < p->f; j++) {
        double squares = 0;
        for (int64_t i = 0; i < n; i++)
            p->mean[j] += p->x[TRAIN][i * p->f + j] / (double)n;
        for (int64_t i = 0; i < n; i++) {
            const double d = p->x[TRAIN][i * p->f + j] - p->mean[j];
            squares += d * d;
        }
        const double deviation = sqrt(squares / (double)n);
        p->scale[j] = deviation > 1e-12 * fmax(1, fabs(p->mean[j])) ? deviation : 1;
    }
    for (int part = 0; part < N_PARTS; part++)
        for (int64_t i = 0; i < p->parts[part].list.n_cases * p->f; i++)
            p->x[part][i] = (p->x[part][i] - p->mean[i % p->f]) / p->scale[i % p->f];
    return RVL_OK;
}

static rvl_status take_features(probe *p, rvl_error *err)
{
    rvl_status st = RVL_OK;

    for (int i = 0; !st && i < N_PARTS; i++) {
        const rvl_case_list *list = &p->parts[i].list;
        p->x[i] = rvl_alloc_array((size_t)list->n_cases * (size_t)p->f + 1, sizeof *p->x[i]);
        if (!p->x[i])
            st = no_memory(err);
        else
            st = p->index ? index_features(p->x[i], p, list, err) : model_features(p->x[i], p, list, err);
    }
    return st ? st : standardise(p, err);
}

/* ---- fits ------------------------------------------------------------------------------------------------------- */

/* Rows of one part with the labels of finding j; `columns` has room for 2 n. */
static rvl_logistic_data part_data(const probe *p, int i_part, int j, double *columns)
{
    const rvl_split_part *part = &p->parts[i_part];
    const int64_t         n = part->list.n_cases;

    for (int64_t i = 0; i < n; i++) {
        columns[i] = part->target[i * p->k + j];
        columns[n + i] = part->valid[i * p->k + j];
    }
    return (rvl_logistic_data){n, p->f, p->x[i_part], columns, columns + n};
}

/* From strong to weak regularisation, each fit starting from the last; the smallest loss on the validation split wins,
 * of equal ones the stronger. */
static rvl_status fit_finding(probe *p, int j, rvl_error *err)
{
    const size_t m = (size_t)p->f + 1;
    const size_t n_train = (size_t)p->parts[TRAIN].list.n_cases;
    const size_t n_val = (size_t)p->parts[VAL].list.n_cases;
    double      *columns = rvl_alloc_array(2 * (n_train + n_val) + m, sizeof *columns);
    rvl_status   st = RVL_OK;

    if (!columns)
        return no_memory(err);
    double                 *coef = columns + 2 * (n_train + n_val);
    const rvl_logistic_data train = part_data(p, TRAIN, j, columns);
    const rvl_logistic_data val = part_data(p, VAL, j, columns + 2 * n_train);
    p->loss[j] = INFINITY;
    for (int i = 0; !st && i < N_LAMBDAS; i++) {
        const double lambda = pow(10, LAMBDA_EXPONENT - 0.5 * i);
        st = rvl_logistic_fit(coef, &train, lambda, err);
        const double loss = st ? NAN : rvl_logistic_loss(coef, &val);
        if (loss < p->loss[j]) {
            p->loss[j] = loss;
            p->lambda[j] = lambda;
            memcpy(p->coef + (size_t)j * m, coef, m * sizeof *coef);
        }
    }
    if (st)
        rvl_error_prefix(err, "finding '%s'", p->names[j]);
    rvl_free(columns);
    return st;
}

static rvl_status fit_all(probe *p, rvl_error *err)
{
    const size_t k = (size_t)p->k;
    rvl_error   *errors = rvl_alloc_array(k, sizeof *errors);
    rvl_status   st = RVL_OK;

    p->coef = rvl_alloc_array(k * ((size_t)p->f + 1), sizeof *p->coef);
    p->lambda = rvl_alloc_array(k, 2 * sizeof *p->lambda);
    if (!errors || !p->coef || !p->lambda) {
        rvl_free(errors);
        return no_memory(err);
    }
    p->loss = p->lambda + k;
#pragma omp parallel for schedule(dynamic)
    for (int j = 0; j < p->k; j++)
        errors[j].code = fit_finding(p, j, &errors[j]);
    for (int j = 0; !st && j < p->k; j++)
        if (errors[j].code)
            st = rvl_fail(err, errors[j].code, "%s", errors[j].text);
    rvl_free(errors);
    for (int part = VAL; !st && part < N_PARTS; part++)
        for (int64_t i = 0; i < p->parts[part].list.n_cases; i++)
            for (int j = 0; j < p->k; j++) {
                const rvl_logistic_data row = {1, p->f, p->x[part] + i * p->f, NULL, NULL};
                double                  z;
                rvl_logistic_scores(&z, p->coef + (size_t)j * ((size_t)p->f + 1), &row);
                p->parts[part].score[i * p->k + j] = 1 / (1 + exp(-z));
            }
    return st;
}

/* ---- results ---------------------------------------------------------------------------------------------------- */

static json_t *source_json(const probe *p)
{
    json_t *j = json_object();

    rvl_json_set(j, "kind", json_string(p->index ? "embedding" : p->opts->features));
    rvl_json_set(j, "width", json_integer(p->f));
    rvl_json_set(j, "model", json_string(p->index ? rvl_index_get(p->index)->model : p->use.id));
    rvl_json_set(j, "path", json_string(p->index ? p->opts->index : p->use.path));
    return j;
}

static void add_fit(json_t *finding, const probe *p, int j)
{
    double sums[2];

    class_sums(sums, &p->parts[TRAIN], j, p->k);
    rvl_json_set(finding, "lambda", rvl_json_real(p->lambda[j]));
    rvl_json_set(finding, "val_loss", rvl_json_real(p->loss[j]));
    rvl_json_set(finding, "n_train", rvl_json_real(sums[0] + sums[1]));
    rvl_json_set(finding, "n_train_present", rvl_json_real(sums[1]));
}

static rvl_status measure(json_t *root, probe *p, rvl_error *err)
{
    const rvl_probe_opts *o = p->opts;
    rvl_split_part       *test = &p->parts[TEST];
    rvl_split_part       *val = &p->parts[VAL];
    json_t               *result = NULL;
    rvl_bench_findings    f = {.n = test->list.n_cases,
                               .k = p->k,
                               .names = p->names,
                               .score = test->score,
                               .truth = test->truth,
                               .valid = test->valid,
                               .patient = test->patient,
                               .n_patients = test->n_patients,
                               .n_val = val->list.n_cases,
                               .val_score = val->score,
                               .val_valid = val->valid,
                               .val_truth = val->truth,
                               .is_probability = true};
    rvl_status            st = rvl__bench_findings(&result, &f, o->n_bootstrap, (uint64_t)o->seed, err);

    if (st)
        return st;
    for (int j = 0; j < p->k; j++)
        add_fit(json_array_get(json_object_get(result, "findings"), (size_t)j), p, j);
    rvl_json_set(root, "schema", json_string("rvl.probe/1"));
    rvl_json_set(root, "version", json_string(RVL_VERSION));
    rvl_json_set(root, "seed", json_integer(o->seed));
    rvl_json_set(root, "features", source_json(p));
    rvl_json_set(root, "cohort", json_string(o->cohort));
    rvl_json_set(root, "split", json_string(o->split));
    rvl_json_set(root, "val_split", json_string(o->val_split));
    rvl_json_set(root, "test_split", json_string(o->test_split));
    rvl_json_set(root, "uncertain", json_string(o->uncertain));
    rvl_json_set(root, "missing", json_string(o->missing));
    rvl_json_set(root, "left_out", json_incref(p->left_out));
    rvl_json_set(root, "probe", result);
    return RVL_OK;
}

static rvl_status probe_metadata(json_t *meta, const probe *p, rvl_error *err)
{
    json_t    *names = json_array();
    json_t    *source = source_json(p);
    char      *texts[2] = {NULL, NULL};
    rvl_status st;

    for (int j = 0; j < p->k; j++)
        json_array_append_new(names, json_string(p->names[j]));
    st = rvl_json_format(&texts[0], names, 0, err);
    if (!st)
        st = rvl_json_format(&texts[1], source, 0, err);
    if (!st && (!rvl_json_set(meta, "rvl.format", json_string("rvl.probe/1")) ||
                !rvl_json_set(meta, "findings", json_string(texts[0])) ||
                !rvl_json_set(meta, "features", json_string(texts[1])) ||
                !rvl_json_set(meta, "uncertain", json_string(p->opts->uncertain)) ||
                !rvl_json_set(meta, "missing", json_string(p->opts->missing))))
        st = no_memory(err);
    rvl_free(texts[0]);
    rvl_free(texts[1]);
    json_decref(names);
    json_decref(source);
    return st;
}

/* coef (k, f + 1) with the intercept last, mean and scale (f), lambda (k): f64. */
static rvl_status save(const probe *p, rvl_error *err)
{
    const char *const names[] = {"coef", "mean", "scale", "lambda"};
    double *const     data[] = {p->coef, p->mean, p->scale, p->lambda};
    const int64_t     shapes[][2] = {{p->k, p->f + 1}, {p->f, 0}, {p->f, 0}, {p->k, 0}};
    rvl_tensor       *t[4] = {NULL, NULL, NULL, NULL};
    json_t           *meta = json_object();
    rvl_status        st = meta ? probe_metadata(meta, p, err) : no_memory(err);

    for (int i = 0; !st && i < 4; i++)
        st = rvl_tensor_borrow(&t[i], RVL_DTYPE_F64, i == 0 ? 2 : 1, shapes[i], data[i], err);
    if (!st)
        st = rvl_safetensors_save(p->opts->out, 4, names, (const rvl_tensor *const *)t, meta, err);
    for (int i = 0; i < 4; i++)
        rvl_tensor_free(t[i]);
    json_decref(meta);
    return st;
}

rvl_status rvl_probe_run(char **json, const rvl_probe_opts *o, rvl_error *err)
{
    probe      p = {.opts = o, .left_out = json_array()};
    json_t    *root = json_object();
    rvl_status st = root && p.left_out ? check_options(o, err) : no_memory(err);

    *json = NULL;
    if (!st)
        st = open_all(&p, err);
    if (!st)
        st = choose_findings(&p, err);
    if (!st)
        st = keep_learnable(&p, err);
    if (!st)
        st = take_features(&p, err);
    if (!st)
        st = fit_all(&p, err);
    if (!st)
        st = measure(root, &p, err);
    if (!st && o->predictions_out)
        st = rvl__part_save(o->predictions_out, &p.parts[TEST], p.k, p.names, err);
    if (!st && o->out)
        st = save(&p, err);
    if (!st)
        st = rvl_json_format(json, root, 2, err);
    json_decref(root);
    probe_fini(&p);
    return st;
}
