/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/embed.c
 * Studies and reports of a cohort to an index of embeddings.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include "learn/contrast.h"
#include "rvl/verbs.h"
#include "search/index.h"
#include "verbs/model_use.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { SNIPPET_BYTES = 240 };

typedef struct {
    rvl_use         use;
    rvl_cohort     *cohort;
    rvl_case_list   list;
    char          **texts; /* (n) NULL where a case has none */
    char          **snippets;
    rvl_index_case *cases;
    float          *image, *text;             /* (n, e) or NULL */
    char           *cohort_path, *model_path; /* absolute */
} embedding;

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for embeddings");
}

static void embedding_fini(embedding *x)
{
    for (int64_t i = 0; i < x->list.n_cases; i++) {
        if (x->texts)
            rvl_free(x->texts[i]);
        if (x->snippets)
            rvl_free(x->snippets[i]);
    }
    rvl_free(x->cohort_path);
    rvl_free(x->model_path);
    rvl_free(x->texts);
    rvl_free(x->snippets);
    rvl_free(x->cases);
    rvl_free(x->image);
    rvl_free(x->text);
    rvl_case_list_fini(&x->list);
    rvl_cohort_close(x->cohort);
    rvl__use_close(&x->use);
}

/* Start of a text, cut at a character's border. */
static char *make_snippet(const char *text)
{
    size_t n = strlen(text);
    if (n > SNIPPET_BYTES) {
        n = SNIPPET_BYTES;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    return rvl_strndup(text, n);
}

static rvl_status describe_cases(embedding *x, bool want_text, int64_t *n_texts, rvl_error *err)
{
    const int64_t n = x->list.n_cases;

    x->texts = rvl_alloc_array((size_t)n, sizeof *x->texts);
    x->snippets = rvl_alloc_array((size_t)n, sizeof *x->snippets);
    x->cases = rvl_alloc_array((size_t)n, sizeof *x->cases);
    if (!x->texts || !x->snippets || !x->cases)
        return no_memory(err);
    *n_texts = 0;
    for (int64_t i = 0; i < n; i++) {
        const rvl_case *c = &x->list.cases[i];
        x->texts[i] = rvl_case_text(c, RVL_TEXT_BOTH);
        x->snippets[i] = make_snippet(x->texts[i] ? x->texts[i] : "");
        if (!x->snippets[i])
            return no_memory(err);
        bool has_text = want_text && x->texts[i];
        *n_texts += has_text;
        x->cases[i] = (rvl_index_case){.case_id = c->case_id,
                                       .split = c->split ? c->split : "",
                                       .snippet = x->snippets[i],
                                       .cohort = x->cohort_path,
                                       .pack_row = c->n_images > 0 ? c->image_rows[0] : -1,
                                       .labels = c->labels,
                                       .has_image = false,
                                       .has_text = has_text};
    }
    return RVL_OK;
}

static rvl_status embed_images(embedding *x, rvl_error *err)
{
    const int64_t n = x->list.n_cases;
    x->image = rvl_alloc_array((size_t)(n * x->use.m->clip.embed_dim), sizeof *x->image);
    if (!x->image)
        return no_memory(err);
    for (int64_t i = 0; i < n; i++)
        x->cases[i].has_image = x->list.cases[i].n_images > 0;
    return rvl_infer_cases(x->image, x->use.infer, "embedding", x->cohort, &x->list, err);
}

/* Only cases with a text are run; the others stay zero. */
static rvl_status embed_texts(embedding *x, int64_t *n_cut, rvl_error *err)
{
    const int64_t n = x->list.n_cases;
    const int64_t e = x->use.m->clip.embed_dim;
    const char  **some = rvl_alloc_array((size_t)n, sizeof *some);
    float        *packed = rvl_alloc_array((size_t)(n * e), sizeof *packed);
    int64_t       n_some = 0;
    rvl_status    st = RVL_OK;

    x->text = rvl_alloc_array((size_t)(n * e), sizeof *x->text);
    if (!some || !packed || !x->text)
        st = no_memory(err);
    for (int64_t i = 0; !st && i < n; i++)
        if (x->texts[i])
            some[n_some++] = x->texts[i];
    if (!st)
        st = rvl_infer_texts(packed, x->use.infer, "embedding", some, n_some, n_cut, err);
    for (int64_t i = 0, j = 0; !st && i < n; i++)
        if (x->texts[i])
            memcpy(x->text + i * e, packed + j++ * e, (size_t)e * sizeof *packed);
    rvl_free(some);
    rvl_free(packed);
    return st;
}

static rvl_status save(embedding *x, const rvl_embed_opts *o, rvl_error *err)
{
    const rvl_schema *schema = rvl_cohort_schema(x->cohort);
    const int         k = schema ? rvl_schema_count(schema) : 0;
    const char      **findings = rvl_alloc_array((size_t)k + 1, sizeof *findings);
    rvl_index_data    data = {.model = x->use.id,
                              .model_path = x->model_path,
                              .similarity = x->use.m->clip.similarity,
                              .scale = rvl_clip_scale(x->use.m),
                              .n_cases = x->list.n_cases,
                              .n_embed = x->use.m->clip.embed_dim,
                              .cases = x->cases,
                              .image = x->image,
                              .text = x->text,
                              .n_findings = k,
                              .findings = findings};
    if (!findings)
        return no_memory(err);
    for (int j = 0; j < k; j++)
        findings[j] = rvl_schema_at(schema, j)->name;
    rvl_status st = o->append ? rvl_index_append(o->out, &data, err) : rvl_index_save(o->out, &data, err);
    rvl_free(findings);
    return st;
}

/* The index may be searched from another folder. */
static rvl_status absolute_paths(embedding *x, const char *cohort, rvl_error *err)
{
    char cwd[4096];
    if (!getcwd(cwd, sizeof cwd))
        return rvl_fail(err, RVL_ERR_IO, "cannot tell the working folder: %s", strerror(errno));
    x->cohort_path = rvl_path_join(cwd, cohort);
    x->model_path = rvl_path_join(cwd, x->use.path);
    return x->cohort_path && x->model_path ? RVL_OK : no_memory(err);
}

static rvl_status open_inputs(embedding *x, const rvl_embed_opts *o, rvl_error *err)
{
    rvl_status st = rvl__use_open(&x->use, o->model, o->threads, err);

    if (!st && !x->use.m->has_clip)
        st =
            rvl_fail(err, RVL_ERR_STATE, "'%s' has no shared space: embed needs a model from `rvl align`", x->use.path);
    if (!st)
        st = rvl_cohort_open(&x->cohort, o->cohort, err);
    if (!st)
        st = rvl_cohort_cases(&x->list, x->cohort, o->split, err);
    if (!st && o->limit > 0 && o->limit < x->list.n_cases)
        x->list.n_cases = o->limit;
    return st ? st : absolute_paths(x, o->cohort, err);
}

rvl_status rvl_embed_run(rvl_embed_result *out, const rvl_embed_opts *o, rvl_error *err)
{
    embedding  x = {0};
    int64_t    n_texts = 0;
    const bool want_image = rvl_str_equal(o->kind, "both") || rvl_str_equal(o->kind, "image");
    const bool want_text = rvl_str_equal(o->kind, "both") || rvl_str_equal(o->kind, "text");
    rvl_status st = RVL_OK;

    memset(out, 0, sizeof *out);
    if (!want_image && !want_text)
        return rvl_fail(err, RVL_ERR_USAGE, "--kind is image, text or both, not '%s'", o->kind);
    if (!o->out)
        return rvl_fail(err, RVL_ERR_USAGE, "no index file was given\nhint: -o INDEX.safetensors");
    if (rvl_path_exists(o->out) && !o->append && !o->force)
        return rvl_fail(err, RVL_ERR_STATE, "'%s' exists\nhint: --append adds to it, --force replaces it", o->out);
    st = open_inputs(&x, o, err);
    if (!st)
        st = describe_cases(&x, want_text, &n_texts, err);
    if (!st && want_image)
        st = embed_images(&x, err);
    if (!st && n_texts > 0)
        st = embed_texts(&x, &out->n_truncated_reports, err);
    else if (!st && !want_image)
        st = rvl_fail(err, RVL_ERR_NOT_FOUND, "cohort '%s' has no reports to embed", o->cohort);
    if (!st)
        st = save(&x, o, err);
    if (!st) {
        out->n_cases = out->n_new = x.list.n_cases;
        out->embed_dim = x.use.m->clip.embed_dim;
        out->has_image = x.image != NULL;
        out->has_text = x.text != NULL;
    }
    embedding_fini(&x);
    return st;
}
