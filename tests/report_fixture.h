/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/report_fixture.h
 * What must hold of phantom reports whatever the modality: those of the test split are sentences of their own, in words
 * that training knows.
 */
#ifndef RVL_TESTS_REPORT_FIXTURE_H
#define RVL_TESTS_REPORT_FIXTURE_H
#include "support.h"
#include "base/alloc.h"
#include "synth/phantom.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

/** Template `i` of the test split or of the others; NULL behind the last. */
typedef const char *(*template_fn)(bool test, int i);
/** Report of case `i`; true if it is of the test split. The caller frees it. */
typedef bool (*report_fn)(rvl_phantom_report *out, int i);

/** Lower-case sentence behind `*text`, which moves on; false at the end. A decimal point ends none. */
static inline bool next_sentence(const char **text, char *out, size_t size)
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

static inline void templates_differ(template_fn at)
{
    int n_train = 0, n_test = 0;

    for (const char *a; (a = at(false, n_train)); n_train++)
        for (int i = 0; at(true, i); i++)
            assert_string_not_equal(a, at(true, i));
    while (at(true, n_test))
        n_test++;
    assert_true(n_train > 100 && n_test > 50);
}

/** Sentences as written, too: slots might make two templates alike. Cases 0 .. 1199. */
static inline void sentences_differ(report_fn report)
{
    enum { MAX = 20000 };
    static char *train[MAX];
    int          n = 0;

    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < 1200; i++) {
            rvl_phantom_report r;
            const char        *at;
            char               s[512];
            const bool         is_test = report(&r, i);

            for (int part = 0; is_test == (pass == 1) && part < 2; part++)
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
static inline bool word_in(template_fn at_template, const char *word, bool test)
{
    for (int i = 0; at_template(test, i); i++) {
        char        text[512], *at = text;
        size_t      n = strlen(word);
        const char *t = at_template(test, i);

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

/** At least 95 % of the words of the test split. */
static inline void words_are_known(template_fn at_template)
{
    int known = 0, all = 0;

    for (int i = 0; at_template(true, i); i++) {
        const char *t = at_template(true, i);

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
            known += word_in(at_template, word, false);
            if (!word_in(at_template, word, false))
                print_message("not in the training sentences: %s\n", word);
        }
    }
    assert_true(all > 200);
    assert_true(known * 100 >= all * 95);
}

#endif /* RVL_TESTS_REPORT_FIXTURE_H */
