/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/contrast.c
 * The contrastive task: whole-batch plan, or chunks with cached embedding gradients. A locked image tower may be run
 * once for all: steps then begin at its features.
 */
#include "learn/contrast.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/util.h"
#include "learn/duplicates.h"
#include "learn/token_store.h"
#include <math.h>
#include <string.h>

enum { MODE_WHOLE = RVL_MODE_USER, MODE_FORWARD, MODE_LOSS, MODE_BACKWARD, MODE_PROJECT };

struct rvl_contrast {
    rvl_model           *m;
    rvl_cohort          *c;
    const rvl_case_list *train, *val;
    rvl_contrast_opts    opts;
    rvl_adamw           *optimizer;
    rvl_session         *session;
    rvl_infer           *infer;
    rvl_plan            *last;  /* the plan that ran last, for find_nonfinite; owned by the session */
    rvl_plan_stats       stats; /* of the largest plan so far */
    int64_t              n_cut, n_texts, n_shared, n_batches;
    int64_t              n_features;                    /* F, 0 if features are not kept */
    float               *train_features, *val_features; /* (cases of the split, F) */
    float               *features;                      /* (batch, F) of the current step */
    rvl_token_store     *tokens;                        /* text i is that of training case i */
    int32_t             *ids;                           /* (batch, max_tok) of the current step */
    float               *mask;
    uint64_t            *hash;                                                /* (batch) of the tokens */
    int32_t             *group;                                               /* (batch) */
    float               *targets;                                             /* (batch, batch) */
    float               *label_targets, *label_weights;                       /* (batch, K) */
    float                label_scale;                                         /* 1 over the sum of weights */
    int                  k;                                                   /* findings; 0 without a label loss */
    float               *image_embedding, *text_embedding, *d_image, *d_text; /* (batch, E) */
};

typedef struct {
    rvl_node *image, *text; /* embeddings (n, E) */
} pair;

/* Features (n, F): of the images, or as they were kept. */
static rvl_node *pooled_build(rvl_contrast *s, rvl_graph *g, int64_t n, const int64_t *extents)
{
    const int64_t shape[] = {n, s->n_features};

    if (s->n_features > 0)
        return rvl_input(g, "features", RVL_DTYPE_F32, 2, shape);
    return rvl_image_build(g, rvl_image_input(g, &s->m->image, n, extents), &s->m->image, !s->opts.lock_image, 0)
        .pooled;
}

static pair build_towers(rvl_contrast *s, rvl_graph *g, int64_t n, const rvl_plan_key *key)
{
    const int64_t text_shape[] = {n, key->size[1]};
    rvl_node     *pooled = pooled_build(s, g, n, key->size + 2);
    rvl_node     *ids = rvl_input(g, "ids", RVL_DTYPE_I32, 2, text_shape);
    rvl_node     *mask = rvl_input(g, "mask", RVL_DTYPE_F32, 2, text_shape);
    rvl_taps      text = rvl_bert_build(g, ids, mask, &s->m->text, !s->opts.lock_text);
    return (pair){rvl_projection_build(g, pooled, &s->m->clip, "visual_projection"),
                  rvl_projection_build(g, text.pooled, &s->m->clip, "text_projection")};
}

/* The labels' loss added to the contrastive one. */
static rvl_node *add_label_loss(rvl_contrast *s, rvl_graph *g, rvl_node *loss, pair p, int64_t n)
{
    const int64_t shape[] = {n, s->k};
    const int64_t one = 1;
    rvl_node     *targets = rvl_input(g, "label_targets", RVL_DTYPE_F32, 2, shape);
    rvl_node     *weights = rvl_input(g, "label_weights", RVL_DTYPE_F32, 2, shape);
    rvl_node     *scale = rvl_input(g, "label_scale", RVL_DTYPE_F32, 1, &one);
    rvl_node     *labels = rvl_label_loss(rvl_label_head_build(g, p.image, s->k), rvl_label_head_build(g, p.text, s->k),
                                          targets, weights, scale);

    return rvl_add(loss, rvl_affine(labels, s->opts.label_loss, 0));
}

