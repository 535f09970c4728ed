/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/index_write.c
 * Writing an index, and merging new cases into one.
 */
#include "search/index.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/safetensors.h"
#include "search/similarity.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *rvl__similarity_text(rvl_similarity s)
{
    static const char *const names[] = {"cosine", "dot", "scaled"};
    return names[s];
}

bool rvl__similarity_parse(const char *text, rvl_similarity *out)
{
    for (int s = RVL_SIMILARITY_COSINE; s <= RVL_SIMILARITY_SCALED; s++)
        if (rvl_str_equal(text, rvl__similarity_text((rvl_similarity)s))) {
            *out = (rvl_similarity)s;
            return true;
        }
    return false;
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot write index: out of memory");
}

static int id_compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static rvl_status ids_check(const rvl_index_data *d, rvl_error *err)
{
    const char **ids = rvl_alloc_array((size_t)d->n_cases + 1, sizeof *ids);
    rvl_status   st = RVL_OK;

    if (!ids)
        return no_memory(err);
    for (int64_t i = 0; i < d->n_cases; i++)
        ids[i] = d->cases[i].case_id;
    qsort(ids, (size_t)d->n_cases, sizeof *ids, id_compare);
    for (int64_t i = 0; i + 1 < d->n_cases && !st; i++)
        if (strcmp(ids[i], ids[i + 1]) == 0)
            st = rvl_fail(err, RVL_ERR_FORMAT, "cannot write index: case '%.64s' is in it twice", ids[i]);
    rvl_free(ids);
    return st;
}

static rvl_status vectors_check(const rvl_index_data *d, const float *v, const char *what, rvl_error *err)
{
    for (int64_t i = 0; v && i < d->n_cases; i++)
        for (int64_t e = 0; e < d->n_embed; e++)
            if (!isfinite(v[i * d->n_embed + e]))
                return rvl_fail(err, RVL_ERR_NUMERIC,
                                "cannot write index: the %s embedding of case '%.64s' is not finite at %lld", what,
                                d->cases[i].case_id, (long long)e);
    return RVL_OK;
}

static bool labels_set(json_t *object, const rvl_index_data *d, const uint8_t *labels)
{
    rvl_str digits = {0};
    bool    ok = true;

    if (!labels)
        return true;
    rvl_str_add(&digits, "");
    for (int k = 0; k < d->n_findings; k++)
        rvl_str_addf(&digits, "%d", labels[k] & 3);
    ok = !digits.failed && rvl_json_set(object, "labels", json_string(digits.ptr ? digits.ptr : ""));
    rvl_str_free(&digits);
    return ok;
}

static json_t *case_json(const rvl_index_data *d, const rvl_index_case *c)
{
    json_t *o = json_object();

    if (o && rvl_json_set(o, "split", json_string(c->split)) && rvl_json_set(o, "snippet", json_string(c->snippet)) &&
        rvl_json_set(o, "cohort", json_string(c->cohort)) && rvl_json_set(o, "row", json_integer(c->pack_row)) &&
        rvl_json_set(o, "image", json_boolean(c->has_image)) && rvl_json_set(o, "text", json_boolean(c->has_text)) &&
        labels_set(o, d, c->labels))
        return o;
    json_decref(o);
    return NULL;
}

/* Set metadata `key` to the text of `value`, which is stolen. */
static rvl_status json_text_set(json_t *metadata, const char *key, json_t *value, rvl_error *err)
{
    char      *text = NULL;
    rvl_status st = value ? rvl_json_format(&text, value, 0, err) : no_memory(err);

    if (!st && !rvl_json_set(metadata, key, json_string(text)))
        st = no_memory(err);
    rvl_free(text);
    json_decref(value);
    return st;
}

