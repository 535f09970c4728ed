/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_synth_thorax_report.c
 * Reports of CT phantoms: judged by a lexicon and a negation rule of the test's own.
 */
#include "report_fixture.h"
#include <strings.h>
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
    (void)state;
    templates_differ(rvl_thorax_template_at);
}

static bool report_of(rvl_phantom_report *out, int i)
{
    rvl_thorax_case c;

    rvl_thorax_case_make(&c, 14, i, 96, 2, NULL);
    assert_int_equal(rvl_thorax_report_write(out, &c, NULL), RVL_OK);
    return c.split == RVL_PHANTOM_TEST;
}

static void sentences__of_test_are_absent_from_training(void **state)
{
    (void)state;
    sentences_differ(report_of);
}

static void words__of_test_mostly_occur_in_training(void **state)
{
    (void)state;
    words_are_known(rvl_thorax_template_at);
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
