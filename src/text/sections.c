/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file text/sections.c
 * Headings of radiology reports and the texts under them.
 *
 * A heading is one of a fixed list of phrases. With a colon it counts at the start of a line, behind a full stop, or
 * in capitals anywhere; with a dash or alone on its line only at the start of a line. Other words before a colon
 * ("Lungs:", "BONES:") belong to the text.
 */
#include "text/sections.h"
#include "base/alloc.h"
#include "base/str.h"
#include <string.h>

#define END_MARKS_MAX 16
#define SENTENCE_ENDS_BEFORE ((size_t)-1)

typedef struct {
    const char *phrase; /* lower case, single blanks */
    rvl_section section;
} heading;

/* A phrase that begins with another stands before it. */
static const heading headings[] = {
    {"reason for examination", RVL_SECTION_INDICATION},
    {"reason for exam", RVL_SECTION_INDICATION},
    {"reason for study", RVL_SECTION_INDICATION},
    {"clinical information", RVL_SECTION_INDICATION},
    {"clinical indication", RVL_SECTION_INDICATION},
    {"clinical history", RVL_SECTION_INDICATION},
    {"clinical details", RVL_SECTION_INDICATION},
    {"clinical data", RVL_SECTION_INDICATION},
    {"indications", RVL_SECTION_INDICATION},
    {"indication", RVL_SECTION_INDICATION},
    {"history", RVL_SECTION_INDICATION},
    {"comparison studies", RVL_SECTION_COMPARISON},
    {"comparisons", RVL_SECTION_COMPARISON},
    {"comparison", RVL_SECTION_COMPARISON},
    {"prior studies", RVL_SECTION_COMPARISON},
    {"techniques", RVL_SECTION_TECHNIQUE},
    {"technique", RVL_SECTION_TECHNIQUE},
    {"procedure", RVL_SECTION_TECHNIQUE},
    {"protocol", RVL_SECTION_TECHNIQUE},
    {"findings and impression", RVL_SECTION_FINDINGS},
    {"findings/impression", RVL_SECTION_FINDINGS},
    {"findings", RVL_SECTION_FINDINGS},
    {"finding", RVL_SECTION_FINDINGS},
    {"impressions", RVL_SECTION_IMPRESSION},
    {"impression", RVL_SECTION_IMPRESSION},
    {"conclusions", RVL_SECTION_IMPRESSION},
    {"conclusion", RVL_SECTION_IMPRESSION},
    {"interpretation", RVL_SECTION_IMPRESSION},
    {"opinion", RVL_SECTION_IMPRESSION},
    {"summary", RVL_SECTION_IMPRESSION},
    {"final report", RVL_SECTION_OTHER},
    {"wet read", RVL_SECTION_OTHER},
    {"type of examination", RVL_SECTION_OTHER},
    {"type of exam", RVL_SECTION_OTHER},
    {"examination", RVL_SECTION_OTHER},
    {"exam", RVL_SECTION_OTHER},
    {"study", RVL_SECTION_OTHER},
    {"recommendations", RVL_SECTION_OTHER},
    {"recommendation", RVL_SECTION_OTHER},
    {"notifications", RVL_SECTION_OTHER},
    {"notification", RVL_SECTION_OTHER},
    {"addendum", RVL_SECTION_OTHER},
};

const char *rvl_section_text(rvl_section s)
{
    static const char *const names[RVL_SECTION_COUNT] = {"indication", "comparison", "technique",
                                                         "findings",   "impression", "other"};
    return (unsigned)s < RVL_SECTION_COUNT ? names[s] : "other";
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_space(char c)
{
    return is_blank(c) || c == '\n';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return is_upper(c) || is_lower(c);
}

static char to_lower(char c)
{
    return is_upper(c) ? (char)(c - 'A' + 'a') : c;
}

/* Bytes of `text` that spell `phrase`, blanks of any length between the words, any case; 0 if they do not. */
static size_t phrase_match(const char *text, const char *phrase)
{
    size_t i = 0;

    for (; *phrase; phrase++) {
        if (*phrase == ' ') {
            if (!is_blank(text[i]))
                return 0;
            while (is_blank(text[i]))
                i++;
        } else {
            if (to_lower(text[i]) != *phrase)
                return 0;
            i++;
        }
    }
    return is_letter(text[i]) || is_digit(text[i]) ? 0 : i;
}

static bool all_upper(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_lower(text[i]))
            return false;
    return true;
}

