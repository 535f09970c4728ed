/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_text_sections.c
 * Headings in their many spellings, text that only looks like one, placeholders, sentences, and real reports.
 */
#include "support.h"
#include "base/csv.h"
#include "base/str.h"
#include "base/alloc.h"
#include "text/sections.h"

/* Expected texts in the order of rvl_section; NULL: absent. */
typedef struct {
    const char *report;
    const char *want[RVL_SECTION_COUNT];
} sections_case;

#define INDICATION [RVL_SECTION_INDICATION]
#define COMPARISON [RVL_SECTION_COMPARISON]
#define TECHNIQUE [RVL_SECTION_TECHNIQUE]
#define FINDINGS [RVL_SECTION_FINDINGS]
#define IMPRESSION [RVL_SECTION_IMPRESSION]
#define OTHER [RVL_SECTION_OTHER]

static void sections_check(const sections_case *c)
{
    rvl_report r;
    rvl_error  err = {0};

    assert_int_equal(rvl_report_parse(&r, c->report, &err), RVL_OK);
    for (int s = 0; s < RVL_SECTION_COUNT; s++)
        if (!rvl_str_equal(r.text[s], c->want[s]))
            fail_msg("%s of '%s': got '%s', want '%s'", rvl_section_text((rvl_section)s), c->report,
                     r.text[s] ? r.text[s] : "(null)", c->want[s] ? c->want[s] : "(null)");
    rvl_report_fini(&r);
}

static void report__is_split_by_its_headings(void **state)
{
    static const sections_case cases[] = {
        {"FINDINGS: Heart normal.\nIMPRESSION: No acute disease.",
         {FINDINGS = "Heart normal.", IMPRESSION = "No acute disease."}},
        {"FINAL REPORT\n EXAMINATION:  CHEST (PA AND LAT)\n\n INDICATION:  Cough.\n\n COMPARISON:  None.\n\n FINDINGS: "
         "\n\n PA and lateral\n views. Clear.\n\n IMPRESSION: \n \n No acute process.\n",
         {INDICATION = "Cough.", COMPARISON = "None.", FINDINGS = "PA and lateral views. Clear.",
          IMPRESSION = "No acute process.", OTHER = "CHEST (PA AND LAT)"}},
        {"Clinical  History: pain. Technique: AP view. Findings: Clear. Conclusion: Normal.",
         {INDICATION = "pain.", TECHNIQUE = "AP view.", FINDINGS = "Clear.", IMPRESSION = "Normal."}},
        {"clear lungs IMPRESSION: normal", {OTHER = "clear lungs", IMPRESSION = "normal"}},
        {"Impression - stable.\nReason for exam \xe2\x80\x93 fever", {IMPRESSION = "stable.", INDICATION = "fever"}},
        {"Findings\nHeart normal.\nImpression\nNormal.", {FINDINGS = "Heart normal.", IMPRESSION = "Normal."}},
        {"## Findings\nHeart normal.\n\n**Impression:** Normal.", {FINDINGS = "Heart normal.", IMPRESSION = "Normal."}},
        {"FINDINGS AND IMPRESSION: Clear.", {FINDINGS = "Clear."}},
        {"IMPRESSION: one.\nADDENDUM: late.\nIMPRESSION: two.", {IMPRESSION = "one. two.", OTHER = "late."}},
        {"FINDINGS:\nIMPRESSION: Normal.", {IMPRESSION = "Normal."}},
        {"FINDINGS\r\nLungs:\tclear\xc2\xa0today.\r\n", {FINDINGS = "Lungs: clear today."}},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++)
        sections_check(&cases[i]);
}

static void report__keeps_words_that_only_look_like_headings(void **state)
{
    static const sections_case cases[] = {
        {"The findings: are stable.", {FINDINGS = "The findings: are stable."}},
        {"The Findings: are stable.", {FINDINGS = "The Findings: are stable."}},
        {"No significant\nfindings\nare seen.", {FINDINGS = "No significant findings are seen."}},
        {"No change in comparison: stable", {FINDINGS = "No change in comparison: stable"}},
        {"FINDINGS: Lungs: clear. BONES: intact. No new findings.",
         {FINDINGS = "Lungs: clear. BONES: intact. No new findings."}},
        {"Findings consistent with edema.", {FINDINGS = "Findings consistent with edema."}},
        {"Comparison is made with a prior study.", {FINDINGS = "Comparison is made with a prior study."}},
        {"IMPRESSION: No findings - stable", {IMPRESSION = "No findings - stable"}},
        {"", {NULL}},
        {" \n\t", {NULL}},
    };
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(cases); i++)
        sections_check(&cases[i]);
}

