/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/json.h
 * jansson with the house's rules: duplicate keys refused, NaN written as null, 17 digits, depth and size limits.
 */
#ifndef RVL_BASE_JSON_H
#define RVL_BASE_JSON_H
#include "rvl/status.h"
#include <jansson.h>

/** Parse `n_bytes` of text; `name` is for messages. Caller owns the reference (json_decref). */
RVL_MUST_USE rvl_status rvl_json_parse(json_t **out, const char *text, size_t n_bytes, const char *name,
                                       rvl_error *err);
RVL_MUST_USE rvl_status rvl_json_load(json_t **out, const char *path, rvl_error *err);
/** Format with keys in insertion order; `indent` 0 gives one line. Caller frees with rvl_free. */
RVL_MUST_USE rvl_status rvl_json_format(char **out, const json_t *json, int indent, rvl_error *err);
/** Format, newline at the end, atomic write. */
RVL_MUST_USE rvl_status rvl_json_save(const json_t *json, const char *path, rvl_error *err);
/** A real, or null where the value is not finite. */
json_t                 *rvl_json_real(double value);
/** Setters that swallow NULL values as failures: return false if out of memory. `value` is stolen. */
bool                    rvl_json_set(json_t *object, const char *key, json_t *value);
/** Getters with a fallback for absent or wrong type. Borrowed strings. */
const char             *rvl_json_get_string(const json_t *object, const char *key, const char *fallback);
int64_t                 rvl_json_get_i64(const json_t *object, const char *key, int64_t fallback);
double                  rvl_json_get_f64(const json_t *object, const char *key, double fallback);
bool                    rvl_json_get_bool(const json_t *object, const char *key, bool fallback);

#endif /* RVL_BASE_JSON_H */
