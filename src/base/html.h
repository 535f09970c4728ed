/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/html.h
 * One-file HTML pages with inline SVG plots, written into an rvl_str. No script, no network, light and dark.
 */
#ifndef RVL_BASE_HTML_H
#define RVL_BASE_HTML_H
#include "base/str.h"

void rvl_html_begin(rvl_str *s, const char *title); /* doctype, head with the house style sheet, <h1> */
void rvl_html_end(rvl_str *s);
void rvl_html_text(rvl_str *s, const char *text);                  /* escapes & < > " ' */
void rvl_html_bytes(rvl_str *s, const void *text, size_t n_bytes); /* the same of text that need not end in a NUL */
void rvl_html_base64(rvl_str *s, const void *bytes, size_t n_bytes);

/** A polyline plot: `n_series` lines, line j has n_points[j] points x[j][i], y[j][i]; non-finite points break
 *  the line. Axes with ticks, legend from names[j]. */
typedef struct {
    const char          *title, *x_label, *y_label;
    int                  n_series;
    const char *const   *names;
    const size_t        *n_points;
    const double *const *x;
    const double *const *y;
    bool                 y_zero_one; /* fix y to 0..1 */
    bool                 diagonal;   /* draw x = y (reliability, ROC) */
} rvl_plot;
void rvl_html_plot(rvl_str *s, const rvl_plot *plot);
/** Horizontal bars with intervals: value[i], low[i], high[i] in 0..1 (low/high may be NULL). */
void rvl_html_bars(rvl_str *s, const char *title, size_t n, const char *const *names, const double *value,
                   const double *low, const double *high);

#endif /* RVL_BASE_HTML_H */
