/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/rules_file.h
 * A rule file as read: its phrases with what each stands for.
 */
#ifndef RVL_LABEL_RULES_FILE_H
#define RVL_LABEL_RULES_FILE_H
#include "label/rules.h"
#include "label/terms.h"
#include "text/sections.h"

typedef enum {
    RVL__CUE_ABSENT_BEFORE,    /* "no": what follows is absent */
    RVL__CUE_ABSENT_AFTER,     /* "was not seen": what precedes is absent */
    RVL__CUE_UNCERTAIN_BEFORE, /* "possible" */
    RVL__CUE_UNCERTAIN_AFTER,  /* "cannot be excluded" */
    RVL__CUE_IGNORE_BEFORE,    /* "history of": not about this examination */
    RVL__CUE_IGNORE_AFTER,
    RVL__CUE_STOP,   /* "but": ends scopes and the surroundings that `unless` and `needs` look at */
    RVL__CUE_AFFIRM, /* "is seen": ends scopes */
    RVL__CUE_NONE,   /* "no change": hides cues inside it */
    RVL__CUE_COUNT
} rvl__cue;

typedef enum {
    RVL__ROLE_MENTION,
    RVL__ROLE_HINT,
    RVL__ROLE_DENIED, /* "lungs are clear": absent as it stands */
    RVL__ROLE_EXCEPT, /* a mention inside it is none */
    RVL__ROLE_UNLESS, /* a mention in its surroundings is none */
    RVL__ROLE_NEEDS,  /* a mention without one in its sentence is none */
    RVL__ROLE_COUNT
} rvl__role;

/** Tags of phrases: a cue is its own number, phrase of a finding RVL__CUE_COUNT + finding * RVL__ROLE_COUNT + role. */
typedef struct {
    rvl__terms *terms;
    double (*probability)[RVL_RULES_OUTCOMES]; /* per finding */
    bool *has_needs;                           /* per finding */
    bool *none_of; /* (K, K): a finding is present if none of the flagged others is; without flags: by phrases */
    bool  is_read[RVL_SECTION_COUNT]; /* sections that are read at all */
    char  version[80];                /* name, version, hash of all that was read */
} rvl__rules_file;

RVL_MUST_USE rvl_status rvl__rules_file_parse(rvl__rules_file *out, const char *yaml, size_t n_bytes, const char *name,
                                              const rvl_schema *schema, rvl_error *err);
void                    rvl__rules_file_fini(rvl__rules_file *f);

#endif /* RVL_LABEL_RULES_FILE_H */