static void build_loss(rvl_contrast *s, rvl_graph *g, pair p, int64_t n)
{
    const int64_t shape[] = {n, n};
    rvl_node     *logits = rvl_clip_logits(g, p.image, p.text, &s->m->clip);
    rvl_node     *loss = s->opts.duplicates == RVL_DUPLICATES_SHARE
                             ? rvl_clip_loss_soft(g, logits, rvl_input(g, "targets", RVL_DTYPE_F32, 2, shape))
                             : rvl_clip_loss(g, logits, rvl_input(g, "diagonal", RVL_DTYPE_I32, 1, shape));
    if (s->k > 0)
        loss = add_label_loss(s, g, loss, p, n);
    rvl_output(g, "loss", loss);
    rvl_graph_backward(g, 1, &loss, NULL);
    rvl_graph_output_weight_grads(g);
}

static rvl_status build(rvl_graph *g, const rvl_plan_key *key, void *context, rvl_error *err)
{
    rvl_contrast *s = context;
    const int64_t n = key->size[0];
    const int64_t shape[] = {n, s->m->clip.embed_dim};

    if (key->mode == MODE_WHOLE) {
        build_loss(s, g, build_towers(s, g, n, key), n);
    } else if (key->mode == MODE_PROJECT) {
        rvl_node *pooled = pooled_build(s, g, n, NULL);
        rvl_output(g, "image_embedding", rvl_projection_build(g, pooled, &s->m->clip, "visual_projection"));
    } else if (key->mode == MODE_FORWARD) {
        pair p = build_towers(s, g, n, key);
        rvl_output(g, "image_embedding", p.image);
        rvl_output(g, "text_embedding", p.text);
    } else if (key->mode == MODE_LOSS) {
        pair p = {rvl_input(g, "image_embedding", RVL_DTYPE_F32, 2, shape),
                  rvl_input(g, "text_embedding", RVL_DTYPE_F32, 2, shape)};
        build_loss(s, g, p, n);
        rvl_output(g, "d_image", rvl_graph_grad(g, p.image));
        rvl_output(g, "d_text", rvl_graph_grad(g, p.text));
    } else {
        pair      p = build_towers(s, g, n, key);
        rvl_node *cotangents[] = {rvl_input(g, "d_image", RVL_DTYPE_F32, 2, shape),
                                  rvl_input(g, "d_text", RVL_DTYPE_F32, 2, shape)};
        rvl_node *outputs[] = {p.image, p.text};
        rvl_graph_backward(g, 2, outputs, cotangents);
        rvl_graph_output_weight_grads(g);
    }
    return rvl_graph_check(g, err);
}

/* The texts of the training cases as tokens. */
static rvl_status keep_tokens(rvl_contrast *s, rvl_error *err)
{
    rvl_status st = rvl_token_store_new(&s->tokens, s->m->tokenizer, s->m->max_tok, s->opts.sample_sentences, err);

    for (int64_t i = 0; !st && i < s->train->n_cases; i++) {
        char *text = rvl_case_text(&s->train->cases[i], s->opts.text);
        st = rvl_token_store_add(s->tokens, text ? text : "", err);
        if (st)
            rvl_error_prefix(err, "case '%s'", s->train->cases[i].case_id);
        rvl_free(text);
    }
    return st;
}

/* The features of a list, which a locked tower gives once for all. */
static rvl_status keep_list(float **out, rvl_contrast *s, const rvl_case_list *list, rvl_error *err)
{
    *out = rvl_alloc_array((size_t)(list->n_cases * s->n_features), sizeof **out);
    if (!*out)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the features of %lld cases", (long long)list->n_cases);
    return rvl_infer_cases(*out, s->infer, "pooled", s->c, list, err);
}

