/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_findings_schema.c
 * The built-in schemas, prompts, look-up, refusals with file and line; label states and targets.
 */
#include "support.h"
#include "base/alloc.h"
#include "findings/schema.h"

static rvl_schema *builtin(const char *name)
{
    rvl_schema *s = NULL;
    rvl_error   err = {0};

    if (rvl_schema_open(&s, name, &err))
        fail_msg("%s", err.text);
    assert_string_equal(rvl_schema_name(s), name);
    return s;
}

static void names_check(const char *schema, const char *const *names, int n)
{
    rvl_schema *s = builtin(schema);

    assert_int_equal(rvl_schema_count(s), n);
    for (int i = 0; i < n; i++) {
        assert_string_equal(rvl_schema_at(s, i)->name, names[i]);
        assert_int_equal(rvl_schema_index(s, names[i]), i);
    }
    assert_null(rvl_schema_at(s, n));
    assert_null(rvl_schema_at(s, -1));
    rvl_schema_free(s);
}

static void builtin__nih_has_its_fourteen_names(void **state)
{
    static const char *const names[] = {"atelectasis", "cardiomegaly", "effusion",           "infiltration",  "mass",
                                        "nodule",      "pneumonia",    "pneumothorax",       "consolidation", "edema",
                                        "emphysema",   "fibrosis",     "pleural_thickening", "hernia"};
    (void)state;
    names_check("nih-14", names, 14);
}

static void builtin__chexpert_has_its_fourteen_names(void **state)
{
    static const char *const names[] = {"no_finding",       "enlarged_cardiomediastinum",
                                        "cardiomegaly",     "lung_opacity",
                                        "lung_lesion",      "edema",
                                        "consolidation",    "pneumonia",
                                        "atelectasis",      "pneumothorax",
                                        "pleural_effusion", "pleural_other",
                                        "fracture",         "support_devices"};
    (void)state;
    names_check("chexpert-14", names, 14);
}

static void builtin__pneumonia_has_one_finding(void **state)
{
    static const char *const names[] = {"pneumonia"};

    (void)state;
    names_check("pneumonia-1", names, 1);
}

static void builtin__phantom_has_its_prompts(void **state)
{
    static const char *const names[] = {"pleural_effusion", "pneumothorax", "consolidation", "nodule",
                                        "cardiomegaly",     "atelectasis",  "edema",         "device"};
    rvl_schema              *s = NULL;
    const rvl_finding       *f = NULL;

    (void)state;
    names_check("phantom-8", names, 8);
    s = builtin("phantom-8");
    f = rvl_schema_at(s, 0);
    assert_string_equal(f->title, "pleural effusion");
    assert_int_equal(f->n_positive, 3); /* its own prompts */
    assert_string_equal(f->positive[0], "Moderate left pleural effusion is seen.");
    assert_int_equal(f->n_negative, 2); /* the schema's templates, filled */
    assert_string_equal(f->negative[0], "No sign of pleural effusion is seen.");
    assert_string_equal(f->negative[1], "There is no pleural effusion.");
    assert_string_equal(rvl_schema_at(s, 3)->title, "lung nodule");
    assert_string_equal(rvl_schema_at(s, 6)->title, "pulmonary edema");
    assert_string_equal(rvl_schema_at(s, 7)->title, "support device");
    rvl_schema_free(s);
}

/* The prompts of CT phantoms are for the findings of CT-RATE, in its order. */
static void builtin__phantom_ct_asks_for_the_findings_of_ct_rate(void **state)
{
    rvl_schema *a = builtin("phantom-ct-18"), *b = builtin("ct-rate-18");

    (void)state;
    assert_int_equal(rvl_schema_count(a), rvl_schema_count(b));
    for (int i = 0; i < rvl_schema_count(a); i++)
        assert_string_equal(rvl_schema_at(a, i)->name, rvl_schema_at(b, i)->name);
    rvl_schema_free(a);
    rvl_schema_free(b);
}

