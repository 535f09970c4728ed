/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/weight_index.c
 * Checks an index before any part of it is opened.
 */
#include "engine/weight_index.h"
#include "base/json.h"
#include <string.h>

static rvl_status map_check(const json_t *map, const char *name, rvl_error *err)
{
    const char *key;
    json_t     *value;

    if (!json_is_object(map))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read '%s': it has no object 'weight_map'", name);
    json_object_foreach((json_t *)map, key, value)
    {
        const char *file = json_string_value(value);

        if (!file || !*file || *file == '.' || strpbrk(file, "/\\"))
            return rvl_fail(err, RVL_ERR_FORMAT,
                            "cannot read '%s': tensor '%.120s' is not in a file beside it ('%.120s')", name, key,
                            file ? file : "");
    }
    return RVL_OK;
}

rvl_status rvl__weight_index_parse(json_t **weight_map, rvl_span bytes, const char *name, rvl_error *err)
{
    json_t    *root = NULL;
    json_t    *map = NULL;
    rvl_status st = rvl_json_parse(&root, (const char *)bytes.ptr, bytes.n_bytes, name, err);

    *weight_map = NULL;
    if (!st) {
        map = json_object_get(root, "weight_map");
        st = map_check(map, name, err);
    }
    if (!st)
        *weight_map = json_incref(map);
    json_decref(root);
    return st;
}
