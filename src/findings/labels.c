/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file findings/labels.c
 * Label states: their words, the numbers that tables write for them, and training targets.
 */
#include "findings/schema.h"
#include "base/str.h"
#include <string.h>

const char *rvl_label_text(rvl_label_state s)
{
    static const char *const names[] = {"not_mentioned", "present", "absent", "uncertain"};
    return (unsigned)s < RVL_ARRAY_LEN(names) ? names[s] : "not_mentioned";
}

/* Copy without blanks at the ends, lowered; false if it does not fit, for then it is no state. */
static bool text_clean(char *out, size_t size, const char *text)
{
    size_t n = strlen(text);

    while (n > 0 && strchr(" \t\r\n", text[n - 1]))
        n--;
    while (n > 0 && strchr(" \t\r\n", *text)) {
        text++;
        n--;
    }
    if (n >= size)
        return false;
    for (size_t i = 0; i < n; i++)
        out[i] = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
    out[n] = '\0';
    return true;
}

bool rvl_label_parse(const char *text, rvl_label_state *out)
{
    static const struct {
        const char     *word;
        rvl_label_state state;
    } words[] = {
        {"", RVL_LABEL_NOT_MENTIONED},
        {"nan", RVL_LABEL_NOT_MENTIONED},
        {"not_mentioned", RVL_LABEL_NOT_MENTIONED},
        {"not mentioned", RVL_LABEL_NOT_MENTIONED},
        {"present", RVL_LABEL_PRESENT},
        {"absent", RVL_LABEL_ABSENT},
        {"uncertain", RVL_LABEL_UNCERTAIN},
    };
    char   clean[32];
    double value = 0.0;

    if (!text_clean(clean, sizeof clean, text))
        return false;
    for (size_t i = 0; i < RVL_ARRAY_LEN(words); i++)
        if (strcmp(clean, words[i].word) == 0) {
            *out = words[i].state;
            return true;
        }
    if (!rvl_parse_f64(clean, &value))
        return false;
    if (!(value < 1.0) && !(value > 1.0))
        *out = RVL_LABEL_PRESENT;
    else if (!(value < 0.0) && !(value > 0.0))
        *out = RVL_LABEL_ABSENT;
    else if (!(value < -1.0) && !(value > -1.0))
        *out = RVL_LABEL_UNCERTAIN;
    else
        return false;
    return true;
}

void rvl_label_target(rvl_label_state s, rvl_uncertain_policy u, rvl_missing_policy m, float *target, float *weight)
{
    *target = 0.0f;
    *weight = 1.0f;
    switch (s) {
    case RVL_LABEL_PRESENT:
        *target = 1.0f;
        break;
    case RVL_LABEL_ABSENT:
        break;
    case RVL_LABEL_UNCERTAIN:
        *target = u == RVL_UNCERTAIN_PRESENT ? 1.0f : u == RVL_UNCERTAIN_HALF ? 0.5f : 0.0f;
        *weight = u == RVL_UNCERTAIN_IGNORE ? 0.0f : 1.0f;
        break;
    case RVL_LABEL_NOT_MENTIONED:
    default:
        *weight = m == RVL_MISSING_IGNORE ? 0.0f : 1.0f;
        break;
    }
}