static void index__finds_names_titles_and_synonyms_in_any_spelling(void **state)
{
    rvl_schema *s = builtin("nih-14");

    (void)state;
    assert_int_equal(rvl_schema_index(s, "Pleural_Thickening"), 12);
    assert_int_equal(rvl_schema_index(s, "pleural thickening"), 12);
    assert_int_equal(rvl_schema_index(s, "Hiatus Hernia"), 13);
    assert_int_equal(rvl_schema_index(s, "Effusion"), 2);
    assert_int_equal(rvl_schema_index(s, "pleural"), -1);
    assert_int_equal(rvl_schema_index(s, ""), -1);
    rvl_schema_free(s);
}

static void open__names_the_nearest_builtin(void **state)
{
    rvl_schema *s = NULL;
    rvl_error   err = {0};

    (void)state;
    assert_int_equal(rvl_schema_open(&s, "nih14", &err), RVL_ERR_NOT_FOUND);
    assert_null(s);
    assert_non_null(strstr(err.text, "'nih-14'"));
    assert_int_equal(rvl_schema_open(&s, "no/such.yaml", &err), RVL_ERR_NOT_FOUND);
}

static void open__reads_a_file_and_keeps_its_text(void **state)
{
    char        dir[PATH_BYTES];
    char        path[PATH_BYTES + 16];
    const char *text = "name: mine\nfindings:\n  - {name: a_b, positive: ['has {} and {}'], negative: [plain]}\n";
    rvl_schema *s = NULL;
    rvl_error   err = {0};

    (void)state;
    temp_dir(dir);
    snprintf(path, sizeof path, "%s/mine.yaml", dir);
    assert_int_equal(rvl_file_write(path, text, strlen(text), &err), RVL_OK);
    assert_int_equal(rvl_schema_open(&s, path, &err), RVL_OK);
    assert_string_equal(rvl_schema_yaml(s), text);
    assert_string_equal(rvl_schema_at(s, 0)->title, "a b");
    assert_string_equal(rvl_schema_at(s, 0)->positive[0], "has a b and a b");
    assert_string_equal(rvl_schema_at(s, 0)->negative[0], "plain");
    rvl_schema_free(s);
    temp_dir_remove(dir);
}

#define HEAD "name: x\ntemplates: {positive: ['{}'], negative: ['no {}']}\nfindings:\n"

static void parse__refuses_mistakes_with_their_line(void **state)
{
    static const struct {
        const char *yaml;
        const char *said;
    } cases[] = {
        {"name: x\nfindngs: []\n", "findings"},
        {"name: x\nfindings: []\n", "t.yaml:2"},
        {"name: x\n", "findings"},
        {"findings:\n  - {name: a}\n", "name"},
        {"- a\n", "t.yaml:1"},
        {HEAD "  - {name: a}\n  - {name: a}\n", "t.yaml:5"},
        {HEAD "  - {name: a}\n  - {name: b, synonyms: [A]}\n", "t.yaml:5"},
        {HEAD "  - {name: a, title: same}\n  - {name: b, title: Same}\n", "t.yaml:5"},
        {HEAD "  - {name: A}\n", "t.yaml:4"},
        {HEAD "  - {name: 'a b'}\n", "t.yaml:4"},
        {HEAD "  - {title: a}\n", "t.yaml:4"},
        {HEAD "  - {name: a, title: ' '}\n", "t.yaml:4"},
        {HEAD "  - {name: a, sinonyms: [b]}\n", "synonyms"},
        {HEAD "  - {name: a, positive: ['']}\n", "t.yaml:4"},
        {HEAD "  - {name: a, positive: text}\n", "t.yaml:4"},
        {HEAD "  - {name: a, positive: [[b]]}\n", "t.yaml:4"},
        {HEAD "  - a\n", "t.yaml:4"},
        {"name: x\ntemplates: {positive: ['is']}\nfindings: [{name: a}]\n", "t.yaml:2"},
        {"name: x\ntemplates: [a]\nfindings: [{name: a}]\n", "t.yaml:2"},
        {"name: x\ntemplates: {positive: ['{}'], neutral: ['{}']}\nfindings: [{name: a}]\n", "neutral"},
        {"name: x\ntemplates: {positive: ['{}']}\nfindings: [{name: a}]\n", "negative"},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        rvl_schema *s = NULL;
        rvl_error   err = {0};
        rvl_status  st = rvl_schema_parse(&s, cases[i].yaml, strlen(cases[i].yaml), "t.yaml", &err);
        if (st != RVL_ERR_FORMAT || s || !strstr(err.text, cases[i].said) || !strstr(err.text, "t.yaml"))
            fail_msg("case %zu: status %d, '%s'", i, (int)st, err.text);
    }
}

