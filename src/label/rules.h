/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/rules.h
 * Labels by rules: phrases that mention findings, and cues around them that deny, doubt or discount them.
 *
 * Cues work in the manner of NegEx (Chapman et al., J Biomed Inform 2001;34:301) and ConText (Harkema et al., J Biomed
 * Inform 2009;42:839): a cue's scope reaches forwards or backwards through its sentence up to a cue that ends scopes.
 * The file is specified in docs/formats/rules.md; built-in ones stand under rules/ and have the name of their schema.
 */
#ifndef RVL_LABEL_RULES_H
#define RVL_LABEL_RULES_H
#include "label/label.h"

/** A labeller for `schema` (borrowed) by the rule file `name_or_path`: a built-in name, or a path recognised by '/' or
 *  ".yaml"; NULL: the built-in rules of the schema's name. Source "rules". */
RVL_MUST_USE rvl_status rvl_rules_open(rvl_labeller **out, const char *name_or_path, const rvl_schema *schema,
                                       rvl_error *err);
RVL_MUST_USE rvl_status rvl_rules_parse(rvl_labeller **out, const char *yaml, size_t n_bytes, const char *name,
                                        const rvl_schema *schema, rvl_error *err);

/** What the rules concluded about a finding; probabilities are given for each. For calibration and for messages. */
typedef enum {
    RVL_RULES_NOT_MENTIONED,
    RVL_RULES_ABSENT,
    RVL_RULES_UNCERTAIN,
    RVL_RULES_HINT,     /* only a hint is there: what often goes with the finding, or a vague name of it */
    RVL_RULES_DISPUTED, /* one sentence says present, another absent */
    RVL_RULES_ONCE,     /* one sentence says present */
    RVL_RULES_OFTEN,    /* several sentences say present */
    RVL_RULES_OUTCOMES
} rvl_rules_outcome;
const char *rvl_rules_outcome_text(rvl_rules_outcome o);

#endif /* RVL_LABEL_RULES_H */
