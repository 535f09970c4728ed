/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/plot.c
 * Inline SVG: polyline plots with axes, ticks and legend; horizontal bars with intervals.
 */
#include "base/html.h"

#include <math.h>

#include "base/banned.h"

#define WIDTH 640.0
#define TOP 36.0
#define LEFT 66.0
#define RIGHT 16.0
#define PLOT_HEIGHT 270.0
#define AXIS_HEIGHT 48.0
#define LEGEND_HEIGHT 22.0
#define LEGEND_COLUMNS 3
#define N_COLOURS 6
#define TICKS_WANTED 5.0
#define VALUE_MAX 1e300 /* wider axes would overflow */

typedef struct {
    double low, high, step;
    int    n_decimals;
} axis;

/** Steps of 1, 2 or 5 times a power of ten; the ends fall on steps. */
static axis axis_make(double low, double high)
{
    if (!(low <= high)) {
        low = 0;
        high = 1;
    }
    low = fmax(low, -VALUE_MAX);
    high = fmin(high, VALUE_MAX);
    if (high - low <= 1e-12 * fmax(fabs(low), fabs(high)) || high == low) {
        double pad = low != 0 ? fabs(low) * 0.1 : 0.5;
        low -= pad;
        high += pad;
    }
    double raw = (high - low) / TICKS_WANTED;
    double power = pow(10, floor(log10(raw)));
    double ratio = raw / power;
    double step = power * (ratio <= 1.0001 ? 1 : ratio <= 2.0001 ? 2 : ratio <= 5.0001 ? 5 : 10);
    int    n_decimals = (int)-floor(log10(step) + 1e-9);
    return (axis){floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step,
                  n_decimals > 0 ? n_decimals : 0};
}

static int axis_n_ticks(const axis *a)
{
    return (int)lround((a->high - a->low) / a->step) + 1;
}

static void tick_text(rvl_str *s, const axis *a, int i)
{
    double value = a->low + i * a->step;

    if (fabs(value) < a->step * 1e-6)
        value = 0;
    if (a->n_decimals > 6 || fabs(value) >= 1e7)
        rvl_str_addf(s, "%.3g", value);
    else
        rvl_str_addf(s, "%.*f", a->n_decimals, value);
}

static void range_find(const rvl_plot *plot, const double *const *values, double *low, double *high)
{
    *low = INFINITY;
    *high = -INFINITY;
    for (int j = 0; j < plot->n_series; j++)
        for (size_t i = 0; i < plot->n_points[j]; i++)
            if (isfinite(plot->x[j][i]) && isfinite(plot->y[j][i])) {
                *low = fmin(*low, values[j][i]);
                *high = fmax(*high, values[j][i]);
            }
}

static double x_pixel(const axis *a, double x)
{
    return LEFT + (x - a->low) / (a->high - a->low) * (WIDTH - LEFT - RIGHT);
}

static double y_pixel(const axis *a, double y)
{
    return TOP + PLOT_HEIGHT - (y - a->low) / (a->high - a->low) * PLOT_HEIGHT;
}

static void text_at(rvl_str *s, double x, double y, const char *attributes, const char *text)
{
    rvl_str_addf(s, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, attributes);
    rvl_html_text(s, text ? text : "");
    rvl_str_add(s, "</text>\n");
}

