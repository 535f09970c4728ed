/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom.h
 * Phantom chest radiographs: drawn by procedure, with truth masks, labels and reports.
 *
 * A case is a function of (seed, index) alone. What is present is drawn first (rvl_phantom_case), then it can be
 * rendered at any size and told in words; removing a finding from a case changes nothing else in its picture.
 * Displayed as radiographs are: dense is bright, the patient's left is on the image's right.
 * Threads: every function may run in many threads at once; rvl_phantom_run uses OpenMP itself.
 */
#ifndef RVL_SYNTH_PHANTOM_H
#define RVL_SYNTH_PHANTOM_H
#include "imaging/volume.h"

/** Order of the schema "phantom-8". */
typedef enum {
    RVL_PHANTOM_PLEURAL_EFFUSION,
    RVL_PHANTOM_PNEUMOTHORAX,
    RVL_PHANTOM_CONSOLIDATION,
    RVL_PHANTOM_NODULE,
    RVL_PHANTOM_CARDIOMEGALY,
    RVL_PHANTOM_ATELECTASIS,
    RVL_PHANTOM_EDEMA,
    RVL_PHANTOM_DEVICE,
    RVL_PHANTOM_N_FINDINGS
} rvl_phantom_finding;
const char *rvl_phantom_finding_name(int finding); /* "pleural_effusion" ... */

typedef enum { RVL_SIDE_NONE, RVL_SIDE_LEFT, RVL_SIDE_RIGHT, RVL_SIDE_BOTH } rvl_side; /* the patient's */
typedef enum { RVL_ZONE_NONE, RVL_ZONE_UPPER, RVL_ZONE_MID, RVL_ZONE_LOWER } rvl_zone;
typedef enum {
    RVL_KIND_NONE,
    RVL_KIND_SOLID, /* nodule */
    RVL_KIND_CALCIFIED,
    RVL_KIND_PLATE, /* atelectasis: bands, or a lobe */
    RVL_KIND_LOBAR,
    RVL_KIND_PACEMAKER, /* device */
    RVL_KIND_CENTRAL_LINE,
    RVL_KIND_PORT,
    RVL_KIND_ENDOTRACHEAL_TUBE,
    RVL_KIND_GASTRIC_TUBE,
    RVL_KIND_COUNT
} rvl_phantom_kind;
const char *rvl_side_text(rvl_side side); /* "", "left", "right", "bilateral" */
const char *rvl_zone_text(rvl_zone zone); /* "", "upper", "mid", "lower" */
const char *rvl_phantom_kind_text(rvl_phantom_kind kind);

typedef struct {
    bool             present;
    rvl_side         side;
    rvl_zone         zone;
    rvl_phantom_kind kind;
    int              severity; /* 1 mild or small, 2 moderate, 3 severe or large */
    double           size_mm;  /* effusion: fluid height; pneumothorax: gap at the apex; consolidation, nodule:
                                  diameter; heart: width; atelectasis: extent; else 0 */
} rvl_phantom_truth;

typedef enum { RVL_PHANTOM_TRAIN, RVL_PHANTOM_VAL, RVL_PHANTOM_TEST } rvl_phantom_split;

typedef struct {
    uint64_t          seed;
    int64_t           index;
    int64_t           patient; /* index of the patient's first case; every fifth case is a second study of one */
    rvl_phantom_split split;   /* by patient */
    bool              female;
    int               age_years;
    rvl_view          view;     /* PA or AP */
    double            chest_mm; /* half the inner width of the thorax */
    double            heart_mm; /* width of the heart; over 2 * chest_mm it is the cardiothoracic ratio */
    rvl_phantom_truth truth[RVL_PHANTOM_N_FINDINGS];
} rvl_phantom_case;

/** Draw case `index`; `split_ratio` (train, val, test) may be NULL: 0.8, 0.1, 0.1. */
void rvl_phantom_case_make(rvl_phantom_case *out, uint64_t seed, int64_t index, const double split_ratio[3]);
/** Take a finding away: the label, its mask, its picture and its words. */
void rvl_phantom_case_remove(rvl_phantom_case *c, rvl_phantom_finding finding);

/** Draw the picture (`bits` 8: U8, 16: U16; sides 32..4096). `masks` (may be NULL) gets RVL_PHANTOM_N_FINDINGS
 *  entries: a U8 volume of 0 and 255 per present finding, NULL for absent ones. On failure all are NULL. */
RVL_MUST_USE rvl_status rvl_phantom_render(rvl_volume **image, rvl_volume **masks, const rvl_phantom_case *c,
                                           int64_t height, int64_t width, int bits, rvl_error *err);

/** Sections of a report in words; owned, freed by _fini. Every present finding is told in `findings` or
 *  `impression`, no absent one is told as present; only some absent ones are mentioned. Cases of split test use
 *  sentences that cases of train and val never use. */
typedef struct {
    char *findings;
    char *impression;
    char *report; /* both, with headings */
} rvl_phantom_report;
RVL_MUST_USE rvl_status rvl_phantom_report_write(rvl_phantom_report *out, const rvl_phantom_case *c, rvl_error *err);
void                    rvl_phantom_report_fini(rvl_phantom_report *r);

/** Sentence template i of the training (`test` false) or test set, NULL behind the last: for checks. */
const char *rvl_phantom_template_at(bool test, int i);

typedef struct {
    int64_t      n, start; /* cases start .. start + n - 1 */
    uint64_t     seed;
    int64_t      height, width; /* 0: 256 */
    int          bits;          /* 0: 8 */
    const char  *out_path;
    double       split_ratio[3]; /* all 0: 0.8 0.1 0.1 */
    rvl_modality modality;       /* UNKNOWN means CXR, the only one drawn */
    bool         force;          /* replace what an earlier run with other options left */
    bool         dry_run;        /* count only, write nothing */
} rvl_phantom_opts;

typedef struct {
    int64_t n_cases, n_written, n_skipped; /* skipped: there already */
    int64_t n_patients, n_normal;
    int64_t n_split[3];
    int64_t n_present[RVL_PHANTOM_N_FINDINGS];
} rvl_phantom_result;

/** Write a folder ready for ingest: images/, masks/, cases.csv, truth.csv, map.yaml (last: it says the folder is
 *  whole) and phantom.json (the options). Killed and run again it continues and ends with the same bytes. STATE if
 *  the folder holds phantoms of other options, or other files, and `force` is off. CANCELLED between cases. */
RVL_MUST_USE rvl_status rvl_phantom_run(rvl_phantom_result *out, const rvl_phantom_opts *opts, rvl_error *err);

#endif /* RVL_SYNTH_PHANTOM_H */
