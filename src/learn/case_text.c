/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file learn/case_text.c
 * Which words of a case the text tower sees.
 */
#include "base/rng.h"
#include "base/str.h"
#include "learn/contrast.h"

char *rvl_case_text(const rvl_case *c, rvl_text_choice choice)
{
    const char *findings = c->sections[RVL_SECTION_FINDINGS];
    const char *impression = c->sections[RVL_SECTION_IMPRESSION];
    rvl_str     s = {0};

    if (findings && (choice != RVL_TEXT_IMPRESSION || !impression))
        rvl_str_add(&s, findings);
    if (impression && (choice != RVL_TEXT_FINDINGS || !findings))
        rvl_str_addf(&s, "%s%s", s.n_bytes ? " " : "", impression);
    if (s.n_bytes == 0 || s.failed) {
        rvl_str_free(&s);
        return NULL;
    }
    return rvl_str_take(&s);
}

bool rvl_draw_sentences(bool *take, int64_t n, uint64_t seed, uint64_t epoch, uint64_t case_key)
{
    int64_t      order[RVL_SENTENCES_MAX];
    rvl_rng      r = rvl_rng_make(seed, rvl_rng_mix(rvl_rng_mix(epoch, case_key), rvl_rng_name("sentences")));
    const double draw = rvl_rng_uniform(&r);

    if (n < 2 || draw < 0.3) /* three in ten draws see the whole report */
        return false;
    /* As many a single sentence: prompts are single sentences too. */
    int64_t wanted = draw < 0.6 ? 1 : 1 + rvl_rng_below(&r, n);
    for (int64_t i = 0; i < n; i++) {
        order[i] = i;
        take[i] = false;
    }
    rvl_rng_shuffle(&r, order, n);
    for (int64_t i = 0; i < wanted; i++)
        take[order[i]] = true;
    return true;
}
