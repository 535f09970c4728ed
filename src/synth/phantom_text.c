/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_text.c
 * A case told in words: which sentences, in which order, with the slots filled from the truth.
 */
#include "synth/phantom_internal.h"
#include "synth/report_writer.h"
#include <math.h>
#include <string.h>

static const char *const titles[RVL_PHANTOM_N_FINDINGS] = {
    "pleural effusion", "pneumothorax", "consolidation",   "lung nodule",
    "cardiomegaly",     "atelectasis",  "pulmonary edema", "support device",
};

static const char *size_word(int finding, int severity)
{
    static const char *const amounts[4] = {"", "small", "moderate", "large"};
    static const char *const grades[4] = {"", "mild", "moderate", "severe"};

    return finding == RVL_PHANTOM_PLEURAL_EFFUSION || finding == RVL_PHANTOM_PNEUMOTHORAX ? amounts[severity]
                                                                                          : grades[severity];
}

static void add_device(rvl_str *s, const rvl_phantom_truth *t)
{
    static const char *const names[RVL_KIND_COUNT] = {
        [RVL_KIND_PACEMAKER] = "pacemaker",       [RVL_KIND_CENTRAL_LINE] = "central venous catheter",
        [RVL_KIND_PORT] = "chest port catheter",  [RVL_KIND_ENDOTRACHEAL_TUBE] = "endotracheal tube",
        [RVL_KIND_GASTRIC_TUBE] = "gastric tube",
    };

    if (t->side)
        rvl_str_addf(s, "%s sided ", rvl_side_text(t->side));
    rvl_str_add(s, names[t->kind]);
}

/** Text with "a" or "an" before it. */
static void add_with_article(rvl_str *s, const char *text)
{
    rvl_str_addf(s, "%s %s", strchr("aeiou", text[0]) ? "an" : "a", text);
}

/** Slots that follow the truth of one finding. False if the name is none of them. */
static bool add_truth_slot(rvl_str *s, const char *slot, const rvl_phantom_case *c, int finding)
{
    const rvl_phantom_truth *t = &c->truth[finding];
    const char              *side = rvl_side_text(t->side), *size = size_word(finding, t->severity);
    bool                     both = t->side == RVL_SIDE_BOTH;

    if (strcmp(slot, "side") == 0)
        rvl_str_add(s, side);
    else if (strcmp(slot, "the-side") == 0)
        rvl_str_addf(s, both ? "both sides" : "the %s side", side);
    else if (strcmp(slot, "the-hemithorax") == 0)
        rvl_str_addf(s, both ? "each hemithorax" : "the %s hemithorax", side);
    else if (strcmp(slot, "size") == 0)
        rvl_str_add(s, size);
    else if (strcmp(slot, "size2") == 0)
        rvl_str_addf(s, "%sly", t->severity == 2 ? "moderate" : size);
    else if (strcmp(slot, "zone") == 0)
        rvl_str_add(s, rvl_zone_text(t->zone));
    else if (strcmp(slot, "field") == 0)
        rvl_str_addf(s, both ? "%s %s lung zones" : "%s %s lung zone", side, rvl_zone_text(t->zone));
    else if (strcmp(slot, "mm") == 0)
        rvl_str_addf(s, "%d", (int)floor(t->size_mm + 0.5));
    else if (strcmp(slot, "cm") == 0)
        rvl_str_addf(s, "%.1f", t->size_mm / 10);
    else if (strcmp(slot, "ratio") == 0)
        rvl_str_addf(s, "%.2f", c->heart_mm / (2 * c->chest_mm));
    else if (strcmp(slot, "s") == 0)
        rvl_str_add(s, both ? "s" : "");
    else if (strcmp(slot, "v") == 0)
        rvl_str_add(s, both ? "" : "s");
    else if (strcmp(slot, "is") == 0)
        rvl_str_add(s, both ? "are" : "is");
    else
        return false;
    return true;
}

