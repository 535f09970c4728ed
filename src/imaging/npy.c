/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file imaging/npy.c
 * The .npy format (NumPy Enhancement Proposal 1, versions 1 to 3): a magic, a header in a small subset of Python
 * literals, raw data. Nothing is evaluated; object arrays are refused.
 */
#include "imaging/npy.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct {
    const char *at, *end;
    const char *name;
    bool        fortran, big_endian;
} header;

static rvl_status bad(const header *h, const char *why, rvl_error *err)
{
    return rvl_fail(err, RVL_ERR_FORMAT, "'%s' is no readable npy array: %s", h->name, why);
}

static void skip_blanks(header *h)
{
    while (h->at < h->end && (*h->at == ' ' || *h->at == '\n' || *h->at == ','))
        h->at++;
}

static bool take(header *h, const char *word)
{
    size_t n = strlen(word);
    skip_blanks(h);
    if ((size_t)(h->end - h->at) < n || memcmp(h->at, word, n) != 0)
        return false;
    h->at += n;
    return true;
}

/* A quoted word into `out`. */
static bool take_quoted(header *h, char *out, size_t n_bytes)
{
    size_t n = 0;
    skip_blanks(h);
    if (h->at >= h->end || (*h->at != '\'' && *h->at != '"'))
        return false;
    const char quote = *h->at++;
    while (h->at < h->end && *h->at != quote && n + 1 < n_bytes)
        out[n++] = *h->at++;
    out[n] = '\0';
    return h->at < h->end && *h->at++ == quote;
}

static rvl_status read_descr(rvl_npy *a, header *h, rvl_error *err)
{
    char descr[16];

    if (!take_quoted(h, descr, sizeof descr))
        return bad(h, "its type is not a plain number (object and record arrays are not read)", err);
    const char *d = descr;
    if (*d == '<' || *d == '>' || *d == '|' || *d == '=')
        h->big_endian = *d++ == '>';
    a->kind = *d ? *d++ : '?';
    a->item_bytes = d[0] >= '1' && d[0] <= '8' && d[1] == '\0' ? d[0] - '0' : 0;
    bool ok = (a->kind == 'f' && (a->item_bytes == 2 || a->item_bytes == 4 || a->item_bytes == 8)) ||
              ((a->kind == 'i' || a->kind == 'u') &&
               (a->item_bytes == 1 || a->item_bytes == 2 || a->item_bytes == 4 || a->item_bytes == 8)) ||
              (a->kind == 'b' && a->item_bytes == 1);
    if (ok)
        return RVL_OK;
    return rvl_fail(err, RVL_ERR_UNSUPPORTED, "'%s' has elements of type '%s': only real numbers are read", h->name,
                    descr);
}

static rvl_status read_shape(rvl_npy *a, header *h, rvl_error *err)
{
    a->n_dims = 0;
    if (!take(h, "("))
        return bad(h, "its shape is missing", err);
    while (!take(h, ")")) {
        int64_t extent = 0;
        int     n_digits = 0;
        skip_blanks(h);
        for (; h->at < h->end && *h->at >= '0' && *h->at <= '9' && n_digits < 12; h->at++, n_digits++)
            extent = 10 * extent + (*h->at - '0');
        if (n_digits == 0 || n_digits == 12 || a->n_dims == 8)
            return bad(h, "its shape is damaged", err);
        a->shape[a->n_dims++] = extent;
    }
    return RVL_OK;
}

static rvl_status read_header(rvl_npy *a, header *h, rvl_error *err)
{
    bool has[3] = {false, false, false};
    char key[24];

    if (!take(h, "{"))
        return bad(h, "its header is damaged", err);
    while (!take(h, "}")) {
        rvl_status st = RVL_OK;
        if (!take_quoted(h, key, sizeof key) || !take(h, ":"))
            return bad(h, "its header is damaged", err);
        int k = strcmp(key, "descr") == 0           ? 0
                : strcmp(key, "fortran_order") == 0 ? 1
                : strcmp(key, "shape") == 0         ? 2
                                                    : 3;
        if (k == 3 || has[k])
            return bad(h, "its header has an unknown or repeated key", err);
        has[k] = true;
        if (k == 0)
            st = read_descr(a, h, err);
        else if (k == 2)
            st = read_shape(a, h, err);
        else if (take(h, "True"))
            h->fortran = true;
        else if (!take(h, "False"))
            st = bad(h, "its order is neither True nor False", err);
        if (st)
            return st;
    }
    return has[0] && has[1] && has[2] ? RVL_OK : bad(h, "its header lacks type, order or shape", err);
}

/* Bytes -> native order, C order. `index` walks the source in its own order. */
static void copy_elements(rvl_npy *a, const uint8_t *data, const header *h)
{
    const size_t item = (size_t)a->item_bytes;
    for (int64_t i = 0; i < a->count; i++) {
        int64_t from = i;
        if (h->fortran) {
            int64_t rest = i;
            int64_t stride[8] = {1};
            for (int d = 1; d < a->n_dims; d++)
                stride[d] = stride[d - 1] * a->shape[d - 1];
            from = 0;
            for (int d = a->n_dims - 1; d >= 0; d--) {
                from += rest % a->shape[d] * stride[d];
                rest /= a->shape[d];
            }
        }
        uint8_t       *to = (uint8_t *)a->data + (size_t)i * item;
        const uint8_t *src = data + (size_t)from * item;
        for (size_t b = 0; b < item; b++)
            to[b] = h->big_endian ? src[item - 1 - b] : src[b];
    }
}

