/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/supervise_text.c
 * The supervised task on texts.
 */
#include "learn/supervise_text.h"
#include "base/alloc.h"
#include "base/json.h"
#include "learn/supervise.h"
#include "learn/token_store.h"
#include <math.h>
#include <string.h>

enum { MODE_TRAIN = RVL_MODE_USER };

struct rvl_supervise_text {
    rvl_model              *m;
    rvl_text_examples       train, val;
    rvl_supervise_text_opts opts;
    rvl_adamw              *optimizer;
    rvl_session            *session;
    rvl_infer              *infer;
    rvl_token_store        *tokens; /* of train */
    rvl_plan               *plan;   /* of the last micro-batch; owned by the session */
    rvl_plan_stats          largest;
    int                     k;
    int64_t                 n_cut;
    int32_t                *ids; /* (micro, max_tok) */
    float                  *mask;
};

static rvl_status build_train(rvl_graph *g, const rvl_plan_key *key, void *context, rvl_error *err)
{
    rvl_supervise_text *s = context;
    const int64_t       tokens[] = {key->size[0], key->size[1]}, labels[] = {key->size[0], s->k}, one[] = {1};

    rvl_node *ids = rvl_input(g, "ids", RVL_DTYPE_I32, 2, tokens);
    rvl_node *mask = rvl_input(g, "mask", RVL_DTYPE_F32, 2, tokens);
    rvl_node *targets = rvl_input(g, "targets", RVL_DTYPE_F32, 2, labels);
    rvl_node *weights = rvl_input(g, "weights", RVL_DTYPE_F32, 2, labels);
    rvl_node *scale = rvl_input(g, "scale", RVL_DTYPE_F32, 1, one);
    rvl_taps  taps = rvl_bert_build(g, ids, mask, &s->m->text, !s->opts.lock_text);
    rvl_node *logits = rvl_head_build(g, taps.pooled, s->k);
    rvl_node *loss = rvl_mul(rvl_sum(rvl_bce_with_logits(logits, targets, weights), 3, false), scale);

    rvl_output(g, "loss", loss);
    rvl_graph_backward(g, 1, &loss, NULL);
    rvl_graph_output_weight_grads(g);
    return rvl_graph_check(g, err);
}

static rvl_status tokenize(rvl_supervise_text *s, rvl_error *err)
{
    rvl_status st = rvl_token_store_new(&s->tokens, s->m->tokenizer, s->m->max_tok, false, err);

    for (int64_t i = 0; !st && i < s->train.n; i++) {
        int  n_tok;
        bool is_cut;

        st = rvl_token_store_add(s->tokens, s->train.texts[i], err);
        if (st) {
            rvl_error_prefix(err, "text %lld", (long long)i + 1);
            return st;
        }
        rvl_token_store_row(s->ids, &n_tok, &is_cut, s->tokens, i, NULL);
        s->n_cut += is_cut;
    }
    return st;
}

rvl_status rvl_supervise_text_new(rvl_supervise_text **out, rvl_model *m, const rvl_text_examples *train,
                                  const rvl_text_examples *val, const rvl_supervise_text_opts *opts, rvl_error *err)
{
    rvl_supervise_text *s = rvl_alloc_array(1, sizeof *s);
    const size_t        n = (size_t)(opts->micro_batch * m->max_tok);
    rvl_status          st = RVL_OK;

    *out = NULL;
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    s->m = m;
    s->train = *train;
    s->val = val ? *val : (rvl_text_examples){0};
    s->opts = *opts;
    s->k = rvl_schema_count(m->schema);
    s->ids = rvl_alloc_array(n, sizeof *s->ids);
    s->mask = rvl_alloc_array(n, sizeof *s->mask);
    if (!s->ids || !s->mask)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    if (!st)
        st = tokenize(s, err);
    if (!st)
        st = rvl_session_new(&s->session, m->params, m->state, build_train, s, opts->plan, err);
    if (!st)
        st = rvl_infer_new(&s->infer, m, err);
    if (st) {
        rvl_supervise_text_free(s);
        return st;
    }
    *out = s;
    return RVL_OK;
}

void rvl_supervise_text_set_optimizer(rvl_supervise_text *s, rvl_adamw *o)
{
    s->optimizer = o;
}

void rvl_supervise_text_free(rvl_supervise_text *s)
{
    if (!s)
        return;
    rvl_session_free(s->session);
    rvl_infer_free(s->infer);
    rvl_token_store_free(s->tokens);
    rvl_free(s->ids);
    rvl_free(s->mask);
    rvl_free(s);
}

rvl_plan_stats rvl_supervise_text_plan_stats(const rvl_supervise_text *s)
{
    return s->largest;
}

int64_t rvl_supervise_text_n_cut(const rvl_supervise_text *s)
{
    return s->n_cut;
}

/** Tokens of the examples i_case[0..micro) (-1: none) in s->ids and s->mask; returns their common length. */
static int64_t fill_tokens(rvl_supervise_text *s, const int64_t *i_case)
{
    const int max_tok = s->m->max_tok;
    int       longest = 1;

    for (int64_t i = 0; i < s->opts.micro_batch; i++) {
        int  n_tok;
        bool is_cut;

        rvl_token_store_row(s->ids + i * max_tok, &n_tok, &is_cut, s->tokens, i_case[i], NULL);
        for (int t = 0; t < max_tok; t++)
            s->mask[i * max_tok + t] = t < n_tok ? 1.0F : 0.0F;
        longest = n_tok > longest ? n_tok : longest;
    }
    return rvl_tokens_close_up(s->ids, s->mask, s->opts.micro_batch, longest, max_tok);
}

