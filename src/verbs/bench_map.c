/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/bench_map.c
 * Mapped classes of a cohort.
 */
#include "verbs/bench_map.h"

static int find(const rvl_schema *schema, const char *name)
{
    for (int j = 0; j < rvl_schema_count(schema); j++)
        if (rvl_class_name_equal(rvl_schema_at(schema, j)->name, name))
            return j;
    return -1;
}

rvl_status rvl__class_sources(rvl_class_sources *out, const rvl_schema *schema, const rvl_schema *labels,
                              const rvl_class_mapping *mapping, rvl_error *err)
{
    out->k = mapping->n;
    for (int j = 0; j < mapping->n; j++) {
        const rvl_class_rule *rule = &mapping->rules[j];
        for (int s = 0; s < 2; s++) {
            out->source[j][s] = rule->sources[s] ? find(schema, rule->sources[s]) : -1;
            if (rule->sources[s] && out->source[j][s] < 0)
                return rvl_fail(err, RVL_ERR_NOT_FOUND, "schema '%s' has no finding '%s', which %s needs",
                                rvl_schema_name(schema), rule->sources[s], mapping->name);
        }
        out->label[j] = find(labels, rule->name);
        if (out->label[j] < 0)
            out->label[j] = find(labels, rule->label);
    }
    return RVL_OK;
}

void rvl__map_scores(double *score, int64_t n, int k, const rvl_class_sources *sources)
{
    for (int64_t i = 0; i < n; i++) {
        double row[RVL_MAX_SET_CLASSES]; /* the new row may begin where the old one still is */
        for (int j = 0; j < sources->k; j++) {
            const int second = sources->source[j][1];
            row[j] = score[i * k + sources->source[j][0]];
            if (second >= 0 && score[i * k + second] > row[j])
                row[j] = score[i * k + second];
        }
        for (int j = 0; j < sources->k; j++)
            score[i * sources->k + j] = row[j];
    }
}
