/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/infer.c
 * Evaluation-mode runs in batches.
 */
#include "learn/infer.h"
#include "base/alloc.h"
#include <stdio.h>
#include <string.h>

enum { IMAGE_BATCH = 32, TEXT_BATCH = 32 };
#define BATCH_VALUES (1 << 22) /* of a batch of images: 4 of 96 x 192 x 192 would be more */

struct rvl_infer {
    rvl_model     *m;
    rvl_session   *session;
    rvl_preprocess preprocess;
    bool           forced;
    int32_t       *ids;  /* TEXT_BATCH * max_tok */
    float         *mask; /* the same */
};

rvl_status rvl_model_preprocess(rvl_preprocess *out, const rvl_model *m, rvl_error *err)
{
    if (!m->preprocess)
        return rvl_fail(err, RVL_ERR_STATE, "the model does not say how its images are prepared");
    return rvl_preprocess_from_json(out, m->preprocess, err);
}

rvl_status rvl__check_rank(const rvl_model *m, const rvl_preprocess *grid, rvl_error *err)
{
    const int n_axes = rvl_preprocess_is_volume(grid) ? 3 : 2;

    if (m->image.n_spatial == n_axes)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_UNSUPPORTED, "the image tower reads %s, the preprocessing makes %s",
                    m->image.n_spatial == 3 ? "volumes" : "images of 2 axes",
                    n_axes == 3 ? "volumes" : "images of 2 axes");
}

rvl_status rvl_infer_new(rvl_infer **out, rvl_model *m, rvl_error *err)
{
    const rvl_plan_opts opts = {.deterministic = true}; /* the same digits whatever this machine timed */
    rvl_infer          *f = rvl_alloc_array(1, sizeof *f);
    rvl_status          st;

    *out = NULL;
    if (!f)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    f->m = m;
    st = m->has_image ? rvl_model_preprocess(&f->preprocess, m, err) : RVL_OK;
    if (!st && m->has_image)
        st = rvl__check_rank(m, &f->preprocess, err);
    if (!st && m->has_text) {
        f->ids = rvl_alloc_array((size_t)TEXT_BATCH * (size_t)m->max_tok, sizeof *f->ids);
        f->mask = rvl_alloc_array((size_t)TEXT_BATCH * (size_t)m->max_tok, sizeof *f->mask);
        if (!f->ids || !f->mask)
            st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    }
    if (!st)
        st = rvl_session_new(&f->session, m->params, m->state, rvl_model_build_eval, m, opts, err);
    if (st) {
        rvl_infer_free(f);
        return st;
    }
    *out = f;
    return RVL_OK;
}

void rvl_infer_free(rvl_infer *f)
{
    if (!f)
        return;
    rvl_session_free(f->session);
    rvl_free(f->ids);
    rvl_free(f->mask);
    rvl_free(f);
}

int64_t rvl_infer_width(const rvl_infer *f, const char *output, bool is_text)
{
    const rvl_model *m = f->m;
    if (strcmp(output, "embedding") == 0)
        return m->has_clip ? m->clip.embed_dim : 0;
    if (strcmp(output, "logits") == 0) {
        const bool has_head = m->has_head ? is_text == !m->has_image : m->has_clip && m->clip.label_head && !is_text;
        return has_head && m->schema ? rvl_schema_count(m->schema) : 0;
    }
    if (strcmp(output, "pooled") == 0)
        return is_text ? m->text.hidden : rvl_image_features(&m->image);
    return 0;
}

static rvl_status take_output(float *out, const rvl_plan *plan, const char *output, int64_t n, int64_t width,
                              rvl_error *err)
{
    const rvl_tensor *t = rvl_plan_output(plan, output);
    if (!t)
        return rvl_fail(err, RVL_ERR_STATE, "the model gives no '%s'", output);
    memcpy(out, rvl_tensor_const_data(t), (size_t)(n * width) * sizeof(float));
    return RVL_OK;
}

