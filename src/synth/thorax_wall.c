/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_wall.c
 * The healthy body slice by slice: table, skin, fat, muscle, scapulae, lungs, heart, mediastinal fat, upper abdomen.
 *
 * The wall's layers are radii by angle, tabled once a slice; what lies inside the cavity follows from distances.
 */
#include "synth/thorax_internal.h"
#include "base/alloc.h"
#include <math.h>

enum { N_ANGLES = 720 };

#define PI 3.14159265358979323846
#define HU_AIR (-1000.0)
#define HU_FAT (-102.0)
#define HU_MUSCLE 54.0

/** Radii of one slice by angle. */
typedef struct {
    float cavity[N_ANGLES], muscle[N_ANGLES], skin[N_ANGLES], blade[N_ANGLES], gland[N_ANGLES]; /* blade 0: none */
} layers;

static double bump(double angle_deg, double at, double width)
{
    double d = fabs(angle_deg - at);

    d = d > 180 ? 360 - d : d;
    return exp(-d * d / (2 * width * width));
}

/** Twice, mirrored: on both sides. `at` from the left (0) to the back (90). */
static double bumps(double a, double at, double width)
{
    return bump(a, at, width) + bump(a, 180 - at, width);
}

static double muscle_mm(const rvl_thorax_body *b, double a, double s)
{
    double chest = 15 * bumps(a, -52, 20) * smooth_step(-0.02, 0.12, s) * smooth_step(0.6, 0.35, s);
    double back = 24 * bumps(a, 68, 13) + 10 * bumps(a, 40, 18) * smooth_step(0.9, 0.5, s);
    double side = 11 * bumps(a, 12, 22) * smooth_step(0.02, 0.2, s) * smooth_step(1, 0.6, s);
    double blade = 17 * bumps(a, 40, 20) * smooth_step(0.62, 0.35, s);
    double shoulder =
        84 * bumps(a, 6, 18) * smooth_step(0.18, -0.08, s) + 20 * bumps(a, 45, 22) * smooth_step(0.22, 0, s);
    double belly = 7 * bumps(a, -70, 14) * smooth_step(0.8, 1, s);

    return 11 + b->muscle * (chest + back + side + blade + shoulder + belly);
}

static double fat_mm(const rvl_thorax_body *b, double a, double s, double *gland)
{
    double base = b->fat_mm * (0.62 + 0.25 * bumps(a, 18, 28) * smooth_step(0.2, 0.9, s) +
                               0.2 * bump(a, -90, 40) * smooth_step(0.6, 1.1, s));
    double rise = smooth_step(0.16, 0.42, s) * smooth_step(0.86, 0.62, s);
    double breast = b->breast_mm * rise * (bumps(a, -48, 17) + 0.35 * bumps(a, -25, 12));

    *gland = b->gland * 0.75 * b->breast_mm * rise * bumps(a, -50, 12);
    return base * (1 - 0.35 * bump(a, 90, 25)) + breast;
}

/** The blade of the scapula: distance from the cavity, 0 where there is none. */
static double blade_mm(double a, double s)
{
    double left = a < -90 ? a + 360 : a, m = left > 90 ? 180 - left : left, low, high;

    if (s < -0.02 || s > 0.56)
        return 0;
    low = 18 + 24 * smooth_step(0.05, 0.56, s);
    high = 64 - 12 * smooth_step(0.2, 0.56, s);
    return m > low && m < high ? 16 + 10 * smooth_step(44, 20, m) * smooth_step(0.35, 0, s) : 0;
}

