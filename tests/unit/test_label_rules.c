/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_label_rules.c
 * Phrases, scopes of cues, sections, outcomes and evidence of rule labellers; files that are refused.
 */
#include "support.h"
#include "base/alloc.h"
#include "label/rules.h"
#include "label/terms.h"

#define P RVL_LABEL_PRESENT
#define A RVL_LABEL_ABSENT
#define U RVL_LABEL_UNCERTAIN
#define N RVL_LABEL_NOT_MENTIONED

static const char schema_yaml[] = "name: tiny\n"
                                  "templates: {positive: [\"{}.\"], negative: [\"no {}.\"]}\n"
                                  "findings: [{name: effusion}, {name: nodule}, {name: clear}]\n";

static const char rules_yaml[] =
    "name: tiny\n"
    "version: 7\n"
    "include: english\n"
    "lists: {size: [small, \"very large\"]}\n"
    "findings:\n"
    "  - name: effusion\n"
    "    mentions: [\"pleural effusion*\", effusion, \"fluid ... pleural\"]\n"
    "    hints: [\"<size> shadow\"]\n"
    "    denied: [\"sulci ... clear\"]\n"
    "    except: [\"pericardial effusion\"]\n"
    "    probability: {not_mentioned: 0.01, absent: 0.02, uncertain: 0.3, hint: 0.6, disputed: 0.8, once: 0.9, often: "
    "0.95}\n"
    "  - {name: nodule, mentions: [nodul*], unless: [thyroid], needs: [lung*, lobe], hints: [spot]}\n"
    "  - {name: clear, none_of: [effusion, nodule]}\n";

typedef struct {
    rvl_schema   *schema;
    rvl_labeller *labeller;
} fixture;

static void open_rules(fixture *f, const char *yaml)
{
    rvl_error err = {0};

    assert_int_equal(rvl_schema_parse(&f->schema, schema_yaml, sizeof schema_yaml - 1, "tiny.yaml", &err), RVL_OK);
    if (rvl_rules_parse(&f->labeller, yaml, strlen(yaml), "rules.yaml", f->schema, &err) != RVL_OK)
        fail_msg("%s", err.text);
}

static void close_rules(fixture *f)
{
    rvl_labeller_free(f->labeller);
    rvl_schema_free(f->schema);
}

static void label_one(rvl_label_row rows[3], const fixture *f, const char *text)
{
    rvl_label_outcome     outcome;
    const rvl_span        span = {(const uint8_t *)text, strlen(text)};
    const rvl_label_batch batch = {.n = 1, .texts = &span};

    assert_int_equal(f->labeller->label(f->labeller, rows, &outcome, &batch, NULL), RVL_OK);
    assert_int_equal(outcome.outcome, RVL_LABELLED);
}

/* Effusion and nodule of sentences made up for the scopes they try. */
static void scopes__decide_the_state(void **state)
{
    static const struct {
        const char     *text;
        rvl_label_state effusion, nodule;
    } cases[] = {
        {"Left pleural effusion.", P, N},
        {"PLEURAL EFFUSIONS on both sides.", P, N},
        {"No pleural effusion.", A, N},
        {"Effusion was not seen.", A, N},
        {"There is no effusion or lung nodule.", A, A},
        {"No mass, effusion, or nodule in either lung.", A, A},
        {"Neither effusion nor lung nodule.", A, A},
        {"No effusion, but a nodule is seen in the left lung.", A, P},
        {"Effusion is present, and no nodule was found in the lungs.", P, A},
        {"A lung nodule is seen; effusion was not detected.", A, P},
        {"A nodule in the upper lobe is noted, effusion is absent.", A, P},
        {"Possible effusion.", U, N},
        {"No lung nodule and possible effusion.", U, A},
        {"Effusion cannot be excluded.", U, N},
        {"Small density on the right (effusion?) was stable.", U, N},
        {"Lung nodule (effusion?) in the right lobe.", U, P},
        {"No lung nodule. Effusion on the right.", P, A},
        {"Effusion. No effusion on the left.", P, N},
        {"History of effusion.", N, N},
        {"No change of the effusion.", P, N},
        {"No new nodule in the lungs.", N, P},
        {"Pericardial effusion is seen.", N, N},
        {"Fluid fills the left pleural space.", P, N},
        {"Fluid far away from all that could be called the pleural space.", N, N},
        {"Fluid is absent from the pleural space.", A, N},
        {"The chest is free of effusion and lung nodules.", A, A},
        {"Both lungs are negative for nodules.", N, A},
        {"Costal sulci are deep and clear.", A, N},
        {"Thyroid nodule beside the lung.", N, N},
        {"Nodule of the skin.", N, N},
        {"Indication: effusion?\nFindings: Lungs clear.", N, N},
        {"COMPARISON: old film with effusion. FINDINGS: Nodule in the left lung.", N, P},
        {"Nodular-appearing left lung.", N, P},
        {"", N, N},
    };
    fixture       f;
    rvl_label_row rows[3];

    (void)state;
    open_rules(&f, rules_yaml);
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        label_one(rows, &f, cases[i].text);
        if (rows[0].state != cases[i].effusion || rows[1].state != cases[i].nodule)
            fail_msg("'%s': effusion %s, nodule %s", cases[i].text, rvl_label_text(rows[0].state),
                     rvl_label_text(rows[1].state));
    }
    close_rules(&f);
}