static rvl_status lists_set(json_t *metadata, const rvl_index_data *d, rvl_error *err)
{
    json_t    *ids = json_array();
    json_t    *cases = json_array();
    json_t    *findings = json_array();
    rvl_status st = RVL_OK;

    for (int64_t i = 0; i < d->n_cases && !st; i++)
        if (json_array_append_new(ids, json_string(d->cases[i].case_id)) ||
            json_array_append_new(cases, case_json(d, &d->cases[i])))
            st = rvl_fail(err, RVL_ERR_FORMAT, "cannot write index: case %lld has text that is not UTF-8 or too long",
                          (long long)i);
    for (int k = 0; k < d->n_findings && !st; k++)
        if (json_array_append_new(findings, json_string(d->findings[k])))
            st = no_memory(err);
    if (st) {
        json_decref(ids);
        json_decref(cases);
        json_decref(findings);
        return st;
    }
    st = json_text_set(metadata, "ids", ids, err);
    if (!st)
        st = json_text_set(metadata, "findings", findings, err);
    else
        json_decref(findings);
    if (!st)
        st = json_text_set(metadata, "cases", cases, err);
    else
        json_decref(cases);
    return st;
}

static rvl_status metadata_make(json_t **out, const rvl_index_data *d, rvl_error *err)
{
    json_t    *m = json_object();
    char       scale[32];
    rvl_status st = RVL_OK;

    *out = NULL;
    snprintf(scale, sizeof scale, "%.17g", d->scale);
    if (!m || !rvl_json_set(m, "rvl.format", json_string("rvl.index/1")) ||
        !rvl_json_set(m, "rvl.model", json_string(d->model)) ||
        !rvl_json_set(m, "rvl.model_path", json_string(d->model_path ? d->model_path : "")) ||
        !rvl_json_set(m, "rvl.similarity", json_string(rvl__similarity_text(d->similarity))) ||
        !rvl_json_set(m, "rvl.scale", json_string(scale)))
        st = no_memory(err);
    if (!st)
        st = lists_set(m, d, err);
    if (st) {
        json_decref(m);
        return st;
    }
    *out = m;
    return RVL_OK;
}

static rvl_status data_check(const rvl_index_data *d, rvl_error *err)
{
    rvl_status st = RVL_OK;

    if (d->n_cases < 1 || d->n_embed < 1 || (!d->image && !d->text))
        return rvl_fail(err, RVL_ERR_NOT_FOUND, "cannot write index: there is no embedding to store");
    if (d->similarity == RVL_SIMILARITY_SCALED && !isfinite(d->scale))
        return rvl_fail(err, RVL_ERR_NUMERIC, "cannot write index: the scale of its similarity is not finite");
    st = ids_check(d, err);
    if (!st)
        st = vectors_check(d, d->image, "image", err);
    if (!st)
        st = vectors_check(d, d->text, "text", err);
    return st;
}

rvl_status rvl_index_save(const char *path, const rvl_index_data *d, rvl_error *err)
{
    const int64_t     shape[2] = {d->n_cases, d->n_embed};
    const float      *vectors[2] = {d->image, d->text};
    const char *const names[2] = {"image", "text"};
    const char       *saved_names[2];
    rvl_tensor       *tensors[2] = {NULL, NULL};
    int               n = 0;
    json_t           *metadata = NULL;
    rvl_status        st = data_check(d, err);

    if (!st)
        st = metadata_make(&metadata, d, err);
    for (int i = 0; i < 2 && !st; i++) {
        if (!vectors[i])
            continue;
        saved_names[n] = names[i];
        st = rvl_tensor_borrow(&tensors[n], RVL_DTYPE_F32, 2, shape, (void *)(uintptr_t)vectors[i], err);
        n += st ? 0 : 1;
    }
    if (!st)
        st = rvl_safetensors_save(path, n, saved_names, (const rvl_tensor *const *)tensors, metadata, err);
    rvl_tensor_free(tensors[0]);
    rvl_tensor_free(tensors[1]);
    json_decref(metadata);
    return st;
}

