/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/sheet.h
 * A contact sheet of search hits: one HTML page that holds its pictures.
 */
#ifndef RVL_SEARCH_SHEET_H
#define RVL_SEARCH_SHEET_H
#include "base/str.h"
#include "search/index.h"

/** Gray pixels of a thumbnail, rows from the top; pixels NULL: no picture. */
typedef struct {
    const uint8_t *pixels;
    int64_t        height, width;
} rvl_thumbnail;

typedef struct {
    const char           *query; /* the text asked for, or a line about the case */
    rvl_thumbnail         query_image;
    const rvl_index_data *data;
    int                   n_hits;
    const rvl_hit        *hits;
    const rvl_thumbnail  *thumbnails; /* (n_hits); NULL: no pictures */
} rvl_sheet;

/** Append the page to `s`; the caller looks at s->failed as always. */
RVL_MUST_USE rvl_status rvl_search_html(rvl_str *s, const rvl_sheet *sheet, rvl_error *err);
#endif /* RVL_SEARCH_SHEET_H */
