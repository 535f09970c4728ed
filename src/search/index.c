/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/index.c
 * Opening an index: nothing of the file is believed before it is checked.
 */
#include "search/index.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/str.h"
#include "engine/safetensors.h"
#include "search/similarity.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FINDINGS_MAX 1024

typedef struct {
    const char *id;
    int64_t     i;
} id_row;

struct rvl_index {
    rvl_safetensors *file;
    const char      *path; /* in the arena */
    rvl_arena       *arena;
    rvl_index_data   data;
    rvl_index_case  *cases;
    id_row          *by_id; /* sorted */
};

static rvl_status damaged(const rvl_index *x, rvl_error *err, const char *why)
{
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': %s", x->path, why);
}

static rvl_status no_memory(rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot open index: out of memory");
}

static char *arena_text(rvl_index *x, const char *text)
{
    return rvl_arena_strndup(x->arena, text, strlen(text));
}

/* The JSON array under a metadata key; caller releases it. */
static rvl_status list_parse(json_t **out, const rvl_index *x, const char *key, rvl_error *err)
{
    const char *text = rvl_safetensors_metadata(x->file, key);
    rvl_status  st = RVL_OK;

    *out = NULL;
    if (!text)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': metadata '%s' is missing", x->path, key);
    st = rvl_json_parse(out, text, strlen(text), key, err);
    if (st) {
        rvl_error_prefix(err, "cannot open index '%s'", x->path);
        return st;
    }
    if (json_is_array(*out))
        return RVL_OK;
    json_decref(*out);
    *out = NULL;
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': metadata '%s' is no list", x->path, key);
}

static rvl_status head_read(rvl_index *x, rvl_error *err)
{
    const char *format = rvl_safetensors_metadata(x->file, "rvl.format");
    const char *model = rvl_safetensors_metadata(x->file, "rvl.model");
    const char *scale = rvl_safetensors_metadata(x->file, "rvl.scale");
    const char *path = rvl_safetensors_metadata(x->file, "rvl.model_path");

    if (!rvl_str_equal(format, "rvl.index/1"))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': format is '%.40s', not 'rvl.index/1'%s", x->path,
                        format ? format : "", "\nhint: indexes are made by rvl embed");
    if (!model || !scale || !rvl_parse_f64(scale, &x->data.scale))
        return damaged(x, err, "metadata 'rvl.model' or 'rvl.scale' is missing or wrong");
    if (!rvl__similarity_parse(rvl_safetensors_metadata(x->file, "rvl.similarity"), &x->data.similarity))
        return damaged(x, err, "its similarity is not cosine, dot or scaled");
    x->data.model = arena_text(x, model);
    x->data.model_path = arena_text(x, path ? path : "");
    return x->data.model && x->data.model_path ? RVL_OK : no_memory(err);
}

static rvl_status vectors_take(const float **out, rvl_index *x, const char *name, rvl_error *err)
{
    const rvl_tensor *t = rvl_safetensors_find(x->file, name);
    const int64_t    *shape = t ? rvl_tensor_shape(t) : NULL;

    *out = NULL;
    if (!t)
        return RVL_OK;
    if (rvl_tensor_dtype(t) != RVL_DTYPE_F32 || rvl_tensor_n_dims(t) != 2 || shape[0] < 1 || shape[1] < 1 ||
        (x->data.n_embed && (shape[0] != x->data.n_cases || shape[1] != x->data.n_embed)))
        return rvl_fail(err, RVL_ERR_SHAPE, "cannot open index '%s': tensor '%s' is not f32 of (cases, width)", x->path,
                        name);
    x->data.n_cases = shape[0];
    x->data.n_embed = shape[1];
    *out = rvl_tensor_const_data(t);
    for (int64_t i = 0; i < shape[0] * shape[1]; i++)
        if (!isfinite((*out)[i]))
            return rvl_fail(err, RVL_ERR_NUMERIC, "cannot open index '%s': row %lld of '%s' is not finite", x->path,
                            (long long)(i / shape[1]), name);
    return RVL_OK;
}

static rvl_status findings_read(rvl_index *x, rvl_error *err)
{
    json_t      *list = NULL;
    const char **names = NULL;
    size_t       n = 0;
    rvl_status   st = list_parse(&list, x, "findings", err);

    if (st)
        return st;
    n = json_array_size(list);
    if (n > FINDINGS_MAX)
        st = damaged(x, err, "it has too many findings");
    names = st ? NULL : rvl_arena_alloc(x->arena, (n + 1) * sizeof *names);
    if (!st && !names)
        st = no_memory(err);
    for (size_t k = 0; k < n && !st; k++) {
        const char *name = json_string_value(json_array_get(list, k));
        if (!name)
            st = damaged(x, err, "a finding is no text");
        else if (!(names[k] = arena_text(x, name)))
            st = no_memory(err);
    }
    x->data.findings = names;
    x->data.n_findings = (int)n;
    json_decref(list);
    return st;
}

static rvl_status labels_read(rvl_index *x, rvl_index_case *c, const char *digits, rvl_error *err)
{
    size_t   n = (size_t)x->data.n_findings;
    uint8_t *labels = NULL;

    if (!digits)
        return RVL_OK;
    if (strlen(digits) != n || strspn(digits, "0123") != n)
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': labels of case '%.64s' do not fit the findings",
                        x->path, c->case_id);
    labels = rvl_arena_alloc(x->arena, n + 1);
    if (!labels)
        return no_memory(err);
    for (size_t k = 0; k < n; k++)
        labels[k] = (uint8_t)(digits[k] - '0');
    c->labels = labels;
    return RVL_OK;
}

