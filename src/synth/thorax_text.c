/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_text.c
 * A scan told in words: which sentences, in which order, with the slots filled from the truth.
 */
#include "synth/thorax_internal.h"
#include "synth/report_writer.h"
#include <math.h>
#include <string.h>

enum { N = RVL_THORAX_N_FINDINGS };

static const char *const titles[N] = {
    "medical material",
    "aortic wall calcification",
    "cardiomegaly",
    "pericardial effusion",
    "coronary artery calcification",
    "hiatal hernia",
    "lymphadenopathy",
    "emphysema",
    "atelectasis",
    "pulmonary nodule",
    "ground glass opacity",
    "fibrotic sequela",
    "pleural effusion",
    "mosaic attenuation",
    "peribronchial thickening",
    "consolidation",
    "bronchiectasis",
    "interlobular septal thickening",
};

static const char *size_word(int finding, int severity)
{
    static const char *const amounts[4] = {"", "small", "moderate", "large"};
    static const char *const grades[4] = {"", "mild", "moderate", "severe"};
    bool amount = finding == RVL_THORAX_PLEURAL_EFFUSION || finding == RVL_THORAX_PERICARDIAL_EFFUSION ||
                  finding == RVL_THORAX_HIATAL_HERNIA;

    return amount ? amounts[severity] : grades[severity];
}

static void add_device(rvl_str *s, const rvl_thorax_truth *t)
{
    const char *name = t->kind == RVL_THORAX_PACEMAKER       ? "cardiac pacemaker"
                       : t->kind == RVL_THORAX_PORT          ? "port catheter"
                       : t->kind == RVL_THORAX_STERNAL_WIRES ? "set of sternotomy wires"
                                                             : "nasogastric tube";

    if (t->side)
        rvl_str_addf(s, "%s sided ", rvl_side_text(t->side));
    rvl_str_add(s, name);
}

static void add_lobe(rvl_str *s, const rvl_thorax_truth *t)
{
    const char *side = rvl_side_text(t->side);

    if (t->side == RVL_SIDE_BOTH)
        rvl_str_add(s, t->zone == RVL_ZONE_UPPER   ? "upper lobes of both lungs"
                       : t->zone == RVL_ZONE_MID   ? "right middle lobe and left lingula"
                       : t->zone == RVL_ZONE_LOWER ? "lower lobes of both lungs"
                                                   : "parenchyma of both lungs");
    else if (t->zone == RVL_ZONE_MID)
        rvl_str_add(s, t->side == RVL_SIDE_LEFT ? "left lingula" : "right middle lobe");
    else
        rvl_str_addf(s, "%s %s lobe", side, rvl_zone_text(t->zone));
}

/** Diffuse opacity has no lobe, whatever zone was drawn. */
static rvl_thorax_truth place_of(const rvl_thorax_truth *t)
{
    rvl_thorax_truth place = *t;

    if (t->kind == RVL_THORAX_DIFFUSE)
        place.zone = RVL_ZONE_NONE;
    return place;
}

