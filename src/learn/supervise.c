/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/supervise.c
 * The supervised task.
 */
#include "learn/supervise.h"
#include "base/alloc.h"
#include "base/json.h"
#include "measure/metrics.h"
#include <math.h>
#include <string.h>

enum { MODE_TRAIN = RVL_MODE_USER };

struct rvl_supervise {
    rvl_model           *m;
    rvl_cohort          *c;
    const rvl_case_list *val;
    rvl_supervise_opts   opts;
    rvl_adamw           *optimizer;
    rvl_session         *session;
    rvl_infer           *infer;
    rvl_plan            *plan; /* of one micro-batch; owned by the session */
    int                  k;
    float               *targets, *weights; /* (batch, K) */
};

static rvl_status build_train(rvl_graph *g, const rvl_plan_key *key, void *context, rvl_error *err)
{
    rvl_supervise *s = context;
    const int64_t  n = key->size[0];
    const int64_t  label_shape[] = {n, s->k};
    const int64_t  one[] = {1};

    rvl_node *image = rvl_image_input(g, &s->m->image, n, key->size + 1);
    rvl_node *targets = rvl_input(g, "targets", RVL_DTYPE_F32, 2, label_shape);
    rvl_node *weights = rvl_input(g, "weights", RVL_DTYPE_F32, 2, label_shape);
    rvl_node *scale = rvl_input(g, "scale", RVL_DTYPE_F32, 1, one);
    rvl_taps  taps = rvl_image_build(g, image, &s->m->image, !s->opts.lock_image, 0);
    rvl_node *logits = rvl_head_build(g, taps.pooled, s->k);
    rvl_node *loss = rvl_mul(rvl_sum(rvl_bce_with_logits(logits, targets, weights), 3, false), scale);

    rvl_output(g, "loss", loss);
    rvl_graph_backward(g, 1, &loss, NULL);
    rvl_graph_output_weight_grads(g);
    return rvl_graph_check(g, err);
}

rvl_status rvl_supervise_new(rvl_supervise **out, rvl_model *m, rvl_cohort *c, const rvl_case_list *val,
                             const rvl_supervise_opts *opts, rvl_error *err)
{
    const rvl_preprocess *p = rvl_cohort_preprocess(c);
    rvl_plan_key          key = {.mode = MODE_TRAIN, .size = {opts->micro_batch}};
    rvl_supervise        *s = rvl_alloc_array(1, sizeof *s);
    rvl_status            st = RVL_OK;

    *out = NULL;
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    s->m = m;
    s->c = c;
    s->val = val;
    s->opts = *opts;
    s->k = rvl_schema_count(m->schema);
    (void)rvl_preprocess_extents(key.size + 1, p);
    s->targets = rvl_alloc_array((size_t)(opts->batch * s->k), sizeof *s->targets);
    s->weights = rvl_alloc_array((size_t)(opts->batch * s->k), sizeof *s->weights);
    if (!s->targets || !s->weights)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    if (!st)
        st = rvl__check_rank(m, p, err);
    if (!st)
        st = rvl_session_new(&s->session, m->params, m->state, build_train, s, opts->plan, err);
    if (!st)
        st = rvl_session_plan(&s->plan, s->session, &key, err);
    if (!st)
        st = rvl_infer_new(&s->infer, m, err);
    if (st) {
        rvl_supervise_free(s);
        return st;
    }
    *out = s;
    return RVL_OK;
}

void rvl_supervise_set_optimizer(rvl_supervise *s, rvl_adamw *o)
{
    s->optimizer = o;
}

void rvl_supervise_free(rvl_supervise *s)
{
    if (!s)
        return;
    rvl_session_free(s->session);
    rvl_infer_free(s->infer);
    rvl_free(s->targets);
    rvl_free(s->weights);
    rvl_free(s);
}

rvl_plan_stats rvl_supervise_plan_stats(const rvl_supervise *s)
{
    return rvl_plan_get_stats(s->plan);
}

/* Targets and weights of a batch; returns the sum of weights. */
static double fill_labels(rvl_supervise *s, const rvl_batch *batch)
{
    double sum = 0;
    for (int64_t i = 0; i < s->opts.batch * s->k; i++) {
        int k = (int)(i % s->k);
        s->targets[i] = s->weights[i] = 0;
        if (i / s->k >= batch->n || (s->opts.withheld && s->opts.withheld[k]))
            continue;
        rvl_label_target((rvl_label_state)batch->labels[i], s->opts.uncertain, s->opts.missing, &s->targets[i],
                         &s->weights[i]);
        sum += s->weights[i];
    }
    return sum;
}

