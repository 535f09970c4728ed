/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file test_synth_report.c
 * Phantom reports: judged by a lexicon and a negation rule of the test's own.
 */
#include "report_fixture.h"
#include <strings.h>
#include "findings/schema.h"
#include "synth/phantom.h"

static const char *const lexicon[RVL_PHANTOM_N_FINDINGS][5] = {
    {"effusion", "pleural fluid", NULL},
    {"pneumothorax", "pleural air", NULL},
    {"consolidation", "airspace", NULL},
    {"nodule", "nodular", NULL},
    {"cardiomegaly", "enlarge", "cardiac", "heart", NULL},
    {"atelectasis", "collapse", "volume loss", NULL},
    {"edema", "congestion", NULL},
    {"device", "pacemaker", "catheter", "tube", NULL},
};
static const char *const negations[] = {"no ",    "without", "not ",     "nor ",   "neither",     "free of",
                                        "absent", "clear",   "negative", "normal", "unremarkable"};

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

static void check_text(const char *text, const rvl_phantom_case *c, bool told[RVL_PHANTOM_N_FINDINGS])
{
    char s[512];

    while (next_sentence(&text, s, sizeof s))
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++) {
            if (!names_finding(s, f))
                continue;
            if (is_negated(s) == c->truth[f].present)
                fail_msg("case %d: %s is %s but: %s", (int)c->index, rvl_phantom_finding_name(f),
                         c->truth[f].present ? "present" : "absent", s);
            told[f] |= c->truth[f].present;
        }
}

static void report__states_exactly_the_truth(void **state)
{
    (void)state;
    for (int i = 0; i < 1500; i++) {
        rvl_phantom_case   c;
        rvl_phantom_report r;
        bool               told[RVL_PHANTOM_N_FINDINGS] = {false};

        rvl_phantom_case_make(&c, 11, i, NULL);
        assert_int_equal(rvl_phantom_report_write(&r, &c, NULL), RVL_OK);
        check_text(r.impression, &c, told);
        memset(told, 0, sizeof told);
        check_text(r.findings, &c, told);
        for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
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
        rvl_phantom_case   c;
        rvl_phantom_report r;
        const char        *at;
        char               s[512];

        rvl_phantom_case_make(&c, 12, i, NULL);
        assert_int_equal(rvl_phantom_report_write(&r, &c, NULL), RVL_OK);
        at = r.findings;
        while (next_sentence(&at, s, sizeof s))
            for (int f = 0; f < RVL_PHANTOM_DEVICE; f++)
                if (c.truth[f].present && names_finding(s, f) && c.truth[f].side == RVL_SIDE_LEFT) {
                    assert_true(holds(s, "left"));
                    assert_false(holds(s, "right"));
                    n_checked++;
                }
        rvl_phantom_report_fini(&r);
    }
    assert_true(n_checked > 100);
}

static void report__leaves_some_absent_findings_unsaid(void **state)
{
    int said = 0, absent = 0;

    (void)state;
    for (int i = 0; i < 400; i++) {
        rvl_phantom_case   c;
        rvl_phantom_report r;

        rvl_phantom_case_make(&c, 13, i, NULL);
        assert_int_equal(rvl_phantom_report_write(&r, &c, NULL), RVL_OK);
        absent += !c.truth[RVL_PHANTOM_PNEUMOTHORAX].present;
        said += !c.truth[RVL_PHANTOM_PNEUMOTHORAX].present && holds(r.report, "pneumothorax");
        rvl_phantom_report_fini(&r);
    }
    assert_in_range(said, absent * 3 / 10, absent * 8 / 10);
}

static void templates__of_test_are_absent_from_training(void **state)
{
    (void)state;
    templates_differ(rvl_phantom_template_at);
}

static bool report_of(rvl_phantom_report *out, int i)
{
    rvl_phantom_case c;

    rvl_phantom_case_make(&c, 14, i, NULL);
    assert_int_equal(rvl_phantom_report_write(out, &c, NULL), RVL_OK);
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
    words_are_known(rvl_phantom_template_at);
}

