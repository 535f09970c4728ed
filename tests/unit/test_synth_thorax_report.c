/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_synth_thorax_report.c
 * Reports of CT phantoms: judged by a lexicon and a negation rule of the test's own.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include "base/alloc.h"
#include "findings/schema.h"
#include "synth/thorax.h"

static const char *const lexicon[RVL_THORAX_N_FINDINGS][6] = {
    {"medical material", "pacemaker", "catheter", "wires", "tube", NULL},
    {"aort", NULL},
    {"cardiomegaly", "heart is", "heart shows", "heart size", "enlarged heart", NULL},
    {"pericardi", NULL},
    {"coronary", NULL},
    {"hernia", NULL},
    {"lymph", NULL},
    {"emphysem", NULL},
    {"atelecta", NULL},
    {"nodule", NULL},
    {"ground glass", NULL},
    {"sequela", NULL},
    {"pleural", NULL},
    {"mosaic", NULL},
    {"peribronchial", NULL},
    {"consolidation", NULL},
    {"bronchiecta", NULL},
    {"interlobular", NULL},
};
static const char *const negations[] = {"no ", "without", "not ", "normal"};

static bool holds(const char *text, const char *word)
{
    return strstr(text, word) != NULL;
}

static bool is_negated(const char *sentence)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(negations); i++)
        if (holds(sentence, negations[i]))
            return true;
    return false;
}

static bool names_finding(const char *sentence, int f)
{
    for (int i = 0; lexicon[f][i]; i++)
        if (holds(sentence, lexicon[f][i]))
            return true;
    return false;
}

/** Lower-case sentence behind `*text`, which moves on; false at the end. A decimal point ends none. */
static bool next_sentence(const char **text, char *out, size_t size)
{
    size_t n = 0;

    while (**text == ' ' || **text == '\n')
        ++*text;
    while (**text && n + 1 < size) {
        char c = *(*text)++;

        out[n++] = (char)tolower((unsigned char)c);
        if (c == '.' && (**text == ' ' || **text == '\n' || **text == 0))
            break;
    }
    out[n] = 0;
    return n > 0;
}

static void check_text(const char *text, const rvl_thorax_case *c, bool told[RVL_THORAX_N_FINDINGS])
{
    char s[512];

    while (next_sentence(&text, s, sizeof s))
        for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++) {
            if (!names_finding(s, f))
                continue;
            if (is_negated(s) == c->truth[f].present)
                fail_msg("case %d: %s is %s but: %s", (int)c->index, rvl_thorax_finding_name(f),
                         c->truth[f].present ? "present" : "absent", s);
            told[f] |= c->truth[f].present;
        }
}

static void report__states_exactly_the_truth(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        rvl_thorax_case    c;
        rvl_phantom_report r;
        bool               told[RVL_THORAX_N_FINDINGS] = {false};

        rvl_thorax_case_make(&c, 11, i, 96, 2, NULL);
        assert_int_equal(rvl_thorax_report_write(&r, &c, NULL), RVL_OK);
        check_text(r.impression, &c, told);
        memset(told, 0, sizeof told);
        check_text(r.findings, &c, told);
        for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
            assert_int_equal(told[f], c.truth[f].present);
        assert_null(strchr(r.report, '{'));
        assert_true(strlen(r.findings) > 5 && strlen(r.impression) > 5);
        rvl_phantom_report_fini(&r);
    }
}

static void report__names_the_side_of_the_truth(void **state)
{
    int n_checked = 0;

    (void)state;
    for (int i = 0; i < 600; i++) {
        rvl_thorax_case    c;
        rvl_phantom_report r;
        const char        *at;
        char               s[512];

        rvl_thorax_case_make(&c, 12, i, 96, 2, NULL);
        assert_int_equal(rvl_thorax_report_write(&r, &c, NULL), RVL_OK);
        at = r.findings;
        while (next_sentence(&at, s, sizeof s))
            for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
                if (c.truth[f].present && names_finding(s, f) && c.truth[f].side == RVL_SIDE_LEFT) {
                    assert_false(holds(s, "right")); /* a doubtful one has no side */
                    n_checked += holds(s, "left");
                }
        rvl_phantom_report_fini(&r);
    }
    assert_true(n_checked > 100);
}

