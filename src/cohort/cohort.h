/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/cohort.h
 * A cohort on disk: cohort.db (SQLite, WAL), packs/<preprocessing hash>/, cases-<split>.txt, failures.jsonl.
 *
 * Tables: patients, studies, series, images, reports, texts, labels (finding, state, source), splits, failures, packs,
 * leaks, meta. Specified in docs/formats/cohort.md.
 * A case id is short and ours ("c000123"); the path from it to original identifiers lives outside the cohort.
 */
#ifndef RVL_COHORT_COHORT_H
#define RVL_COHORT_COHORT_H
#include "findings/schema.h"
#include "imaging/preprocess.h"
#include "text/sections.h"

typedef struct rvl_cohort rvl_cohort;
/** Open an existing cohort read-only (training needs no database locks). */
RVL_MUST_USE rvl_status   rvl_cohort_open(rvl_cohort **out, const char *path, rvl_error *err);
void                      rvl_cohort_close(rvl_cohort *c);
const char               *rvl_cohort_path(const rvl_cohort *c);
const rvl_schema         *rvl_cohort_schema(const rvl_cohort *c);     /* NULL if it has no labels */
const rvl_preprocess     *rvl_cohort_preprocess(const rvl_cohort *c); /* of the pack it was opened with */

/** One study with all that was asked for; strings and arrays belong to the case list. */
typedef struct {
    const char        *case_id, *patient_id, *split; /* patient_id: our short one ("p000042") */
    int                n_images;
    const int64_t     *image_rows; /* rows in the pack */
    const rvl_view    *views;
    const char *const *image_paths;                 /* originals, relative to meta "source" */
    const char        *sections[RVL_SECTION_COUNT]; /* NULL where absent */
    const uint8_t     *labels;                      /* rvl_label_state per schema finding; NULL without labels */
    const char        *sex;                         /* "M", "F", "" */
    double             age_years;                   /* NaN if unknown */
} rvl_case;

typedef struct {
    rvl_case *cases;
    int64_t   n_cases;
    void     *owner; /* internal */
} rvl_case_list;

/** Cases of `split` (NULL or "all": every case; "fold0,fold1": of several splits) in the order of case ids. NOT_FOUND
 *  if a split that is named has none: the message lists the splits and their counts. */
RVL_MUST_USE rvl_status rvl_cohort_cases(rvl_case_list *out, rvl_cohort *c, const char *split, rvl_error *err);
void                    rvl_case_list_fini(rvl_case_list *list);
/** Codes of pack row `row` (borrowed from the memory map), spec->bits wide; checked against its checksum on first use.
 */
RVL_MUST_USE rvl_status rvl_cohort_pack_row(const void **codes, rvl_cohort *c, int64_t row, rvl_error *err);

/** The codes of `row` are not needed for now: the pages of a large row go back to the system, so that the memory of a
 *  training does not grow with its cohort. They can be asked for again; other threads may still read them. */
void rvl_cohort_pack_done(const rvl_cohort *c, int64_t row);

/** Numbers of cases by what they have in common: the patient, the pixels of an image (constant images aside), the text.
 */
typedef struct {
    int64_t patients, pixels, texts;
} rvl_cohort_counts;
/** Cases of `split` of which `other` holds the same patient, pixels or text; both name one or several splits by commas,
 *  none of them in both. */
RVL_MUST_USE rvl_status rvl_cohort_shared(rvl_cohort_counts *out, rvl_cohort *c, const char *split, const char *other,
                                          rvl_error *err);
/** Beyond the first of their kind within `split`: cases of a patient, images of the same pixels, equal reports. */
RVL_MUST_USE rvl_status rvl_cohort_repeats(rvl_cohort_counts *out, rvl_cohort *c, const char *split, rvl_error *err);

/** Ingest: a map file in YAML says which columns mean what (docs/formats/map.md). */
typedef struct {
    const char  *folder;   /* the map's table and root are relative to it */
    const char  *map_path; /* NULL: folder/map.yaml; if that is absent, the headers of the folder's DICOM files */
    rvl_modality modality; /* without a map: which images are taken (those there are most of) */
    const char  *out_path;
    int64_t      depth, height, width; /* pack grid; 0: the map's, else 1, 64, 64 */
    const char  *preset;               /* a published dataset (cohort/layout.h), which brings its map, a preprocessing
                                          by name instead of the map's, or both: "ct-rate,ct-tiny"; NULL: the map's */
    const char  *unit;                 /* of CT values, instead of the map's: auto, hu, raw, hu/1000; NULL: the map's */
    uint64_t     seed;
    int64_t      limit; /* first N rows; 0: all */
    bool         dry_run, force, check_only;
    double       split_ratio[3]; /* train, val, test; all 0: the map's split column, else 0.8 0.1 0.1 */
    int  shard, n_shards;  /* n_shards > 0: only prepare this part of the rows, from 1 (below out_path/shards); the
                            * ingest without shards takes finished ones and removes them */
    int  n_folds;          /* > 0: splits "fold0".. by patient instead */
    bool keep_phi;         /* identifiers, dates and paths as they are, also in pictures */
    const char *crosswalk; /* FILE.csv outside the cohort, with FILE.salt beside it (out_path.crosswalk.csv) */
    /* of decoding one file, in a worker process */
    double      max_file_seconds; /* (10) */
    int64_t     max_file_mib;     /* (1024) */
    int64_t     n_workers;        /* files at a time (the processors, at most 16) */
} rvl_ingest_opts;

typedef struct {
    int64_t n_rows, n_patients, n_studies, n_images, n_reports, n_labels, n_failed, n_skipped_done;
    int64_t n_flat;                                 /* constant images; never counted as copies */
    int64_t n_empty_reports;                        /* rows without text in a table that has text columns */
    int64_t leak_patients, leak_pixels, leak_texts; /* distinct ones that more than one split holds */
    int64_t duplicate_pixels, duplicate_texts;      /* images and reports beyond the first copy, anywhere */
} rvl_ingest_result;

/** Journalled: killed and run again it continues and ends with the same bytes. Failed files are rows of the table
 *  failures and lines of failures.jsonl (row, file, reason). */
RVL_MUST_USE rvl_status rvl_cohort_ingest(rvl_ingest_result *out, const rvl_ingest_opts *opts, rvl_error *err);
/** Verify: every pack row's checksum, every referenced row, duplicates and leakage, counts. STATE if something is off.
 */
RVL_MUST_USE rvl_status rvl_cohort_check(rvl_ingest_result *out, const char *path, rvl_error *err);

#endif /* RVL_COHORT_COHORT_H */