static rvl_status run_images(float *out, rvl_infer *f, const char *output, const float *images, int64_t n,
                             int64_t batch, rvl_error *err)
{
    const int64_t count = rvl_preprocess_count(&f->preprocess);
    rvl_plan_key  key = {.mode = RVL_MODE_EVAL_IMAGE, .size = {batch}};
    rvl_plan     *plan = NULL;
    rvl_status    st;

    (void)rvl_preprocess_extents(key.size + 1, &f->preprocess);
    st = rvl_session_plan(&plan, f->session, &key, err);
    if (st)
        return st;
    float *in = rvl_tensor_data(rvl_plan_input(plan, "image"));
    memcpy(in, images, (size_t)(n * count) * sizeof(float));
    memset(in + n * count, 0, (size_t)((batch - n) * count) * sizeof(float));
    st = rvl_plan_run(plan, err);
    return st ? st : take_output(out, plan, output, n, rvl_infer_width(f, output, false), err);
}

rvl_status rvl_infer_image(float *out, rvl_infer *f, const char *output, const float *image, rvl_error *err)
{
    return run_images(out, f, output, image, 1, 1, err);
}

/* "128 x 128", of volumes "48 x 96 x 96". */
static const char *sides_text(char out[40], const rvl_preprocess *p)
{
    const int n = rvl_preprocess_is_volume(p) ? snprintf(out, 40, "%lld x ", (long long)p->depth) : 0;
    snprintf(out + n, 40 - (size_t)n, "%lld x %lld", (long long)p->height, (long long)p->width);
    return out;
}

/* Modality, body part and view by name, unless forced; the grid and the window always. */
static rvl_status check_cohort(const rvl_infer *f, const rvl_cohort *c, const rvl_case_list *list, rvl_error *err)
{
    const rvl_preprocess *model = &f->preprocess;
    rvl_preprocess        have = *rvl_cohort_preprocess(c);
    char                  have_text[40], model_text[40];

    if (!f->forced && (have.modality != model->modality || strcmp(have.body_part, model->body_part) != 0))
        return rvl_fail(
            err, RVL_ERR_UNSUPPORTED,
            "the cohort '%s' is of modality '%s' (%s), the model was made for '%s' (%s)\nhint: rvl zeroshot "
            "--force goes on anyway",
            rvl_cohort_path(c), rvl_modality_text(have.modality), have.body_part, rvl_modality_text(model->modality),
            model->body_part);
    for (int64_t i = 0; !f->forced && model->view != RVL_VIEW_UNKNOWN && i < list->n_cases; i++) {
        const rvl_case *k = &list->cases[i];
        if (k->n_images > 0 && k->views[0] != RVL_VIEW_UNKNOWN && k->views[0] != model->view)
            return rvl_fail(
                err, RVL_ERR_UNSUPPORTED,
                "the image of case '%s' is a %s view, the model was made for %s\nhint: rvl zeroshot --force "
                "goes on anyway, keep_views in the map leaves others out",
                k->case_id, rvl_view_text(k->views[0]), rvl_view_text(model->view));
    }
    have.modality = model->modality;
    have.view = model->view;
    memcpy(have.body_part, model->body_part, sizeof have.body_part);
    if (rvl_preprocess_equal(&have, model))
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_STATE,
                    "the cohort '%s' holds %s images, the model wants %s, or window, range, spacing or bits "
                    "differ\nhint: ingest again with the model's grid and window (rvl inspect shows both)",
                    rvl_cohort_path(c), sides_text(have_text, &have), sides_text(model_text, model));
}

/* 32 images, of volumes as many as hold BATCH_VALUES. */
static int64_t image_batch(const rvl_preprocess *p)
{
    const int64_t n = BATCH_VALUES / rvl_preprocess_count(p);

    if (!rvl_preprocess_is_volume(p) || n > IMAGE_BATCH)
        return IMAGE_BATCH;
    return n < 1 ? 1 : n;
}

void rvl_infer_set_forced(rvl_infer *f, bool forced)
{
    f->forced = forced;
}

