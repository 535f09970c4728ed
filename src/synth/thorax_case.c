/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_case.c
 * What a scan holds: who the patient is, which findings are present and how bad, how it is reconstructed.
 */
#include "synth/thorax_internal.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const finding_names[RVL_THORAX_N_FINDINGS] = {
    "medical_material",
    "arterial_wall_calcification",
    "cardiomegaly",
    "pericardial_effusion",
    "coronary_artery_wall_calcification",
    "hiatal_hernia",
    "lymphadenopathy",
    "emphysema",
    "atelectasis",
    "lung_nodule",
    "lung_opacity",
    "pulmonary_fibrotic_sequela",
    "pleural_effusion",
    "mosaic_attenuation_pattern",
    "peribronchial_thickening",
    "consolidation",
    "bronchiectasis",
    "interlobular_septal_thickening",
};

const char *rvl_thorax_finding_name(int finding)
{
    return finding >= 0 && finding < RVL_THORAX_N_FINDINGS ? finding_names[finding] : "";
}

const char *rvl_thorax_kind_text(rvl_thorax_kind kind)
{
    static const char *const texts[RVL_THORAX_N_KINDS] = {
        "",         "pacemaker", "port",  "sternal_wires", "gastric_tube", "solid", "calcified",
        "subsolid", "linear",    "lobar", "centrilobular", "bullous",      "focal", "diffuse",
    };

    return texts[kind];
}

const char *rvl_kernel_text(rvl_kernel kernel)
{
    static const char *const texts[] = {"B30f", "B50f", "B70f"};

    return texts[kernel];
}

static rvl_side draw_side(rvl_rng *r, double p_both)
{
    double x = rvl_rng_uniform(r);

    return x < p_both ? RVL_SIDE_BOTH : x < (1 + p_both) / 2 ? RVL_SIDE_LEFT : RVL_SIDE_RIGHT;
}

static rvl_zone draw_zone(rvl_rng *r, double p_upper, double p_lower)
{
    double x = rvl_rng_uniform(r);

    return x < p_upper ? RVL_ZONE_UPPER : x < p_upper + p_lower ? RVL_ZONE_LOWER : RVL_ZONE_MID;
}

/** `edges`: four sizes that bound three severities. */
static void draw_size(rvl_thorax_truth *t, rvl_rng *r, double a, double b, double c, double d)
{
    const double edges[4] = {a, b, c, d};

    t->severity = 1 + (int)rvl_rng_below(r, 3);
    t->size_mm = uniform_in(r, edges[t->severity - 1], edges[t->severity]);
}

static void draw_material(rvl_thorax_truth *t, rvl_rng *r)
{
    double x = rvl_rng_uniform(r), side = rvl_rng_uniform(r);

    t->severity = 1;
    t->kind = x < 0.4    ? RVL_THORAX_PACEMAKER
              : x < 0.65 ? RVL_THORAX_PORT
              : x < 0.85 ? RVL_THORAX_STERNAL_WIRES
                         : RVL_THORAX_GASTRIC_TUBE;
    if (t->kind == RVL_THORAX_PACEMAKER)
        t->side = side < 0.75 ? RVL_SIDE_LEFT : RVL_SIDE_RIGHT;
    if (t->kind == RVL_THORAX_PORT)
        t->side = side < 0.75 ? RVL_SIDE_RIGHT : RVL_SIDE_LEFT;
}

static void draw_nodule(rvl_thorax_truth *t, rvl_rng *r)
{
    double x = rvl_rng_uniform(r);

    draw_size(t, r, 5, 9, 16, 29);
    t->side = draw_side(r, 0);
    t->zone = draw_zone(r, 0.42, 0.38);
    t->kind = x < 0.6 ? RVL_THORAX_SOLID : x < 0.8 ? RVL_THORAX_CALCIFIED : RVL_THORAX_SUBSOLID;
    t->count = 1;
}

