/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax.h
 * Phantom chest CT: thorax volumes in HU drawn by procedure, with truth masks, labels and reports.
 *
 * A scan is a function of (seed, index) alone. Its anatomy and findings are drawn first (rvl_thorax_case_make); it is
 * then reconstructed once or several times (another kernel, grid and noise, the same body), told in words, or projected
 * to a radiograph. Taking a finding from a case changes nothing else in it.
 * World coordinates are LPS mm; the axes of a volume are those of the world (identity cosines, first slice lowest).
 * Threads: every function may run in many threads at once; rvl_thorax_run uses OpenMP itself.
 */
#ifndef RVL_SYNTH_THORAX_H
#define RVL_SYNTH_THORAX_H
#include "synth/phantom.h"

/** The 18 findings of CT-RATE in its order, which is that of the schema "ct-rate-18". */
typedef enum {
    RVL_THORAX_MEDICAL_MATERIAL,
    RVL_THORAX_ARTERIAL_CALCIFICATION,
    RVL_THORAX_CARDIOMEGALY,
    RVL_THORAX_PERICARDIAL_EFFUSION,
    RVL_THORAX_CORONARY_CALCIFICATION,
    RVL_THORAX_HIATAL_HERNIA,
    RVL_THORAX_LYMPHADENOPATHY,
    RVL_THORAX_EMPHYSEMA,
    RVL_THORAX_ATELECTASIS,
    RVL_THORAX_NODULE,
    RVL_THORAX_OPACITY,
    RVL_THORAX_FIBROTIC_SEQUELA,
    RVL_THORAX_PLEURAL_EFFUSION,
    RVL_THORAX_MOSAIC,
    RVL_THORAX_PERIBRONCHIAL,
    RVL_THORAX_CONSOLIDATION,
    RVL_THORAX_BRONCHIECTASIS,
    RVL_THORAX_SEPTAL,
    RVL_THORAX_N_FINDINGS
} rvl_thorax_finding;
const char *rvl_thorax_finding_name(int finding); /* "medical_material" ... */

typedef enum {
    RVL_THORAX_KIND_NONE,
    RVL_THORAX_PACEMAKER, /* medical material */
    RVL_THORAX_PORT,
    RVL_THORAX_STERNAL_WIRES,
    RVL_THORAX_GASTRIC_TUBE,
    RVL_THORAX_SOLID, /* nodule */
    RVL_THORAX_CALCIFIED,
    RVL_THORAX_SUBSOLID,
    RVL_THORAX_LINEAR, /* atelectasis: bands, or a collapsed lobe */
    RVL_THORAX_LOBAR,
    RVL_THORAX_CENTRILOBULAR, /* emphysema */
    RVL_THORAX_BULLOUS,
    RVL_THORAX_FOCAL, /* opacity of ground glass */
    RVL_THORAX_DIFFUSE,
    RVL_THORAX_N_KINDS
} rvl_thorax_kind;
const char *rvl_thorax_kind_text(rvl_thorax_kind kind); /* "", "pacemaker", ... */

typedef struct {
    bool            present;
    bool            hedged; /* the report tells it with doubt ("possible"); always of severity 1 */
    rvl_side        side;   /* the patient's */
    rvl_zone        zone;   /* upper lobe; middle lobe or lingula; lower lobe */
    rvl_thorax_kind kind;
    int             severity; /* 1 mild or small, 2 moderate, 3 severe or large */
    int             count;    /* nodules, lymph nodes; else 0 */
    double          size_mm;  /* nodule, node, patch: longest diameter; effusions: depth of the fluid; heart: width;
                                 hernia, collapse: extent; else 0 */
} rvl_thorax_truth;

typedef enum { RVL_KERNEL_SOFT, RVL_KERNEL_MEDIUM, RVL_KERNEL_SHARP } rvl_kernel;
const char *rvl_kernel_text(rvl_kernel kernel); /* "B30f", "B50f", "B70f" */

/** How one volume is made of the scan. */
typedef struct {
    rvl_kernel kernel;
    int64_t    depth, side; /* slices; rows and columns */
    double     pixel_mm, slice_mm;
    double     noise_hu;    /* standard deviation in a water phantom */
    bool       round_field; /* voxels outside the circle of view hold -2048, as some scanners write */
} rvl_thorax_recon;