static bool is_prompt(const rvl_schema *schema, const char *sentence)
{
    for (int f = 0; f < rvl_schema_count(schema); f++) {
        const rvl_finding *finding = rvl_schema_at(schema, f);

        for (size_t i = 0; i < finding->n_positive; i++)
            if (strcasecmp(finding->positive[i], sentence) == 0)
                return true;
        for (size_t i = 0; i < finding->n_negative; i++)
            if (strcasecmp(finding->negative[i], sentence) == 0)
                return true;
    }
    return false;
}

/** Prompts of the schema must not be sentences of the reports, with or without their full stop. */
static void sentences__are_no_prompts(void **state)
{
    rvl_schema *schema = NULL;

    (void)state;
    assert_int_equal(rvl_schema_open(&schema, "phantom-8", NULL), RVL_OK);
    assert_true(is_prompt(schema, rvl_schema_at(schema, 0)->positive[0]));
    for (int i = 0; i < 2500; i++) {
        rvl_phantom_case   c;
        rvl_phantom_report r;
        char               s[512];

        rvl_phantom_case_make(&c, 15, i, NULL);
        assert_int_equal(rvl_phantom_report_write(&r, &c, NULL), RVL_OK);
        for (int part = 0; part < 2; part++)
            for (const char *at = part ? r.impression : r.findings; next_sentence(&at, s, sizeof s);) {
                bool same = is_prompt(schema, s);

                s[strlen(s) - 1] = 0;
                if (same || is_prompt(schema, s))
                    fail_msg("a prompt of phantom-8 is a report's sentence: %s", s);
            }
        rvl_phantom_report_fini(&r);
    }
    rvl_schema_free(schema);
}

static void schema__names_the_findings_in_this_order(void **state)
{
    rvl_schema *schema = NULL;

    (void)state;
    assert_int_equal(rvl_schema_open(&schema, "phantom-8", NULL), RVL_OK);
    assert_int_equal(rvl_schema_count(schema), RVL_PHANTOM_N_FINDINGS);
    for (int f = 0; f < RVL_PHANTOM_N_FINDINGS; f++)
        assert_string_equal(rvl_schema_at(schema, f)->name, rvl_phantom_finding_name(f));
    rvl_schema_free(schema);
}

/** Forms reserved for prompts. */
static void templates__hold_no_prompt_form(void **state)
{
    static const char *const titles[] = {"pleural effusion", "pneumothorax", "consolidation",   "lung nodule",
                                         "cardiomegaly",     "atelectasis",  "pulmonary edema", "support device"};
    static const char *const forms[] = {"There is %s.", "%s is present.", "No evidence of %s."};

    (void)state;
    for (int test = 0; test < 2; test++)
        for (int i = 0; rvl_phantom_template_at(test, i); i++)
            for (size_t f = 0; f < RVL_ARRAY_LEN(forms); f++)
                for (size_t j = 0; j < RVL_ARRAY_LEN(titles); j++) {
                    const char *slot = strstr(forms[f], "%s");
                    char        filled[128];

                    snprintf(filled, sizeof filled, "%.*s%s%s", (int)(slot - forms[f]), forms[f], titles[j], slot + 2);
                    assert_int_not_equal(strcasecmp(rvl_phantom_template_at(test, i), filled), 0);
                }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report__states_exactly_the_truth),
        cmocka_unit_test(report__names_the_side_of_the_truth),
        cmocka_unit_test(report__leaves_some_absent_findings_unsaid),
        cmocka_unit_test(templates__of_test_are_absent_from_training),
        cmocka_unit_test(sentences__of_test_are_absent_from_training),
        cmocka_unit_test(words__of_test_mostly_occur_in_training),
        cmocka_unit_test(sentences__are_no_prompts),
        cmocka_unit_test(schema__names_the_findings_in_this_order),
        cmocka_unit_test(templates__hold_no_prompt_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
