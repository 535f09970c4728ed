/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/thorax_text.c
 * A scan told in words: which sentences, in which order, with the slots filled from the truth.
 */
#include "synth/thorax_internal.h"
#include "base/alloc.h"
#include "base/str.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SENTENCES = 48, N = RVL_THORAX_N_FINDINGS };

typedef struct {
    const rvl_thorax_case      *c;
    const rvl_phantom_template *set;
    rvl_rng                     r;
    rvl_str                     sentences[MAX_SENTENCES];
    int                         n;
} writer;

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

static void add_slot(rvl_str *s, const char *slot, const rvl_thorax_case *c, int finding)
{
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

static void fill(rvl_str *s, const char *text, const rvl_thorax_case *c, int finding, const char *const *names)
{
    while (*text) {
        const char *open = strchr(text, '{'), *close = open ? strchr(open, '}') : NULL;
        char        slot[24];
        size_t      start;
        bool        capital;

        if (!close || (size_t)(close - open) > sizeof slot) {
            rvl_str_add(s, text);
            return;
        }
        rvl_str_add_n(s, text, (size_t)(open - text));
        snprintf(slot, sizeof slot, "%.*s", (int)(close - open - 1), open + 1);
        capital = isupper((unsigned char)slot[0]) != 0;
        slot[0] = (char)tolower((unsigned char)slot[0]);
        start = s->n_bytes;
        if (names && slot[1] == 0)
            rvl_str_add(s, names[slot[0] - 'a']);
        else if (finding < N)
            add_slot(s, slot, c, finding);
        if (capital && !s->failed && s->n_bytes > start)
            s->ptr[start] = (char)toupper((unsigned char)s->ptr[start]);
        text = close + 1;
    }
}

/** One random sentence of a role; the whole-chest templates too if `or_whole`. */
static const char *pick(writer *w, int finding, int role, bool or_whole)
{
    const char *found = NULL;
    int64_t     n = 0;

    for (const rvl_phantom_template *t = w->set; t->text; t++)
        if (t->role == role && (t->finding == finding || (or_whole && t->finding == N)))
            if (rvl_rng_below(&w->r, ++n) == 0)
                found = t->text;
    return found;
}

static void say(writer *w, int finding, int role, const char *const *names)
{
    const char *text = pick(w, finding, role, (role == RVL_ROLE_ABSENT && names) || role == RVL_ROLE_HEDGE);

    if (text && w->n < MAX_SENTENCES)
        fill(&w->sentences[w->n++], text, w->c, finding, names);
}

/** Deny some absent findings, alone or in groups. */
static void say_absent(writer *w, double chance)
{
    int64_t order[N];
    int     n = 0, at = 0;

    for (int f = 0; f < N; f++)
        if (!w->c->truth[f].present && rvl_rng_uniform(&w->r) < (f == RVL_THORAX_MEDICAL_MATERIAL ? 0.4 : 1) * chance)
            order[n++] = f;
    rvl_rng_shuffle(&w->r, order, n);
    while (at < n) {
        int         group = 1 + (int)rvl_rng_below(&w->r, n - at < 3 ? n - at : 3);
        const char *names[3] = {NULL, NULL, NULL};

        for (int i = 0; i < group; i++)
            names[i] = titles[order[at + i]];
        if (group == 1)
            say(w, (int)order[at], RVL_ROLE_ABSENT, names);
        else
            say(w, N, group == 2 ? RVL_ROLE_NONE_OF_2 : RVL_ROLE_NONE_OF_3, names);
        at += group;
    }
}

/** No finding of lungs, airways or pleura. */
static bool lungs_clear(const rvl_thorax_case *c)
{
    for (int f = 0; f < N; f++)
        if ((f >= RVL_THORAX_EMPHYSEMA || f == RVL_THORAX_MEDICAL_MATERIAL) && c->truth[f].present)
            return false;
    return true;
}

static void say_present(writer *w, int role, double chance)
{
    int64_t order[N];
    int     n = 0, said = 0;

    for (int f = 0; f < N; f++)
        if (w->c->truth[f].present)
            order[n++] = f;
    rvl_rng_shuffle(&w->r, order, n);
    for (int i = 0; i < n; i++)
        if (rvl_rng_uniform(&w->r) < chance || (i == n - 1 && said == 0)) {
            say(w, (int)order[i], w->c->truth[order[i]].hedged ? RVL_ROLE_HEDGE : role, NULL);
            said++;
        }
}

static void say_findings(writer *w)
{
    bool present_first = rvl_rng_uniform(&w->r) < 0.6;

    if (rvl_rng_uniform(&w->r) < 0.7)
        say(w, N, RVL_ROLE_QUALITY, NULL);
    if (present_first)
        say_present(w, RVL_ROLE_PRESENT, 1);
    if (lungs_clear(w->c) && rvl_rng_uniform(&w->r) < 0.6)
        say(w, N, RVL_ROLE_CLEAR, NULL);
    say_absent(w, 0.45);
    if (!present_first)
        say_present(w, RVL_ROLE_PRESENT, 1);
    if (w->n == 0 || rvl_rng_uniform(&w->r) < 0.5)
        say(w, N, w->c->age_years > 60 && rvl_rng_uniform(&w->r) < 0.6 ? RVL_ROLE_OLD_BONE : RVL_ROLE_BONE, NULL);
}

static void say_impression(writer *w)
{
    say_present(w, RVL_ROLE_CONCLUDE, 0.8);
    if (w->n == 0)
        say(w, N, RVL_ROLE_NORMAL, NULL);
    else if (rvl_rng_uniform(&w->r) < 0.2)
        say_absent(w, 0.15);
}

/** The sentences so far as one text; clears them. NULL when out of memory. */
static char *join(writer *w)
{
    rvl_str all = {0};

    for (int i = 0; i < w->n; i++) {
        all.failed |= w->sentences[i].failed;
        if (i > 0)
            rvl_str_add(&all, " ");
        if (w->sentences[i].ptr)
            rvl_str_add_n(&all, w->sentences[i].ptr, w->sentences[i].n_bytes);
        rvl_str_free(&w->sentences[i]);
        memset(&w->sentences[i], 0, sizeof w->sentences[i]);
    }
    w->n = 0;
    if (!all.failed)
        return rvl_str_take(&all);
    rvl_str_free(&all);
    return NULL;
}

rvl_status rvl_thorax_report_write(rvl_phantom_report *out, const rvl_thorax_case *c, rvl_error *err)
{
    writer  w = {.c = c};
    rvl_str whole = {0};

    memset(out, 0, sizeof *out);
    w.set = c->split == RVL_PHANTOM_TEST ? rvl_thorax_test_templates : rvl_thorax_train_templates;
    w.r = rvl_phantom_rng("thorax-report", c->seed, c->index);
    say_findings(&w);
    out->findings = join(&w);
    say_impression(&w);
    out->impression = join(&w);
    if (out->findings && out->impression)
        rvl_str_addf(&whole, "FINDINGS: %s\nIMPRESSION: %s", out->findings, out->impression);
    out->report = rvl_str_take(&whole);
    if (out->findings && out->impression && out->report)
        return RVL_OK;
    rvl_phantom_report_fini(out);
    return rvl_fail(err, RVL_ERR_NOMEM, "cannot write the report of a phantom: out of memory");
}
