/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/model_use.c
 * Trained models in use.
 */
#include "verbs/model_use.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "base/util.h"
#include "imaging/apart.h"
#include "imaging/work.h"
#include <math.h>
#include <omp.h>
#include <string.h>

rvl_status rvl__use_open(rvl_use *out, const char *run_or_file, int64_t threads, rvl_error *err)
{
    char           *which = NULL;
    rvl_load_report report;
    rvl_file_map    map = {0};

    memset(out, 0, sizeof *out);
    if (!run_or_file)
        return rvl_fail(err, RVL_ERR_USAGE, "no model was given\nhint: -m RUN");
    if (threads > 0)
        omp_set_num_threads((int)threads);
    rvl_status st = rvl_bundle_resolve(&out->path, &which, run_or_file, err);
    if (!st)
        st = rvl_bundle_load(&out->m, out->path, &report, err);
    if (!st)
        st = rvl_infer_new(&out->infer, out->m, err);
    if (!st)
        st = rvl_file_map_open(&map, out->path, err);
    if (!st) {
        rvl_hash128_hex(out->id, map.ptr, map.n_bytes);
        rvl_file_map_close(&map);
        rvl_log(RVL_LOG_INFO, "model %s", which ? which : out->path);
    }
    rvl_free(which);
    if (st)
        rvl__use_close(out);
    return st;
}

void rvl__use_close(rvl_use *u)
{
    rvl_infer_free(u->infer);
    rvl_model_free(u->m);
    rvl_free(u->path);
    memset(u, 0, sizeof *u);
}

rvl_status rvl__use_load_image(rvl_volume **out, const rvl_preprocess *spec, const char *path, rvl_error *err)
{
    rvl_workers *w = rvl__workers_for(path, 1);
    rvl_status   st = rvl_preprocess_load_apart(out, w, spec, path, err);

    rvl_workers_close(w);
    return st;
}

rvl_status rvl__use_schema(const rvl_schema **out, rvl_schema **owned, const rvl_use *u, const char *prompts,
                           rvl_error *err)
{
    const char *at = prompts ? strrchr(prompts, '@') : NULL;
    rvl_str     name = {0};
    rvl_schema *findings = NULL;
    rvl_status  st = RVL_OK;

    *owned = NULL;
    *out = u->m->schema;
    if (at && (strchr(at, '/') || rvl_str_ends(at, ".yaml")))
        at = NULL; /* of a path */
    if (prompts && at != prompts) {
        rvl_str_add_n(&name, prompts, at ? (size_t)(at - prompts) : strlen(prompts));
        st = name.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory") : rvl_schema_open(&findings, name.ptr, err);
        rvl_str_free(&name);
        *out = findings;
    }
    if (!st && !*out)
        st = rvl_fail(err, RVL_ERR_USAGE, "the model names no findings\nhint: give a schema with --prompts");
    if (!st && at) {
        st = rvl_schema_with_prompts(owned, *out, at + 1, err);
        rvl_schema_free(findings);
        *out = *owned;
    } else {
        *owned = findings;
    }
    return st;
}

static void normalize(float *x, int64_t e)
{
    double sum = 0;
    for (int64_t i = 0; i < e; i++)
        sum += (double)x[i] * x[i];
    const double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (int64_t i = 0; i < e; i++)
        x[i] = (float)(x[i] * scale);
}

/* Mean embedding of some prompts into `out` (E). */
static rvl_status direction(float *out, rvl_use *u, const char *const *prompts, size_t n, rvl_error *err)
{
    const int64_t e = u->m->clip.embed_dim;
    float        *each = rvl_alloc_array(n * (size_t)e + 1, sizeof *each);
    int64_t       n_cut = 0;
    rvl_status    st = each ? rvl_infer_texts(each, u->infer, "embedding", prompts, (int64_t)n, &n_cut, err)
                            : rvl_fail(err, RVL_ERR_NOMEM, "out of memory for prompts");

    if (!st) {
        memset(out, 0, (size_t)e * sizeof *out);
        for (size_t p = 0; p < n; p++)
            for (int64_t i = 0; i < e; i++)
                out[i] += each[p * (size_t)e + (size_t)i] / (float)n;
        if (u->m->clip.similarity == RVL_SIMILARITY_COSINE)
            normalize(out, e);
        if (n_cut > 0)
            rvl_log(RVL_LOG_WARN, "%lld prompts are longer than the model's %d tokens and were cut", (long long)n_cut,
                    u->m->max_tok);
    }
    rvl_free(each);
    return st;
}

static bool texts_equal(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
    bool equal = n_a == n_b;

    for (size_t i = 0; equal && i < n_a; i++)
        equal = rvl_str_equal(a[i], b[i]);
    return equal;
}

rvl_status rvl__prompt_directions(float **positive, float **negative, rvl_use *u, const rvl_schema *schema,
                                  rvl_error *err)
{
    const int     k = rvl_schema_count(schema);
    const int64_t e = u->m->clip.embed_dim;
    rvl_status    st = RVL_OK;

    *positive = *negative = NULL;
    if (!u->m->has_clip || !u->m->has_text)
        return rvl_fail(err, RVL_ERR_STATE, "'%s' has no text tower: zero-shot needs a model from `rvl align`",
                        u->path);
    *positive = rvl_alloc_array((size_t)(k * e), sizeof(float));
    *negative = rvl_alloc_array((size_t)(k * e), sizeof(float));
    if (!*positive || !*negative)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for prompts");
    for (int j = 0; !st && j < k; j++) {
        const rvl_finding *f = rvl_schema_at(schema, j);
        if (f->n_positive == 0 || f->n_negative == 0)
            st = rvl_fail(err, RVL_ERR_USAGE, "finding '%s' has no positive or no negative prompt", f->name);
        if (!st)
            st = direction(*positive + j * e, u, f->positive, f->n_positive, err);
        /* many sets have one negative for all findings: every prompt is encoded once */
        const rvl_finding *before = j > 0 ? rvl_schema_at(schema, j - 1) : f;
        if (!st && j > 0 && texts_equal(f->negative, f->n_negative, before->negative, before->n_negative))
            memcpy(*negative + j * e, *negative + (j - 1) * e, (size_t)e * sizeof(float));
        else if (!st)
            st = direction(*negative + j * e, u, f->negative, f->n_negative, err);
    }
    if (st) {
        rvl_free(*positive);
        rvl_free(*negative);
        *positive = *negative = NULL;
    }
    return st;
}

rvl_status rvl__zeroshot_scores(double *probability, rvl_use *u, const rvl_schema *schema, const float *embeddings,
                                int64_t n, rvl_error *err)
{
    const int     k = rvl_schema_count(schema);
    const int64_t e = u->m->clip.embed_dim;
    const double  scale = rvl_clip_scale(u->m);
    float        *positive = NULL;
    float        *negative = NULL;
    rvl_status    st = rvl__prompt_directions(&positive, &negative, u, schema, err);

    for (int64_t i = 0; !st && i < n; i++) {
        for (int j = 0; j < k; j++) {
            double difference = 0;
            for (int64_t d = 0; d < e; d++)
                difference +=
                    (double)embeddings[i * e + d] * ((double)positive[j * e + d] - (double)negative[j * e + d]);
            probability[i * k + j] = 1 / (1 + exp(-scale * difference));
        }
    }
    rvl_free(positive);
    rvl_free(negative);
    return st;
}
