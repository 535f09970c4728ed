/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/label_policy.h
 * Options that say how label states become targets, and lists of finding names.
 */
#ifndef RVL_VERBS_LABEL_POLICY_H
#define RVL_VERBS_LABEL_POLICY_H
#include "findings/class_sets.h"
#include "findings/schema.h"

RVL_MUST_USE rvl_status rvl__uncertain_parse(rvl_uncertain_policy *out, const char *text, rvl_error *err);
RVL_MUST_USE rvl_status rvl__missing_parse(rvl_missing_policy *out, const char *text, rvl_error *err);
/** --map; NULL for none. */
RVL_MUST_USE rvl_status rvl__mapping_parse(const rvl_class_mapping **out, const char *name, rvl_error *err);
/** Comma-separated finding names -> a flag per finding (rvl_free); NULL for none. USAGE names an unknown one. */
RVL_MUST_USE rvl_status rvl__findings_mask(bool **out, const rvl_schema *schema, const char *names, rvl_error *err);

#endif /* RVL_VERBS_LABEL_POLICY_H */