static rvl_status keep_features(rvl_contrast *s, rvl_error *err)
{
    s->n_features = rvl_image_features(&s->m->image);
    s->features = rvl_alloc_array((size_t)(s->opts.batch * s->n_features), sizeof *s->features);
    if (!s->features)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a contrastive batch");
    rvl_status st = keep_list(&s->train_features, s, s->train, err);

    return st || !s->val ? st : keep_list(&s->val_features, s, s->val, err);
}

rvl_status rvl_contrast_new(rvl_contrast **out, rvl_model *m, rvl_cohort *c, const rvl_case_list *train,
                            const rvl_case_list *val, const rvl_contrast_opts *opts, rvl_error *err)
{
    rvl_contrast *s = rvl_alloc_array(1, sizeof *s);
    const size_t  n = (size_t)opts->batch;
    const size_t  e = (size_t)m->clip.embed_dim;
    rvl_status    st = RVL_OK;

    *out = NULL;
    if (!s)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    s->m = m;
    s->c = c;
    s->train = train;
    s->val = val;
    s->opts = *opts;
    s->ids = rvl_alloc_array(n * (size_t)m->max_tok, sizeof *s->ids);
    s->mask = rvl_alloc_array(n * (size_t)m->max_tok, sizeof *s->mask);
    s->hash = rvl_alloc_array(n, sizeof *s->hash);
    s->group = rvl_alloc_array(n, sizeof *s->group);
    s->targets = rvl_alloc_array(n * n, sizeof *s->targets);
    s->image_embedding = rvl_alloc_array(4 * n * e, sizeof(float));
    s->k = opts->label_loss > 0 ? rvl_schema_count(m->schema) : 0;
    s->label_targets = rvl_alloc_array(2 * n * (size_t)s->k + 1, sizeof(float));
    s->label_weights = s->label_targets ? s->label_targets + n * (size_t)s->k : NULL;
    if (!s->label_targets || !s->ids || !s->mask || !s->hash || !s->group || !s->targets || !s->image_embedding)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a contrastive batch of %zu", n);
    if (!st)
        st = rvl__check_rank(m, rvl_cohort_preprocess(c), err);
    if (!st) {
        s->text_embedding = s->image_embedding + n * e;
        s->d_image = s->text_embedding + n * e;
        s->d_text = s->d_image + n * e;
        st = rvl_session_new(&s->session, m->params, m->state, build, s, opts->plan, err);
    }
    if (!st)
        st = rvl_infer_new(&s->infer, m, err);
    if (!st && opts->keep_features)
        st = keep_features(s, err);
    if (!st)
        st = keep_tokens(s, err);
    if (st) {
        rvl_contrast_free(s);
        return st;
    }
    *out = s;
    return RVL_OK;
}

void rvl_contrast_set_optimizer(rvl_contrast *s, rvl_adamw *o, int64_t n_batches_per_epoch)
{
    s->optimizer = o;
    s->n_batches = n_batches_per_epoch;
}

void rvl_contrast_free(rvl_contrast *s)
{
    if (!s)
        return;
    rvl_session_free(s->session);
    rvl_infer_free(s->infer);
    rvl_token_store_free(s->tokens);
    rvl_free(s->train_features);
    rvl_free(s->val_features);
    rvl_free(s->features);
    rvl_free(s->ids);
    rvl_free(s->mask);
    rvl_free(s->hash);
    rvl_free(s->group);
    rvl_free(s->targets);
    rvl_free(s->label_targets);
    rvl_free(s->image_embedding);
    rvl_free(s);
}

rvl_plan_stats rvl_contrast_plan_stats(const rvl_contrast *s)
{
    return s->stats;
}

int64_t rvl_contrast_n_cut(const rvl_contrast *s)
{
    return s->n_cut;
}