static void add_slot(rvl_str *s, const char *slot, const void *subject, int finding)
{
    if (finding >= N) /* what is said of the whole names no truth */
        return;

    const rvl_thorax_case  *c = subject;
    const rvl_thorax_truth *t = &c->truth[finding], place = place_of(t);
    const char             *side = rvl_side_text(t->side);
    bool                    both = t->side == RVL_SIDE_BOTH;

    if (strcmp(slot, "side") == 0)
        rvl_str_add(s, side);
    else if (strcmp(slot, "the-side") == 0)
        rvl_str_addf(s, both ? "both sides" : "the %s side", side);
    else if (strcmp(slot, "size") == 0)
        rvl_str_add(s, size_word(finding, t->severity));
    else if (strcmp(slot, "lobe") == 0)
        add_lobe(s, &place);
    else if (strcmp(slot, "kind") == 0)
        rvl_str_add(s, rvl_thorax_kind_text(t->kind));
    else if (strcmp(slot, "mm") == 0)
        rvl_str_addf(s, "%d", (int)floor(t->size_mm + 0.5));
    else if (strcmp(slot, "cm") == 0)
        rvl_str_addf(s, "%.1f", t->size_mm / 10);
    else if (strcmp(slot, "ratio") == 0)
        rvl_str_addf(s, "%.2f", c->heart_mm / (2 * c->chest_mm));
    else if (strcmp(slot, "name") == 0)
        rvl_str_add(s, titles[finding]);
    else if (strcmp(slot, "a-device") == 0) {
        rvl_str_add(s, "a ");
        add_device(s, t);
    } else if (strcmp(slot, "device") == 0)
        add_device(s, t);
    else if (strcmp(slot, "s") == 0)
        rvl_str_add(s, both ? "s" : "");
    else if (strcmp(slot, "v") == 0)
        rvl_str_add(s, both && t->zone != RVL_ZONE_NONE ? "" : "s");
    else if (strcmp(slot, "is") == 0)
        rvl_str_add(s, both ? "are" : "is");
}

static const rvl_thorax_case *case_of(const rvl_report_writer *w)
{
    return w->subject->c;
}

/** No finding of lungs, airways or pleura. */
static bool lungs_clear(const rvl_thorax_case *c)
{
    for (int f = 0; f < N; f++)
        if ((f >= RVL_THORAX_EMPHYSEMA || f == RVL_THORAX_MEDICAL_MATERIAL) && c->truth[f].present)
            return false;
    return true;
}

static void say_findings(rvl_report_writer *w)
{
    bool present_first = rvl_rng_uniform(&w->r) < 0.6;

    if (rvl_rng_uniform(&w->r) < 0.7)
        rvl__report_say(w, N, RVL_ROLE_QUALITY, NULL);
    if (present_first)
        rvl__report_say_present(w, RVL_ROLE_PRESENT, 1);
    if (lungs_clear(case_of(w)) && rvl_rng_uniform(&w->r) < 0.6)
        rvl__report_say(w, N, RVL_ROLE_CLEAR, NULL);
    rvl__report_say_absent(w, 0.45);
    if (!present_first)
        rvl__report_say_present(w, RVL_ROLE_PRESENT, 1);
    if (w->n == 0 || rvl_rng_uniform(&w->r) < 0.5)
        rvl__report_say(
            w, N, case_of(w)->age_years > 60 && rvl_rng_uniform(&w->r) < 0.6 ? RVL_ROLE_OLD_BONE : RVL_ROLE_BONE, NULL);
}

static void say_impression(rvl_report_writer *w)
{
    rvl__report_say_present(w, RVL_ROLE_CONCLUDE, 0.8);
    if (w->n == 0)
        rvl__report_say(w, N, RVL_ROLE_NORMAL, NULL);
    else if (rvl_rng_uniform(&w->r) < 0.2)
        rvl__report_say_absent(w, 0.15);
}

static bool is_present(const void *c, int finding)
{
    return ((const rvl_thorax_case *)c)->truth[finding].present;
}

static bool is_hedged(const void *c, int finding)
{
    return ((const rvl_thorax_case *)c)->truth[finding].hedged;
}

rvl_status rvl_thorax_report_write(rvl_phantom_report *out, const rvl_thorax_case *c, rvl_error *err)
{
    const rvl_report_subject subject = {.c = c,
                                        .n_findings = N,
                                        .device = RVL_THORAX_MEDICAL_MATERIAL,
                                        .titles = titles,
                                        .add_slot = add_slot,
                                        .is_present = is_present,
                                        .is_hedged = is_hedged};
    rvl_report_writer        w = {.subject = &subject,
                                  .set = c->split == RVL_PHANTOM_TEST ? rvl_thorax_test_templates : rvl_thorax_train_templates,
                                  .r = rvl_phantom_rng("thorax-report", c->seed, c->index)};

    return rvl__report_write(out, &w, say_findings, say_impression, err);
}
