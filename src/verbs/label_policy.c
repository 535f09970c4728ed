/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_policy.c
 * Label policies by name.
 */
#include "verbs/label_policy.h"
#include "base/alloc.h"
#include "base/str.h"
#include <string.h>

rvl_status rvl__uncertain_parse(rvl_uncertain_policy *out, const char *text, rvl_error *err)
{
    static const char *const names[] = {"ignore", "present", "absent", "half"};
    for (size_t i = 0; text && i < RVL_ARRAY_LEN(names); i++)
        if (strcmp(text, names[i]) == 0) {
            *out = (rvl_uncertain_policy)i;
            return RVL_OK;
        }
    return rvl_fail(err, RVL_ERR_USAGE, "--uncertain is ignore, present, absent or half, not '%s'", text ? text : "");
}

rvl_status rvl__missing_parse(rvl_missing_policy *out, const char *text, rvl_error *err)
{
    if (rvl_str_equal(text, "ignore"))
        *out = RVL_MISSING_IGNORE;
    else if (rvl_str_equal(text, "absent"))
        *out = RVL_MISSING_ABSENT;
    else
        return rvl_fail(err, RVL_ERR_USAGE, "--missing is ignore or absent, not '%s'", text ? text : "");
    return RVL_OK;
}

rvl_status rvl__mapping_parse(const rvl_class_mapping **out, const char *name, rvl_error *err)
{
    *out = name ? rvl_class_mapping_find(name) : NULL;
    if (name && !*out)
        return rvl_fail(err, RVL_ERR_USAGE, "--map is rad-chestct-16 or rad-chestct-15, not '%s'", name);
    return RVL_OK;
}

rvl_status rvl__findings_mask(bool **out, const rvl_schema *schema, const char *names, rvl_error *err)
{
    *out = NULL;
    if (!names || !*names)
        return RVL_OK;
    bool *mask = rvl_alloc_array((size_t)rvl_schema_count(schema), sizeof *mask);
    if (!mask)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory");
    for (const char *at = names; *at;) {
        size_t n = strcspn(at, ",");
        char  *name = rvl_strndup(at, n);
        int    k = name ? rvl_schema_index(schema, name) : -1;
        if (k < 0) {
            rvl_status st = rvl_fail(err, RVL_ERR_USAGE, "schema '%s' has no finding '%s'", rvl_schema_name(schema),
                                     name ? name : "");
            rvl_free(name);
            rvl_free(mask);
            return st;
        }
        rvl_free(name);
        mask[k] = true;
        at += n + (at[n] == ',');
    }
    *out = mask;
    return RVL_OK;
}
