/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/yaml.h
 * YAML (libyaml events) into a tree that remembers file and line. Aliases, tags and anchors are refused;
 * duplicate keys are errors; depth <= 32, file <= 1 MiB.
 */
#ifndef RVL_BASE_YAML_H
#define RVL_BASE_YAML_H
#include "rvl/status.h"

typedef enum { RVL_YAML_SCALAR, RVL_YAML_SEQ, RVL_YAML_MAP } rvl_yaml_kind;

/** A node; all nodes belong to their document. `text` is the scalar ("" for an empty one); a map has keys[i]
 *  beside items[i]. */
typedef struct rvl_yaml {
    rvl_yaml_kind     kind;
    const char       *text;
    bool              quoted; /* scalar was quoted: never a number, bool or null */
    size_t            n_items;
    struct rvl_yaml **items;
    const char      **keys;
    const char       *file;
    int               line; /* from 1 */
} rvl_yaml;

typedef struct rvl_yaml_doc rvl_yaml_doc;
RVL_MUST_USE rvl_status     rvl_yaml_parse(rvl_yaml_doc **out, const char *text, size_t n_bytes, const char *name,
                                           rvl_error *err);
RVL_MUST_USE rvl_status     rvl_yaml_load(rvl_yaml_doc **out, const char *path, rvl_error *err);
const rvl_yaml             *rvl_yaml_root(const rvl_yaml_doc *doc);
void                        rvl_yaml_free(rvl_yaml_doc *doc);

/** Child of a map by key, or NULL (also when `map` is NULL or no map). */
const rvl_yaml         *rvl_yaml_get(const rvl_yaml *map, const char *key);
/** Typed reads with file:line in the message. An absent key leaves `*out` as it was and is OK; a wrong type is
 *  RVL_ERR_FORMAT. Strings are borrowed from the document. */
RVL_MUST_USE rvl_status rvl_yaml_read_string(const char **out, const rvl_yaml *map, const char *key, rvl_error *err);
RVL_MUST_USE rvl_status rvl_yaml_read_i64(int64_t *out, const rvl_yaml *map, const char *key, rvl_error *err);
RVL_MUST_USE rvl_status rvl_yaml_read_f64(double *out, const rvl_yaml *map, const char *key, rvl_error *err);
RVL_MUST_USE rvl_status rvl_yaml_read_bool(bool *out, const rvl_yaml *map, const char *key, rvl_error *err);
/** Every key of `map` must be in the NULL-terminated list; the message names the nearest allowed key. */
RVL_MUST_USE rvl_status rvl_yaml_check_keys(const rvl_yaml *map, const char *const *allowed, rvl_error *err);

#endif /* RVL_BASE_YAML_H */
