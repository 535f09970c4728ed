/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file cohort/source.h
 * The rows that a map describes, one an image, whether they come from a CSV table or from an npz.
 */
#ifndef RVL_COHORT_SOURCE_H
#define RVL_COHORT_SOURCE_H
#include "base/util.h"
#include "cohort/map.h"
#include "cohort/pseudonym.h"
#include "imaging/decode.h"

typedef struct rvl__source rvl__source;
/** `map` is borrowed; paths are relative to `folder`. `limit` > 0 takes the first rows only. The content of the
 *  table goes into `fingerprint` (may be NULL). */
RVL_MUST_USE rvl_status    rvl__source_open(rvl__source **out, const rvl__map *map, const char *folder, int64_t limit,
                                            rvl_hasher *fingerprint, rvl_error *err);
void                       rvl__source_close(rvl__source *s);
int64_t                    rvl__source_n_rows(const rvl__source *s);
/** True if the source has this column at all. */
bool                       rvl__source_has(const rvl__source *s, rvl__column column);
/** Cell, "" where there is none. Borrowed. */
const char                *rvl__source_cell(const rvl__source *s, int64_t i_row, rvl__column column);
/** Text of label i of the map. Borrowed. */
const char                *rvl__source_label(const rvl__source *s, int64_t i_row, int i_label);
/** Line in the table's file, or the row's number from 1 for an array. */
int64_t                    rvl__source_line(const rvl__source *s, int64_t i_row);
const char                *rvl__source_file(const rvl__source *s); /* table or npz as named in the map */
/** Name of column as the table has it, for messages. */
const char                *rvl__source_column_name(const rvl__source *s, rvl__column column);
/** Folder that image paths are relative to; absolute. */
const char                *rvl__source_root(const rvl__source *s);
/** What the row says about a CT volume: how its values become HU, and its spacing (zeros: nothing). False if a cell
 *  makes no sense. */
bool                    rvl__source_volume(rvl_hu_opts *hu, rvl_vec3 *spacing_mm, const rvl__source *s, int64_t i_row);
/** Full path of the image's file; caller frees; NULL if out of memory or an array. */
char                   *rvl__source_image_path(const rvl__source *s, int64_t i_row);
/** Why a table made from headers does not take the row; "" if it does. Borrowed. */
const char             *rvl__source_problem(const rvl__source *s, int64_t i_row);
/** From here on images are called by keys of their paths. NOMEM. */
RVL_MUST_USE rvl_status rvl__source_hide_names(rvl__source *s, const rvl__pseudonyms *p, rvl_error *err);
/** What catalogue, failures and messages call the row's image: its path as the table has it, or its key. */
const char             *rvl__source_name(const rvl__source *s, int64_t i_row);
/** How to decode the row's image: the caller frees `path` (NULL for an array), all else is borrowed. NOMEM. */
RVL_MUST_USE rvl_status rvl__source_job(rvl_decode_job *out, const rvl__source *s, int64_t i_row, rvl_error *err);
/** Codes of an image of an array, which is in memory. */
RVL_MUST_USE rvl_status rvl__source_array_codes(void *codes, rvl_decode_facts *facts, const rvl__source *s,
                                                int64_t i_row, const rvl_decode_job *job, rvl_error *err);

#endif /* RVL_COHORT_SOURCE_H */