static rvl_status case_read(rvl_index *x, int64_t i, const json_t *id, const json_t *o, rvl_error *err)
{
    rvl_index_case *c = &x->cases[i];

    if (!json_is_string(id) || !json_is_object(o))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': case %lld has no id or no record", x->path,
                        (long long)i);
    c->case_id = arena_text(x, json_string_value(id));
    c->split = arena_text(x, rvl_json_get_string(o, "split", ""));
    c->snippet = arena_text(x, rvl_json_get_string(o, "snippet", ""));
    c->cohort = arena_text(x, rvl_json_get_string(o, "cohort", ""));
    c->pack_row = rvl_json_get_i64(o, "row", -1);
    c->has_image = x->data.image && rvl_json_get_bool(o, "image", false);
    c->has_text = x->data.text && rvl_json_get_bool(o, "text", false);
    if (!c->case_id || !c->split || !c->snippet || !c->cohort)
        return no_memory(err);
    return labels_read(x, c, rvl_json_get_string(o, "labels", NULL), err);
}

static rvl_status cases_read(rvl_index *x, rvl_error *err)
{
    json_t    *ids = NULL;
    json_t    *cases = NULL;
    size_t     n = (size_t)x->data.n_cases;
    rvl_status st = list_parse(&ids, x, "ids", err);

    if (!st)
        st = list_parse(&cases, x, "cases", err);
    if (!st && (json_array_size(ids) != n || json_array_size(cases) != n))
        st = damaged(x, err, "ids, cases and vectors differ in number");
    x->cases = st ? NULL : rvl_alloc_array(n, sizeof *x->cases);
    if (!st && !x->cases)
        st = no_memory(err);
    for (size_t i = 0; i < n && !st; i++)
        st = case_read(x, (int64_t)i, json_array_get(ids, i), json_array_get(cases, i), err);
    x->data.cases = x->cases;
    json_decref(ids);
    json_decref(cases);
    return st;
}

static int row_compare(const void *a, const void *b)
{
    return strcmp(((const id_row *)a)->id, ((const id_row *)b)->id);
}

static rvl_status ids_sort(rvl_index *x, rvl_error *err)
{
    size_t n = (size_t)x->data.n_cases;

    x->by_id = rvl_alloc_array(n, sizeof *x->by_id);
    if (!x->by_id)
        return no_memory(err);
    for (size_t i = 0; i < n; i++)
        x->by_id[i] = (id_row){.id = x->cases[i].case_id, .i = (int64_t)i};
    qsort(x->by_id, n, sizeof *x->by_id, row_compare);
    for (size_t i = 0; i + 1 < n; i++)
        if (strcmp(x->by_id[i].id, x->by_id[i + 1].id) == 0)
            return rvl_fail(err, RVL_ERR_FORMAT, "cannot open index '%s': case '%.64s' is in it twice", x->path,
                            x->by_id[i].id);
    return RVL_OK;
}

static rvl_status index_read(rvl_index *x, const char *path, rvl_error *err)
{
    rvl_status st = RVL_OK;

    x->arena = rvl_arena_new();
    x->path = x->arena ? arena_text(x, path) : NULL;
    if (!x->path)
        return no_memory(err);
    st = rvl_safetensors_open(&x->file, path, err);
    if (!st)
        st = head_read(x, err);
    if (!st)
        st = vectors_take(&x->data.image, x, "image", err);
    if (!st)
        st = vectors_take(&x->data.text, x, "text", err);
    if (!st && !x->data.image && !x->data.text)
        st = damaged(x, err, "it has neither 'image' nor 'text' vectors");
    if (!st)
        st = findings_read(x, err);
    if (!st)
        st = cases_read(x, err);
    if (!st)
        st = ids_sort(x, err);
    return st;
}

rvl_status rvl_index_open(rvl_index **out, const char *path, rvl_error *err)
{
    rvl_index *x = rvl_alloc_array(1, sizeof *x);
    rvl_status st = RVL_OK;

    *out = NULL;
    if (!x)
        return no_memory(err);
    st = index_read(x, path, err);
    if (st) {
        rvl_index_close(x);
        return st;
    }
    *out = x;
    return RVL_OK;
}

void rvl_index_close(rvl_index *x)
{
    if (!x)
        return;
    rvl_free(x->by_id);
    rvl_free(x->cases);
    rvl_safetensors_close(x->file);
    rvl_arena_free(x->arena);
    rvl_free(x);
}

const rvl_index_data *rvl_index_get(const rvl_index *x)
{
    return &x->data;
}

int64_t rvl_index_find(const rvl_index *x, const char *case_id)
{
    const id_row  key = {.id = case_id};
    const id_row *found = bsearch(&key, x->by_id, (size_t)x->data.n_cases, sizeof key, row_compare);

    return found ? found->i : -1;
}

rvl_status rvl_index_check_model(const rvl_index *x, const char *model, rvl_error *err)
{
    if (strcmp(x->data.model, model) == 0)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_STATE,
                    "cannot search index '%s': it was made by model %.32s, not %.32s\nhint: run rvl embed with this "
                    "model, or search with that one",
                    x->path, x->data.model, model);
}