rvl_status rvl_infer_cases(float *out, rvl_infer *f, const char *output, rvl_cohort *c, const rvl_case_list *list,
                           rvl_error *err)
{
    const int64_t         width = rvl_infer_width(f, output, false);
    const int64_t         batch_size = image_batch(&f->preprocess);
    const rvl_loader_opts opts = {.batch_size = (int)batch_size, .images_per_study = 1};
    rvl_loader           *loader = NULL;
    rvl_status            st = RVL_OK;

    if (!f->m->has_image || width == 0)
        return rvl_fail(err, RVL_ERR_STATE, "the model gives no '%s' for images", output);
    st = check_cohort(f, c, list, err);
    if (st)
        return st;
    st = rvl_loader_new(&loader, c, list, opts, err);
    for (int64_t done = 0; !st && done < list->n_cases;) {
        rvl_batch batch;
        st = rvl_loader_next(loader, &batch, err);
        if (!st)
            st = run_images(out + done * width, f, output, batch.images, batch.n, batch_size, err);
        if (!st)
            done += batch.n;
    }
    rvl_loader_free(loader);
    return st;
}

int64_t rvl_tokens_close_up(int32_t *ids, float *mask, int64_t n, int longest, int max_tok)
{
    const int t = (longest + 15) / 16 * 16 < max_tok ? (longest + 15) / 16 * 16 : max_tok;

    for (int64_t i = 1; i < n && t < max_tok; i++) {
        memmove(ids + i * t, ids + i * max_tok, (size_t)t * sizeof *ids);
        memmove(mask + i * t, mask + i * max_tok, (size_t)t * sizeof *mask);
    }
    return t;
}

rvl_status rvl_tokenize_batch(int32_t *ids, float *mask, int64_t *n_tok, int64_t *n_cut, const rvl_model *m,
                              const char *const *texts, int64_t n, rvl_error *err)
{
    const int max_tok = m->max_tok;
    int       longest = 1;

    for (int64_t i = 0; i < n; i++) {
        int        count = 0;
        int        cut = 0;
        rvl_status st =
            rvl_tokenizer_encode(ids + i * max_tok, &count, &cut, m->tokenizer, texts[i] ? texts[i] : "", max_tok, err);
        if (st)
            return st;
        if (count > longest)
            longest = count;
        if (n_cut && cut > 0)
            ++*n_cut;
        for (int j = 0; j < max_tok; j++)
            mask[i * max_tok + j] = j < count ? 1.0F : 0.0F;
    }
    *n_tok = rvl_tokens_close_up(ids, mask, n, longest, max_tok);
    return RVL_OK;
}

static rvl_status run_texts(float *out, rvl_infer *f, const char *output, const char *const *texts, int64_t n,
                            int64_t *n_cut, rvl_error *err)
{
    rvl_plan_key key = {.mode = RVL_MODE_EVAL_TEXT, .size = {n}};
    rvl_plan    *plan = NULL;
    rvl_status   st = rvl_tokenize_batch(f->ids, f->mask, &key.size[1], n_cut, f->m, texts, n, err);

    if (!st)
        st = rvl_session_plan(&plan, f->session, &key, err);
    if (st)
        return st;
    const size_t count = (size_t)(n * key.size[1]);
    memcpy(rvl_tensor_data(rvl_plan_input(plan, "ids")), f->ids, count * sizeof *f->ids);
    memcpy(rvl_tensor_data(rvl_plan_input(plan, "mask")), f->mask, count * sizeof *f->mask);
    st = rvl_plan_run(plan, err);
    return st ? st : take_output(out, plan, output, n, rvl_infer_width(f, output, true), err);
}

rvl_status rvl_infer_texts(float *out, rvl_infer *f, const char *output, const char *const *texts, int64_t n,
                           int64_t *n_cut, rvl_error *err)
{
    const int64_t width = rvl_infer_width(f, output, true);
    rvl_status    st = RVL_OK;

    if (n_cut)
        *n_cut = 0;
    if (!f->m->has_text || width == 0)
        return rvl_fail(err, RVL_ERR_STATE, "the model gives no '%s' for texts", output);
    for (int64_t i = 0; !st && i < n; i += TEXT_BATCH)
        st = run_texts(out + i * width, f, output, texts + i, n - i < TEXT_BATCH ? n - i : TEXT_BATCH, n_cut, err);
    return st;
}
