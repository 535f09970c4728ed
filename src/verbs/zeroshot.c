/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/zeroshot.c
 * A probability per finding from prompts, for a cohort's split or one image file.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "rvl/verbs.h"
#include "verbs/model_use.h"
#include <math.h>
#include <string.h>

void rvl_scores_free(rvl_scores *s)
{
    if (!s)
        return;
    for (int64_t i = 0; s->case_ids && i < s->n_cases; i++)
        rvl_free(s->case_ids[i]);
    for (int j = 0; s->findings && j < s->n_findings; j++)
        rvl_free(s->findings[j]);
    rvl_free(s->case_ids);
    rvl_free(s->findings);
    rvl_free(s->probability);
    rvl_free(s);
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for scores");
}

static rvl_status scores_new(rvl_scores **out, int64_t n, const rvl_schema *schema, const char *id, rvl_error *err)
{
    const int   k = rvl_schema_count(schema);
    rvl_scores *s = rvl_alloc_array(1, sizeof *s);

    *out = s;
    if (!s)
        return no_memory(err);
    s->n_cases = n;
    s->n_findings = k;
    memcpy(s->model_id, id, sizeof s->model_id);
    s->case_ids = rvl_alloc_array((size_t)n + 1, sizeof *s->case_ids);
    s->findings = rvl_alloc_array((size_t)k, sizeof *s->findings);
    s->probability = rvl_alloc_array((size_t)(n * k) + 1, sizeof *s->probability);
    bool ok = s->case_ids && s->findings && s->probability;
    for (int j = 0; ok && j < k; j++) {
        s->findings[j] = rvl_strdup(rvl_schema_at(schema, j)->name);
        ok = s->findings[j] != NULL;
    }
    return ok ? RVL_OK : no_memory(err);
}

static rvl_status fill(rvl_scores *s, rvl_use *u, const rvl_schema *schema, const float *embeddings, rvl_error *err)
{
    const int64_t n = s->n_cases * s->n_findings;
    double       *p = rvl_alloc_array((size_t)n + 1, sizeof *p);
    rvl_status    st = p ? rvl__zeroshot_scores(p, u, schema, embeddings, s->n_cases, err) : no_memory(err);

    for (int64_t i = 0; !st && i < n; i++)
        s->probability[i] = (float)p[i];
    rvl_free(p);
    return st;
}

static rvl_status score_cohort(rvl_scores **out, rvl_use *u, const rvl_schema *schema, const rvl_zeroshot_opts *o,
                               rvl_error *err)
{
    rvl_cohort   *c = NULL;
    rvl_case_list list = {0};
    float        *embeddings = NULL;
    rvl_status    st = rvl_cohort_open(&c, o->input, err);

    if (!st)
        st = rvl_cohort_cases(&list, c, o->split, err);
    if (!st && o->limit > 0 && o->limit < list.n_cases)
        list.n_cases = o->limit;
    if (!st) {
        embeddings = rvl_alloc_array((size_t)(list.n_cases * u->m->clip.embed_dim) + 1, sizeof *embeddings);
        st = embeddings ? rvl_infer_cases(embeddings, u->infer, "embedding", c, &list, err) : no_memory(err);
    }
    if (!st)
        st = scores_new(out, list.n_cases, schema, u->id, err);
    for (int64_t i = 0; !st && i < list.n_cases; i++) {
        (*out)->case_ids[i] = rvl_strdup(list.cases[i].case_id);
        if (!(*out)->case_ids[i])
            st = no_memory(err);
    }
    if (!st)
        st = fill(*out, u, schema, embeddings, err);
    rvl_free(embeddings);
    rvl_case_list_fini(&list);
    rvl_cohort_close(c);
    return st;
}

/* PNG, JPEG and npy say neither modality nor view: the caller may. */
static rvl_status describe_image(rvl_volume *v, const rvl_zeroshot_opts *o, rvl_error *err)
{
    if (o->modality) {
        v->modality = rvl_modality_parse(o->modality);
        if (v->modality == RVL_MODALITY_UNKNOWN)
            return rvl_fail(err, RVL_ERR_USAGE, "there is no modality '%s'\nhint: cxr, ct or mg", o->modality);
    }
    if (o->view) {
        v->view = rvl_view_parse(o->view);
        if (v->view == RVL_VIEW_UNKNOWN)
            return rvl_fail(err, RVL_ERR_USAGE, "there is no view '%s'\nhint: pa, ap, lateral, cc or mlo", o->view);
    }
    return RVL_OK;
}

static rvl_status score_file(rvl_scores **out, rvl_use *u, const rvl_schema *schema, const rvl_zeroshot_opts *o,
                             rvl_error *err)
{
    rvl_preprocess spec;
    rvl_volume    *v = NULL;
    float         *image = NULL;
    float         *embedding = rvl_alloc_array((size_t)u->m->clip.embed_dim, sizeof *embedding);
    rvl_status     st = embedding ? rvl_model_preprocess(&spec, u->m, err) : no_memory(err);

    if (!st)
        st = rvl__use_load_image(&v, &spec, o->input, err);
    if (!st)
        st = describe_image(v, o, err);
    if (!st) {
        image = rvl_alloc_array((size_t)rvl_preprocess_count(&spec), sizeof *image);
        st = image ? rvl_preprocess_apply(image, &spec, v, o->force, NULL, err) : no_memory(err);
    }
    if (!st)
        st = rvl_infer_image(embedding, u->infer, "embedding", image, err);
    if (!st)
        st = scores_new(out, 1, schema, u->id, err);
    if (!st) {
        (*out)->case_ids[0] = rvl_strdup(rvl_path_base(o->input));
        st = (*out)->case_ids[0] ? fill(*out, u, schema, embedding, err) : no_memory(err);
    }
    rvl_free(image);
    rvl_free(embedding);
    rvl_volume_free(v);
    return st;
}

/* A folder is a cohort, or for models of volumes the slices of one. */
static bool is_cohort(const rvl_use *u, const char *path)
{
    char      *db = rvl_path_join(path, "cohort.db");
    const bool has_db = db && rvl_path_exists(db);

    rvl_free(db);
    return rvl_path_is_dir(path) && (has_db || u->m->image.n_spatial != 3);
}

rvl_status rvl_zeroshot_run(rvl_scores **out, const rvl_zeroshot_opts *o, rvl_error *err)
{
    rvl_use           u;
    const rvl_schema *schema = NULL;
    rvl_schema       *owned = NULL;
    rvl_status        st = rvl__use_open(&u, o->model, o->threads, err);

    *out = NULL;
    if (st)
        return st;
    if (!u.m->has_clip || !u.m->has_text)
        st = rvl_fail(err, RVL_ERR_STATE, "'%s' has no text tower: zero-shot needs a model from `rvl align`", u.path);
    if (!st)
        st = rvl__use_schema(&schema, &owned, &u, o->prompts, err);
    rvl_infer_set_forced(u.infer, o->force);
    if (!st)
        st = is_cohort(&u, o->input) ? score_cohort(out, &u, schema, o, err) : score_file(out, &u, schema, o, err);
    if (st) {
        rvl_scores_free(*out);
        *out = NULL;
    }
    rvl_schema_free(owned);
    rvl__use_close(&u);
    return st;
}