static void templates__of_test_are_absent_from_training(void **state)
{
    int n_train = 0, n_test = 0;

    (void)state;
    for (const char *a; (a = rvl_thorax_template_at(false, n_train)); n_train++)
        for (int i = 0; rvl_thorax_template_at(true, i); i++)
            assert_string_not_equal(a, rvl_thorax_template_at(true, i));
    while (rvl_thorax_template_at(true, n_test))
        n_test++;
    assert_true(n_train > 100 && n_test > 50);
}

/** Sentences as written, too: slots might make two templates alike. */
static void sentences__of_test_are_absent_from_training(void **state)
{
    enum { MAX = 20000 };
    static char *train[MAX];
    int          n = 0;

    (void)state;
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 1200; i++) {
            rvl_thorax_case    c;
            rvl_phantom_report r;
            const char        *at;
            char               s[512];

            rvl_thorax_case_make(&c, 14, i, 96, 2, NULL);
            if ((c.split == RVL_PHANTOM_TEST) != (pass == 1))
                continue;
            assert_int_equal(rvl_thorax_report_write(&r, &c, NULL), RVL_OK);
            for (int part = 0; part < 2; part++)
                for (at = part ? r.impression : r.findings; next_sentence(&at, s, sizeof s);) {
                    if (pass == 0 && n < MAX)
                        train[n++] = rvl_strdup(s);
                    for (int j = 0; pass == 1 && j < n; j++)
                        assert_string_not_equal(s, train[j]);
                }
            rvl_phantom_report_fini(&r);
        }
    assert_true(n > 3000 && n < MAX);
    for (int j = 0; j < n; j++)
        rvl_free(train[j]);
}

/** Words of one template set, lower case, without slots. */
static bool word_in(const char *word, bool test)
{
    for (int i = 0; rvl_thorax_template_at(test, i); i++) {
        char        text[512], *at = text;
        size_t      n = strlen(word);
        const char *t = rvl_thorax_template_at(test, i);

        snprintf(text, sizeof text, "%s", t);
        for (char *p = text; *p; p++)
            *p = (char)tolower((unsigned char)*p);
        while ((at = strstr(at, word))) {
            if ((at == text || !isalpha((unsigned char)at[-1])) && !isalpha((unsigned char)at[n]))
                return true;
            at++;
        }
    }
    return false;
}

static void words__of_test_mostly_occur_in_training(void **state)
{
    int known = 0, all = 0;

    (void)state;
    for (int i = 0; rvl_thorax_template_at(true, i); i++) {
        const char *t = rvl_thorax_template_at(true, i);

        while (*t) {
            char   word[64];
            size_t n = 0;

            if (*t == '{')
                t = strchr(t, '}');
            while (isalpha((unsigned char)*t) && n + 1 < sizeof word)
                word[n++] = (char)tolower((unsigned char)*t++);
            word[n] = 0;
            if (n == 0) {
                t++;
                continue;
            }
            all++;
            known += word_in(word, false);
            if (!word_in(word, false))
                print_message("not in the training sentences: %s\n", word);
        }
    }
    assert_true(all > 200);
    assert_true(known * 100 >= all * 95);
}

static void schema__names_the_findings_in_this_order(void **state)
{
    rvl_schema *schema = NULL;

    (void)state;
    assert_int_equal(rvl_schema_open(&schema, "ct-rate-18", NULL), RVL_OK);
    assert_int_equal(rvl_schema_count(schema), RVL_THORAX_N_FINDINGS);
    for (int f = 0; f < RVL_THORAX_N_FINDINGS; f++)
        assert_string_equal(rvl_schema_at(schema, f)->name, rvl_thorax_finding_name(f));
    rvl_schema_free(schema);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report__states_exactly_the_truth),
        cmocka_unit_test(report__names_the_side_of_the_truth),
        cmocka_unit_test(templates__of_test_are_absent_from_training),
        cmocka_unit_test(sentences__of_test_are_absent_from_training),
        cmocka_unit_test(words__of_test_mostly_occur_in_training),
        cmocka_unit_test(schema__names_the_findings_in_this_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