static void svg_begin(rvl_str *s, const char *title, double height)
{
    rvl_str_addf(s, "<figure><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"", WIDTH, height);
    rvl_html_text(s, title ? title : "");
    rvl_str_add(s, "\">\n");
    text_at(s, 8, 20, "class=\"title\"", title);
}

static void axes_draw(rvl_str *s, const rvl_plot *plot, const axis *ax, const axis *ay)
{
    const double bottom = TOP + PLOT_HEIGHT;

    for (int i = 0; i < axis_n_ticks(ay); i++) {
        double y = y_pixel(ay, ay->low + i * ay->step);
        rvl_str_addf(s, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT, WIDTH - RIGHT,
                     y, y);
        rvl_str_addf(s, "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">", LEFT - 8, y + 4);
        tick_text(s, ay, i);
        rvl_str_add(s, "</text>\n");
    }
    for (int i = 0; i < axis_n_ticks(ax); i++) {
        double x = x_pixel(ax, ax->low + i * ax->step);
        rvl_str_addf(s, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x, bottom,
                     bottom + 4);
        rvl_str_addf(s, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">", x, bottom + 18);
        tick_text(s, ax, i);
        rvl_str_add(s, "</text>\n");
    }
    rvl_str_addf(s, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>\n", LEFT, WIDTH - RIGHT,
                 bottom, bottom);
    text_at(s, (LEFT + WIDTH - RIGHT) / 2, bottom + 38, "text-anchor=\"middle\"", plot->x_label);
    rvl_str_addf(s, "<g transform=\"translate(16 %.1f) rotate(-90)\">", TOP + PLOT_HEIGHT / 2);
    text_at(s, 0, 0, "text-anchor=\"middle\"", plot->y_label);
    rvl_str_add(s, "</g>\n");
}

static void series_draw(rvl_str *s, const rvl_plot *plot, int j, const axis *ax, const axis *ay)
{
    bool pen_down = false;

    rvl_str_addf(s, "<path class=\"curve\" style=\"stroke:var(--s%d)%s\" d=\"", j % N_COLOURS,
                 j >= N_COLOURS ? ";stroke-dasharray:7 4" : "");
    for (size_t i = 0; i < plot->n_points[j]; i++) {
        double x = plot->x[j][i], y = plot->y[j][i];
        if (!isfinite(x) || !isfinite(y)) {
            pen_down = false;
            continue;
        }
        x = fmin(fmax(x, ax->low), ax->high);
        y = fmin(fmax(y, ay->low), ay->high);
        rvl_str_addf(s, "%s%.2f %.2f", pen_down ? "L" : "M", x_pixel(ax, x), y_pixel(ay, y));
        bool last = i + 1 == plot->n_points[j] || !isfinite(plot->x[j][i + 1]) || !isfinite(plot->y[j][i + 1]);
        if (!pen_down && last)
            rvl_str_add(s, "h0.01"); /* a round cap shows a point alone */
        pen_down = true;
    }
    rvl_str_add(s, "\"/>\n");
}

void rvl_html_plot(rvl_str *s, const rvl_plot *plot)
{
    double low, high;
    int    n_legend_rows = plot->names ? (plot->n_series + LEGEND_COLUMNS - 1) / LEGEND_COLUMNS : 0;
    double legend_top = TOP + PLOT_HEIGHT + AXIS_HEIGHT;

    range_find(plot, plot->x, &low, &high);
    axis ax = axis_make(low, high);
    range_find(plot, plot->y, &low, &high);
    axis ay = plot->y_zero_one ? axis_make(0, 1) : axis_make(low, high);
    svg_begin(s, plot->title, legend_top + n_legend_rows * LEGEND_HEIGHT + 6);
    axes_draw(s, plot, &ax, &ay);
    double from = fmax(ax.low, ay.low), to = fmin(ax.high, ay.high);
    if (plot->diagonal && from < to)
        rvl_str_addf(s, "<line class=\"diagonal\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n",
                     x_pixel(&ax, from), y_pixel(&ay, from), x_pixel(&ax, to), y_pixel(&ay, to));
    for (int j = 0; j < plot->n_series; j++)
        series_draw(s, plot, j, &ax, &ay);
    for (int j = 0; plot->names && j < plot->n_series; j++) {
        double x = LEFT + j % LEGEND_COLUMNS * ((WIDTH - LEFT - RIGHT) / LEGEND_COLUMNS);
        double y = legend_top + j / LEGEND_COLUMNS * LEGEND_HEIGHT + 10;
        rvl_str_addf(s, "<path class=\"curve\" style=\"stroke:var(--s%d)%s\" d=\"M%.1f %.1fh22\"/>", j % N_COLOURS,
                     j >= N_COLOURS ? ";stroke-dasharray:7 4" : "", x, y);
        text_at(s, x + 30, y + 4.5, "", plot->names[j]);
    }
    rvl_str_add(s, "</svg></figure>\n");
}

#define BAR_ROW 26.0
#define BAR_LEFT 210.0
#define BAR_RIGHT 570.0

static double bar_pixel(double value)
{
    return BAR_LEFT + fmin(fmax(value, 0), 1) * (BAR_RIGHT - BAR_LEFT);
}

static void bar_draw(rvl_str *s, double y, double value, double low, double high)
{
    rvl_str_addf(s, "<rect class=\"track\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"16\" rx=\"2\"/>", BAR_LEFT, y,
                 BAR_RIGHT - BAR_LEFT);
    if (!isfinite(value)) {
        text_at(s, WIDTH - 10, y + 12.5, "text-anchor=\"end\" class=\"tick\"", "n/a");
        return;
    }
    rvl_str_addf(s,
                 "<rect style=\"fill:var(--s0)\" opacity=\"0.8\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"16\" "
                 "rx=\"2\"/>",
                 BAR_LEFT, y, bar_pixel(value) - BAR_LEFT);
    if (isfinite(low) && isfinite(high)) {
        double x0 = bar_pixel(low), x1 = bar_pixel(high), middle = y + 8;
        rvl_str_addf(s, "<path class=\"whisker\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>", x0, middle, x1, x0,
                     middle - 4, x1, middle - 4);
    }
    rvl_str_addf(s, "<text text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">%.3f</text>\n", WIDTH - 10, y + 12.5, value);
}

void rvl_html_bars(rvl_str *s, const char *title, size_t n, const char *const *names, const double *value,
                   const double *low, const double *high)
{
    const double bottom = TOP + (double)n * BAR_ROW;

    svg_begin(s, title, bottom + 26);
    for (int i = 0; i <= 4; i++) {
        double x = bar_pixel(i * 0.25);
        rvl_str_addf(s, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>", x, x, TOP - 2,
                     bottom);
        rvl_str_addf(s, "<text class=\"tick\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">%.2f</text>\n", x,
                     bottom + 16, i * 0.25);
    }
    for (size_t i = 0; i < n; i++) {
        double y = TOP + (double)i * BAR_ROW + 4;
        text_at(s, BAR_LEFT - 10, y + 12.5, "text-anchor=\"end\"", names[i]);
        bar_draw(s, y, value[i], low ? low[i] : NAN, high ? high[i] : NAN);
    }
    rvl_str_add(s, "</svg></figure>\n");
}
