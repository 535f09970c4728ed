/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/html.c
 * Page frame with the house style sheet, escaping, base64.
 */
#include "base/html.h"

#include <string.h>

#include "base/banned.h"

static const char style[] =
    ":root{color-scheme:light dark;--bg:#fff;--fg:#1b1f24;--muted:#5d6670;--line:#d9dee3;--soft:#f4f6f8;--s0:#1f6feb;"
    "--s1:#d1570a;--s2:#1a7f37;--s3:#a333c8;--s4:#b42318;--s5:#0e7c86}\n"
    "@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e4e7ea;--muted:#98a1ab;--line:#343a41;--soft:#1d2125;"
    "--s0:#6ea8fe;--s1:#f4a261;--s2:#63c174;--s3:#d08cf0;--s4:#f28b82;--s5:#5cc8d0}}\n"
    "body{margin:0 auto;max-width:60rem;padding:2rem 1.25rem 4rem;background:var(--bg);color:var(--fg);"
    "font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "h1{font-size:1.7rem;line-height:1.25;margin:0 0 1rem}h2{font-size:1.25rem;margin:2.2rem 0 .6rem}"
    "h3{font-size:1rem;margin:1.6rem 0 .4rem}\n"
    "table{border-collapse:collapse;margin:1rem 0;font-size:.92rem;font-variant-numeric:tabular-nums;display:block;"
    "overflow-x:auto}\n"
    "th,td{padding:.35rem .8rem;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}"
    "th{font-weight:600;color:var(--muted)}tbody tr:hover{background:var(--soft)}td.num,th.num{text-align:right}\n"
    "code,pre{font:.88em ui-monospace,SFMono-Regular,Menlo,'DejaVu Sans Mono',monospace;background:var(--soft);"
    "border-radius:4px}code{padding:.1em .3em}pre{padding:.8rem 1rem;overflow-x:auto}\n"
    ".report{white-space:pre-wrap;background:var(--soft);border-radius:4px;padding:.6rem 1rem}"
    ".muted{color:var(--muted)}img{max-width:100%;border-radius:4px}\n"
    "figure{margin:1.5rem 0}figure svg{width:100%;height:auto;max-width:44rem;display:block}\n"
    "svg text{fill:var(--fg);font:13px system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}"
    "svg .tick{fill:var(--muted);font-size:12px}svg .title{font-weight:600;font-size:14px}"
    "svg .grid{stroke:var(--line);stroke-width:1}svg .axis{stroke:var(--muted);stroke-width:1}"
    "svg .diagonal{stroke:var(--muted);stroke-dasharray:4 4}svg .track{fill:var(--soft)}"
    "svg .curve{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:round}"
    "svg .whisker{stroke:var(--fg);stroke-width:1.5}\n"
    "@media print{body{max-width:none;padding:0}figure,tr{break-inside:avoid}}\n";

static const char *escape_of(char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void rvl_html_bytes(rvl_str *s, const void *text, size_t n_bytes)
{
    const char *p = text;

    for (size_t i = 0; i < n_bytes; i++) {
        const char *escape = escape_of(p[i]);
        if (escape)
            rvl_str_add(s, escape);
        else
            rvl_str_add_n(s, &p[i], 1);
    }
}

void rvl_html_text(rvl_str *s, const char *text)
{
    rvl_html_bytes(s, text, strlen(text));
}

void rvl_html_begin(rvl_str *s, const char *title)
{
    rvl_str_add(s, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                   "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    rvl_html_text(s, title);
    rvl_str_add(s, "</title>\n<style>\n");
    rvl_str_add(s, style);
    rvl_str_add(s, "</style>\n</head>\n<body>\n<h1>");
    rvl_html_text(s, title);
    rvl_str_add(s, "</h1>\n");
}

void rvl_html_end(rvl_str *s)
{
    rvl_str_add(s, "</body>\n</html>\n");
}

void rvl_html_base64(rvl_str *s, const void *bytes, size_t n_bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t    *p = bytes;

    for (size_t i = 0; i < n_bytes; i += 3) {
        size_t   n = n_bytes - i < 3 ? n_bytes - i : 3;
        uint32_t bits = (uint32_t)p[i] << 16;
        if (n > 1)
            bits |= (uint32_t)p[i + 1] << 8;
        if (n > 2)
            bits |= p[i + 2];
        char four[4] = {digits[bits >> 18], digits[bits >> 12 & 63], n > 1 ? digits[bits >> 6 & 63] : '=',
                        n > 2 ? digits[bits & 63] : '='};
        rvl_str_add_n(s, four, 4);
    }
}