static void draw_lung_details(rvl_thorax_truth *t, int finding, rvl_rng *r)
{
    switch (finding) {
    case RVL_THORAX_EMPHYSEMA:
        t->severity = 1 + (int)rvl_rng_below(r, 3);
        t->kind = rvl_rng_uniform(r) < 0.65 ? RVL_THORAX_CENTRILOBULAR : RVL_THORAX_BULLOUS;
        t->side = RVL_SIDE_BOTH;
        t->zone = RVL_ZONE_UPPER;
        break;
    case RVL_THORAX_ATELECTASIS:
        draw_size(t, r, 40, 55, 75, 100);
        t->kind = rvl_rng_uniform(r) < 0.35 ? RVL_THORAX_LINEAR : RVL_THORAX_LOBAR;
        t->side = draw_side(r, t->kind == RVL_THORAX_LINEAR ? 0.4 : 0);
        t->zone = RVL_ZONE_LOWER;
        break;
    case RVL_THORAX_NODULE:
        draw_nodule(t, r);
        break;
    case RVL_THORAX_OPACITY:
        draw_size(t, r, 55, 75, 95, 120);
        t->kind = rvl_rng_uniform(r) < 0.5 ? RVL_THORAX_FOCAL : RVL_THORAX_DIFFUSE;
        t->side = draw_side(r, t->kind == RVL_THORAX_FOCAL ? 0.2 : 1);
        t->zone = draw_zone(r, 0.4, 0.4);
        break;
    case RVL_THORAX_FIBROTIC_SEQUELA:
        draw_size(t, r, 25, 35, 50, 65);
        t->side = draw_side(r, 0.4);
        t->zone = draw_zone(r, 0.65, 0.35);
        break;
    case RVL_THORAX_CONSOLIDATION:
        draw_size(t, r, 45, 60, 80, 110);
        t->side = draw_side(r, 0.15);
        t->zone = draw_zone(r, 0.3, 0.45);
        break;
    default: /* mosaic, peribronchial, bronchiectasis, septal */
        t->severity = 1 + (int)rvl_rng_below(r, 3);
        t->side = finding == RVL_THORAX_BRONCHIECTASIS ? draw_side(r, 0.4) : RVL_SIDE_BOTH;
        t->zone = finding == RVL_THORAX_MOSAIC ? RVL_ZONE_NONE : draw_zone(r, 0.2, 0.6);
        break;
    }
}

static void draw_details(rvl_thorax_truth *t, int finding, rvl_rng *r)
{
    switch (finding) {
    case RVL_THORAX_MEDICAL_MATERIAL:
        draw_material(t, r);
        break;
    case RVL_THORAX_ARTERIAL_CALCIFICATION:
    case RVL_THORAX_CORONARY_CALCIFICATION:
    case RVL_THORAX_CARDIOMEGALY:
        t->severity = 1 + (int)rvl_rng_below(r, 3);
        break;
    case RVL_THORAX_PERICARDIAL_EFFUSION:
        draw_size(t, r, 8, 13, 19, 26);
        break;
    case RVL_THORAX_HIATAL_HERNIA:
        draw_size(t, r, 38, 52, 68, 88);
        break;
    case RVL_THORAX_LYMPHADENOPATHY:
        draw_size(t, r, 12, 17, 23, 32);
        t->count = 2 + t->severity + (int)rvl_rng_below(r, 2);
        break;
    case RVL_THORAX_PLEURAL_EFFUSION:
        draw_size(t, r, 13, 23, 38, 60);
        t->side = draw_side(r, 0.4);
        break;
    default:
        draw_lung_details(t, finding, r);
        break;
    }
    t->hedged = t->severity == 1 && rvl_rng_uniform(r) < 0.35;
}

static void draw_findings(rvl_thorax_case *c)
{
    static const double chance[RVL_THORAX_N_FINDINGS] = {0.22, 0.26, 0.24, 0.22, 0.24, 0.24, 0.24, 0.25, 0.26,
                                                         0.34, 0.27, 0.22, 0.24, 0.18, 0.18, 0.25, 0.18, 0.18};
    rvl_rng             plan = rvl_phantom_rng("thorax-plan", c->seed, c->index);
    bool                healthy = rvl_rng_uniform(&plan) < 0.12;
    double              old = smooth_step(35, 80, c->age_years); /* calcification comes with age */

    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
        rvl_rng r = rvl_phantom_rng(finding_names[f], c->seed, c->index);
        double  p = chance[f];

        if (f == RVL_THORAX_ARTERIAL_CALCIFICATION || f == RVL_THORAX_CORONARY_CALCIFICATION)
            p *= 0.35 + 1.3 * old;
        c->truth[f].present = rvl_rng_uniform(&r) < p && !healthy;
        if (c->truth[f].present)
            draw_details(&c->truth[f], f, &r);
    }
}

/** The heart's width: 0.37..0.485 of the thorax, or more where it is enlarged. */
static void draw_heart(rvl_thorax_case *c)
{
    static const double edges[4] = {0.515, 0.545, 0.585, 0.635};
    rvl_rng             r = rvl_phantom_rng("thorax-heart", c->seed, c->patient);
    rvl_thorax_truth   *t = &c->truth[RVL_THORAX_CARDIOMEGALY];
    double              x = rvl_rng_uniform(&r), ratio = 0.37 + 0.115 * x;

    if (t->present)
        ratio = edges[t->severity - 1] + (edges[t->severity] - edges[t->severity - 1]) * x;
    c->heart_mm = ratio * 2 * c->chest_mm;
    if (t->present)
        t->size_mm = c->heart_mm;
}