static void parse__survives_every_failed_allocation(void **state)
{
    const char *yaml = HEAD "  - {name: a, title: t, synonyms: [q]}\n  - {name: b}\n";
    size_t      live = rvl_alloc_get_stats().live_bytes;

    (void)state;
    for (uint64_t nth = 1; nth < 400; nth++) {
        rvl_schema *s = NULL;
        rvl_alloc_fail_at(nth);
        rvl_status st = rvl_schema_parse(&s, yaml, strlen(yaml), "t.yaml", NULL);
        rvl_alloc_fail_at(0);
        assert_true(st == RVL_OK || st == RVL_ERR_NOMEM);
        rvl_schema_free(s);
        assert_int_equal(rvl_alloc_get_stats().live_bytes, live);
        if (st == RVL_OK) {
            assert_true(nth > 3);
            return;
        }
    }
    fail_msg("still failing after 400 allocations");
}

static void label__reads_every_spelling(void **state)
{
    static const struct {
        const char     *text;
        rvl_label_state want;
    } good[] = {
        {"1", RVL_LABEL_PRESENT},
        {"1.0", RVL_LABEL_PRESENT},
        {"present", RVL_LABEL_PRESENT},
        {"0", RVL_LABEL_ABSENT},
        {"0.0", RVL_LABEL_ABSENT},
        {"Absent", RVL_LABEL_ABSENT},
        {"-1", RVL_LABEL_UNCERTAIN},
        {"-1.0", RVL_LABEL_UNCERTAIN},
        {" uncertain ", RVL_LABEL_UNCERTAIN},
        {"", RVL_LABEL_NOT_MENTIONED},
        {"nan", RVL_LABEL_NOT_MENTIONED},
        {"NaN", RVL_LABEL_NOT_MENTIONED},
        {"not_mentioned", RVL_LABEL_NOT_MENTIONED},
    };
    static const char *const bad[] = {
        "2",        "0.5",   "yes?", "-2",
        "presentt", "1e400", "inf",  "a text much longer than any state of a label can ever be"};
    rvl_label_state got = RVL_LABEL_PRESENT;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(good); i++) {
        got = (rvl_label_state)99;
        assert_true(rvl_label_parse(good[i].text, &got));
        assert_int_equal(got, good[i].want);
        assert_true(rvl_label_parse(rvl_label_text(got), &got));
        assert_int_equal(got, good[i].want);
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        assert_false(rvl_label_parse(bad[i], &got));
}

static void label__becomes_the_target_its_policy_says(void **state)
{
    static const struct {
        rvl_label_state      state;
        rvl_uncertain_policy u;
        rvl_missing_policy   m;
        float                target, weight;
    } cases[] = {
        {RVL_LABEL_PRESENT, RVL_UNCERTAIN_ABSENT, RVL_MISSING_IGNORE, 1.0f, 1.0f},
        {RVL_LABEL_ABSENT, RVL_UNCERTAIN_PRESENT, RVL_MISSING_IGNORE, 0.0f, 1.0f},
        {RVL_LABEL_UNCERTAIN, RVL_UNCERTAIN_IGNORE, RVL_MISSING_ABSENT, 0.0f, 0.0f},
        {RVL_LABEL_UNCERTAIN, RVL_UNCERTAIN_PRESENT, RVL_MISSING_IGNORE, 1.0f, 1.0f},
        {RVL_LABEL_UNCERTAIN, RVL_UNCERTAIN_ABSENT, RVL_MISSING_IGNORE, 0.0f, 1.0f},
        {RVL_LABEL_UNCERTAIN, RVL_UNCERTAIN_HALF, RVL_MISSING_IGNORE, 0.5f, 1.0f},
        {RVL_LABEL_NOT_MENTIONED, RVL_UNCERTAIN_PRESENT, RVL_MISSING_IGNORE, 0.0f, 0.0f},
        {RVL_LABEL_NOT_MENTIONED, RVL_UNCERTAIN_PRESENT, RVL_MISSING_ABSENT, 0.0f, 1.0f},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++) {
        float target = -9.0f;
        float weight = -9.0f;
        rvl_label_target(cases[i].state, cases[i].u, cases[i].m, &target, &weight);
        assert_true(target == cases[i].target);
        assert_true(weight == cases[i].weight);
    }
}