int64_t rvl_contrast_n_texts(const rvl_contrast *s)
{
    return s->n_texts;
}

int64_t rvl_contrast_n_shared(const rvl_contrast *s)
{
    return s->n_shared;
}

/* Tokens of the batch's texts into ids, mask (batch, T); returns T. Rows beyond batch->n, whose images are zeros, have
 * empty texts. */
static int64_t draw_texts(rvl_contrast *s, const rvl_batch *batch, uint64_t epoch)
{
    const int max_tok = s->m->max_tok;
    int       longest = 1;

    for (int64_t i = 0; i < s->opts.batch; i++) {
        const int64_t i_text = i < batch->n ? batch->i_case[i] : -1;
        bool          take[RVL_SENTENCES_MAX];
        bool          is_cut = false;
        int           n_tok = 0;
        const bool    is_part = rvl_draw_sentences(take, rvl_token_store_n_sentences(s->tokens, i_text), s->opts.seed,
                                                   epoch, (uint64_t)i_text);
        rvl_token_store_row(s->ids + i * max_tok, &n_tok, &is_cut, s->tokens, i_text, is_part ? take : NULL);
        for (int j = 0; j < max_tok; j++)
            s->mask[i * max_tok + j] = j < n_tok ? 1.0F : 0.0F;
        longest = n_tok > longest ? n_tok : longest;
        s->n_cut += is_cut;
    }
    return rvl_tokens_close_up(s->ids, s->mask, s->opts.batch, longest, max_tok);
}

/* Kept features of the batch's images; zeros beyond batch->n. */
static void draw_features(rvl_contrast *s, const rvl_batch *batch)
{
    const int64_t f = s->n_features;

    for (int64_t i = 0; f > 0 && i < s->opts.batch; i++) {
        if (i < batch->n)
            memcpy(s->features + i * f, s->train_features + batch->i_case[i] * f, (size_t)f * sizeof(float));
        else
            memset(s->features + i * f, 0, (size_t)f * sizeof(float));
    }
}

/* The plan of `mode` over `n` rows and `t` tokens. */
static rvl_status get_plan(rvl_plan **out, rvl_contrast *s, int64_t mode, int64_t n, int64_t t, rvl_error *err)
{
    const rvl_preprocess *p = rvl_cohort_preprocess(s->c);
    rvl_plan_key          key = {.mode = mode, .size = {n}};

    if (mode != MODE_LOSS && mode != MODE_PROJECT) {
        key.size[1] = t;
        (void)rvl_preprocess_extents(key.size + 2, p);
    }
    rvl_status st = rvl_session_plan(out, s->session, &key, err);
    if (!st) {
        rvl_plan_stats stats = rvl_plan_get_stats(*out);
        if (stats.arena_bytes > s->stats.arena_bytes)
            s->stats = stats;
        s->last = *out;
    }
    return st;
}

static void put(rvl_plan *plan, const char *name, const void *data)
{
    rvl_tensor *t = rvl_plan_input(plan, name);
    if (t)
        memcpy(rvl_tensor_data(t), data, rvl_tensor_bytes(t));
}

static void get(float *out, const rvl_plan *plan, const char *name)
{
    const rvl_tensor *t = rvl_plan_output(plan, name);
    if (t)
        memcpy(out, rvl_tensor_const_data(t), rvl_tensor_bytes(t));
}

/* Which texts are right for an image: equal are those with the same tokens, since the tower sees no more of them. */
static void share_equal(rvl_contrast *s, int64_t t)
{
    const int64_t n = s->opts.batch;

    for (int64_t i = 0; i < n; i++)
        s->hash[i] = rvl_hash64(s->ids + i * t, (size_t)t * sizeof *s->ids);
    s->n_texts += n;
    s->n_shared += rvl_group_equal(s->group, s->hash, n);
    rvl_share_targets(s->targets, s->group, n);
}

