/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file model/model.c
 * A model's life: empty, weights made, evaluation graphs built.
 */
#include "model/model.h"
#include "base/alloc.h"
#include "base/json.h"
#include "model/arch.h"

rvl_status rvl_model_new(rvl_model **out, uint64_t seed, rvl_error *err)
{
    rvl_model *m = rvl_alloc_array(1, sizeof *m);
    rvl_status st;

    *out = NULL;
    if (!m)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot make a model: out of memory");
    st = rvl_params_new(&m->params, seed, err);
    if (!st)
        st = rvl_state_new(&m->state, err);
    if (!st && !(m->extra = json_object()))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot make a model: out of memory");
    if (st) {
        rvl_model_free(m);
        return st;
    }
    *out = m;
    return RVL_OK;
}

void rvl_model_free(rvl_model *m)
{
    if (!m)
        return;
    rvl_params_free(m->params);
    rvl_state_free(m->state);
    rvl_tokenizer_free(m->tokenizer);
    rvl_schema_free(m->schema);
    json_decref(m->preprocess);
    json_decref(m->extra);
    rvl_free(m);
}

static void image_part_build(rvl_graph *g, const rvl_model *m, int64_t n, const int64_t *spatial)
{
    rvl_node *x = rvl_image_input(g, &m->image, n, spatial);
    rvl_taps  taps = rvl_image_build(g, x, &m->image, false, 0);

    rvl_output(g, "pooled", taps.pooled);
    if (m->has_head)
        rvl_output(g, "logits", rvl_head_build(g, taps.pooled, rvl_schema_count(m->schema)));
    if (!m->has_clip)
        return;
    rvl_node *embedding = rvl_projection_build(g, taps.pooled, &m->clip, "visual_projection");
    rvl_output(g, "embedding", embedding);
    if (m->clip.label_head && !m->has_head)
        rvl_output(g, "logits", rvl_label_head_build(g, embedding, rvl_schema_count(m->schema)));
}

static void text_part_build(rvl_graph *g, const rvl_model *m, int64_t n, int64_t n_tok)
{
    rvl_node *ids = rvl_input(g, "ids", RVL_DTYPE_I32, 2, (int64_t[]){n, n_tok});
    rvl_node *mask = rvl_input(g, "mask", RVL_DTYPE_F32, 2, (int64_t[]){n, n_tok});
    rvl_taps  taps = rvl_bert_build(g, ids, mask, &m->text, false);

    rvl_output(g, "pooled", taps.pooled);
    if (m->has_head && !m->has_image)
        rvl_output(g, "logits", rvl_head_build(g, taps.pooled, rvl_schema_count(m->schema)));
    if (m->has_clip)
        rvl_output(g, "embedding", rvl_projection_build(g, taps.pooled, &m->clip, "text_projection"));
}

rvl_status rvl_model_build_eval(rvl_graph *g, const rvl_plan_key *key, void *model, rvl_error *err)
{
    const rvl_model *m = model;
    const int64_t   *size = key->size;

    if (key->mode == RVL_MODE_EVAL_IMAGE) {
        if (!m->has_image)
            return rvl_fail(err, RVL_ERR_STATE, "cannot embed images: the model has no image tower");
        image_part_build(g, m, size[0], size + 1);
    } else if (key->mode == RVL_MODE_EVAL_TEXT) {
        if (!m->has_text)
            return rvl_fail(err, RVL_ERR_STATE, "cannot embed text: the model has no text tower");
        if (size[1] > m->text.max_positions)
            return rvl_fail(err, RVL_ERR_SHAPE, "cannot embed text: %lld tokens, but the text tower has %d positions",
                            (long long)size[1], m->text.max_positions);
        text_part_build(g, m, size[0], size[1]);
    } else {
        return rvl_fail(err, RVL_ERR_USAGE, "cannot build a plan: unknown mode %lld", (long long)key->mode);
    }
    return rvl_graph_check(g, err);
}

/** Build one part in a graph that is thrown away: what is left are the weights and the state. */
static rvl_status part_materialize(rvl_model *m, rvl_model_mode mode, rvl_error *err)
{
    rvl_plan_key key = {.mode = mode, .size = {1, 2, 0, 0, 0, 0}};
    rvl_graph   *g = NULL;
    rvl_status   st;

    if (mode == RVL_MODE_EVAL_IMAGE)
        rvl_image_extents(key.size + 1, &m->image);
    st = rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, err);
    if (!st)
        st = rvl_model_build_eval(g, &key, m, err);
    rvl_graph_free(g);
    return st;
}

/** The learnable temperature and the shared head stand in no evaluation graph: build them once. */
static rvl_status clip_materialize(rvl_model *m, rvl_error *err)
{
    int64_t    shape[2] = {1, m->clip.embed_dim};
    rvl_graph *g = NULL;
    rvl_status st = rvl_graph_new(&g, m->params, m->state, RVL_DTYPE_F32, err);

    if (st)
        return st;
    (void)rvl_clip_logits(g, rvl_fill(g, 2, shape, 0), rvl_fill(g, 2, shape, 0), &m->clip);
    if (m->clip.label_head)
        (void)rvl_label_head_build(g, rvl_fill(g, 2, shape, 0), rvl_schema_count(m->schema));
    st = rvl_graph_check(g, err);
    rvl_graph_free(g);
    return st;
}

rvl_status rvl_model_materialize(rvl_model *m, rvl_error *err)
{
    rvl_status st = rvl__arch_check(m, err);

    if (!st && m->has_image)
        st = part_materialize(m, RVL_MODE_EVAL_IMAGE, err);
    if (!st && m->has_text)
        st = part_materialize(m, RVL_MODE_EVAL_TEXT, err);
    if (!st && m->has_clip)
        st = clip_materialize(m, err);
    return st;
}
