/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/phantom_text.c
 * A case told in words: which sentences, in which order, with the slots filled from the truth.
 */
#include "synth/phantom_internal.h"
#include "base/alloc.h"
#include "base/str.h"
#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_SENTENCES = 24 };

typedef struct {
    const rvl_phantom_case     *c;
    const rvl_phantom_template *set;
    rvl_rng                     r;
    rvl_str                     sentences[MAX_SENTENCES];
    int                         n;
} writer;

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

/** Slots that name a kind, the view, or the findings denied (`names`, for a b c). */
static void add_name_slot(rvl_str *s, const char *slot, const rvl_phantom_case *c, int finding,
                          const char *const *names)
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
    } else if (names && slot[1] == 0)
        rvl_str_add(s, names[slot[0] - 'a']);
}

static void fill(rvl_str *s, const char *text, const rvl_phantom_case *c, int finding, const char *const *names)
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
        if (finding >= RVL_PHANTOM_N_FINDINGS || !add_truth_slot(s, slot, c, finding))
            add_name_slot(s, slot, c, finding, names);
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
        if (t->role == role && (t->finding == finding || (or_whole && t->finding == RVL_PHANTOM_N_FINDINGS)))
            if (rvl_rng_below(&w->r, ++n) == 0)
                found = t->text;
    return found;
}

static void say(writer *w, int finding, int role, const char *const *names)
{
    const char *text = pick(w, finding, role, role == RVL_ROLE_ABSENT && names);

    if (text && w->n < MAX_SENTENCES)
        fill(&w->sentences[w->n++], text, w->c, finding, names);
}

/** Deny some absent findings, alone or in groups. */
static void say_absent(writer *w, double chance)
{
    int64_t order[RVL_PHANTOM_N_FINDINGS];
    int     n = 0, at = 0;

    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        if (!w->c->truth[f].present && rvl_rng_uniform(&w->r) < (f == RVL_PHANTOM_DEVICE ? 0.4 : 1) * chance)
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
            say(w, RVL_PHANTOM_N_FINDINGS, group == 2 ? RVL_ROLE_NONE_OF_2 : RVL_ROLE_NONE_OF_3, names);
        at += group;
    }
}

static bool lungs_clear(const rvl_phantom_case *c)
{
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        if (f != RVL_PHANTOM_CARDIOMEGALY && f != RVL_PHANTOM_DEVICE && c->truth[f].present)
            return false;
    return true;
}

static void say_present(writer *w, int role, double chance)
{
    int64_t order[RVL_PHANTOM_N_FINDINGS];
    int     n = 0, said = 0;

    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        if (w->c->truth[f].present)
            order[n++] = f;
    rvl_rng_shuffle(&w->r, order, n);
    for (int i = 0; i < n; i++)
        if (rvl_rng_uniform(&w->r) < chance || (i == n - 1 && said == 0)) {
            say(w, (int)order[i], role, NULL);
            said++;
        }
}

static void say_findings(writer *w)
{
    bool present_first = rvl_rng_uniform(&w->r) < 0.7;

    if (rvl_rng_uniform(&w->r) < 0.5)
        say(w, RVL_PHANTOM_N_FINDINGS, RVL_ROLE_QUALITY, NULL);
    if (present_first)
        say_present(w, RVL_ROLE_PRESENT, 1);
    if (lungs_clear(w->c) && rvl_rng_uniform(&w->r) < 0.6)
        say(w, RVL_PHANTOM_N_FINDINGS, RVL_ROLE_CLEAR, NULL);
    say_absent(w, 0.55);
    if (!present_first)
        say_present(w, RVL_ROLE_PRESENT, 1);
    if (w->n == 0 || rvl_rng_uniform(&w->r) < 0.4)
        say(w, RVL_PHANTOM_N_FINDINGS,
            w->c->age_years > 60 && rvl_rng_uniform(&w->r) < 0.5 ? RVL_ROLE_OLD_BONE : RVL_ROLE_BONE, NULL);
}

static void say_impression(writer *w)
{
    say_present(w, RVL_ROLE_CONCLUDE, 0.8);
    if (w->n == 0)
        say(w, RVL_PHANTOM_N_FINDINGS, RVL_ROLE_NORMAL, NULL);
    else if (rvl_rng_uniform(&w->r) < 0.25)
        say_absent(w, 0.3);
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

rvl_status rvl_phantom_report_write(rvl_phantom_report *out, const rvl_phantom_case *c, rvl_error *err)
{
    writer  w = {.c = c};
    rvl_str whole = {0};

    memset(out, 0, sizeof *out);
    w.set = c->split == RVL_PHANTOM_TEST ? rvl_phantom_test_templates : rvl_phantom_train_templates;
    w.r = rvl_phantom_rng("phantom-report", c->seed, c->index);
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

void rvl_phantom_report_fini(rvl_phantom_report *r)
{
    rvl_free(r->findings);
    rvl_free(r->impression);
    rvl_free(r->report);
    memset(r, 0, sizeof *r);
}