static rvl_status read_data(rvl_npy *a, const header *h, const uint8_t *data, size_t n_bytes, size_t max_bytes,
                            rvl_error *err)
{
    size_t need = (size_t)a->item_bytes;

    for (int d = 0; d < a->n_dims; d++)
        if (!rvl_mul_size(&need, need, (size_t)a->shape[d]) || need > PTRDIFF_MAX)
            return bad(h, "its shape is absurd", err);
    a->count = (int64_t)(need / (size_t)a->item_bytes);
    if (max_bytes > 0 && need > max_bytes)
        return rvl_fail(err, RVL_ERR_LIMIT, "'%s' holds %zu bytes, more than the limit of %zu", h->name, need,
                        max_bytes);
    if (need != n_bytes)
        return rvl_fail(err, RVL_ERR_FORMAT, "'%s' is cut or too long: %zu bytes of data, its shape needs %zu", h->name,
                        n_bytes, need);
    a->data = rvl_alloc(need);
    if (!a->data)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for '%s' (%zu bytes)", h->name, need);
    if (h->fortran || h->big_endian)
        copy_elements(a, data, h);
    else if (need > 0)
        memcpy(a->data, data, need);
    return RVL_OK;
}

rvl_status rvl_npy_parse(rvl_npy *out, const void *bytes, size_t n_bytes, const char *name, size_t max_bytes,
                         rvl_error *err)
{
    const uint8_t *b = bytes;
    header         h = {.name = name};
    size_t         prefix = 10;
    size_t         length;

    memset(out, 0, sizeof *out);
    if (n_bytes < 12 || memcmp(b, "\x93NUMPY", 6) != 0)
        return bad(&h, "the magic bytes are missing", err);
    if (b[6] < 1 || b[6] > 3)
        return rvl_fail(err, RVL_ERR_UNSUPPORTED, "'%s' is npy version %d, known are 1 to 3", name, b[6]);
    length = (size_t)b[8] | (size_t)b[9] << 8;
    if (b[6] > 1) {
        prefix = 12;
        length |= (size_t)b[10] << 16 | (size_t)b[11] << 24;
    }
    if (length > 65536 || length > n_bytes - prefix)
        return bad(&h, "its header runs past the end", err);
    h.at = (const char *)b + prefix;
    h.end = h.at + length;
    rvl_status st = read_header(out, &h, err);
    if (!st)
        st = read_data(out, &h, b + prefix + length, n_bytes - prefix - length, max_bytes, err);
    if (st)
        rvl_npy_fini(out);
    return st;
}

rvl_status rvl_npy_load(rvl_npy *out, const char *path, size_t max_bytes, rvl_error *err)
{
    char      *text = NULL;
    size_t     n = 0;
    rvl_status st = rvl_file_read(&text, &n, path, max_bytes ? max_bytes + 70000 : 0, err);

    memset(out, 0, sizeof *out);
    if (!st)
        st = rvl_npy_parse(out, text, n, path, max_bytes, err);
    rvl_free(text);
    return st;
}

rvl_status rvl_npy_save_f32(const char *path, const float *data, int n_dims, const int64_t *shape, rvl_error *err)
{
    rvl_str      head = {0};
    rvl_outfile *f = NULL;
    size_t       n_bytes = sizeof *data;

    rvl_str_add_n(&head, "\x93NUMPY\x01\0\0\0", 10);
    rvl_str_add(&head, "{'descr': '<f4', 'fortran_order': False, 'shape': (");
    for (int d = 0; d < n_dims; d++) {
        rvl_str_addf(&head, "%lld,%s", (long long)shape[d], d + 1 < n_dims ? " " : "");
        n_bytes *= (size_t)shape[d];
    }
    rvl_str_add(&head, "), }");
    while (!head.failed && (head.n_bytes + 1) % 64 != 0)
        rvl_str_add(&head, " ");
    rvl_str_add(&head, "\n");
    rvl_status st = head.failed ? rvl_fail(err, RVL_ERR_NOMEM, "out of memory") : rvl_outfile_open(&f, path, err);
    if (!st) {
        head.ptr[8] = (char)((head.n_bytes - 10) & 255);
        head.ptr[9] = (char)((head.n_bytes - 10) >> 8);
        rvl_outfile_write(f, head.ptr, head.n_bytes);
        rvl_outfile_write(f, data, n_bytes);
        st = rvl_outfile_commit(f, err);
    }
    rvl_str_free(&head);
    return st;
}

void rvl_npy_fini(rvl_npy *a)
{
    rvl_free(a->data);
    a->data = NULL;
}

static double half_to_double(uint16_t h)
{
    const int exponent = h >> 10 & 31;
    const int mantissa = h & 1023;
    double    value = exponent == 31  ? (mantissa ? NAN : INFINITY)
                      : exponent == 0 ? ldexp(mantissa, -24)
                                      : ldexp(mantissa + 1024, exponent - 25);
    return h & 0x8000 ? -value : value;
}

double rvl_npy_at(const rvl_npy *a, int64_t i)
{
    const void *p = a->data;
    switch (a->kind) {
    case 'f':
        return a->item_bytes == 8   ? ((const double *)p)[i]
               : a->item_bytes == 4 ? (double)((const float *)p)[i]
                                    : half_to_double(((const uint16_t *)p)[i]);
    case 'i':
        return a->item_bytes == 8   ? (double)((const int64_t *)p)[i]
               : a->item_bytes == 4 ? (double)((const int32_t *)p)[i]
               : a->item_bytes == 2 ? (double)((const int16_t *)p)[i]
                                    : (double)((const int8_t *)p)[i];
    default:
        return a->item_bytes == 8   ? (double)((const uint64_t *)p)[i]
               : a->item_bytes == 4 ? (double)((const uint32_t *)p)[i]
               : a->item_bytes == 2 ? (double)((const uint16_t *)p)[i]
                                    : (double)((const uint8_t *)p)[i];
    }
}