/** Grids vary as scanners' do: the field follows the patient, matrix and slices are the protocol's. */
static void draw_recons(rvl_thorax_case *c, int64_t size, int max_recons)
{
    static const double matrix[3] = {0.875, 1, 1.125};
    rvl_rng             r = rvl_phantom_rng("thorax-recons", c->seed, c->index);
    double              width_mm = 2 * c->chest_mm + 64 + 62 * c->fat, field_mm;
    double              reach_mm = 1.95 * c->chest_mm + uniform_in(&r, 70, 120);

    field_mm = fmax(width_mm * uniform_in(&r, 1.02, 1.26), 280);
    c->n_recons = 1 + (rvl_rng_uniform(&r) < 0.9) * (max_recons > 1 ? 1 + (int)rvl_rng_below(&r, max_recons - 1) : 0);
    for (int i = 0; i < c->n_recons; i++) {
        rvl_thorax_recon *q = &c->recons[i];
        double            zoom = i == 0 ? 1 : uniform_in(&r, 0.96, 1.08);

        q->kernel = i == 0 ? (rvl_kernel)(rvl_rng_uniform(&r) < 0.35) : (rvl_kernel)(1 + (rvl_rng_uniform(&r) < 0.6));
        q->side = 2 * (int64_t)floor((double)size * matrix[rvl_rng_below(&r, 3)] / 2 + 0.5);
        q->pixel_mm = floor(field_mm * zoom / (double)q->side * 1e4 + 0.5) / 1e4;
        q->slice_mm = floor(uniform_in(&r, 1.2, 2.1) * (i == 0 ? 1 : 0.8) * 358.4 / (double)size * 20 + 0.5) / 20;
        q->depth = (int64_t)ceil(reach_mm / q->slice_mm);
        q->noise_hu = uniform_in(&r, 8, 22) * (q->kernel == RVL_KERNEL_SOFT     ? 1
                                               : q->kernel == RVL_KERNEL_MEDIUM ? 1.6
                                                                                : 2.5);
        q->round_field = rvl_rng_uniform(&r) < 0.25;
    }
}

void rvl_thorax_case_make(rvl_thorax_case *out, uint64_t seed, int64_t index, int64_t size, int max_recons,
                          const double split_ratio[3])
{
    static const double usual[3] = {0.8, 0.1, 0.1};
    const double *ratio = split_ratio && split_ratio[0] + split_ratio[1] + split_ratio[2] > 0 ? split_ratio : usual;
    double        total = ratio[0] + ratio[1] + ratio[2], place;
    rvl_rng       r;

    memset(out, 0, sizeof *out);
    out->seed = seed;
    out->index = index;
    out->patient = index % 5 == 4 ? index - 1 : index;
    r = rvl_phantom_rng("thorax-patient", seed, out->patient);
    out->female = rvl_rng_uniform(&r) < 0.45;
    out->age_years = 19 + (int)(70 * pow(rvl_rng_uniform(&r), 0.8));
    out->chest_mm = clamp((out->female ? 115 : 128) + 6 * rvl_rng_normal(&r), 100, 144);
    out->fat = clamp(0.38 + 0.2 * rvl_rng_normal(&r) + 0.1 * smooth_step(25, 55, out->age_years), 0, 1);
    /* a golden-ratio sequence keeps the shares exact in every stretch of patients */
    place = (double)out->patient * 0.61803398874989485 + (double)(seed % 997) * 0.4142135623730951;
    place -= floor(place);
    out->split = place * total < ratio[0]              ? RVL_PHANTOM_TRAIN
                 : place * total < ratio[0] + ratio[1] ? RVL_PHANTOM_VAL
                                                       : RVL_PHANTOM_TEST;
    draw_findings(out);
    draw_heart(out);
    draw_recons(out, size, max_recons);
}

void rvl_thorax_case_remove(rvl_thorax_case *c, rvl_thorax_finding finding)
{
    memset(&c->truth[finding], 0, sizeof c->truth[finding]);
    if (finding == RVL_THORAX_CARDIOMEGALY)
        draw_heart(c);
}

void rvl_thorax_name(char out[RVL_THORAX_NAME_BYTES], const rvl_thorax_case *c, int recon)
{
    static const char *const splits[3] = {"train", "valid", "test"};
    int n = snprintf(out, RVL_THORAX_NAME_BYTES, "%s_%06lld_%c", splits[c->split], (long long)c->patient,
                     c->index == c->patient ? 'a' : 'b');

    if (recon >= 0 && n > 0 && n < RVL_THORAX_NAME_BYTES)
        snprintf(out + n, (size_t)(RVL_THORAX_NAME_BYTES - n), "_%d", recon + 1);
}