static void outcomes__have_their_probabilities(void **state)
{
    static const struct {
        const char *text;
        double      p;
    } cases[] = {
        {"Heart normal.", 0.01},
        {"No effusion.", 0.02},
        {"Possible effusion.", 0.3},
        {"Small shadow at the base.", 0.6},
        {"Very large shadow.", 0.6},
        {"Left effusion. No effusion right.", 0.8},
        {"Effusion.", 0.9},
        {"Effusion here. The effusion is large.", 0.95},
        {"Effusion and effusion.", 0.9},
    };
    fixture       f;
    rvl_label_row rows[3];

    (void)state;
    open_rules(&f, rules_yaml);
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        label_one(rows, &f, cases[i].text);
        if (rows[0].probability < cases[i].p - 1e-9 || rows[0].probability > cases[i].p + 1e-9)
            fail_msg("'%s': %g", cases[i].text, rows[0].probability);
    }
    label_one(rows, &f, "No effusion.");
    assert_int_equal(rows[2].state, P);
    assert_true(rows[2].probability > 0.9);
    label_one(rows, &f, "Effusion.");
    assert_int_equal(rows[2].state, A);
    close_rules(&f);
}

static void evidence__is_the_words_of_the_report(void **state)
{
    static const char text[] = "FINDINGS: No mass.\n\nThere is a \xc3\xa9norme  pleural\n effusion, left.";
    fixture           f;
    rvl_label_row     rows[3];

    (void)state;
    open_rules(&f, rules_yaml);
    label_one(rows, &f, text);
    assert_int_equal(rows[0].evidence_bytes, strlen("pleural\n effusion"));
    assert_memory_equal(text + rows[0].evidence_at, "pleural\n effusion", rows[0].evidence_bytes);
    assert_int_equal(rows[1].evidence_bytes, 0);
    assert_string_equal(rows[0].source, "rules");
    assert_true(strncmp(rows[0].version, "tiny/7+", 7) == 0);
    close_rules(&f);
}

static void batches__are_labelled_in_order(void **state)
{
    enum { COUNT = 100 };
    static const char *const texts[] = {"Effusion.", "No effusion.", "Bad \xff byte."};
    fixture                  f;
    rvl_span                 spans[COUNT];
    rvl_label_row           *rows = rvl_alloc_array((size_t)COUNT * 3, sizeof *rows);
    rvl_label_outcome        outcomes[COUNT];
    bool                     wanted[COUNT * 3];
    const rvl_label_batch    batch = {.n = COUNT, .texts = spans, .wanted = wanted};

    (void)state;
    open_rules(&f, rules_yaml);
    for (int i = 0; i < COUNT; i++) {
        spans[i] = (rvl_span){(const uint8_t *)texts[i % 3], strlen(texts[i % 3])};
        for (int k = 0; k < 3; k++) {
            wanted[i * 3 + k] = k == 0;
            rows[i * 3 + k].probability = 42.0;
        }
    }
    assert_int_equal(f.labeller->label(f.labeller, rows, outcomes, &batch, NULL), RVL_OK);
    for (int i = 0; i < COUNT; i++) {
        assert_int_equal(outcomes[i].outcome, i % 3 == 2 ? RVL_LABELLED_FAILED : RVL_LABELLED);
        if (i % 3 == 2)
            assert_string_equal(outcomes[i].reason, "not UTF-8");
        else
            assert_int_equal(rows[i * 3].state, i % 3 == 0 ? P : A);
        assert_true(rows[i * 3 + 1].probability > 41.0); /* not wanted, left alone */
    }
    rvl_free(rows);
    close_rules(&f);
}