/* Where the position stands: at the start of its line (marks such as "*" and "#" aside), or behind a full stop. */
static void position_judge(const char *text, size_t at, bool *starts_line, bool *starts_sentence)
{
    size_t i = at;

    while (i > 0 && (is_blank(text[i - 1]) || strchr("*#_-", text[i - 1])))
        i--;
    *starts_line = i == 0 || text[i - 1] == '\n';
    i = at;
    while (i > 0 && is_space(text[i - 1]))
        i--;
    *starts_sentence = i < at && i > 0 && strchr(".!?:;", text[i - 1]);
}

/* Bytes from the end of the phrase to where its text starts; false if what follows makes it no heading. */
static bool separator_match(const char *after, bool starts_line, bool is_capital, size_t *n_bytes)
{
    size_t i = 0;

    while (is_blank(after[i]) || after[i] == '*' || after[i] == '_')
        i++;
    if (after[i] == ':') {
        i++;
        while (after[i] == '*' || after[i] == '_')
            i++;
        *n_bytes = i;
        return true;
    }
    *n_bytes = i;
    if (!starts_line)
        return false;
    if (after[i] == '\n' || after[i] == '\0')
        return is_capital;
    if (after[i] == '-' && is_blank(after[i + 1])) {
        *n_bytes = i + 1;
        return true;
    }
    if (strncmp(after + i, "\xe2\x80\x93", 3) == 0 || strncmp(after + i, "\xe2\x80\x94", 3) == 0) { /* dashes */
        *n_bytes = i + 3;
        return true;
    }
    return false;
}

/* The heading at `at`, if any: its section, and in `*n_bytes` the bytes up to its text. */
static const heading *heading_match(const char *text, size_t at, size_t *n_bytes)
{
    bool starts_line = false;
    bool starts_sentence = false;

    if (!is_letter(text[at]) || (at > 0 && (is_letter(text[at - 1]) || is_digit(text[at - 1]))))
        return NULL;
    for (size_t i = 0; i < RVL_ARRAY_LEN(headings); i++) {
        size_t n = phrase_match(text + at, headings[i].phrase);
        size_t n_separator = 0;
        if (n == 0)
            continue;
        position_judge(text, at, &starts_line, &starts_sentence);
        bool is_caps = all_upper(text + at, n);
        if (!separator_match(text + at + n, starts_line, is_upper(text[at]), &n_separator))
            continue;
        if (!starts_line && !(is_caps && at > 0 && is_space(text[at - 1])) && !(starts_sentence && is_upper(text[at])))
            continue;
        *n_bytes = n + n_separator;
        return &headings[i];
    }
    return NULL;
}

/* Append with white space folded to single blanks; the no-break space is white space too. */
static void folded_add(rvl_str *s, const char *text, size_t n_bytes)
{
    bool wants_blank = s->n_bytes > 0;

    for (size_t i = 0; i < n_bytes; i++) {
        bool is_nbsp = i + 1 < n_bytes && text[i] == '\xc2' && text[i + 1] == '\xa0';
        if (is_nbsp || is_space(text[i])) {
            wants_blank = s->n_bytes > 0;
            i += is_nbsp ? 1 : 0;
            continue;
        }
        if (wants_blank)
            rvl_str_add_n(s, " ", 1);
        wants_blank = false;
        rvl_str_add_n(s, text + i, 1);
    }
}

static bool has_text(const char *text, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        if (!is_space(text[i]) && !strchr("*#_-=", text[i]))
            return true;
    return false;
}