/** Slots that name a kind or the view. */
static void add_name_slot(rvl_str *s, const char *slot, const rvl_phantom_case *c, int finding)
{
    static const rvl_phantom_truth none = {0};
    const rvl_phantom_truth       *t = finding < RVL_PHANTOM_N_FINDINGS ? &c->truth[finding] : &none;
    rvl_str                        device = {0};

    if (strcmp(slot, "kind") == 0)
        rvl_str_add(s, rvl_phantom_kind_text(t->kind));
    else if (strcmp(slot, "a-kind") == 0)
        add_with_article(s, rvl_phantom_kind_text(t->kind));
    else if (strcmp(slot, "type") == 0)
        rvl_str_add(s, t->kind == RVL_KIND_PLATE ? "linear" : "lobar");
    else if (strcmp(slot, "view") == 0)
        rvl_str_add(s, c->view == RVL_VIEW_AP ? "AP" : "PA");
    else if (strcmp(slot, "device") == 0)
        add_device(s, t);
    else if (strcmp(slot, "a-device") == 0) {
        add_device(&device, t);
        if (!device.failed)
            add_with_article(s, device.ptr);
        s->failed |= device.failed;
        rvl_str_free(&device);
    }
}

static const rvl_phantom_case *case_of(const rvl_report_writer *w)
{
    return w->subject->c;
}

static bool lungs_clear(const rvl_phantom_case *c)
{
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        if (f != RVL_PHANTOM_CARDIOMEGALY && f != RVL_PHANTOM_DEVICE && c->truth[f].present)
            return false;
    return true;
}

static void say_findings(rvl_report_writer *w)
{
    bool present_first = rvl_rng_uniform(&w->r) < 0.7;

    if (rvl_rng_uniform(&w->r) < 0.5)
        rvl__report_say(w, RVL_PHANTOM_N_FINDINGS, RVL_ROLE_QUALITY, NULL);
    if (present_first)
        rvl__report_say_present(w, RVL_ROLE_PRESENT, 1);
    if (lungs_clear(case_of(w)) && rvl_rng_uniform(&w->r) < 0.6)
        rvl__report_say(w, RVL_PHANTOM_N_FINDINGS, RVL_ROLE_CLEAR, NULL);
    rvl__report_say_absent(w, 0.55);
    if (!present_first)
        rvl__report_say_present(w, RVL_ROLE_PRESENT, 1);
    if (w->n == 0 || rvl_rng_uniform(&w->r) < 0.4)
        rvl__report_say(w, RVL_PHANTOM_N_FINDINGS,
                        case_of(w)->age_years > 60 && rvl_rng_uniform(&w->r) < 0.5 ? RVL_ROLE_OLD_BONE : RVL_ROLE_BONE,
                        NULL);
}

static void say_impression(rvl_report_writer *w)
{
    rvl__report_say_present(w, RVL_ROLE_CONCLUDE, 0.8);
    if (w->n == 0)
        rvl__report_say(w, RVL_PHANTOM_N_FINDINGS, RVL_ROLE_NORMAL, NULL);
    else if (rvl_rng_uniform(&w->r) < 0.25)
        rvl__report_say_absent(w, 0.3);
}

static void add_slot(rvl_str *s, const char *slot, const void *c, int finding)
{
    if (finding >= RVL_PHANTOM_N_FINDINGS || !add_truth_slot(s, slot, c, finding))
        add_name_slot(s, slot, c, finding);
}

static bool is_present(const void *c, int finding)
{
    return ((const rvl_phantom_case *)c)->truth[finding].present;
}

rvl_status rvl_phantom_report_write(rvl_phantom_report *out, const rvl_phantom_case *c, rvl_error *err)
{
    const rvl_report_subject subject = {.c = c,
                                        .n_findings = RVL_PHANTOM_N_FINDINGS,
                                        .device = RVL_PHANTOM_DEVICE,
                                        .titles = titles,
                                        .add_slot = add_slot,
                                        .is_present = is_present};
    rvl_report_writer        w = {.subject = &subject,
                                  .set =
                               c->split == RVL_PHANTOM_TEST ? rvl_phantom_test_templates : rvl_phantom_train_templates,
                                  .r = rvl_phantom_rng("phantom-report", c->seed, c->index)};

    return rvl__report_write(out, &w, say_findings, say_impression, err);
}