static void report__refuses_bytes_that_are_not_utf8(void **state)
{
    rvl_report r;
    rvl_error  err = {0};

    (void)state;
    assert_int_equal(rvl_report_parse(&r, "FINDINGS: \xff", &err), RVL_ERR_FORMAT);
    assert_non_null(strstr(err.text, "byte 10"));
    rvl_report_fini(&r);
}

static void placeholder__is_text_that_says_nothing(void **state)
{
    static const char *const yes[] = {"",    " ",   "Not given.", "None", "none.",         "n/a",
                                      "N/A", "NaN", "-",          "XXXX", "Not available."};
    static const char *const no[] = {"No acute disease.",        "Normal.",
                                     "None of the lungs",        "clear",
                                     "\xe6\xad\xa3\xe5\xb8\xb8", "Not given the contrast agent"};
    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(yes); i++)
        assert_true(rvl_report_is_placeholder(yes[i]));
    for (size_t i = 0; i < RVL_ARRAY_LEN(no); i++)
        assert_false(rvl_report_is_placeholder(no[i]));
}

/* `want` is the sentences joined by '|'. */
static void sentences_check(const char *text, const char *want)
{
    size_t  offsets[16];
    size_t  lengths[16];
    size_t  n = rvl_sentences(text, offsets, lengths, 16);
    rvl_str got = {0};

    rvl_str_add(&got, "");
    for (size_t i = 0; i < n && i < 16; i++) {
        rvl_str_add(&got, i ? "|" : "");
        rvl_str_add_n(&got, text + offsets[i], lengths[i]);
    }
    if (!rvl_str_equal(got.ptr ? got.ptr : "", want))
        fail_msg("'%s': got '%s', want '%s'", text, got.ptr ? got.ptr : "", want);
    rvl_str_free(&got);
}

static void sentences__end_where_a_reader_ends_them(void **state)
{
    (void)state;
    sentences_check("", "");
    sentences_check("  \n ", "");
    sentences_check("Heart normal. Lungs clear.", "Heart normal.|Lungs clear.");
    sentences_check("A 3.5 cm mass. Stable", "A 3.5 cm mass.|Stable");
    sentences_check("Seen by Dr. Who vs. prior. Done!", "Seen by Dr. Who vs. prior.|Done!");
    sentences_check("Effusion, e.g. left. Why? (See above.) End", "Effusion, e.g. left.|Why?|(See above.)|End");
    sentences_check("1. Clear lungs. 2. No effusion.", "1. Clear lungs.|2. No effusion.");
    sentences_check("Series no. 4 of 7. No. The end", "Series no. 4 of 7.|No.|The end");
    sentences_check("Lungs are clear.Heart is normal.", "Lungs are clear.|Heart is normal.");
    sentences_check("Lungs\nclear\n\nHeart normal\n- Bones intact", "Lungs\nclear|Heart normal|- Bones intact");
    sentences_check("Stable...  New one", "Stable...|New one");
    sentences_check("Node (cyst?) in the liver. End", "Node (cyst?) in the liver.|End");
    sentences_check("Node (cyst?). End (why?) Next", "Node (cyst?).|End (why?)|Next");
    sentences_check("\xe2\x80\xa2 Effusion left \xe2\x80\xa2 Clear right",
                    "\xe2\x80\xa2 Effusion left|\xe2\x80\xa2 Clear right");
}

static void sentences__count_beyond_the_room_given(void **state)
{
    size_t offset = 99;
    size_t length = 99;

    (void)state;
    assert_int_equal(rvl_sentences("One. Two. Three.", &offset, &length, 1), 3);
    assert_int_equal(offset, 0);
    assert_int_equal(length, 4);
    assert_int_equal(rvl_sentences("One. Two.", NULL, NULL, 0), 2);
}