static void table_layers(layers *l, const rvl_thorax_body *b, double v)
{
    double s = v / b->height, flat = 0;

    for (int i = 0; i < N_ANGLES; i++) {
        double t = 2 * PI * i / N_ANGLES, a = t * 180 / PI, c = cos(t), n = sin(t), gland, ripple;

        a = a > 180 ? a - 360 : a;
        ripple = 1 + 0.02 * sin(3 * t + b->phase[0]) + 0.012 * sin(5 * t + b->phase[1] + s);
        l->cavity[i] = (float)rvl_thorax_wall(b, c, n, v);
        l->muscle[i] = l->cavity[i] + (float)(muscle_mm(b, a, s) * ripple);
        l->skin[i] = l->muscle[i] + (float)(2 + fat_mm(b, a, s, &gland) * ripple);
        l->gland[i] = (float)gland;
        l->blade[i] = (float)blade_mm(a, s);
        if (l->blade[i] > 0)
            l->blade[i] += l->cavity[i];
    }
    flat = l->skin[N_ANGLES / 4] + 3;
    for (int i = 1; i < N_ANGLES / 2; i++) { /* the back lies on the table */
        float limit = (float)(flat / sin(2 * PI * i / N_ANGLES));

        float ratio = l->skin[i] / limit;

        l->skin[i] = l->skin[i] / powf(1 + powf(ratio, 14), 1 / 14.0F); /* the lesser, with a rounded corner */
        l->muscle[i] = l->muscle[i] > l->skin[i] - 4 ? l->skin[i] - 4 : l->muscle[i];
    }
}

/** What lies outside the skin: air, and the table's shell and foam. `y` in the picture's frame. */
static double outside_hu(double x, double y, double table_y, double width)
{
    double top = table_y - 16 * pow(x / 225, 2), d = y - top;
    double shell = rvl_thorax_cover(fabs(d - 1.5) - 1.5, width) + rvl_thorax_cover(fabs(d - 42) - 1.5, width);

    if (fabs(x) > 225 || d < -width)
        return HU_AIR;
    return HU_AIR + 620 * shell + (d > 2 && d < 42 ? 38 : 0);
}

static double wall_hu(const layers *l, const rvl_thorax_body *b, int i, double r, rvl_point p, double width)
{
    double muscle = rvl_thorax_cover(r - l->muscle[i], width), deep = r - l->cavity[i], hu = HU_FAT, grain;

    if (deep > 60 || muscle < 1)
        hu += 9 * rvl_thorax_noise(b, p.x, p.y, p.v, 17);
    if (muscle > 0) {
        double plane = 0.55 * rvl_thorax_cover(fabs(deep - 12.5) - 0.9, width) *
                       smooth_step(13, 17, l->muscle[i] - l->cavity[i]) * smooth_step(0, 0.1, p.v / b->height);

        grain = rvl_thorax_noise(b, 1.4 * p.x, 1.4 * p.y, 0.4 * p.v, 11);
        hu += muscle * ((HU_MUSCLE - 10 * b->c->fat - 9 * smooth_step(45, 85, b->age) + 9 * grain - hu) * (1 - plane));
        hu -= muscle * 70 * smooth_step(0.5, 0.9, grain) * (0.35 + b->c->fat);
    }
    if (l->blade[i] > 0) {
        double d = r - l->blade[i], bone = rvl_thorax_cover(fabs(d) - 2.6, width);

        hu += bone * (b->bone * (fabs(d) > 1.2 ? 620 : 280) - hu);
    }
    if (l->gland[i] > 0 && muscle < 1) {
        double d = r - l->muscle[i] - 4, in = rvl_thorax_cover(d - l->gland[i], width) * rvl_thorax_cover(-d, width);

        hu += in * smooth_step(-0.35, 0.25, rvl_thorax_noise(b, p.x, p.y, p.v, 8)) * (28 - hu);
    }
    return hu + rvl_thorax_cover(l->skin[i] - 2.2 - r, width) * (35 - hu) * 0.85;
}

/** Heart, or the fat between the lungs. */
static double between_lungs_hu(const rvl_thorax_body *b, rvl_point p, double width, bool *fluid)
{
    double s = p.v / b->height, hu = HU_FAT + 6 + 14 * rvl_thorax_noise(b, p.x, p.y, p.v, 9), d, sleeve, fat;

    *fluid = false;
    if (s < 0.02) /* root of the neck: muscle and fat */
        return hu + smooth_step(0.06, -0.06, s) * smooth_step(-0.5, 0.4, rvl_thorax_noise(b, p.x, p.y, 0.5 * p.v, 15)) *
                        (48 - hu);
    if (s < 0.3)
        return hu;
    d = rvl_thorax_heart(b, p.x, p.y, p.v);
    sleeve = rvl_thorax_heart_sleeve(b, p.x, p.y);
    if (d > sleeve + 4)
        return hu;
    fat = b->peri_mm > 0 ? b->heart_fat_mm * 0.8 : sleeve;
    hu += rvl_thorax_cover(d - sleeve - 1.2, width) * (28 - hu) * 0.8; /* the pericardium */
    if (b->peri_mm > 0) {
        *fluid = d > fat && d < sleeve;
        hu += rvl_thorax_cover(d - sleeve, width) * (9 - hu);
    }
    hu += rvl_thorax_cover(d - fat, width) * (-88 - hu);
    return hu + rvl_thorax_cover(d, width) * (43 + 4 * rvl_thorax_noise(b, p.x, p.y, p.v, 26) - hu);
}

