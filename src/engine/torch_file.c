/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/torch_file.c
 * From an unpickled root to named, contiguous tensors.
 */
#include "engine/torch_file.h"
#include <stdio.h>
#include <string.h>

#define MAX_NESTING 4
#define SPARE_BYTES ((size_t)16 << 20)

struct rvl_torch_file {
    rvl_arena   *arena; /* holds the names */
    const char **names;
    rvl_tensor **tensors;
    int          n_tensors;
};

static bool is_state_dict(const rvl_pickle_value *v)
{
    if (v->kind != RVL_PICKLE_DICT)
        return false;
    for (const rvl_pickle_item *i = v->u.items.first; i; i = i->next)
        if (i->value->kind == RVL_PICKLE_TENSOR && i->key->kind == RVL_PICKLE_STR)
            return true;
    return false;
}

/** The dict that holds the tensors; NULL if there is none. `*beside` gets what stands beside it under "classifier",
 * where GreenRFM keeps the layer behind its encoder, or NULL. */
static const rvl_pickle_value *state_dict_find(const rvl_pickle_value **beside, const rvl_pickle_value *root)
{
    static const char *const keys[] = {"state_dict", "model", "module", "encoder"};

    *beside = NULL;
    for (int depth = 0; depth < MAX_NESTING; depth++) {
        const rvl_pickle_value *inner = NULL;

        if (is_state_dict(root))
            return root;
        for (size_t k = 0; !inner && k < RVL_ARRAY_LEN(keys); k++)
            inner = rvl__pickle_get(root, keys[k]);
        if (!inner)
            return NULL;
        *beside = rvl__pickle_get(root, "classifier");
        if (*beside && !is_state_dict(*beside))
            *beside = NULL;
        root = inner;
    }
    return NULL;
}

/** Elements of the shape; false on overflow. `*last` gets the place of the last element in the storage. */
static bool tensor_measure(const rvl_pickle_tensor *t, size_t *count, size_t *last)
{
    *count = 1;
    *last = (size_t)t->offset;
    for (int i = 0; i < t->n_dims; i++) {
        size_t step;

        if (!rvl_mul_size(count, *count, (size_t)t->shape[i]))
            return false;
        if (t->shape[i] > 1 &&
            (!rvl_mul_size(&step, (size_t)t->shape[i] - 1, (size_t)t->stride[i]) || !rvl_add_size(last, *last, step)))
            return false;
    }
    return true;
}

static bool is_contiguous(const rvl_pickle_tensor *t)
{
    int64_t step = 1;

    for (int i = t->n_dims - 1; i >= 0; i--) {
        if (t->shape[i] != 1 && t->stride[i] != step)
            return false;
        step *= t->shape[i];
    }
    return true;
}

/** Copy `count` >= 1 elements in the order of the shape. */
static void gather(uint8_t *to, const uint8_t *from, const rvl_pickle_tensor *t, size_t count, size_t size)
{
    int64_t index[RVL_MAX_DIMS] = {0};
    int64_t place = t->offset;

    for (size_t n = 0; n < count; n++) {
        memcpy(to + n * size, from + (size_t)place * size, size);
        for (int i = t->n_dims - 1; i >= 0; i--) {
            if (t->shape[i] == 1)
                continue; /* its stride means nothing and may be any number */
            place += t->stride[i];
            if (++index[i] < t->shape[i])
                break;
            place -= t->stride[i] * t->shape[i];
            index[i] = 0;
        }
    }
}

static rvl_status tensor_make(rvl_tensor **out, const rvl_pickle_tensor *t, const char *key, const char *name,
                              size_t *bytes_left, rvl_error *err)
{
    const rvl_pickle_storage *s = t->storage;
    const size_t              size = rvl_dtype_bytes(s->dtype);
    size_t                    count;
    size_t                    last;
    size_t                    n_bytes;
    rvl_status                st;

    if (!tensor_measure(t, &count, &last) || !rvl_mul_size(&n_bytes, count, size))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': the size of tensor '%.120s' overflows", name, key);
    if (count > 0 && last >= (size_t)s->n_elements)
        return rvl_fail(err, RVL_ERR_FORMAT,
                        "cannot read '%s': tensor '%.120s' reaches element %zu of storage '%.40s', which has %lld",
                        name, key, last, s->key, (long long)s->n_elements);
    const uint8_t *from = s->data + (count > 0 ? (size_t)t->offset * size : 0);
    if (count == 0 || (is_contiguous(t) && (uintptr_t)from % size == 0))
        return rvl_tensor_borrow(out, s->dtype, t->n_dims, t->shape, (void *)from, err);
    if (n_bytes > *bytes_left)
        return rvl_fail(err, RVL_ERR_LIMIT,
                        "cannot read '%s': tensor '%.120s' of %zu bytes is too much for a file of this size", name, key,
                        n_bytes);
    *bytes_left -= n_bytes;
    st = rvl_tensor_new(out, s->dtype, t->n_dims, t->shape, err);
    if (!st)
        gather(rvl_tensor_data(*out), s->data, t, count, size);
    return st;
}