static void spans__stand_in_the_text_itself(void **state)
{
    static const char text[] = "Old words\n**FINDINGS:**  Clear.\nImpression: Well. FINDINGS: More";
    rvl_section_span  spans[4];

    (void)state;
    assert_int_equal(rvl_report_spans(text, spans, 4), 4);
    assert_int_equal(spans[0].section, RVL_SECTION_OTHER);
    assert_int_equal(spans[1].section, RVL_SECTION_FINDINGS);
    assert_int_equal(spans[2].section, RVL_SECTION_IMPRESSION);
    assert_int_equal(spans[3].section, RVL_SECTION_FINDINGS);
    assert_memory_equal(text + spans[0].at, "Old words", spans[0].n_bytes);
    assert_non_null(strstr(text + spans[1].at, "Clear."));
    assert_true(spans[1].at + spans[1].n_bytes <= (size_t)(strstr(text, "Impression") - text));
    assert_string_equal(text + spans[3].at, " More");
    assert_int_equal(rvl_report_spans("Just words", spans, 0), 1);
}

/* Fold white space as the parser does, so texts can be compared. */
static char *fold(const char *text)
{
    rvl_str s = {0};

    for (bool blank = false; *text; text++) {
        if (strchr(" \t\r\n", *text)) {
            blank = s.n_bytes > 0;
            continue;
        }
        if (blank)
            rvl_str_add(&s, " ");
        blank = false;
        rvl_str_add_n(&s, text, 1);
    }
    return rvl_str_take(&s);
}

/* Reports put together from the columns of the Open-I table must come apart again as they were. */
static void report__gives_back_the_sections_of_real_reports(void **state)
{
    static const struct {
        const char *column, *heading;
        rvl_section section;
    } parts[] = {
        {"comparison", "COMPARISON:", RVL_SECTION_COMPARISON},
        {"indication", "INDICATION:", RVL_SECTION_INDICATION},
        {"findings", "FINDINGS:", RVL_SECTION_FINDINGS},
        {"impression", "IMPRESSION:", RVL_SECTION_IMPRESSION},
    };
    char      path[PATH_BYTES];
    rvl_csv  *csv = NULL;
    rvl_error err = {0};
    size_t    n_texts = 0;
    size_t    n_wrong = 0;

    (void)state;
    SKIP_WITHOUT_DATA("reports_openi/openi_reports.csv");
    test_data_path(path, sizeof path, "reports_openi/openi_reports.csv");
    assert_int_equal(rvl_csv_load(&csv, path, 0, &err), RVL_OK);
    for (size_t row = 0; row < rvl_csv_n_rows(csv); row++) {
        for (int k = 0; k < 3; k++) { /* on the heading's line, below it, everything on one line */
            rvl_str    whole = {0};
            rvl_report r;
            for (size_t p = 0; p < RVL_ARRAY_LEN(parts); p++) {
                const char *cell = rvl_csv_cell(csv, row, (size_t)rvl_csv_column(csv, parts[p].column));
                rvl_str_add(&whole, parts[p].heading);
                rvl_str_add(&whole, k == 1 ? "\n" : " ");
                rvl_str_add(&whole, cell);
                rvl_str_add(&whole, k == 2 ? " " : "\n\n");
            }
            assert_int_equal(rvl_report_parse(&r, whole.ptr, &err), RVL_OK);
            for (size_t p = 0; p < RVL_ARRAY_LEN(parts); p++) {
                char       *want = fold(rvl_csv_cell(csv, row, (size_t)rvl_csv_column(csv, parts[p].column)));
                const char *got = r.text[parts[p].section];
                n_texts++;
                if (strcmp(got ? got : "", want) != 0)
                    n_wrong++;
                rvl_free(want);
            }
            rvl_report_fini(&r);
            rvl_str_free(&whole);
        }
    }
    print_message("%zu sections of %zu reports, %zu came back changed\n", n_texts, rvl_csv_n_rows(csv), n_wrong);
    assert_true(n_texts > 30000);
    assert_true(n_wrong * 500 <= n_texts); /* some texts hold a heading of their own */
    rvl_csv_free(csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(report__is_split_by_its_headings),
        cmocka_unit_test(report__keeps_words_that_only_look_like_headings),
        cmocka_unit_test(report__refuses_bytes_that_are_not_utf8),
        cmocka_unit_test(placeholder__is_text_that_says_nothing),
        cmocka_unit_test(sentences__end_where_a_reader_ends_them),
        cmocka_unit_test(sentences__count_beyond_the_room_given),
        cmocka_unit_test(spans__stand_in_the_text_itself),
        cmocka_unit_test(report__gives_back_the_sections_of_real_reports),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