static rvl_status sections_take(rvl_report *out, rvl_str parts[RVL_SECTION_COUNT], rvl_error *err)
{
    for (int s = 0; s < RVL_SECTION_COUNT; s++) {
        if (parts[s].n_bytes == 0 && !parts[s].failed)
            continue;
        out->text[s] = rvl_str_take(&parts[s]);
        if (!out->text[s])
            return rvl_fail(err, RVL_ERR_NOMEM, "cannot read report: out of memory");
    }
    return RVL_OK;
}

/* The next heading at or behind `at`; its start in `*from`, the start of its text in `*to`. NULL at the end. */
static const heading *heading_next(const char *text, size_t n_bytes, size_t at, size_t *from, size_t *to)
{
    for (; at < n_bytes; at++) {
        size_t         n = 0;
        const heading *h = heading_match(text, at, &n);
        if (h) {
            *from = at;
            *to = at + n;
            return h;
        }
    }
    *from = n_bytes;
    *to = n_bytes;
    return NULL;
}

size_t rvl_report_spans(const char *text, rvl_section_span *spans, size_t max)
{
    const size_t   n_bytes = strlen(text);
    size_t         count = 0;
    size_t         from = 0;
    size_t         at = 0;
    size_t         next = 0;
    const heading *h = heading_next(text, n_bytes, 0, &at, &next);
    rvl_section    section = h ? RVL_SECTION_OTHER : RVL_SECTION_FINDINGS;

    for (;;) {
        size_t end = at; /* the marks of a "**Heading:**" belong to it */
        while (h && end > from && (is_space(text[end - 1]) || strchr("*#_", text[end - 1])))
            end--;
        if (has_text(text + from, end - from)) {
            if (count < max)
                spans[count] = (rvl_section_span){section, from, end - from};
            count++;
        }
        if (!h)
            return count;
        section = h->section;
        from = next;
        h = heading_next(text, n_bytes, from, &at, &next);
    }
}

rvl_status rvl_report_parse(rvl_report *out, const char *text, rvl_error *err)
{
    rvl_str           parts[RVL_SECTION_COUNT] = {{0}};
    rvl_section_span *spans = NULL;
    size_t            bad = 0;
    size_t            n = 0;
    rvl_status        st = RVL_OK;

    *out = (rvl_report){{0}};
    if (!rvl_utf8_valid(text, strlen(text), &bad))
        return rvl_fail(err, RVL_ERR_FORMAT, "cannot read report: byte %zu is not UTF-8", bad);
    n = rvl_report_spans(text, NULL, 0);
    spans = rvl_alloc_array(n + 1, sizeof *spans);
    if (!spans)
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read report: out of memory");
    n = rvl_report_spans(text, spans, n);
    for (size_t i = 0; i < n; i++)
        folded_add(&parts[spans[i].section], text + spans[i].at, spans[i].n_bytes);
    st = sections_take(out, parts, err);
    for (int s = 0; s < RVL_SECTION_COUNT; s++)
        rvl_str_free(&parts[s]);
    rvl_free(spans);
    if (st)
        rvl_report_fini(out);
    return st;
}

void rvl_report_fini(rvl_report *r)
{
    for (int s = 0; s < RVL_SECTION_COUNT; s++) {
        rvl_free(r->text[s]);
        r->text[s] = NULL;
    }
}

bool rvl_report_is_placeholder(const char *text)
{
    static const char *const empty[] = {"",
                                        "none",
                                        "notgiven",
                                        "notavailable",
                                        "notapplicable",
                                        "notprovided",
                                        "na",
                                        "nan",
                                        "nil",
                                        "null",
                                        "unknown",
                                        "unavailable",
                                        "nottold",
                                        "notspecified",
                                        "noneavailable",
                                        "noneprovided",
                                        "notstated",
                                        "notreported",
                                        "xxxx",
                                        "nonegiven",
                                        "noinformation",
                                        "noreport",
                                        "pending",
                                        "tobedetermined",
                                        "tbd",
                                        "asabove",
                                        "nofindingsgiven"};
    char                     letters[24];
    size_t                   n = 0;

    for (; *text; text++) {
        if (!is_letter(*text) && !is_digit(*text) && !((unsigned char)*text & 0x80))
            continue;
        if (n + 1 >= sizeof letters)
            return false;
        letters[n++] = to_lower(*text);
    }
    letters[n] = '\0';
    for (size_t i = 0; i < RVL_ARRAY_LEN(empty); i++)
        if (strcmp(letters, empty[i]) == 0)
            return true;
    return false;
}

