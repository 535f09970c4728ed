/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/safetensors_save.c
 * Writing safetensors files: header padded with spaces so that the data begins at a multiple of 64 bytes.
 */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "engine/safetensors.h"
#include <string.h>

static const char *dtype_name(rvl_dtype dtype)
{
    switch (dtype) {
#define X(name, number, bytes, text)                                                                                   \
    case RVL_DTYPE_##name:                                                                                             \
        return #name; /* the format's names are ours */
        RVL_DTYPE_LIST(X)
#undef X
    }
    return NULL;
}

static json_t *row_json(const rvl_tensor *t, size_t begin)
{
    json_t *shape = json_array();

    for (int i = 0; i < rvl_tensor_n_dims(t); i++)
        json_array_append_new(shape, json_integer(rvl_tensor_shape(t)[i]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", dtype_name(rvl_tensor_dtype(t)), "shape", shape, "data_offsets",
                     (json_int_t)begin, (json_int_t)(begin + rvl_tensor_bytes(t)));
}

/** The header as text; names must be unique, and not "__metadata__". */
static rvl_status header_format(char **out, int n, const char *const *names, const rvl_tensor *const *tensors,
                                const json_t *metadata, const char *path, rvl_error *err)
{
    json_t    *header = json_object();
    size_t     begin = 0;
    rvl_status st = RVL_OK;

    *out = NULL;
    if (metadata && json_object_set_new(header, "__metadata__", json_deep_copy(metadata)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    for (int i = 0; i < n && !st; i++) {
        if (strcmp(names[i], "__metadata__") == 0 || json_object_get(header, names[i]))
            st = rvl_fail(err, RVL_ERR_USAGE, "cannot write '%s': the tensor name '%s' is taken", path, names[i]);
        else if (json_object_set_new(header, names[i], row_json(tensors[i], begin)))
            st = rvl_fail(err, RVL_ERR_FORMAT, "cannot write '%s': the name of tensor %d is not UTF-8", path, i);
        begin += rvl_tensor_bytes(tensors[i]);
    }
    if (!st)
        st = rvl_json_format(out, header, 0, err);
    json_decref(header);
    return st;
}

rvl_status rvl_safetensors_save(const char *path, int n, const char *const *names, const rvl_tensor *const *tensors,
                                const json_t *metadata, rvl_error *err)
{
    static const char spaces[64] = "                                                               ";
    rvl_outfile      *f = NULL;
    char             *header;
    rvl_status        st = header_format(&header, n, names, tensors, metadata, path, err);

    if (st)
        return st;
    st = rvl_outfile_open(&f, path, err);
    if (!st) {
        size_t   n_text = strlen(header);
        size_t   n_pad = (64 - (8 + n_text) % 64) % 64;
        uint64_t header_bytes = n_text + n_pad;
        rvl_outfile_write(f, &header_bytes, 8);
        rvl_outfile_write(f, header, n_text);
        rvl_outfile_write(f, spaces, n_pad);
        for (int i = 0; i < n; i++)
            rvl_outfile_write(f, rvl_tensor_const_data(tensors[i]), rvl_tensor_bytes(tensors[i]));
        st = rvl_outfile_commit(f, err);
    }
    rvl_free(header);
    return st;
}