static rvl_status step(void *self, const rvl_batch *batch, int64_t step_number, double *loss, rvl_error *err)
{
    rvl_supervise        *s = self;
    const rvl_preprocess *p = rvl_cohort_preprocess(s->c);
    const int64_t         micro = s->opts.micro_batch;
    const int64_t         pixels = rvl_preprocess_count(p);
    const double          sum = fill_labels(s, batch);
    rvl_status            st = RVL_OK;

    *loss = 0;
    for (int64_t i = 0; !st && i < s->opts.batch; i += micro) {
        memcpy(rvl_tensor_data(rvl_plan_input(s->plan, "image")), batch->images + i * pixels,
               (size_t)(micro * pixels) * sizeof(float));
        memcpy(rvl_tensor_data(rvl_plan_input(s->plan, "targets")), s->targets + i * s->k,
               (size_t)(micro * s->k) * sizeof(float));
        memcpy(rvl_tensor_data(rvl_plan_input(s->plan, "weights")), s->weights + i * s->k,
               (size_t)(micro * s->k) * sizeof(float));
        *(float *)rvl_tensor_data(rvl_plan_input(s->plan, "scale")) = sum > 0 ? (float)(1 / sum) : 0.0F;
        rvl_plan_set_key(s->plan, s->opts.seed, (uint64_t)(step_number * (s->opts.batch / micro) + i / micro));
        st = rvl_plan_run(s->plan, err);
        if (st)
            break;
        *loss += *(const float *)rvl_tensor_const_data(rvl_plan_output(s->plan, "loss"));
        rvl_adamw_accumulate(s->optimizer, s->plan);
        if (!isfinite(*loss))
            break; /* the plan still holds the inputs that made it */
    }
    return st;
}

void rvl_label_targets(float *targets, float *weights, const rvl_case_list *list, int k, rvl_uncertain_policy uncertain,
                       rvl_missing_policy missing)
{
    for (int64_t i = 0; i < list->n_cases; i++)
        for (int j = 0; j < k; j++) {
            targets[i * k + j] = weights[i * k + j] = 0;
            if (list->cases[i].labels)
                rvl_label_target((rvl_label_state)list->cases[i].labels[j], uncertain, missing, &targets[i * k + j],
                                 &weights[i * k + j]);
        }
}

rvl_status rvl_macro_auroc(double *macro, double *each, const float *logits, const float *targets, const float *weights,
                           int64_t n, int k, const bool *withheld, rvl_error *err)
{
    double    *score = rvl_alloc_array((size_t)n, sizeof *score);
    double    *weight = rvl_alloc_array((size_t)n, sizeof *weight);
    uint8_t   *truth = rvl_alloc_array((size_t)n, sizeof *truth);
    double     sum = 0;
    int        n_defined = 0;
    rvl_status st = score && weight && truth ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    for (int j = 0; !st && j < k; j++) {
        double auc = NAN;
        for (int64_t i = 0; i < n; i++) {
            score[i] = logits[i * k + j];
            truth[i] = targets[i * k + j] > 0.5F;
            weight[i] = weights[i * k + j];
        }
        st = rvl_auroc(&auc, &(rvl_binary){n, score, truth, weight}, err);
        if (each)
            each[j] = auc;
        if (!st && isfinite(auc) && !(withheld && withheld[j])) {
            sum += auc;
            n_defined++;
        }
    }
    *macro = n_defined ? sum / n_defined : NAN;
    rvl_free(score);
    rvl_free(weight);
    rvl_free(truth);
    return st;
}

json_t *rvl_macro_auroc_json(double macro, const double *each, const rvl_schema *schema, int64_t n)
{
    json_t *auroc = json_object(), *metrics = json_object();

    for (int j = 0; j < rvl_schema_count(schema); j++)
        rvl_json_set(auroc, rvl_schema_at(schema, j)->name, rvl_json_real(each[j]));
    rvl_json_set(metrics, "macro_auroc", rvl_json_real(macro));
    rvl_json_set(metrics, "auroc", auroc);
    rvl_json_set(metrics, "n", json_integer(n));
    return metrics;
}

static rvl_status evaluate(void *self, json_t **metrics, double *value, rvl_error *err)
{
    rvl_supervise *s = self;
    const int64_t  n = s->val->n_cases;
    float         *logits = rvl_alloc_array((size_t)(n * s->k) * 3, sizeof *logits);
    float         *targets = logits ? logits + n * s->k : NULL, *weights = logits ? targets + n * s->k : NULL;
    double        *each = rvl_alloc_array((size_t)s->k, sizeof *each);
    rvl_status     st = logits && each ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    if (!st)
        st = rvl_infer_cases(logits, s->infer, "logits", s->c, s->val, err);
    if (!st) {
        rvl_label_targets(targets, weights, s->val, s->k, s->opts.uncertain, s->opts.missing);
        st = rvl_macro_auroc(value, each, logits, targets, weights, n, s->k, s->opts.withheld, err);
    }
    if (!st)
        *metrics = rvl_macro_auroc_json(*value, each, s->m->schema, n);
    rvl_free(logits);
    rvl_free(each);
    return st;
}

static rvl_status find_nonfinite(void *self, rvl_error *err)
{
    rvl_supervise *s = self;
    return rvl_plan_find_nonfinite(s->plan, err);
}

static const rvl_plan *step_plan(void *self)
{
    return ((const rvl_supervise *)self)->plan;
}

rvl_task rvl_supervise_task(rvl_supervise *s)
{
    return (rvl_task){s, step, evaluate, find_nonfinite, step_plan, "macro AUROC on val"};
}
