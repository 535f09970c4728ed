/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_case.c
 * What a case holds: who the patient is, how the picture is taken, which findings are present and how bad.
 */
#include "synth/phantom_internal.h"
#include <math.h>
#include <string.h>

static const char *const finding_names[] = {"pleural_effusion", "pneumothorax", "consolidation", "nodule",
                                            "cardiomegaly",     "atelectasis",  "edema",         "device"};

const char *rvl_phantom_finding_name(int finding)
{
    return finding >= 0 && finding < RVL_PHANTOM_N_FINDINGS ? finding_names[finding] : "";
}

const char *rvl_side_text(rvl_side side)
{
    static const char *const texts[] = {"", "left", "right", "bilateral"};

    return texts[side];
}

const char *rvl_zone_text(rvl_zone zone)
{
    static const char *const texts[] = {"", "upper", "mid", "lower"};

    return texts[zone];
}

const char *rvl_phantom_kind_text(rvl_phantom_kind kind)
{
    static const char *const texts[RVL_KIND_COUNT] = {"",
                                                      "solid",
                                                      "calcified",
                                                      "plate",
                                                      "lobar",
                                                      "pacemaker",
                                                      "central_line",
                                                      "port",
                                                      "endotracheal_tube",
                                                      "gastric_tube"};

    return texts[kind];
}

rvl_rng rvl_phantom_rng(const char *purpose, uint64_t seed, int64_t key)
{
    return rvl_rng_make(seed, rvl_rng_mix(rvl_rng_name(purpose), (uint64_t)key));
}

static rvl_side draw_side(rvl_rng *r, double p_both)
{
    double x = rvl_rng_uniform(r);

    return x < p_both ? RVL_SIDE_BOTH : x < (1 + p_both) / 2 ? RVL_SIDE_LEFT : RVL_SIDE_RIGHT;
}

static rvl_zone draw_zone(rvl_rng *r)
{
    return (rvl_zone)(RVL_ZONE_UPPER + rvl_rng_below(r, 3));
}

/** `edges`: four sizes that bound three severities. */
static void draw_size(rvl_phantom_truth *t, rvl_rng *r, const double edges[4])
{
    t->severity = 1 + (int)rvl_rng_below(r, 3);
    t->size_mm = uniform_in(r, edges[t->severity - 1], edges[t->severity]);
}

static void draw_atelectasis(rvl_phantom_truth *t, rvl_rng *r)
{
    static const double sizes[4] = {45, 60, 75, 90};

    draw_size(t, r, sizes);
    if (rvl_rng_uniform(r) < 0.45) {
        t->kind = RVL_KIND_PLATE;
        t->side = draw_side(r, 0.25);
        t->zone = RVL_ZONE_LOWER;
    } else {
        t->kind = RVL_KIND_LOBAR;
        t->side = draw_side(r, 0);
        t->zone = rvl_rng_uniform(r) < 0.35 ? RVL_ZONE_UPPER : RVL_ZONE_LOWER;
    }
}

static void draw_device(rvl_phantom_truth *t, rvl_rng *r)
{
    double x = rvl_rng_uniform(r), side = rvl_rng_uniform(r);

    t->severity = 1;
    t->kind = x < 0.5    ? RVL_KIND_PACEMAKER
              : x < 0.68 ? RVL_KIND_CENTRAL_LINE
              : x < 0.83 ? RVL_KIND_PORT
              : x < 0.92 ? RVL_KIND_ENDOTRACHEAL_TUBE
                         : RVL_KIND_GASTRIC_TUBE;
    if (t->kind == RVL_KIND_PACEMAKER)
        t->side = side < 0.75 ? RVL_SIDE_LEFT : RVL_SIDE_RIGHT;
    else if (t->kind == RVL_KIND_CENTRAL_LINE || t->kind == RVL_KIND_PORT)
        t->side = side < 0.75 ? RVL_SIDE_RIGHT : RVL_SIDE_LEFT;
}

