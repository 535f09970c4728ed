/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/embeddings.c
 * Readers of embedding files.
 */
#include "verbs/embeddings.h"
#include "base/alloc.h"
#include "engine/safetensors.h"
#include "imaging/npy.h"
#include <math.h>
#include <string.h>

static rvl_status no_memory(const char *path, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for the embeddings of '%s'", path);
}

/* Two axes, or three of which the middle one is 1. */
static rvl_status take_shape(rvl_embeddings *out, const int64_t *shape, int n_dims, rvl_error *err)
{
    if (n_dims != 2 && !(n_dims == 3 && shape[1] == 1))
        return rvl_fail(err, RVL_ERR_SHAPE, "'%s' has %d axes, embeddings have two: (n, e)", out->path, n_dims);
    out->n = shape[0];
    out->e = shape[n_dims - 1];
    out->x = rvl_alloc_array((size_t)(out->n * out->e) + 1, sizeof *out->x);
    return out->x ? RVL_OK : no_memory(out->path, err);
}

static rvl_status from_safetensors(rvl_embeddings *out, const char *which, rvl_error *err)
{
    rvl_safetensors *f = NULL;
    rvl_tensor      *t = NULL;
    rvl_status       st = rvl_safetensors_open(&f, out->path, err);

    if (st)
        return st;
    const rvl_tensor *source =
        rvl_safetensors_count(f) == 1 ? rvl_safetensors_tensor(f, 0) : rvl_safetensors_find(f, which);
    if (!source)
        st = rvl_fail(err, RVL_ERR_FORMAT, "'%s' has no 2-D tensor '%s'", out->path, which);
    if (!st)
        st = rvl_tensor_convert(&t, source, RVL_DTYPE_F32, err);
    if (!st)
        st = take_shape(out, rvl_tensor_shape(t), rvl_tensor_n_dims(t), err);
    if (!st)
        memcpy(out->x, rvl_tensor_const_data(t), (size_t)(out->n * out->e) * sizeof *out->x);
    rvl_tensor_free(t);
    rvl_safetensors_close(f);
    return st;
}

static rvl_status from_csv(rvl_embeddings *out, rvl_error *err)
{
    rvl_status    st = rvl_csv_load(&out->table, out->path, 0, err);
    const int64_t e = st ? 0 : (int64_t)rvl_csv_n_columns(out->table) - 1;

    if (!st)
        st = take_shape(out, (const int64_t[]){(int64_t)rvl_csv_n_rows(out->table), e}, 2, err);
    for (int64_t i = 0; !st && i < out->n * e; i++) {
        double x;
        if (!rvl_parse_f64(rvl_csv_cell(out->table, (size_t)(i / e), (size_t)(i % e) + 1), &x))
            st = rvl_fail(err, RVL_ERR_FORMAT, "table '%s' line %lld: '%s' is no finite number", out->path,
                          (long long)rvl_csv_line(out->table, (size_t)(i / e)),
                          rvl_csv_name(out->table, (size_t)(i % e) + 1));
        else
            out->x[i] = (float)x;
    }
    return st;
}

static rvl_status from_numpy(rvl_embeddings *out, rvl_error *err)
{
    static const char suffix[] = ".npz:";
    const char       *member = strstr(out->path, suffix);
    rvl_npy           a = {0};
    rvl_status        st;

    if (member) {
        char *file = rvl_strndup(out->path, (size_t)(member - out->path) + sizeof suffix - 2);
        st = file ? rvl_npz_load(&a, file, member + sizeof suffix - 1, 0, err) : no_memory(out->path, err);
        rvl_free(file);
    } else if (rvl_str_ends(out->path, ".npz")) {
        st = rvl_npz_load(&a, out->path, NULL, 0, err);
    } else {
        st = rvl_npy_load(&a, out->path, 0, err);
    }
    if (!st)
        st = take_shape(out, a.shape, a.n_dims, err);
    for (int64_t i = 0; !st && i < a.count; i++)
        out->x[i] = (float)rvl_npy_at(&a, i);
    rvl_npy_fini(&a);
    return st;
}

rvl_status rvl__embeddings_load(rvl_embeddings *out, const char *path, const char *which, rvl_error *err)
{
    out->path = path;
    if (rvl_str_ends(path, ".safetensors"))
        return from_safetensors(out, which, err);
    if (rvl_str_ends(path, ".csv"))
        return from_csv(out, err);
    return from_numpy(out, err);
}

void rvl__embeddings_fini(rvl_embeddings *m)
{
    rvl_free(m->x);
    rvl_csv_free(m->table);
    memset(m, 0, sizeof *m);
}