enum { RVL_THORAX_MAX_RECONS = 4 };

typedef struct {
    uint64_t          seed;
    int64_t           index;
    int64_t           patient; /* index of the patient's first scan; every fifth scan is a second one of its patient */
    rvl_phantom_split split;   /* by patient */
    bool              female;
    int               age_years;
    double            chest_mm; /* half the inner width of the thorax */
    double            heart_mm; /* width of the heart; over 2 * chest_mm it is the cardiothoracic ratio */
    double            fat;      /* habitus, 0 lean to 1 obese */
    int               n_recons;
    rvl_thorax_recon  recons[RVL_THORAX_MAX_RECONS];
    rvl_thorax_truth  truth[RVL_THORAX_N_FINDINGS];
} rvl_thorax_case;

/** Draw scan `index`: `size` (32..512) is the usual number of rows and columns, up to `max_recons` (1..4) volumes are
 *  made of it. `split_ratio` (train, val, test) may be NULL: 0.8, 0.1, 0.1. */
void rvl_thorax_case_make(rvl_thorax_case *out, uint64_t seed, int64_t index, int64_t size, int max_recons,
                          const double split_ratio[3]);
/** Take a finding away: the label, its mask, its picture and its words. */
void rvl_thorax_case_remove(rvl_thorax_case *c, rvl_thorax_finding finding);
/** "train_000012_a_1": split, patient, scan, reconstruction (-1: without it), as CT-RATE names its files. */
enum { RVL_THORAX_NAME_BYTES = 48 };
void rvl_thorax_name(char out[RVL_THORAX_NAME_BYTES], const rvl_thorax_case *c, int recon);

/** Reconstruct: I16 in HU with geometry. `masks` (may be NULL) gets RVL_THORAX_N_FINDINGS entries: a U8 volume of 0 and
 *  1 on the same grid per present finding, NULL for absent ones. On failure all are NULL. */
RVL_MUST_USE rvl_status rvl_thorax_render(rvl_volume **volume, rvl_volume **masks, const rvl_thorax_case *c,
                                          const rvl_thorax_recon *recon, rvl_error *err);
/** The scan's radiograph twin: the body projected from back to front, `size` pixels square, `bits` 8 or 16, displayed
 * as a PA radiograph (dense is bright, the patient's left on the right). */
RVL_MUST_USE rvl_status rvl_thorax_project(rvl_volume **image, const rvl_thorax_case *c, int64_t size, int bits,
                                           rvl_error *err);

/** Sections of a report in words; freed by rvl_phantom_report_fini. Every present finding is told in `findings` or
 *  `impression`, no absent one is told as present; only some absent ones are mentioned. Cases of split test use
 *  sentences that cases of train and val never use. */
RVL_MUST_USE rvl_status rvl_thorax_report_write(rvl_phantom_report *out, const rvl_thorax_case *c, rvl_error *err);
/** Sentence template i of the training (`test` false) or test set, NULL behind the last: for checks. */
const char             *rvl_thorax_template_at(bool test, int i);

typedef struct {
    int64_t     n, start; /* scans start .. start + n - 1 */
    uint64_t    seed;
    int64_t     size;       /* 0: 128 */
    int         max_recons; /* 0: 2 */
    bool        twin;       /* draw radiographs too */
    bool        no_masks;
    const char *out_path;
    double      split_ratio[3]; /* all 0: 0.8 0.1 0.1 */
    bool        force;          /* replace what an earlier run with other options left */
    bool        dry_run;        /* count only, write nothing */
} rvl_thorax_opts;

typedef struct {
    int64_t n_cases, n_volumes, n_written, n_skipped; /* written and skipped (there already) count scans */
    int64_t n_patients, n_normal;
    int64_t n_split[3];
    int64_t n_present[RVL_THORAX_N_FINDINGS];
} rvl_thorax_result;

/** Write a folder ready for ingest: images/, masks/, xray/ (twins), cases.csv, truth.csv, map.yaml (last: it says the
 *  folder is whole), map_cxr.yaml for the twins, and phantom.json. Restarts, refusals and cancelling as in
 *  rvl_phantom_run. */
RVL_MUST_USE rvl_status rvl_thorax_run(rvl_thorax_result *out, const rvl_thorax_opts *opts, rvl_error *err);

#endif /* RVL_SYNTH_THORAX_H */