/** Below the diaphragm: liver on the right, spleen and stomach on the left, fat. `deep` mm under its surface. */
static double abdomen_hu(const rvl_thorax_body *b, rvl_point p, double deep, double width)
{
    double        hu = HU_FAT + 10 * rvl_thorax_noise(b, p.x, p.y, p.v, 13), d, edge, dome = b->dome[1];
    double        bowel = rvl_thorax_noise(b, p.x + 90, p.y, p.v, 24);
    rvl_ellipsoid spleen = rvl_ellipsoid_make((rvl_point){0.64 * b->chest, 0.42 * b->depth, dome + 52}, 33, 42, 48);
    rvl_ellipsoid stomach = rvl_ellipsoid_make((rvl_point){0.40 * b->chest, -0.12 * b->depth, dome + 44}, 44, 42, 38);
    rvl_point     spine = rvl_thorax_spine(b, p.v);

    if (deep > 14 && p.y < 0.45 * b->depth)
        hu += smooth_step(0.22, 0.3, bowel) * (34 - hu);
    edge = 52 - 0.75 * (p.y + 0.5 * b->depth) - 0.25 * (deep - 40);
    d = p.x - edge;
    d = fmax(d, p.y - 0.75 * b->depth + fmax(0, 0.9 * (p.x + 25)));
    d = fmax(d, 5 - deep);
    d = fmax(d, 28 - hypot(p.x - spine.x, p.y - spine.y + 6));
    hu += rvl_thorax_cover(d + 3 * rvl_thorax_noise(b, p.x, p.y, p.v, 30), width) *
          (b->liver_hu + 3 * rvl_thorax_noise(b, p.x, p.y, p.v, 6) - hu);
    hu += rvl_thorax_cover(fmax(rvl_ellipsoid_distance(&spleen, p), 5 - deep), width) * (49 - hu);
    d = fmax(rvl_ellipsoid_distance(&stomach, p), 5 - deep);
    hu += rvl_thorax_cover(d, width) * (42 - hu);
    if (d < width) {
        double level = stomach.centre.y + b->stomach_air * stomach.half[1] - p.y; /* > 0: in front, where the air is */
        double in = rvl_thorax_cover(d + 4, width);

        hu += in * (28 + 22 * rvl_thorax_noise(b, p.x, p.y, p.v, 12) - hu);
        hu += in * rvl_thorax_cover(-level - b->stomach_air * 20, width) * (HU_AIR - hu) * (b->stomach_air < 0.45);
    }
    return hu + rvl_thorax_cover(deep - 3.2, width) * (46 - hu); /* the diaphragm itself */
}

static double lung_hu(const rvl_thorax_body *b, rvl_point p, double width)
{
    double fissure,
        hu = b->lung_hu + b->gravity_hu * (0.5 * p.y / b->depth) + 22 * rvl_thorax_noise(b, p.x, p.y, p.v, 7);

    hu += 16 * rvl_thorax_noise(b, p.x, p.y, p.v, 31);
    rvl_thorax_lobe(b, p, &fissure);
    return hu + 170 * fmin(1, 1.6 / width) * rvl_thorax_cover(fissure - 0.35 * width, width);
}

