/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/json.c
 * jansson behind the house's rules and error texts.
 */
#include "base/json.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

#include "base/banned.h"

#define JSON_BYTES_MAX ((size_t)256 * 1024 * 1024)
#define JSON_DEPTH_MAX 128

/** Deepest nesting of brackets outside strings. */
static int json_depth(const char *text, size_t n_bytes)
{
    int  depth = 0, deepest = 0;
    bool in_string = false;

    for (size_t i = 0; i < n_bytes; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '[' || c == '{') {
            if (++depth > deepest)
                deepest = depth;
            if (deepest > JSON_DEPTH_MAX)
                break;
        } else if (c == ']' || c == '}') {
            depth--;
        }
    }
    return deepest;
}

rvl_status rvl_json_parse(json_t **out, const char *text, size_t n_bytes, const char *name, rvl_error *err)
{
    json_error_t e;

    *out = NULL;
    if (n_bytes > JSON_BYTES_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': more than %zu bytes of JSON", name, JSON_BYTES_MAX);
    if (json_depth(text, n_bytes) > JSON_DEPTH_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': JSON nested deeper than %d", name, JSON_DEPTH_MAX);
    *out = json_loadb(text, n_bytes, JSON_REJECT_DUPLICATES, &e);
    if (*out)
        return RVL_OK;
    if (json_error_code(&e) == json_error_out_of_memory)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    char *quote = strstr(e.text, " near '");
    if (quote)
        *quote = '\0'; /* a piece of the document, which may be a report */
    return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': line %d column %d: %s", name, e.line, e.column, e.text);
}

rvl_status rvl_json_load(json_t **out, const char *path, rvl_error *err)
{
    char  *text;
    size_t n_bytes;

    *out = NULL;
    rvl_status st = rvl_file_read(&text, &n_bytes, path, JSON_BYTES_MAX, err);
    if (st)
        return st;
    st = rvl_json_parse(out, text, n_bytes, path, err);
    rvl_free(text);
    return st;
}

static int str_append(const char *bytes, size_t n_bytes, void *data)
{
    rvl_str *s = data;

    rvl_str_add_n(s, bytes, n_bytes);
    return s->failed ? -1 : 0;
}

static rvl_status json_append(rvl_str *s, const json_t *json, int indent, rvl_error *err)
{
    size_t flags = JSON_ENCODE_ANY | JSON_REAL_PRECISION(17);

    flags |= indent > 0 ? JSON_INDENT((size_t)indent) : JSON_COMPACT;
    if (json_dump_callback(json, str_append, s, flags) == 0)
        return RVL_OK;
    if (s->failed)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot format JSON: out of memory");
    return rvl_fail(err, RVL_ERR_INTERNAL, "cannot format JSON: the value is not valid");
}

rvl_status rvl_json_format(char **out, const json_t *json, int indent, rvl_error *err)
{
    rvl_str s = {0};

    *out = NULL;
    rvl_status st = json_append(&s, json, indent, err);
    if (!st && !(*out = rvl_str_take(&s)))
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot format JSON: out of memory");
    rvl_str_free(&s);
    return st;
}

rvl_status rvl_json_save(const json_t *json, const char *path, rvl_error *err)
{
    rvl_str    s = {0};
    rvl_status st = json_append(&s, json, 2, err);

    rvl_str_add(&s, "\n");
    if (!st && s.failed)
        st = rvl_fail(err, RVL_ERR_NOMEM, "cannot write '%s': out of memory", path);
    if (!st)
        st = rvl_file_write(path, s.ptr, s.n_bytes, err);
    rvl_str_free(&s);
    return st;
}

json_t *rvl_json_real(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

bool rvl_json_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) == 0;
}

const char *rvl_json_get_string(const json_t *object, const char *key, const char *fallback)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : fallback;
}

int64_t rvl_json_get_i64(const json_t *object, const char *key, int64_t fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? (int64_t)json_integer_value(value) : fallback;
}

double rvl_json_get_f64(const json_t *object, const char *key, double fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : fallback;
}

bool rvl_json_get_bool(const json_t *object, const char *key, bool fallback)
{
    const json_t *value = json_object_get(object, key);
    return json_is_boolean(value) ? json_is_true(value) : fallback;
}