static void files__that_are_wrong_are_refused_with_their_line(void **state)
{
    static const struct {
        const char *yaml, *message;
    } cases[] = {
        {"name: x\n", "'findings' is missing"},
        {"name: x\nfindings:\n  - {name: effusion, mentions: [a], colour: [b]}\n",
         "rules.yaml:3: unknown key 'colour'"},
        {"findings: [{name: spleen, mentions: [a]}]", "has no finding 'spleen'"},
        {"findings: [{name: effusion, mentions: [a]}]", "no rules for finding 'nodule'"},
        {"findings: [{name: effusion}]", "has no mentions"},
        {"findings:\n  - {name: effusion, mentions: [\"<sizes> a\"]}", "rules.yaml:2: there is no list 'sizes'"},
        {"findings:\n  - {name: effusion, mentions: [\"Effusion\"]}", "lower case"},
        {"findings:\n  - {name: effusion, mentions: [\"... effusion\"]}", "may not be left out"},
        {"findings:\n  - {name: effusion, mentions: [\"ef+usion\"]}", "has a '+' in it"},
        {"findings:\n  - {name: effusion, mentions: [\"a|b|\"]}", "a word is empty"},
        {"findings:\n  - {name: effusion, mentions: [a], probability: {once: 1.5}}", "outside 0..1"},
        {"findings:\n  - {name: effusion, none_of: [effusion]}", "is no other finding"},
        {"include: klingon\nfindings: []", "no built-in rules 'klingon'"},
        {"sections: {findings: skim}\nfindings: []", "is read or ignore"},
        {"lists: {a: [\"<a>\"]}\nfindings:\n  - {name: effusion, mentions: [\"<a>\"]}", "there is no list 'a'"},
    };
    fixture f;

    (void)state;
    open_rules(&f, rules_yaml);
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_labeller *l = NULL;
        rvl_error     err = {0};
        assert_int_not_equal(rvl_rules_parse(&l, cases[i].yaml, strlen(cases[i].yaml), "rules.yaml", f.schema, &err),
                             RVL_OK);
        assert_null(l);
        if (!strstr(err.text, cases[i].message))
            fail_msg("'%s' does not say '%s'", err.text, cases[i].message);
    }
    close_rules(&f);
}

static void builtin__rules_label_with_their_schemas(void **state)
{
    static const char *const names[] = {"ct-rate-18", "chexpert-14", "nih-14", "phantom-8", "pneumonia-1"};

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(names); i++) {
        rvl_schema   *s = NULL;
        rvl_labeller *l = NULL;
        rvl_error     err = {0};
        assert_int_equal(rvl_schema_open(&s, names[i], &err), RVL_OK);
        if (rvl_rules_open(&l, NULL, s, &err) != RVL_OK)
            fail_msg("%s", err.text);
        rvl_labeller_free(l);
        rvl_schema_free(s);
    }
}

/* A phrase against a text: whether it is found, and as which bytes. */
static void phrases__are_found_as_written(void **state)
{
    static const struct {
        const char *phrase, *text, *found;
    } cases[] = {
        {"nodule", "a nodule.", "nodule"},
        {"nodule", "nodules", NULL},
        {"nodul*", "Nodularity", "Nodularity"},
        {"ground glass", "ground-glass", "ground-glass"},
        {"left|right lung", "right lung", "right lung"},
        {"left small? effusion", "left effusion", "left effusion"},
        {"left small? effusion", "left small effusion", "left small effusion"},
        {"left small? effusion", "left large effusion", NULL},
        {"a ... b", "a b", "a b"},
        {"a ... b", "a x y z w b", "a x y z w b"},
        {"a ... b", "a x y z w v b", NULL},
        {"a ... b", "a x. b", NULL},
        {"a ... b", "a b b", "a b b"},
        {"# mm", "is 3.5 mm", "3.5 mm"},
        {"# mm", "is four mm", NULL},
        {"( ? )", "(?)", "(?)"},
        {"aort*", "aorta", "aorta"},
        {"a*", "abc", "abc"},
    };

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl__terms *t = rvl__terms_new();
        rvl__token  tokens[64];
        rvl__match  m[16];
        assert_non_null(t);
        assert_int_equal(rvl__terms_add(t, cases[i].phrase, 5, NULL), RVL_OK);
        assert_int_equal(rvl__terms_finish(t, NULL), RVL_OK);
        size_t n = rvl__terms_tokens(tokens, t, cases[i].text, strlen(cases[i].text));
        size_t n_found = rvl__terms_find(m, 16, t, tokens, n);
        if ((n_found > 0) != (cases[i].found != NULL))
            fail_msg("'%s' in '%s': %zu", cases[i].phrase, cases[i].text, n_found);
        if (n_found > 0) {
            const rvl__token *last = &tokens[m[0].to - 1];
            assert_int_equal(m[0].tag, 5);
            assert_int_equal(last->at + last->n_bytes - tokens[m[0].from].at, strlen(cases[i].found));
        }
        rvl__terms_free(t);
    }
}

static void memory__that_ends_is_reported(void **state)
{
    rvl_schema *s = NULL;

    (void)state;
    assert_int_equal(rvl_schema_parse(&s, schema_yaml, sizeof schema_yaml - 1, "tiny.yaml", NULL), RVL_OK);
    for (uint64_t nth = 1; nth < 400; nth += 7) {
        rvl_labeller *l = NULL;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_rules_parse(&l, rules_yaml, sizeof rules_yaml - 1, "rules.yaml", s, NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        rvl_labeller_free(l);
    }
    rvl_schema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scopes__decide_the_state),
        cmocka_unit_test(outcomes__have_their_probabilities),
        cmocka_unit_test(evidence__is_the_words_of_the_report),
        cmocka_unit_test(batches__are_labelled_in_order),
        cmocka_unit_test(files__that_are_wrong_are_refused_with_their_line),
        cmocka_unit_test(builtin__rules_label_with_their_schemas),
        cmocka_unit_test(phrases__are_found_as_written),
        cmocka_unit_test(memory__that_ends_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
