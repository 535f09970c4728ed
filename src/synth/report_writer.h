/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/report_writer.h
 * How a phantom is told in words, whatever its modality: sentences are drawn from templates and their slots filled.
 * What the slots mean, and in which order things are said, is the modality's.
 */
#ifndef RVL_SYNTH_REPORT_WRITER_H
#define RVL_SYNTH_REPORT_WRITER_H
#include "base/rng.h"
#include "base/str.h"
#include "synth/phantom_internal.h"

#define RVL_REPORT_SENTENCES_MAX 48

/** A modality, and the case that is told. `finding` == n_findings: the whole. */
typedef struct {
    const void        *c;
    int                n_findings, device; /* device: the finding that is denied less often */
    const char *const *titles;             /* (n_findings) what {a} {b} {c} become */
    /** Fill {slot}, in lower case; unknown ones become nothing. */
    void (*add_slot)(rvl_str *s, const char *slot, const void *c, int finding);
    bool (*is_present)(const void *c, int finding);
    bool (*is_hedged)(const void *c, int finding); /* told with doubt; NULL: none is */
} rvl_report_subject;

typedef struct {
    const rvl_report_subject   *subject;
    const rvl_phantom_template *set; /* ends with text NULL */
    rvl_rng                     r;
    rvl_str                     sentences[RVL_REPORT_SENTENCES_MAX];
    int                         n;
} rvl_report_writer;

/** One drawn sentence of a role (RVL_ROLE_...), if there is one; `names` (NULL: none) for {a} {b} {c}. */
void                    rvl__report_say(rvl_report_writer *w, int finding, int role, const char *const *names);
/** Deny some absent findings, alone or in groups. */
void                    rvl__report_say_absent(rvl_report_writer *w, double chance);
/** Tell each present finding with `chance`, at least one, in a drawn order. */
void                    rvl__report_say_present(rvl_report_writer *w, int role, double chance);
/** Findings, then the impression, as one report. On failure `out` is empty: NOMEM. */
RVL_MUST_USE rvl_status rvl__report_write(rvl_phantom_report *out, rvl_report_writer *w,
                                          void (*say_findings)(rvl_report_writer *w),
                                          void (*say_impression)(rvl_report_writer *w), rvl_error *err);

#endif /* RVL_SYNTH_REPORT_WRITER_H */