static rvl_status same_kind_check(const char *path, const rvl_index_data *old, const rvl_index_data *more,
                                  rvl_error *err)
{
    bool same = old->n_findings == more->n_findings;

    if (!rvl_str_equal(old->model, more->model))
        return rvl_fail(err, RVL_ERR_STATE, "cannot append to index '%s': it is of model %.32s, not %.32s", path,
                        old->model, more->model);
    if (old->similarity != more->similarity || old->n_embed != more->n_embed ||
        (old->similarity == RVL_SIMILARITY_SCALED && (old->scale < more->scale || old->scale > more->scale)))
        return rvl_fail(err, RVL_ERR_STATE,
                        "cannot append to index '%s': it holds %lld-wide %s vectors, the new ones are %lld-wide %s",
                        path, (long long)old->n_embed, rvl__similarity_text(old->similarity), (long long)more->n_embed,
                        rvl__similarity_text(more->similarity));
    for (int k = 0; k < old->n_findings && same; k++)
        same = strcmp(old->findings[k], more->findings[k]) == 0;
    if (!same)
        return rvl_fail(err, RVL_ERR_STATE, "cannot append to index '%s': its findings are others", path);
    return RVL_OK;
}

/* Copy row `from` of `d` to row `to`; a modality that one side lacks is zeros. */
static void row_copy(rvl_index_case *cases, float *vectors[2], int64_t to, const rvl_index_data *d, int64_t from)
{
    const float *sources[2] = {d->image, d->text};
    bool        *has[2] = {&cases[to].has_image, &cases[to].has_text};

    cases[to] = d->cases[from];
    for (int m = 0; m < 2; m++) {
        *has[m] = *has[m] && sources[m];
        if (!vectors[m])
            continue;
        for (int64_t e = 0; e < d->n_embed; e++)
            vectors[m][to * d->n_embed + e] = *has[m] ? sources[m][from * d->n_embed + e] : 0.0f;
    }
}

static rvl_status merge_save(const char *path, const rvl_index *x, const rvl_index_data *more, rvl_error *err)
{
    const rvl_index_data *old = rvl_index_get(x);
    rvl_index_data        all = *old;
    size_t                room = (size_t)(old->n_cases + more->n_cases);
    size_t                n_values = 0;
    rvl_index_case       *cases = rvl_alloc_array(room, sizeof *cases);
    float                *vectors[2] = {NULL, NULL};
    bool                  ok = cases && rvl_mul_size(&n_values, room, (size_t)old->n_embed);
    rvl_status            st = RVL_OK;

    if (ok && (old->image || more->image))
        ok = (vectors[0] = rvl_alloc_array(n_values, sizeof(float))) != NULL;
    if (ok && (old->text || more->text))
        ok = (vectors[1] = rvl_alloc_array(n_values, sizeof(float))) != NULL;
    if (!ok) {
        st = no_memory(err);
        goto done;
    }
    for (int64_t i = 0; i < old->n_cases; i++)
        row_copy(cases, vectors, i, old, i);
    for (int64_t i = 0; i < more->n_cases; i++) {
        int64_t to = rvl_index_find(x, more->cases[i].case_id);
        row_copy(cases, vectors, to >= 0 ? to : all.n_cases++, more, i);
    }
    all.cases = cases;
    all.image = vectors[0];
    all.text = vectors[1];
    st = rvl_index_save(path, &all, err);
done:
    rvl_free(cases);
    rvl_free(vectors[0]);
    rvl_free(vectors[1]);
    return st;
}

rvl_status rvl_index_append(const char *path, const rvl_index_data *data, rvl_error *err)
{
    rvl_index *x = NULL;
    rvl_status st = RVL_OK;

    if (!rvl_path_exists(path))
        return rvl_index_save(path, data, err);
    st = data_check(data, err);
    if (!st)
        st = rvl_index_open(&x, path, err);
    if (!st)
        st = same_kind_check(path, rvl_index_get(x), data, err);
    if (!st)
        st = merge_save(path, x, data, err);
    rvl_index_close(x);
    return st;
}
