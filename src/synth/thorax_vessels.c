/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_vessels.c
 * Aorta and its branches, pulmonary trunk, veins, oesophagus, airways, and the trees of the lungs.
 *
 * A tree grows to targets spread over its lung: the bunch of targets is cut in two across its longest extent at every
 * branching, and the calibre follows the number of targets (Murray's law, exponent 2.8).
 */
#include "synth/thorax_internal.h"
#include <math.h>

enum { N_TARGETS = 420 };

typedef struct {
    rvl_thorax_canvas     *k; /* NULL: nothing is painted, bronchi are collected */
    const rvl_thorax_body *b;
    rvl_rng                r;
    double                 leaf_mm;
    bool                   with_bronchi;
    rvl_bronchus          *bronchi;
    int                    n_bronchi;
    int                    side;
} tree;

static double coordinate(rvl_point p, int axis)
{
    return axis == 0 ? p.x : axis == 1 ? p.y : p.v;
}

/** The axis along which n points spread most; `mean` gets their centre. */
static int longest_axis(const rvl_point *p, int n, rvl_point *mean)
{
    double s[3] = {0, 0, 0}, q[3] = {0, 0, 0};
    int    best = 0;

    for (int i = 0; i < n; i++)
        for (int a = 0; a < 3; a++) {
            s[a] += coordinate(p[i], a) / n;
            q[a] += coordinate(p[i], a) * coordinate(p[i], a) / n;
        }
    *mean = (rvl_point){s[0], s[1], s[2]};
    for (int a = 0; a < 3; a++) {
        q[a] -= s[a] * s[a];
        best = q[a] > q[best] ? a : best;
    }
    return best;
}

/** Points below the mean along the axis first; how many. Both parts have members if n > 1 and they differ. */
static int cut_in_two(rvl_point *p, int n, int axis, double at)
{
    int m = 0;

    for (int i = 0; i < n; i++)
        if (coordinate(p[i], axis) < at) {
            rvl_point t = p[i];

            p[i] = p[m];
            p[m++] = t;
        }
    return m > 0 && m < n ? m : n / 2;
}

static void paint_branch(tree *t, rvl_point a, rvl_point b, double ra, double rb)
{
    rvl_ink   blood = {RVL_INK_LUNG, 38, 0, 0, -1}, air = {RVL_INK_LUNG_AIR, -990, -330, 0.9, -1};
    double    jitter = 0.07 * sqrt(pow(b.x - a.x, 2) + pow(b.y - a.y, 2) + pow(b.v - a.v, 2));
    rvl_point m = {0.5 * (a.x + b.x) + jitter * rvl_rng_normal(&t->r),
                   0.5 * (a.y + b.y) + jitter * rvl_rng_normal(&t->r),
                   0.5 * (a.v + b.v) + jitter * rvl_rng_normal(&t->r)};
    bool      airway = t->with_bronchi && ra > 1.25;
    double    out = ra + 0.9 * rb + 1;
    rvl_point c = {a.x, a.y + out, a.v}, d = {b.x, b.y + out * rb / ra, b.v};

    if (airway && t->bronchi && t->n_bronchi < RVL_MAX_BRONCHI)
        t->bronchi[t->n_bronchi++] = (rvl_bronchus){c, d, ra};
    if (!t->k)
        return;
    rvl_thorax_tube(t->k, a, m, ra, 0.5 * (ra + rb), blood);
    rvl_thorax_tube(t->k, m, b, 0.5 * (ra + rb), rb, blood);
    if (airway) {
        air.wall_mm = 0.35 + 0.16 * ra;
        air.wall_hu = -150;
        rvl_thorax_tube(t->k, c, d, 0.95 * ra + 0.4, 0.95 * rb + 0.4, air);
    }
}

static void grow(tree *t, rvl_point from, double radius, rvl_point *targets, int n, int level)
{
    rvl_point mean, to;
    int       axis = longest_axis(targets, n, &mean), m;
    double    reach = n == 1 ? 1 : level == 0 ? 0.3 : uniform_in(&t->r, 0.36, 0.52), end = t->leaf_mm * pow(n, 1 / 2.8);

    to = (rvl_point){from.x + reach * (mean.x - from.x), from.y + reach * (mean.y - from.y),
                     from.v + reach * (mean.v - from.v)};
    paint_branch(t, from, to, radius, end);
    if (n == 1)
        return;
    m = cut_in_two(targets, n, axis, coordinate(mean, axis));
    grow(t, to, t->leaf_mm * pow(m, 1 / 2.8), targets, m, level + 1);
    grow(t, to, t->leaf_mm * pow(n - m, 1 / 2.8), targets + m, n - m, level + 1);
}

static void grow_tree(tree *t, rvl_point root, const char *purpose)
{
    rvl_point targets[N_TARGETS];

    t->r = rvl_phantom_rng(purpose, t->b->c->seed, t->b->c->patient * 2 + t->side);
    for (int i = 0; i < N_TARGETS; i++)
        targets[i] = rvl_thorax_point_in_lobe(t->b, &t->r, t->side, RVL_ZONE_NONE, 5);
    grow(t, root, t->leaf_mm * pow(N_TARGETS, 1 / 2.8), targets, N_TARGETS, 0);
}

static rvl_point hilum(const rvl_thorax_body *b, int side)
{
    return (rvl_point){b->shift_mm + (side ? 32 : -32), 8, (side ? 0.49 : 0.52) * b->height};
}

int rvl_thorax_bronchi(rvl_bronchus out[RVL_MAX_BRONCHI], const rvl_thorax_body *b, int side)
{
    tree t = {.b = b, .leaf_mm = 0.6 * b->vessel, .with_bronchi = true, .bronchi = out, .side = side};

    grow_tree(&t, hilum(b, side), "thorax-arteries");
    return t.n_bronchi;
}

static void draw_trees(rvl_thorax_canvas *k)
{
    const rvl_thorax_body *b = k->b;

    for (int side = 0; side < 2; side++) {
        tree      arteries = {.k = k, .b = b, .leaf_mm = 0.6 * b->vessel, .with_bronchi = true, .side = side};
        tree      veins = {.k = k, .b = b, .leaf_mm = 0.56 * b->vessel, .side = side};
        rvl_point low = {b->shift_mm + (side ? 24 : -24), 6, 0.6 * b->height};

        grow_tree(&veins, low, "thorax-veins");
        grow_tree(&arteries, hilum(b, side), "thorax-arteries");
    }
}

typedef struct {
    double x, y, s, radius; /* s: share of the lungs' height; y: share of the half depth */
} knot;

static const knot aorta[] = {{6, -0.2, 0.6, 15},       {-12, -0.32, 0.5, 15.5}, {-17, -0.34, 0.4, 15.5},
                             {-12, -0.26, 0.31, 14.5}, {3, -0.08, 0.265, 13.5}, {17, 0.13, 0.28, 13},
                             {23, 0.38, 0.34, 12.5},   {25, 0.5, 0.45, 12},     {24, 0.54, 0.6, 11.8},
                             {19, 0.52, 0.8, 11.2},    {10, 0.46, 0.98, 11},    {4, 0.42, 1.15, 10},
                             {2, 0.4, 1.5, 9.5}};

static rvl_point knot_point(const rvl_thorax_body *b, const knot *q)
{
    return (rvl_point){q->x * b->chest / 128 + b->shift_mm * smooth_step(0, 0.5, q->s), q->y * b->depth,
                       q->s * b->height};
}

static double aorta_scale(const rvl_thorax_body *b)
{
    return 0.94 + 0.2 * smooth_step(30, 85, b->age);
}

rvl_point rvl_thorax_aorta(const rvl_thorax_body *b, double t, double *radius_mm)
{
    double    at = clamp(t, 0, 0.9999) * (RVL_ARRAY_LEN(aorta) - 2);
    int       i = (int)at;
    rvl_point p = knot_point(b, &aorta[i]), q = knot_point(b, &aorta[i + 1]);

    at -= i;
    *radius_mm = (aorta[i].radius + at * (aorta[i + 1].radius - aorta[i].radius)) * aorta_scale(b) * b->chest / 128;
    return (rvl_point){p.x + at * (q.x - p.x), p.y + at * (q.y - p.y), p.v + at * (q.v - p.v)};
}

static void draw_line(rvl_thorax_canvas *k, const knot *q, int n, double scale, rvl_ink ink)
{
    rvl_point p[16];
    double    radius[16];

    for (int i = 0; i < n && i < 16; i++) {
        p[i] = knot_point(k->b, &q[i]);
        radius[i] = q[i].radius * scale * k->b->chest / 128;
    }
    rvl_thorax_tubes(k, p, radius, n, ink);
}

static void draw_great_vessels(rvl_thorax_canvas *k)
{
    static const knot trunk[] = {
        {14, -0.42, 0.58, 13}, {17, -0.34, 0.48, 13}, {24, -0.1, 0.43, 11}, {34, 0.08, 0.47, 8.5}};
    static const knot right_artery[] = {
        {16, -0.3, 0.46, 11}, {-6, -0.14, 0.46, 10}, {-26, -0.06, 0.47, 9}, {-36, 0.04, 0.52, 7.5}};
    static const knot cava[] = {
        {-16, -0.32, 0.18, 7.5}, {-25, -0.26, 0.26, 8.5}, {-27, -0.22, 0.4, 8.8}, {-26, -0.18, 0.58, 9.5}};
    static const knot lower_cava[] = {{-24, -0.02, 0.78, 11}, {-22, 0.12, 1, 11.5}, {-18, 0.22, 1.4, 11}};
    static const knot left_vein[] = {{58, -0.2, 0.01, 5.5}, {30, -0.42, 0.12, 6}, {-16, -0.34, 0.2, 6.5}};
    static const knot right_vein[] = {{-56, -0.2, 0, 5.5}, {-26, -0.34, 0.11, 6.5}, {-18, -0.32, 0.2, 7}};
    static const knot innominate[] = {{-9, -0.22, 0.28, 6}, {-16, -0.14, 0.12, 5.6}, {-22, -0.05, -0.3, 4.2}};
    static const knot carotid[] = {{3, -0.08, 0.26, 4.4}, {12, -0.04, 0.1, 3.8}, {22, -0.05, -0.3, 3.6}};
    static const knot subclavian[] = {
        {14, 0.08, 0.27, 5}, {24, 0.12, 0.1, 4.8}, {44, 0, -0.02, 4.5}, {80, -0.2, -0.04, 4.2}};
    rvl_ink blood = {RVL_INK_OVER, 42, 50, 1.2, -1};

    draw_line(k, trunk, 4, 0.95, blood);
    draw_line(k, right_artery, 4, 0.92, blood);
    draw_line(k, cava, 4, 1, blood);
    draw_line(k, lower_cava, 3, 1, blood);
    draw_line(k, left_vein, 3, 1, blood);
    draw_line(k, right_vein, 3, 1, blood);
    draw_line(k, innominate, 3, 1, blood);
    draw_line(k, carotid, 3, 1, blood);
    draw_line(k, subclavian, 4, 1, blood);
    draw_line(k, aorta, RVL_ARRAY_LEN(aorta), aorta_scale(k->b), blood);
}

static void draw_airways(rvl_thorax_canvas *k)
{
    static const knot gullet[] = {{4, 0.24, -0.3, 6.5}, {6, 0.28, 0.1, 7},  {8, 0.32, 0.35, 7.5},
                                  {6, 0.34, 0.6, 7.5},  {13, 0.2, 0.86, 8}, {24, 0.02, 1, 9}};
    static const knot trachea[] = {{0, -0.02, -0.35, 9.5}, {0, 0.05, 0.1, 9.5}, {2, 0.15, 0.4, 9.8}};
    static const knot right[] = {
        {1, 0.15, 0.39, 8.2}, {-18, 0.15, 0.46, 7.2}, {-33, 0.14, 0.54, 6}, {-39, 0.12, 0.63, 5}};
    static const knot left[] = {
        {3, 0.15, 0.39, 7.6}, {22, 0.17, 0.48, 6.6}, {37, 0.17, 0.54, 5.6}, {44, 0.2, 0.62, 4.6}};
    static const knot right_upper[] = {{-22, 0.15, 0.47, 4.6}, {-40, 0.13, 0.45, 4}};
    static const knot left_upper[] = {{33, 0.17, 0.53, 4.6}, {46, 0.04, 0.5, 4}};
    rvl_ink           wall = {RVL_INK_OVER, 36, 40, 1, -1}, air = {RVL_INK_OVER, -1000, 20, 1.5, -1};

    draw_line(k, gullet, 6, 1, wall);
    draw_line(k, trachea, 3, k->b->c->female ? 0.86 : 1, air);
    draw_line(k, right, 4, 1, air);
    draw_line(k, left, 4, 1, air);
    draw_line(k, right_upper, 2, 1, air);
    draw_line(k, left_upper, 2, 1, air);
    /* again without walls, so that the branchings are open */
    air.wall_mm = 0;
    draw_line(k, trachea, 3, (k->b->c->female ? 0.86 : 1) * 0.84, air);
    draw_line(k, right, 4, 0.78, air);
    draw_line(k, left, 4, 0.78, air);
    draw_line(k, right_upper, 2, 0.66, air);
    draw_line(k, left_upper, 2, 0.66, air);
}

void rvl_thorax_draw_vessels(rvl_thorax_canvas *k)
{
    draw_trees(k);
    draw_great_vessels(k);
    draw_airways(k);
}