/* Targets and weights of the batch's labels. */
static void read_labels(rvl_contrast *s, const rvl_batch *batch)
{
    double sum = 0;

    for (int64_t i = 0; i < s->opts.batch * s->k; i++) {
        const uint8_t *labels = i / s->k < batch->n ? s->train->cases[batch->i_case[i / s->k]].labels : NULL;

        s->label_targets[i] = s->label_weights[i] = 0;
        if (labels)
            rvl_label_target((rvl_label_state)labels[i % s->k], s->opts.uncertain, s->opts.missing,
                             &s->label_targets[i], &s->label_weights[i]);
        sum += (double)s->label_weights[i];
    }
    s->label_scale = sum > 0 ? (float)(1 / sum) : 0.0F;
}

static void put_targets(rvl_contrast *s, rvl_plan *plan)
{
    put(plan, "label_targets", s->label_targets);
    put(plan, "label_weights", s->label_weights);
    put(plan, "label_scale", &s->label_scale);
    if (s->opts.duplicates == RVL_DUPLICATES_SHARE) {
        put(plan, "targets", s->targets);
        return;
    }
    int32_t *ids = rvl_tensor_data(rvl_plan_input(plan, "diagonal"));
    for (int64_t i = 0; i < s->opts.batch; i++)
        ids[i] = (int32_t)i;
}

static void put_chunk(rvl_contrast *s, rvl_plan *plan, const rvl_batch *batch, int64_t first, int64_t t)
{
    const rvl_preprocess *p = rvl_cohort_preprocess(s->c);
    if (s->n_features > 0)
        put(plan, "features", s->features + first * s->n_features);
    else
        put(plan, "image", batch->images + first * rvl_preprocess_count(p));
    put(plan, "ids", s->ids + first * t);
    put(plan, "mask", s->mask + first * t);
}

static rvl_status step_whole(rvl_contrast *s, const rvl_batch *batch, int64_t t, int64_t step, double *loss,
                             rvl_error *err)
{
    rvl_plan  *plan = NULL;
    rvl_status st = get_plan(&plan, s, MODE_WHOLE, s->opts.batch, t, err);

    if (st)
        return st;
    put_chunk(s, plan, batch, 0, t);
    put_targets(s, plan);
    rvl_plan_set_key(plan, s->opts.seed, (uint64_t)step);
    st = rvl_plan_run(plan, err);
    if (st)
        return st;
    *loss = *(const float *)rvl_tensor_const_data(rvl_plan_output(plan, "loss"));
    rvl_adamw_accumulate(s->optimizer, plan);
    return RVL_OK;
}

static bool all_finite(const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        if (!isfinite(x[i]))
            return false;
    return true;
}

static rvl_status run_chunks(rvl_contrast *s, const rvl_batch *batch, int64_t mode, int64_t t, int64_t step,
                             rvl_error *err)
{
    const int64_t micro = s->opts.micro_batch;
    const int64_t e = s->m->clip.embed_dim;
    rvl_status    st = RVL_OK;

    for (int64_t i = 0; !st && i < s->opts.batch; i += micro) {
        rvl_plan *plan = NULL;
        st = get_plan(&plan, s, mode, micro, t, err);
        if (st)
            break;
        put_chunk(s, plan, batch, i, t);
        put(plan, "d_image", s->d_image + i * e);
        put(plan, "d_text", s->d_text + i * e);
        rvl_plan_set_key(plan, s->opts.seed, (uint64_t)(step * (s->opts.batch / micro) + i / micro));
        st = rvl_plan_run(plan, err);
        if (!st && mode == MODE_BACKWARD)
            rvl_adamw_accumulate(s->optimizer, plan);
        if (!st && mode == MODE_FORWARD) {
            get(s->image_embedding + i * e, plan, "image_embedding");
            get(s->text_embedding + i * e, plan, "text_embedding");
            if (!all_finite(s->image_embedding + i * e, micro * e) || !all_finite(s->text_embedding + i * e, micro * e))
                st = rvl_plan_find_nonfinite(plan, err); /* while the plan still holds the inputs */
        }
    }
    return st;
}