/** A prompt set's sentences in place of the schema's own; the empty text may be one of them. */
static void prompt_sets__replace_the_sentences(void **state)
{
    static const char *const rows[][3] = {
        {"ct-clip", "pleural effusion is present.", "pleural effusion is not present."},
        {"mps-ct", "pleural effusion.", ""},
        {"greenrfm-p1", "pleural effusion.", "not pleural effusion."},
        {"greenrfm-p2", "pleural effusion.", ""},
        {"greenrfm-p3", "There is pleural effusion.", "There is no pleural effusion."},
        {"greenrfm-p4", "pleural effusion is present.", "pleural effusion is not present."},
        {"greenrfm-p5", "Findings are compatible with pleural effusion.",
         "Findings are not compatible with pleural effusion."},
        {"hlip", "The volume shows: pleural effusion.", "The volume shows: Not pleural effusion."},
        {"fvlm", "pleural effusion.", "Not pleural effusion."}};
    rvl_schema *s = NULL;
    rvl_schema *none = NULL;
    rvl_error   failure = {0};

    (void)state;
    OK(rvl_schema_open(&s, "ct-rate-18", &err));
    for (size_t i = 0; i < RVL_ARRAY_LEN(rows); i++) {
        rvl_schema *other = NULL;

        OK(rvl_schema_with_prompts(&other, s, rows[i][0], &err));
        assert_int_equal(rvl_schema_count(other), 18);
        const rvl_finding *f = rvl_schema_at(other, 12);
        assert_string_equal(f->name, "pleural_effusion");
        assert_int_equal(f->n_positive, 1);
        assert_int_equal(f->n_negative, 1);
        assert_string_equal(f->positive[0], rows[i][1]);
        assert_string_equal(f->negative[0], rows[i][2]);
        rvl_schema_free(other);
    }
    assert_int_equal(rvl_schema_with_prompts(&none, s, "mps", &failure), RVL_ERR_NOT_FOUND);
    assert_null(none);
    assert_non_null(strstr(failure.text, "mps-ct"));
    rvl_schema_free(s);
}

static void rad_chestct__has_its_classes(void **state)
{
    rvl_schema *s = NULL;

    (void)state;
    OK(rvl_schema_open(&s, "rad-chestct-16", &err));
    assert_int_equal(rvl_schema_count(s), 16);
    assert_int_equal(rvl_schema_index(s, "calcification"), 1);
    assert_int_equal(rvl_schema_index(s, "bronchial_wall_thickening"), rvl_schema_index(s, "peribronchial_thickening"));
    rvl_schema_free(s);
    OK(rvl_schema_open(&s, "rad-chestct-15", &err));
    assert_int_equal(rvl_schema_count(s), 15);
    assert_int_equal(rvl_schema_index(s, "medical material"), -1);
    rvl_schema_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompt_sets__replace_the_sentences),
        cmocka_unit_test(rad_chestct__has_its_classes),
        cmocka_unit_test(builtin__nih_has_its_fourteen_names),
        cmocka_unit_test(builtin__chexpert_has_its_fourteen_names),
        cmocka_unit_test(builtin__pneumonia_has_one_finding),
        cmocka_unit_test(builtin__phantom_has_its_prompts),
        cmocka_unit_test(builtin__phantom_ct_asks_for_the_findings_of_ct_rate),
        cmocka_unit_test(index__finds_names_titles_and_synonyms_in_any_spelling),
        cmocka_unit_test(open__names_the_nearest_builtin),
        cmocka_unit_test(open__reads_a_file_and_keeps_its_text),
        cmocka_unit_test(parse__refuses_mistakes_with_their_line),
        cmocka_unit_test(parse__survives_every_failed_allocation),
        cmocka_unit_test(label__reads_every_spelling),
        cmocka_unit_test(label__becomes_the_target_its_policy_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
