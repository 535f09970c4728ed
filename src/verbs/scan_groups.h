/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file verbs/scan_groups.h
 * Reconstructions of one scan counted once. CT-RATE names a volume split_patient_scan_recon, as valid_53_a_1.nii.gz:
 * all reconstructions of valid_53_a share a report and labels, and are no independent cases.
 */
#ifndef RVL_VERBS_SCAN_GROUPS_H
#define RVL_VERBS_SCAN_GROUPS_H
#include "rvl/status.h"

/** Parts of a volume's name; `scan` and `patient` are lengths of its beginning. */
typedef struct {
    const char *base; /* without folders */
    size_t      n_scan, n_patient;
    int64_t     recon;
} rvl_volume_name;

/** False unless `name` is split_patient_scan_recon, with folders before and a suffix (.nii.gz, .npz) behind if it
 * likes: a word, a number, a word and a number. */
bool rvl_volume_name_parse(rvl_volume_name *out, const char *name);

typedef struct {
    bool     first_only; /* the reconstruction with the lowest number stands for the scan; else the mean */
    int64_t  n, n_groups;
    int64_t *group;   /* (n) */
    int64_t *first;   /* (n_groups) row of the lowest reconstruction */
    int64_t *size;    /* (n_groups) */
    int64_t *patient; /* (n_groups) numbers by split_patient */
    int64_t  n_patients;
} rvl_scan_groups;

/** `how`: "scan" (means) or "scan-first". FORMAT, with the row and `where`, for a name that is of another form. */
RVL_MUST_USE rvl_status rvl__scan_groups_make(rvl_scan_groups *out, const char *const *names, int64_t n,
                                              const char *how, const char *where, rvl_error *err);
void                    rvl__scan_groups_fini(rvl_scan_groups *g);
/** USAGE unless `how` is NULL or a known word. */
RVL_MUST_USE rvl_status rvl__scan_groups_check(const char *how, rvl_error *err);

/** x (n, width) -> (n_groups, width) in place: means, or the first reconstruction's. */
void    rvl__scan_means(const rvl_scan_groups *g, double *x, int64_t width, double *scratch);
/** The same of embeddings; with `cosine` each is scaled to length 1 before. scratch (n_groups, e) f64. */
void    rvl__scan_mean_embeddings(const rvl_scan_groups *g, float *x, int64_t e, bool cosine, double *scratch);
/** Values that all reconstructions of a scan must share, in place; the row of one that differs, else -1. */
int64_t rvl__scan_shared(const rvl_scan_groups *g, void *x, size_t n_bytes);

#endif /* RVL_VERBS_SCAN_GROUPS_H */