static rvl_status step_chunks(rvl_contrast *s, const rvl_batch *batch, int64_t t, int64_t step, double *loss,
                              rvl_error *err)
{
    rvl_plan  *plan = NULL;
    rvl_status st = run_chunks(s, batch, MODE_FORWARD, t, step, err);

    if (!st)
        st = get_plan(&plan, s, MODE_LOSS, s->opts.batch, 0, err);
    if (st)
        return st;
    put(plan, "image_embedding", s->image_embedding);
    put(plan, "text_embedding", s->text_embedding);
    put_targets(s, plan);
    st = rvl_plan_run(plan, err);
    if (st)
        return st;
    *loss = *(const float *)rvl_tensor_const_data(rvl_plan_output(plan, "loss"));
    if (!isfinite(*loss))
        return RVL_OK; /* the loop reports it */
    rvl_adamw_accumulate(s->optimizer, plan);
    get(s->d_image, plan, "d_image");
    get(s->d_text, plan, "d_text");
    /* The second pass stages the same BatchNorm statistics again: keep the first pass's, drop the second's. */
    rvl_state_commit(s->m->state);
    st = run_chunks(s, batch, MODE_BACKWARD, t, step, err);
    rvl_state_discard(s->m->state);
    return st;
}

/* The clamp in the graph gives no gradient beyond its bound, so a scale that stepped over it is put back (Radford et
 * al. 2021, section 2.5). */
static void bound_scale(rvl_model *m)
{
    rvl_param *p = rvl_params_find(m->params, "logit_scale");
    float     *scale = p ? rvl_tensor_data(rvl_param_tensor(p)) : NULL;
    if (scale && (*scale > (float)log(100) || *scale < 0)) {
        *scale = *scale < 0 ? 0 : (float)log(100);
        rvl_param_touch(p);
    }
}

static rvl_status step(void *self, const rvl_batch *batch, int64_t step_number, double *loss, rvl_error *err)
{
    rvl_contrast *s = self;
    const int64_t t = draw_texts(s, batch, (uint64_t)(step_number / s->n_batches));

    bound_scale(s->m);
    draw_features(s, batch);
    if (s->opts.duplicates == RVL_DUPLICATES_SHARE)
        share_equal(s, t);
    read_labels(s, batch);
    if (s->opts.batch == s->opts.micro_batch)
        return step_whole(s, batch, t, step_number, loss, err);
    return step_chunks(s, batch, t, step_number, loss, err);
}

/* Cross-entropy of (n, n) similarities, rows of a against rows of b, mean over rows; all of one group are right alike.
 * `*rank_sum` counts what ranks before or beside a row's own. */
static double group_loss(const float *a, const float *b, const int32_t *group, int64_t n, int64_t e, double scale,
                         int64_t *rank_sum)
{
    double total = 0;
    for (int64_t i = 0; i < n; i++) {
        double  peak = -INFINITY;
        double  own = 0;
        double  right = 0;
        double  sum = 0;
        int64_t n_right = 0;
        for (int pass = 0; pass < 2; pass++) {
            for (int64_t j = 0; j < n; j++) {
                double dot = 0;
                for (int64_t k = 0; k < e; k++)
                    dot += (double)a[i * e + k] * b[j * e + k];
                dot *= scale;
                if (pass == 1) {
                    sum += exp(dot - peak);
                    *rank_sum += j != i && dot >= own;
                    continue;
                }
                peak = dot > peak ? dot : peak;
                own = i == j ? dot : own;
                right += group[j] == group[i] ? dot : 0;
                n_right += group[j] == group[i];
            }
        }
        total += peak + log(sum) - right / (double)n_right;
    }
    return total / (double)n;
}

