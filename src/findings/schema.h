/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file findings/schema.h
 * Finding schemas (names, synonyms, prompts) and label states. Schemas are YAML; those under schemas/ are compiled
 * in and found by name ("chexpert-14", "nih-14", "phantom-8").
 */
#ifndef RVL_FINDINGS_SCHEMA_H
#define RVL_FINDINGS_SCHEMA_H
#include "rvl/status.h"

/** Stored numbers are stable. */
typedef enum {
    RVL_LABEL_NOT_MENTIONED = 0,
    RVL_LABEL_PRESENT = 1,
    RVL_LABEL_ABSENT = 2,
    RVL_LABEL_UNCERTAIN = 3
} rvl_label_state;
const char *rvl_label_text(rvl_label_state s); /* "present" ... */
/** "1" "1.0" present; "0" "0.0" absent; "-1" "-1.0" uncertain; "" "nan" not mentioned; the words too. False if none. */
bool        rvl_label_parse(const char *text, rvl_label_state *out);

typedef struct {
    const char        *name;  /* "pleural_effusion": key in catalogues, outputs, columns */
    const char        *title; /* "pleural effusion": what {} becomes in a template */
    size_t             n_synonyms;
    const char *const *synonyms;
    size_t n_positive, n_negative; /* prompts; from the finding itself, else the schema's templates filled */
    const char *const *positive;
    const char *const *negative;
} rvl_finding;

typedef struct rvl_schema rvl_schema;
/** A built-in name, or a path of a YAML file (recognised by '/' or ".yaml"). */
RVL_MUST_USE rvl_status   rvl_schema_open(rvl_schema **out, const char *name_or_path, rvl_error *err);
/** The findings of `s` with the sentences of a prompt set in place of theirs. A set is the name of a file under
 * prompts/, which are compiled in ("ct-clip", "mps-ct", ...): templates as a schema has them, of which the negative may
 * be the empty text. `s` is borrowed, `*out` the caller's. NOT_FOUND lists the sets. */
RVL_MUST_USE rvl_status rvl_schema_with_prompts(rvl_schema **out, const rvl_schema *s, const char *set, rvl_error *err);
RVL_MUST_USE rvl_status rvl_schema_parse(rvl_schema **out, const char *yaml, size_t n_bytes, const char *name,
                                         rvl_error *err);
/** The YAML text it was made from, to be stored in bundles and catalogues. Borrowed. */
const char             *rvl_schema_yaml(const rvl_schema *s);
const char             *rvl_schema_name(const rvl_schema *s);
int                     rvl_schema_count(const rvl_schema *s);
const rvl_finding      *rvl_schema_at(const rvl_schema *s, int i);
int                     rvl_schema_index(const rvl_schema *s, const char *finding); /* by name, title or synonym; -1 */
void                    rvl_schema_free(rvl_schema *s);

/** How states become BCE targets. Uncertain is never silently -1: ignored (weight 0) or mapped, as said. */
typedef enum {
    RVL_UNCERTAIN_IGNORE,
    RVL_UNCERTAIN_PRESENT,
    RVL_UNCERTAIN_ABSENT,
    RVL_UNCERTAIN_HALF
} rvl_uncertain_policy;
typedef enum { RVL_MISSING_IGNORE, RVL_MISSING_ABSENT } rvl_missing_policy; /* not_mentioned */
void rvl_label_target(rvl_label_state s, rvl_uncertain_policy u, rvl_missing_policy m, float *target, float *weight);

#endif /* RVL_FINDINGS_SCHEMA_H */