/* The word that ends right before the full stop at `at` is an abbreviation, or the stop numbers a list entry. */
static bool stop_is_inner(const char *text, size_t from, size_t at)
{
    static const char *const short_words[] = {"dr",   "mr", "mrs", "ms", "vs", "e.g",  "i.e",  "approx", "cf",  "fig",
                                              "prof", "st", "jr",  "sr", "ca", "resp", "incl", "esp",    "dept"};
    size_t                   start = at;

    while (start > from && (is_letter(text[start - 1]) || is_digit(text[start - 1]) || text[start - 1] == '.'))
        start--;
    if (start == from && start < at) { /* "1. Heart normal." */
        size_t i = start;
        while (i < at && is_digit(text[i]))
            i++;
        if (i == at)
            return true;
    }
    for (size_t i = 0; i < RVL_ARRAY_LEN(short_words); i++)
        if (strlen(short_words[i]) == at - start && phrase_match(text + start, short_words[i]))
            return true;
    if (at - start == 2 && phrase_match(text + start, "no")) { /* "series no. 4" but "No. The heart ..." */
        size_t i = at + 1;
        while (is_space(text[i]))
            i++;
        return is_digit(text[i]);
    }
    return false;
}

/* "nodule (cyst?) in the liver": behind the parenthesis the sentence goes on in lower case or with a mark. */
static bool goes_on(const char *after)
{
    while (is_blank(*after))
        after++;
    return is_lower(*after) || is_digit(*after) || (*after && strchr(",;:(", *after));
}

/* Bytes of the sentence end at `at` (marks and closing quotes), 0 if the sentence goes on. */
static size_t sentence_end(const char *text, size_t from, size_t at)
{
    size_t n = 1;

    if (text[at] == '\n') { /* a blank line, or the next entry of a list */
        size_t i = at + 1;
        while (is_blank(text[i]))
            i++;
        return text[i] == '\n' || (strchr("-*", text[i]) && text[i] && is_blank(text[i + 1])) ? 1 : 0;
    }
    if (strncmp(text + at, "\xe2\x80\xa2", 3) == 0) /* a bullet opens the next */
        return at > from ? SENTENCE_ENDS_BEFORE : 0;
    if (!strchr(".!?", text[at]))
        return 0;
    while (n < END_MARKS_MAX && text[at + n] && strchr(".!?\"')]", text[at + n]))
        n++;
    if (n > 1 && strchr(")]", text[at + n - 1]) && goes_on(text + at + n))
        return 0;
    if (text[at + n] == '\0' || is_space(text[at + n]))
        return text[at] == '.' && n == 1 && stop_is_inner(text, from, at) ? 0 : n;
    if (text[at] == '.' && n == 1 && at >= from + 2 && is_lower(text[at - 1]) && is_lower(text[at - 2]) &&
        is_upper(text[at + 1]) && is_lower(text[at + 2])) /* the blank was forgotten: "clear.Heart" */
        return 1;
    return 0;
}

size_t rvl_sentences(const char *text, size_t *offsets, size_t *lengths, size_t max)
{
    size_t count = 0;
    size_t n_bytes = strlen(text);

    for (size_t at = 0; at < n_bytes;) {
        size_t from = at;
        size_t end = 0;
        if (is_space(text[at])) {
            at++;
            continue;
        }
        for (end = at; end < n_bytes; end++) {
            size_t n = sentence_end(text, from, end);
            if (n > 0) {
                end += n == SENTENCE_ENDS_BEFORE ? 0 : n;
                break;
            }
        }
        at = end;
        while (end > from && is_space(text[end - 1]))
            end--;
        if (count < max) {
            offsets[count] = from;
            lengths[count] = end - from;
        }
        count++;
    }
    return count;
}
