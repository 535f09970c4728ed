/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/map.h
 * The map: a YAML file that says which columns of a table (or which arrays of an npz) mean what.
 * Specified in docs/formats/map.md.
 */
#ifndef RVL_COHORT_MAP_H
#define RVL_COHORT_MAP_H
#include "base/str.h"
#include "base/yaml.h"
#include "findings/schema.h"
#include "imaging/preprocess.h"
#include "text/sections.h"

/** Columns a table can have; the sections stand in the order of rvl_section. */
typedef enum {
    RVL__COLUMN_IMAGE,
    RVL__COLUMN_PATIENT,
    RVL__COLUMN_STUDY,
    RVL__COLUMN_VIEW,
    RVL__COLUMN_SEX,
    RVL__COLUMN_AGE,
    RVL__COLUMN_DATE,
    RVL__COLUMN_SERIES, /* series UID and accession number: only their keys enter a cohort */
    RVL__COLUMN_ACCESSION,
    RVL__COLUMN_SPLIT,
    RVL__COLUMN_SPACING, /* of CT volumes whose file does not say how they lie: mm along columns, rows, slices */
    RVL__COLUMN_SLOPE,   /* of CT volumes whose file holds raw values */
    RVL__COLUMN_INTERCEPT,
    RVL__COLUMN_REPORT,
    RVL__COLUMN_SECTIONS, /* indication, comparison, technique, findings, impression */
    RVL__COLUMN_COUNT = RVL__COLUMN_SECTIONS + RVL_SECTION_OTHER
} rvl__column;

#define RVL__MAX_ARRAY_SPLITS 8

typedef struct {
    const char *split, *images, *labels; /* labels: NULL without */
} rvl__map_array;

typedef struct {
    int         i_finding;
    const char *column; /* NULL for an array */
} rvl__map_label;

/** Strings are borrowed from the document. */
typedef struct {
    rvl_yaml_doc   *doc;
    char           *text; /* the file itself, for the fingerprint */
    size_t          n_bytes;
    char           *dir;        /* folder of the map */
    const char     *table;      /* CSV, or NULL */
    char           *table_text; /* the table itself, made from headers; NULL: it is a file */
    const char     *array_file; /* npz, or NULL */
    int             n_arrays;
    rvl__map_array  arrays[RVL__MAX_ARRAY_SPLITS];
    const char     *columns[RVL__COLUMN_COUNT]; /* NULL: not given */
    rvl_schema     *schema;                     /* NULL: no labels */
    int             n_labels;
    rvl__map_label *labels;
    rvl_preprocess  spec; /* of CT without a grid yet: depth 1 */
    rvl_hu_opts     hu;   /* of CT volumes: what the map says about their values */
    const char     *root;
    unsigned        keep_views; /* bit 1 << rvl_view; 0: all */
    bool            require_report, allow_patient_leaks;
    bool            public_data; /* table and names hold nothing personal */
    bool            is_private;  /* set by ingest: identifiers become keys, dates are moved */
} rvl__map;

/** Read and check the map at `path`. On failure `out` is empty. */
RVL_MUST_USE rvl_status rvl__map_load(rvl__map *out, const char *path, rvl_error *err);
/** The same from `text`, with the table itself instead of a file: `table_text` moves to the map, also on failure. */
RVL_MUST_USE rvl_status rvl__map_make(rvl__map *out, const char *text, char *table_text, rvl_error *err);
void                    rvl__map_fini(rvl__map *map);
/** The map under `key` of a node, or NULL; FORMAT if it is something else. */
RVL_MUST_USE rvl_status rvl__map_node(const rvl_yaml **out, const rvl_yaml *parent, const char *key, rvl_error *err);
/** The section `preprocess` into map->spec, whose modality is known. */
RVL_MUST_USE rvl_status rvl__map_read_preprocess(rvl__map *map, const rvl_yaml *root, rvl_error *err);
/** The name of a column in the map ("image", "patient", ...). */
const char             *rvl__column_text(rvl__column column);

#endif /* RVL_COHORT_MAP_H */