static rvl_status nothing_found(const rvl_pickle_value *root, const char *name, rvl_error *err)
{
    const rvl_pickle_item *i = root->kind == RVL_PICKLE_DICT ? root->u.items.first : NULL;
    rvl_str                keys = {0};
    rvl_status             st;

    for (int n = 0; i && n < 5; i = i->next)
        if (i->key->kind == RVL_PICKLE_STR) {
            rvl_str_addf(&keys, "%s'%.40s'", n ? ", " : "", i->key->u.text);
            n++;
        }
    st = rvl_fail(err, RVL_ERR_FORMAT,
                  "cannot read '%s': it holds no named tensors (%s%s)\n"
                  "hint: they are looked for at the top and under 'state_dict', 'model', 'module' and 'encoder'",
                  name, keys.n_bytes ? "at the top are " : "its root is no dict of any",
                  keys.n_bytes && !keys.failed ? keys.ptr : "");
    rvl_str_free(&keys);
    return st;
}

/** The tensors of one dict, under `prefix` and their keys. */
static rvl_status dict_make(rvl_torch_file *f, const rvl_pickle_value *dict, const char *prefix, size_t *bytes_left,
                            const char *name, rvl_error *err)
{
    rvl_status st = RVL_OK;

    for (const rvl_pickle_item *i = dict->u.items.first; !st && i; i = i->next) {
        if (i->value->kind != RVL_PICKLE_TENSOR || i->key->kind != RVL_PICKLE_STR)
            continue;
        const char *key = i->key->u.text;
        if (*prefix) {
            const size_t n_bytes = strlen(prefix) + strlen(key) + 1;
            char        *joined = rvl_arena_alloc(f->arena, n_bytes);
            if (!joined)
                return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
            snprintf(joined, n_bytes, "%s%s", prefix, key);
            key = joined;
        }
        f->names[f->n_tensors] = key;
        st = tensor_make(&f->tensors[f->n_tensors], i->value->u.tensor, key, name, bytes_left, err);
        f->n_tensors += !st;
    }
    return st;
}

static rvl_status tensors_make(rvl_torch_file *f, const rvl_pickle_value *dict, const rvl_pickle_value *classifier,
                               size_t file_bytes, const char *name, rvl_error *err)
{
    const size_t n = (size_t)dict->u.items.n + (classifier ? (size_t)classifier->u.items.n : 0);
    size_t       bytes_left = SPARE_BYTES;
    size_t       four_files;

    if (rvl_mul_size(&four_files, file_bytes, 4))
        (void)rvl_add_size(&bytes_left, bytes_left, four_files);
    f->names = rvl_alloc_array(n, sizeof *f->names);
    f->tensors = rvl_alloc_array(n, sizeof *f->tensors);
    if (!f->names || !f->tensors)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    rvl_status st = dict_make(f, dict, "", &bytes_left, name, err);
    return st || !classifier ? st : dict_make(f, classifier, "classifier.", &bytes_left, name, err);
}

rvl_status rvl__torch_collect(rvl_torch_file **out, const rvl_pickle *pickle, rvl_arena *arena, size_t file_bytes,
                              const char *name, rvl_error *err)
{
    const rvl_pickle_value *classifier = NULL;
    const rvl_pickle_value *dict = state_dict_find(&classifier, pickle->root);
    rvl_torch_file         *f = rvl_alloc_array(1, sizeof *f);
    rvl_status              st;

    *out = NULL;
    if (!f) {
        rvl_arena_free(arena);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    }
    f->arena = arena;
    st = dict ? tensors_make(f, dict, classifier, file_bytes, name, err) : nothing_found(pickle->root, name, err);
    if (st) {
        rvl__torch_close(f);
        return st;
    }
    *out = f;
    return RVL_OK;
}

void rvl__torch_close(rvl_torch_file *f)
{
    if (!f)
        return;
    for (int i = 0; i < f->n_tensors; i++)
        rvl_tensor_free(f->tensors[i]);
    rvl_free(f->tensors);
    rvl_free(f->names);
    rvl_arena_free(f->arena);
    rvl_free(f);
}

int rvl__torch_count(const rvl_torch_file *f)
{
    return f->n_tensors;
}

const char *rvl__torch_name(const rvl_torch_file *f, int i)
{
    return f->names[i];
}

const rvl_tensor *rvl__torch_tensor(const rvl_torch_file *f, int i)
{
    return f->tensors[i];
}