/* Kept features of the validation split to embeddings (n, E). */
static rvl_status project_val(float *out, rvl_contrast *s, rvl_error *err)
{
    rvl_plan  *plan = NULL;
    rvl_status st = get_plan(&plan, s, MODE_PROJECT, s->val->n_cases, 0, err);

    if (st)
        return st;
    put(plan, "features", s->val_features);
    st = rvl_plan_run(plan, err);
    if (!st)
        get(out, plan, "image_embedding");
    return st;
}

/* Embeddings of the validation split (n, E), and which of its texts are equal. */
static rvl_status embed_val(rvl_contrast *s, float *image, float *text, int32_t *group, rvl_error *err)
{
    const int64_t n = s->val->n_cases;
    char        **texts = rvl_alloc_array((size_t)n, sizeof *texts);
    uint64_t     *hash = rvl_alloc_array((size_t)n, sizeof *hash);
    rvl_status    st = texts && hash ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    for (int64_t i = 0; !st && i < n; i++) {
        texts[i] = rvl_case_text(&s->val->cases[i], s->opts.text);
        hash[i] = texts[i] ? rvl_hash64(texts[i], strlen(texts[i])) : (uint64_t)i;
        group[i] = (int32_t)i;
    }
    if (!st && s->opts.duplicates == RVL_DUPLICATES_SHARE)
        rvl_group_equal(group, hash, n);
    if (!st && s->n_features > 0)
        st = project_val(image, s, err);
    else if (!st)
        st = rvl_infer_cases(image, s->infer, "embedding", s->c, s->val, err);
    if (!st)
        st = rvl_infer_texts(text, s->infer, "embedding", (const char *const *)texts, n, NULL, err);
    for (int64_t i = 0; texts && i < n; i++)
        rvl_free(texts[i]);
    rvl_free(texts);
    rvl_free(hash);
    return st;
}

static rvl_status evaluate(void *self, json_t **metrics, double *value, rvl_error *err)
{
    rvl_contrast *s = self;
    const int64_t n = s->val->n_cases;
    const int64_t e = s->m->clip.embed_dim;
    float        *image = rvl_alloc_array((size_t)(2 * n * e), sizeof *image);
    int32_t      *group = rvl_alloc_array((size_t)n, sizeof *group);
    int64_t       ranks[2] = {0, 0};
    rvl_status    st =
        image && group ? embed_val(s, image, image + n * e, group, err) : rvl_fail(err, RVL_ERR_NOMEM, "out of memory");

    if (!st) {
        const float *text = image + n * e;
        double       scale = rvl_clip_scale(s->m);
        double       loss = 0.5 * (group_loss(image, text, group, n, e, scale, &ranks[0]) +
                             group_loss(text, image, group, n, e, scale, &ranks[1]));
        *value = -loss;
        *metrics = json_object();
        rvl_json_set(*metrics, "loss", rvl_json_real(loss));
        rvl_json_set(*metrics, "mean_rank_image_to_text", rvl_json_real(1 + (double)ranks[0] / (double)n));
        rvl_json_set(*metrics, "mean_rank_text_to_image", rvl_json_real(1 + (double)ranks[1] / (double)n));
        rvl_json_set(*metrics, "logit_scale", rvl_json_real(scale));
        rvl_json_set(*metrics, "n", json_integer(n));
    }
    rvl_free(image);
    rvl_free(group);
    return st;
}

static rvl_status find_nonfinite(void *self, rvl_error *err)
{
    rvl_contrast *s = self;
    return s->last ? rvl_plan_find_nonfinite(s->last, err) : RVL_OK;
}

static const rvl_plan *step_plan(void *self)
{
    return ((const rvl_contrast *)self)->last;
}

rvl_task rvl_contrast_task(rvl_contrast *s)
{
    return (rvl_task){s, step, evaluate, find_nonfinite, step_plan, "negative contrastive loss on val"};
}