static void draw_details(rvl_phantom_case *c, int finding, rvl_rng *r)
{
    static const double effusion_mm[4] = {32, 50, 82, 130}, gap_mm[4] = {20, 30, 46, 70};
    static const double patch_mm[4] = {52, 66, 84, 112}, nodule_mm[4] = {19, 23, 27, 31};
    rvl_phantom_truth  *t = &c->truth[finding];

    switch (finding) {
    case RVL_PHANTOM_PLEURAL_EFFUSION:
        draw_size(t, r, effusion_mm);
        t->side = draw_side(r, 0.3);
        break;
    case RVL_PHANTOM_PNEUMOTHORAX:
        draw_size(t, r, gap_mm);
        t->side = draw_side(r, 0);
        break;
    case RVL_PHANTOM_CONSOLIDATION:
        draw_size(t, r, patch_mm);
        t->side = draw_side(r, 0.12);
        t->zone = draw_zone(r);
        break;
    case RVL_PHANTOM_NODULE:
        draw_size(t, r, nodule_mm);
        t->side = draw_side(r, 0);
        t->zone = draw_zone(r);
        t->kind = rvl_rng_uniform(r) < 0.5 ? RVL_KIND_CALCIFIED : RVL_KIND_SOLID;
        break;
    case RVL_PHANTOM_CARDIOMEGALY:
        t->severity = 1 + (int)rvl_rng_below(r, 3);
        break;
    case RVL_PHANTOM_ATELECTASIS:
        draw_atelectasis(t, r);
        break;
    case RVL_PHANTOM_EDEMA:
        t->severity = 1 + (int)rvl_rng_below(r, 3);
        t->side = RVL_SIDE_BOTH;
        break;
    default:
        draw_device(t, r);
        break;
    }
}

static void draw_findings(rvl_phantom_case *c)
{
    static const double chance[RVL_PHANTOM_N_FINDINGS] = {0.24, 0.25, 0.25, 0.26, 0.23, 0.25, 0.25, 0.27};
    rvl_rng             plan = rvl_phantom_rng("phantom-plan", c->seed, c->index);
    bool                healthy = rvl_rng_uniform(&plan) < 0.11;

    for (int f = RVL_PHANTOM_N_FINDINGS - 1; f >= 0; f--) { /* edema first: it goes with two others */
        rvl_rng r = rvl_phantom_rng(finding_names[f], c->seed, c->index);
        double  p = chance[f];

        if (c->truth[RVL_PHANTOM_EDEMA].present && (f == RVL_PHANTOM_CARDIOMEGALY || f == RVL_PHANTOM_PLEURAL_EFFUSION))
            p += 0.15;
        c->truth[f].present = rvl_rng_uniform(&r) < p && !healthy;
        if (c->truth[f].present)
            draw_details(c, f, &r);
    }
}

/** The heart's width: 0.395..0.505 of the thorax, or more where it is enlarged. */
static void draw_heart(rvl_phantom_case *c)
{
    static const double edges[4] = {0.545, 0.575, 0.615, 0.66};
    rvl_rng             r = rvl_phantom_rng("phantom-heart", c->seed, c->patient);
    rvl_phantom_truth  *t = &c->truth[RVL_PHANTOM_CARDIOMEGALY];
    double              x = rvl_rng_uniform(&r), ratio = 0.395 + 0.11 * x;

    if (t->present)
        ratio = edges[t->severity - 1] + (edges[t->severity] - edges[t->severity - 1]) * x;
    c->heart_mm = ratio * 2 * c->chest_mm;
    if (t->present)
        t->size_mm = c->heart_mm;
}

void rvl_phantom_case_make(rvl_phantom_case *out, uint64_t seed, int64_t index, const double split_ratio[3])
{
    static const double usual[3] = {0.8, 0.1, 0.1};
    const double *ratio = split_ratio && split_ratio[0] + split_ratio[1] + split_ratio[2] > 0 ? split_ratio : usual;
    double        total = ratio[0] + ratio[1] + ratio[2], place;
    rvl_rng       r, picture;

    memset(out, 0, sizeof *out);
    out->seed = seed;
    out->index = index;
    out->patient = index % 5 == 4 ? index - 1 : index;
    r = rvl_phantom_rng("phantom-patient", seed, out->patient);
    picture = rvl_phantom_rng("phantom-view", seed, index);
    out->female = rvl_rng_uniform(&r) < 0.5;
    out->age_years = 20 + (int)(70 * pow(rvl_rng_uniform(&r), 0.75));
    out->chest_mm = clamp((out->female ? 125 : 138) + 8 * rvl_rng_normal(&r), 108, 158);
    /* a golden-ratio sequence keeps the shares exact in every stretch of patients */
    place = (double)out->patient * 0.61803398874989485 + (double)(seed % 997) * 0.4142135623730951;
    place -= floor(place);
    out->split = place * total < ratio[0]              ? RVL_PHANTOM_TRAIN
                 : place * total < ratio[0] + ratio[1] ? RVL_PHANTOM_VAL
                                                       : RVL_PHANTOM_TEST;
    out->view = rvl_rng_uniform(&picture) < 0.6 ? RVL_VIEW_PA : RVL_VIEW_AP;
    draw_findings(out);
    draw_heart(out);
}

void rvl_phantom_case_remove(rvl_phantom_case *c, rvl_phantom_finding finding)
{
    memset(&c->truth[finding], 0, sizeof c->truth[finding]);
    if (finding == RVL_PHANTOM_CARDIOMEGALY)
        draw_heart(c);
}
