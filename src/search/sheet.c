/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file search/sheet.c
 * The page: what was asked for, then a card a hit with picture, rank, score, findings and the report's start.
 */
#include "search/sheet.h"
#include "base/alloc.h"
#include "base/html.h"
#include "findings/schema.h"
#include "imaging/image_file.h"
#include "search/similarity.h"

#define JPEG_QUALITY 85

static const char style[] =
    "<style>.sheet{display:grid;grid-template-columns:repeat(auto-fill,minmax(13rem,1fr));gap:1rem;padding:0;"
    "list-style:none}.sheet li{border:1px solid var(--line);border-radius:6px;padding:.75rem;background:var(--soft);"
    "overflow-wrap:anywhere}.sheet img,.asked img{width:100%;image-rendering:auto;background:#000}.asked img{max-width:"
    "13rem}.sheet p{margin:.35rem "
    "0;font-size:.9rem}.none{display:block;aspect-ratio:1;background:var(--line)}</style>\n";

static rvl_status image_add(rvl_str *s, const rvl_thumbnail *t, const char *name, rvl_error *err)
{
    uint8_t   *jpeg = NULL;
    size_t     n_bytes = 0;
    rvl_status st = RVL_OK;

    if (!t || !t->pixels) {
        rvl_str_add(s, "<span class=\"none\"></span>");
        return RVL_OK;
    }
    st = rvl_jpeg_encode(&jpeg, &n_bytes, t->pixels, t->height, t->width, JPEG_QUALITY, err);
    if (st)
        return st;
    rvl_str_add(s, "<img alt=\"");
    rvl_html_text(s, name);
    rvl_str_addf(s, "\" width=\"%lld\" height=\"%lld\" style=\"height:auto\" src=\"data:image/jpeg;base64,",
                 (long long)t->width, (long long)t->height);
    rvl_html_base64(s, jpeg, n_bytes);
    rvl_str_add(s, "\">");
    rvl_free(jpeg);
    return RVL_OK;
}

/* "present: a, b; uncertain: c" */
static void labels_add(rvl_str *s, const rvl_index_data *d, const uint8_t *labels)
{
    static const rvl_label_state shown[] = {RVL_LABEL_PRESENT, RVL_LABEL_UNCERTAIN};

    for (size_t i = 0; labels && i < RVL_ARRAY_LEN(shown); i++) {
        const char *before = NULL;
        for (int k = 0; k < d->n_findings; k++) {
            if (labels[k] != shown[i])
                continue;
            if (!before) {
                rvl_str_add(s, "<p><b>");
                rvl_html_text(s, rvl_label_text(shown[i]));
                rvl_str_add(s, ":</b> ");
            }
            rvl_str_add(s, before ? before : "");
            rvl_html_text(s, d->findings[k]);
            before = ", ";
        }
        if (before)
            rvl_str_add(s, "</p>\n");
    }
}

static rvl_status card_add(rvl_str *s, const rvl_sheet *sheet, int i, rvl_error *err)
{
    const rvl_index_case *c = &sheet->data->cases[sheet->hits[i].i_case];
    rvl_status            st = RVL_OK;

    rvl_str_add(s, "<li>");
    st = image_add(s, sheet->thumbnails ? &sheet->thumbnails[i] : NULL, c->case_id, err);
    if (st)
        return st;
    rvl_str_addf(s, "\n<p><b>%d. ", i + 1);
    rvl_html_text(s, c->case_id);
    rvl_str_addf(s, "</b> <span class=\"muted\">%s %.4f", rvl__similarity_text(sheet->data->similarity),
                 sheet->hits[i].score);
    if (*c->split) {
        rvl_str_add(s, ", ");
        rvl_html_text(s, c->split);
    }
    rvl_str_add(s, "</span></p>\n");
    labels_add(s, sheet->data, c->labels);
    if (*c->snippet) {
        rvl_str_add(s, "<p>");
        rvl_html_text(s, c->snippet);
        rvl_str_add(s, "</p>\n");
    }
    rvl_str_add(s, "</li>\n");
    return RVL_OK;
}

rvl_status rvl_search_html(rvl_str *s, const rvl_sheet *sheet, rvl_error *err)
{
    rvl_status st = RVL_OK;

    rvl_html_begin(s, "Search");
    rvl_str_add(s, style);
    rvl_str_add(s, "<div class=\"asked\"><p>");
    rvl_html_text(s, sheet->query);
    rvl_str_add(s, "</p>\n");
    if (sheet->query_image.pixels)
        st = image_add(s, &sheet->query_image, sheet->query, err);
    rvl_str_addf(s,
                 "</div>\n<p class=\"muted\">%d of %lld cases, best first. For research only, not for diagnosis.</p>\n",
                 sheet->n_hits, (long long)sheet->data->n_cases);
    rvl_str_add(s, "<ol class=\"sheet\">\n");
    for (int i = 0; i < sheet->n_hits && !st; i++)
        st = card_add(s, sheet, i, err);
    rvl_str_add(s, "</ol>\n");
    rvl_html_end(s);
    return st;
}