static void draw_cavity(rvl_thorax_canvas *k, int64_t at, rvl_point p, double wall, double width)
{
    const rvl_thorax_body *b = k->b;
    double                 d = rvl_thorax_lung(b, p.x, p.y, p.v, wall), lung, hu = 0, deep;
    bool                   fluid = false;

    lung = rvl_thorax_cover(d, width);
    if (lung < 1) {
        deep = p.v - rvl_thorax_diaphragm(b, p.x > b->shift_mm, p.x, p.y);
        if (deep > 0 && p.v > b->dome[0] - 40 && rvl_thorax_heart(b, p.x, p.y, p.v) > -2)
            hu = abdomen_hu(b, p, deep, width);
        else
            hu = between_lungs_hu(b, p, width, &fluid);
        if (fluid)
            k->truth[at] |= 1U << RVL_THORAX_PERICARDIAL_EFFUSION;
        if (b->c->truth[RVL_THORAX_CARDIOMEGALY].present && rvl_thorax_heart(b, p.x, p.y, p.v) < 0)
            k->truth[at] |= 1U << RVL_THORAX_CARDIOMEGALY;
    }
    if (lung > 0)
        hu += lung * (lung_hu(b, p, width) - hu);
    k->lung[at] = (uint8_t)(lung * 255 + 0.5);
    k->hu[at] = (float)hu;
}

/** Angle index and radius of every pixel: the same in all slices. */
static void polar(rvl_thorax_canvas *k, uint16_t *angle, float *radius)
{
    for (int64_t y = 0; y < k->ny; y++)
        for (int64_t x = 0; x < k->nx; x++) {
            rvl_point p = rvl_thorax_voxel(k, x, y, 0);
            double    t = atan2(p.y, p.x);
            int       i = (int)floor((t < 0 ? t + 2 * PI : t) * N_ANGLES / (2 * PI) + 0.5);

            angle[y * k->nx + x] = (uint16_t)(i % N_ANGLES);
            radius[y * k->nx + x] = (float)hypot(p.x, p.y);
        }
}

static void draw_slice(rvl_thorax_canvas *k, const layers *l, const uint16_t *angle, const float *radius, int64_t z,
                       double table_y)
{
    double width = k->dx;

    for (int64_t y = 0; y < k->ny; y++)
        for (int64_t x = 0; x < k->nx; x++) {
            int64_t   i = y * k->nx + x, at = z * k->ny * k->nx + i;
            int       a = angle[i];
            double    r = radius[i], in = rvl_thorax_cover(r - l->skin[a], width), hu;
            rvl_point p = rvl_thorax_voxel(k, x, y, z);

            if (r < l->cavity[a]) {
                draw_cavity(k, at, p, l->cavity[a], 0.5 * (width + 0.5 * (width + k->dz)));
                continue;
            }
            hu = in < 1 ? outside_hu(k->x0 + (double)x * k->dx, k->y0 + (double)y * k->dy, table_y, width) : 0;
            if (in > 0)
                hu += in * (wall_hu(l, k->b, a, r, p, width) - hu);
            k->hu[at] = (float)hu;
        }
}

double rvl_thorax_back(const rvl_thorax_body *b)
{
    double reach = 0;

    for (double s = 0; s < 1.2; s += 0.1) {
        double gland, wall = rvl_thorax_wall(b, 0, 1, s * b->height);

        reach = fmax(reach, wall + muscle_mm(b, 90, s) + fat_mm(b, 90, s, &gland) + 5);
    }
    return reach + b->off_y;
}

rvl_status rvl_thorax_draw_body(rvl_thorax_canvas *k, rvl_error *err)
{
    size_t    n = (size_t)(k->ny * k->nx);
    layers   *l = rvl_alloc_array(1, sizeof *l);
    uint16_t *angle = rvl_alloc_array(n, sizeof *angle);
    float    *radius = rvl_alloc_array(n, sizeof *radius);
    bool      good = l && angle && radius;

    if (good) {
        double table_y = rvl_thorax_back(k->b) + k->b->table_gap_mm;

        polar(k, angle, radius);
        for (int64_t z = 0; z < k->nz; z++) {
            table_layers(l, k->b, k->v0 - (double)z * k->dz);
            draw_slice(k, l, angle, radius, z, table_y);
        }
    }
    rvl_free(radius);
    rvl_free(angle);
    rvl_free(l);
    return good ? RVL_OK : rvl_fail(err, RVL_ERR_NOMEM, "cannot draw a thorax: out of memory");
}
