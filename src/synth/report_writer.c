/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file synth/report_writer.c
 * Sentences from templates.
 */
#include "synth/report_writer.h"
#include "base/alloc.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

enum { MAX_FINDINGS = 32, MAX_GROUP = 3 };

static void fill(rvl_str *s, const char *text, const rvl_report_subject *subject, int finding, const char *const *names)
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
        if (names && slot[0] >= 'a' && slot[0] < 'a' + MAX_GROUP && slot[1] == 0)
            rvl_str_add(s, names[slot[0] - 'a']);
        else
            subject->add_slot(s, slot, subject->c, finding);
        if (capital && !s->failed && s->n_bytes > start)
            s->ptr[start] = (char)toupper((unsigned char)s->ptr[start]);
        text = close + 1;
    }
}

/** One random sentence of a role, of the finding's own and of those for any finding (written for the whole). */
static const char *pick(rvl_report_writer *w, int finding, int role)
{
    const char *found = NULL;
    int64_t     n = 0;

    for (const rvl_phantom_template *t = w->set; t->text; t++)
        if (t->role == role && (t->finding == finding || t->finding == w->subject->n_findings))
            if (rvl_rng_below(&w->r, ++n) == 0)
                found = t->text;
    return found;
}

void rvl__report_say(rvl_report_writer *w, int finding, int role, const char *const *names)
{
    const char *text = pick(w, finding, role);

    if (text && w->n < RVL_REPORT_SENTENCES_MAX)
        fill(&w->sentences[w->n++], text, w->subject, finding, names);
}

void rvl__report_say_absent(rvl_report_writer *w, double chance)
{
    const rvl_report_subject *u = w->subject;
    int64_t                   order[MAX_FINDINGS];
    int                       n = 0, at = 0;

    for (int f = 0; f < u->n_findings; f++)
        if (!u->is_present(u->c, f) && rvl_rng_uniform(&w->r) < (f == u->device ? 0.4 : 1) * chance)
            order[n++] = f;
    rvl_rng_shuffle(&w->r, order, n);
    while (at < n) {
        int         group = 1 + (int)rvl_rng_below(&w->r, n - at < MAX_GROUP ? n - at : MAX_GROUP);
        const char *names[MAX_GROUP] = {NULL, NULL, NULL};

        for (int i = 0; i < group; i++)
            names[i] = u->titles[order[at + i]];
        if (group == 1)
            rvl__report_say(w, (int)order[at], RVL_ROLE_ABSENT, names);
        else
            rvl__report_say(w, u->n_findings, group == 2 ? RVL_ROLE_NONE_OF_2 : RVL_ROLE_NONE_OF_3, names);
        at += group;
    }
}

void rvl__report_say_present(rvl_report_writer *w, int role, double chance)
{
    const rvl_report_subject *u = w->subject;
    int64_t                   order[MAX_FINDINGS];
    int                       n = 0, said = 0;

    for (int f = 0; f < u->n_findings; f++)
        if (u->is_present(u->c, f))
            order[n++] = f;
    rvl_rng_shuffle(&w->r, order, n);
    for (int i = 0; i < n; i++)
        if (rvl_rng_uniform(&w->r) < chance || (i == n - 1 && said == 0)) {
            const int f = (int)order[i];
            rvl__report_say(w, f, u->is_hedged && u->is_hedged(u->c, f) ? RVL_ROLE_HEDGE : role, NULL);
            said++;
        }
}

/** The sentences so far as one text; clears them. NULL when out of memory. */
static char *join(rvl_report_writer *w)
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

rvl_status rvl__report_write(rvl_phantom_report *out, rvl_report_writer *w, void (*say_findings)(rvl_report_writer *w),
                             void (*say_impression)(rvl_report_writer *w), rvl_error *err)
{
    rvl_str whole = {0};

    memset(out, 0, sizeof *out);
    say_findings(w);
    out->findings = join(w);
    say_impression(w);
    out->impression = join(w);
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
