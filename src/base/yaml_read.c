/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/yaml_read.c
 * Typed reads from a YAML tree, with file and line in each message.
 */
#include "base/str.h"
#include "base/yaml.h"

#include <string.h>

#include "base/banned.h"

#define HINT_DISTANCE_MAX 3

const rvl_yaml *rvl_yaml_get(const rvl_yaml *map, const char *key)
{
    if (!map || map->kind != RVL_YAML_MAP)
        return NULL;
    for (size_t i = 0; i < map->n_items; i++)
        if (strcmp(map->keys[i], key) == 0)
            return map->items[i];
    return NULL;
}

static rvl_status wrong_type(const rvl_yaml *node, const char *key, const char *wanted, rvl_error *err)
{
    if (node->kind != RVL_YAML_SCALAR)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' must be %s, found a %s", node->file, node->line, key, wanted,
                        node->kind == RVL_YAML_SEQ ? "list" : "map");
    return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: '%s' must be %s, found %s'%.80s'", node->file, node->line, key, wanted,
                    node->quoted ? "the quoted text " : "", node->text);
}

/** An unquoted scalar may be a number or a bool. */
static bool is_plain(const rvl_yaml *node)
{
    return node->kind == RVL_YAML_SCALAR && !node->quoted;
}

rvl_status rvl_yaml_read_string(const char **out, const rvl_yaml *map, const char *key, rvl_error *err)
{
    const rvl_yaml *node = rvl_yaml_get(map, key);

    if (!node)
        return RVL_OK;
    if (node->kind != RVL_YAML_SCALAR)
        return wrong_type(node, key, "text", err);
    *out = node->text;
    return RVL_OK;
}

rvl_status rvl_yaml_read_i64(int64_t *out, const rvl_yaml *map, const char *key, rvl_error *err)
{
    const rvl_yaml *node = rvl_yaml_get(map, key);

    if (!node || (is_plain(node) && rvl_parse_i64(node->text, out)))
        return RVL_OK;
    return wrong_type(node, key, "a whole number", err);
}

rvl_status rvl_yaml_read_f64(double *out, const rvl_yaml *map, const char *key, rvl_error *err)
{
    const rvl_yaml *node = rvl_yaml_get(map, key);

    if (!node || (is_plain(node) && rvl_parse_f64(node->text, out)))
        return RVL_OK;
    return wrong_type(node, key, "a number", err);
}

rvl_status rvl_yaml_read_bool(bool *out, const rvl_yaml *map, const char *key, rvl_error *err)
{
    const rvl_yaml *node = rvl_yaml_get(map, key);

    if (!node || (is_plain(node) && rvl_parse_bool(node->text, out)))
        return RVL_OK;
    return wrong_type(node, key, "true or false", err);
}

rvl_status rvl_yaml_check_keys(const rvl_yaml *map, const char *const *allowed, rvl_error *err)
{
    if (map->kind != RVL_YAML_MAP)
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: must be a map of keys and values", map->file, map->line);
    for (size_t i = 0; i < map->n_items; i++) {
        const char *key = map->keys[i], *nearest = NULL;
        int         best = HINT_DISTANCE_MAX + 1;
        bool        known = false;
        for (const char *const *a = allowed; *a && !known; a++) {
            int distance = rvl_str_distance(key, *a);
            known = strcmp(key, *a) == 0;
            if (distance < best) {
                best = distance;
                nearest = *a;
            }
        }
        if (known)
            continue;
        int line = map->items[i]->line;
        if (nearest)
            return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: unknown key '%s' (did you mean '%s'?)", map->file, line, key,
                            nearest);
        return rvl_fail(err, RVL_ERR_FORMAT, "%s:%d: unknown key '%s'", map->file, line, key);
    }
    return RVL_OK;
}