static float weight_of(const rvl_supervise_text *s, int64_t i_case, int k)
{
    return s->opts.withheld && s->opts.withheld[k] ? 0.0F : s->train.weights[i_case * s->k + k];
}

/** Targets and weights of one micro-batch into the plan's inputs. */
static void fill_targets(rvl_supervise_text *s, const int64_t *i_case)
{
    float *targets = rvl_tensor_data(rvl_plan_input(s->plan, "targets"));
    float *weights = rvl_tensor_data(rvl_plan_input(s->plan, "weights"));

    for (int64_t i = 0; i < s->opts.micro_batch; i++)
        for (int k = 0; k < s->k; k++) {
            targets[i * s->k + k] = i_case[i] < 0 ? 0.0F : s->train.targets[i_case[i] * s->k + k];
            weights[i * s->k + k] = i_case[i] < 0 ? 0.0F : weight_of(s, i_case[i], k);
        }
}

static double sum_weights(const rvl_supervise_text *s, const rvl_batch *batch)
{
    double sum = 0;

    for (int i = 0; i < batch->n; i++)
        for (int k = 0; k < s->k; k++)
            sum += (double)weight_of(s, batch->i_case[i], k);
    return sum;
}

static rvl_status step_micro(rvl_supervise_text *s, const int64_t *i_case, double scale, uint64_t key, rvl_error *err)
{
    const int64_t n = s->opts.micro_batch, n_tok = fill_tokens(s, i_case);
    rvl_plan_key  want = {.mode = MODE_TRAIN, .size = {n, n_tok}};
    rvl_status    st = rvl_session_plan(&s->plan, s->session, &want, err);

    if (st)
        return st;
    if (rvl_plan_get_stats(s->plan).arena_bytes > s->largest.arena_bytes)
        s->largest = rvl_plan_get_stats(s->plan);
    memcpy(rvl_tensor_data(rvl_plan_input(s->plan, "ids")), s->ids, (size_t)(n * n_tok) * sizeof *s->ids);
    memcpy(rvl_tensor_data(rvl_plan_input(s->plan, "mask")), s->mask, (size_t)(n * n_tok) * sizeof *s->mask);
    fill_targets(s, i_case);
    *(float *)rvl_tensor_data(rvl_plan_input(s->plan, "scale")) = (float)scale;
    rvl_plan_set_key(s->plan, s->opts.seed, key);
    return rvl_plan_run(s->plan, err);
}

static rvl_status step(void *self, const rvl_batch *batch, int64_t step_number, double *loss, rvl_error *err)
{
    rvl_supervise_text *s = self;
    const int64_t       micro = s->opts.micro_batch, n_micro = s->opts.batch / micro;
    const double        sum = sum_weights(s, batch);
    rvl_status          st = RVL_OK;

    *loss = 0;
    for (int64_t i = 0; !st && i < n_micro; i++) {
        st =
            step_micro(s, batch->i_case + i * micro, sum > 0 ? 1 / sum : 0, (uint64_t)(step_number * n_micro + i), err);
        if (st)
            break;
        *loss += *(const float *)rvl_tensor_const_data(rvl_plan_output(s->plan, "loss"));
        rvl_adamw_accumulate(s->optimizer, s->plan);
        if (!isfinite(*loss))
            break; /* the plan still holds the inputs that made it */
    }
    return st;
}

/** Mean weighted BCE of the validation texts. */
static double validation_bce(const rvl_supervise_text *s, const float *logits)
{
    double sum = 0, weights = 0;

    for (int64_t i = 0; i < s->val.n * s->k; i++) {
        const double x = (double)logits[i], w = (double)s->val.weights[i];
        if (!(w > 0) || (s->opts.withheld && s->opts.withheld[i % s->k]))
            continue;
        sum += w * (fmax(x, 0) - x * (double)s->val.targets[i] + log1p(exp(-fabs(x))));
        weights += w;
    }
    return weights > 0 ? sum / weights : NAN;
}

static rvl_status evaluate(void *self, json_t **metrics, double *value, rvl_error *err)
{
    rvl_supervise_text *s = self;
    float              *logits = rvl_alloc_array((size_t)(s->val.n * s->k), sizeof *logits);
    double             *each = rvl_alloc_array((size_t)s->k, sizeof *each), macro = NAN;
    rvl_status          st = logits && each ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    if (!st)
        st = rvl_infer_texts(logits, s->infer, "logits", s->val.texts, s->val.n, NULL, err);
    if (!st)
        st =
            rvl_macro_auroc(value, each, logits, s->val.targets, s->val.weights, s->val.n, s->k, s->opts.withheld, err);
    if (!st) {
        *value = -validation_bce(s, logits);
        *metrics = rvl_macro_auroc_json(macro, each, s->m->schema, s->val.n);
        rvl_json_set(*metrics, "bce", rvl_json_real(-*value));
    }
    rvl_free(logits);
    rvl_free(each);
    return st;
}

static rvl_status find_nonfinite(void *self, rvl_error *err)
{
    return rvl_plan_find_nonfinite(((rvl_supervise_text *)self)->plan, err);
}

static const rvl_plan *step_plan(void *self)
{
    return ((const rvl_supervise_text *)self)->plan;
}

rvl_task rvl_supervise_text_task(rvl_supervise_text *s)
{
    return (rvl_task){s, step, evaluate, find_nonfinite, step_plan, "-BCE on val"};
}
