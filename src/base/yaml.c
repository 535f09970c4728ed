/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file base/yaml.c
 * libyaml events into a tree held by one arena.
 */
#include "base/yaml.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/str.h"

#include <string.h>
#include <yaml.h>

#include "base/banned.h"

#define YAML_BYTES_MAX ((size_t)1024 * 1024)
#define YAML_DEPTH_MAX 32

struct rvl_yaml_doc {
    rvl_arena *arena;
    rvl_yaml  *root;
};

typedef struct {
    yaml_parser_t parser;
    rvl_arena    *arena;
    const char   *file;
    rvl_error    *err;
} reader;

static rvl_status reader_nomem(const reader *r)
{
    return rvl_fail(r->err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", r->file);
}

static int event_line(const yaml_event_t *event)
{
    return (int)event->start_mark.line + 1;
}

/** The next event, owned by the caller on success. */
static rvl_status event_next(reader *r, yaml_event_t *event)
{
    if (yaml_parser_parse(&r->parser, event))
        return RVL_OK;
    if (r->parser.error == YAML_MEMORY_ERROR)
        return reader_nomem(r);
    bool   from_reader = r->parser.error == YAML_READER_ERROR;
    size_t line = (from_reader ? r->parser.mark.line : r->parser.problem_mark.line) + 1;
    return rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%zu: %s", r->file, line,
                    r->parser.problem ? r->parser.problem : "not valid YAML");
}

static rvl_yaml *node_new(reader *r, rvl_yaml_kind kind, int line)
{
    rvl_yaml *node = rvl_arena_alloc(r->arena, sizeof *node);

    if (!node)
        return NULL;
    node->kind = kind;
    node->text = "";
    node->file = r->file;
    node->line = line;
    return node;
}

/** Room for one more item: doubles the arrays at each power of two. */
static bool node_grow(reader *r, rvl_yaml *node)
{
    size_t n = node->n_items;

    if (n && (n < 4 || (n & (n - 1))))
        return true;
    size_t     capacity = n ? n * 2 : 4;
    rvl_yaml **items = rvl_arena_alloc(r->arena, capacity * sizeof *items);
    if (!items)
        return false;
    if (n)
        memcpy(items, node->items, n * sizeof *items);
    node->items = items;
    if (node->kind != RVL_YAML_MAP)
        return true;
    const char **keys = rvl_arena_alloc(r->arena, capacity * sizeof *keys);
    if (!keys)
        return false;
    if (n)
        memcpy(keys, node->keys, n * sizeof *keys);
    node->keys = keys;
    return true;
}

static rvl_status event_check(const reader *r, const yaml_event_t *event)
{
    const yaml_char_t *anchor = NULL, *tag = NULL;

    if (event->type == YAML_ALIAS_EVENT)
        return rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%d: aliases are not allowed", r->file, event_line(event));
    if (event->type == YAML_SCALAR_EVENT) {
        anchor = event->data.scalar.anchor;
        tag = event->data.scalar.tag;
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        anchor = event->data.sequence_start.anchor;
        tag = event->data.sequence_start.tag;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        anchor = event->data.mapping_start.anchor;
        tag = event->data.mapping_start.tag;
    }
    if (anchor || tag)
        return rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%d: %s are not allowed", r->file, event_line(event),
                        anchor ? "anchors" : "tags");
    return RVL_OK;
}

static rvl_status scalar_read(reader *r, const yaml_event_t *event, rvl_yaml *node)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t      n_bytes = event->data.scalar.length;

    if (memchr(value, 0, n_bytes))
        return rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%d: text holds a NUL", r->file, node->line);
    node->text = rvl_arena_strndup(r->arena, value, n_bytes);
    node->quoted = event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE;
    return node->text ? RVL_OK : reader_nomem(r);
}

static rvl_status node_read(reader *r, const yaml_event_t *event, int depth, rvl_yaml **out);

/** Read a key; `*end` is set at the end of the map instead. */
static rvl_status key_read(reader *r, rvl_yaml *map, const char **out, bool *end)
{
    yaml_event_t event;
    rvl_status   st = event_next(r, &event);

    if (st)
        return st;
    *end = event.type == YAML_MAPPING_END_EVENT;
    if (!*end) {
        int line = event_line(&event);
        st = event_check(r, &event);
        if (!st && event.type != YAML_SCALAR_EVENT)
            st = rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%d: a key must be plain text", r->file, line);
        rvl_yaml key = {.line = line};
        if (!st)
            st = scalar_read(r, &event, &key);
        for (size_t i = 0; !st && i < map->n_items; i++)
            if (strcmp(map->keys[i], key.text) == 0)
                st = rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%d: key '%s' is already in line %d", r->file, line, key.text,
                              map->items[i]->line);
        *out = key.text;
    }
    yaml_event_delete(&event);
    return st;
}

static rvl_status items_read(reader *r, rvl_yaml *node, int depth)
{
    const char *key = NULL;
    bool        end = false;

    for (;;) {
        yaml_event_t event;
        rvl_yaml    *item = NULL;
        rvl_status   st = RVL_OK;

        if (node->kind == RVL_YAML_MAP && ((st = key_read(r, node, &key, &end)) || end))
            return st;
        if ((st = event_next(r, &event)))
            return st;
        end = event.type == YAML_SEQUENCE_END_EVENT;
        if (!end)
            st = node_read(r, &event, depth, &item);
        yaml_event_delete(&event);
        if (st || end)
            return st;
        if (!node_grow(r, node))
            return reader_nomem(r);
        if (node->kind == RVL_YAML_MAP)
            node->keys[node->n_items] = key;
        node->items[node->n_items++] = item;
    }
}

/** The node that starts with `event`. */
static rvl_status node_read(reader *r, const yaml_event_t *event, int depth, rvl_yaml **out)
{
    rvl_yaml_kind kind = event->type == YAML_SCALAR_EVENT           ? RVL_YAML_SCALAR
                         : event->type == YAML_SEQUENCE_START_EVENT ? RVL_YAML_SEQ
                                                                    : RVL_YAML_MAP;
    rvl_status    st = event_check(r, event);

    if (st)
        return st;
    if (depth > YAML_DEPTH_MAX)
        return rvl_fail(r->err, RVL_ERR_LIMIT, "%s:%d: nested deeper than %d", r->file, event_line(event),
                        YAML_DEPTH_MAX);
    rvl_yaml *node = node_new(r, kind, event_line(event));
    if (!node)
        return reader_nomem(r);
    *out = node;
    return kind == RVL_YAML_SCALAR ? scalar_read(r, event, node) : items_read(r, node, depth + 1);
}

/** The one document of the stream; no document at all is an empty map. */
static rvl_status stream_read(reader *r, rvl_yaml **root)
{
    for (;;) {
        yaml_event_t      event;
        rvl_status        st = event_next(r, &event);
        yaml_event_type_t type;

        if (st)
            return st;
        type = event.type;
        if (type == YAML_DOCUMENT_START_EVENT && *root)
            st = rvl_fail(r->err, RVL_ERR_FORMAT, "%s:%d: a second document in one file", r->file, event_line(&event));
        else if (type != YAML_STREAM_START_EVENT && type != YAML_STREAM_END_EVENT &&
                 type != YAML_DOCUMENT_START_EVENT && type != YAML_DOCUMENT_END_EVENT)
            st = node_read(r, &event, 0, root);
        yaml_event_delete(&event);
        if (st)
            return st;
        if (type == YAML_STREAM_END_EVENT)
            break;
    }
    if (!*root)
        *root = node_new(r, RVL_YAML_MAP, 1);
    return *root ? RVL_OK : reader_nomem(r);
}

rvl_status rvl_yaml_parse(rvl_yaml_doc **out, const char *text, size_t n_bytes, const char *name, rvl_error *err)
{
    *out = NULL;
    if (n_bytes > YAML_BYTES_MAX)
        return rvl_fail(err, RVL_ERR_LIMIT, "cannot read '%s': more than %zu bytes of YAML", name, YAML_BYTES_MAX);
    rvl_yaml_doc *doc = rvl_alloc_array(1, sizeof *doc);
    if (doc)
        doc->arena = rvl_arena_new();
    reader r = {.arena = doc ? doc->arena : NULL, .err = err};
    r.file = r.arena ? rvl_arena_strndup(r.arena, name, strlen(name)) : NULL;
    if (!r.file || !yaml_parser_initialize(&r.parser)) {
        rvl_yaml_free(doc);
        return rvl_fail(err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", name);
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, n_bytes);
    rvl_status st = stream_read(&r, &doc->root);
    yaml_parser_delete(&r.parser);
    if (st) {
        rvl_yaml_free(doc);
        return st;
    }
    *out = doc;
    return RVL_OK;
}

rvl_status rvl_yaml_load(rvl_yaml_doc **out, const char *path, rvl_error *err)
{
    char  *text;
    size_t n_bytes;

    *out = NULL;
    rvl_status st = rvl_file_read(&text, &n_bytes, path, YAML_BYTES_MAX, err);
    if (st)
        return st;
    st = rvl_yaml_parse(out, text, n_bytes, path, err);
    rvl_free(text);
    return st;
}

const rvl_yaml *rvl_yaml_root(const rvl_yaml_doc *doc)
{
    return doc->root;
}

void rvl_yaml_free(rvl_yaml_doc *doc)
{
    if (!doc)
        return;
    rvl_arena_free(doc->arena);
    rvl_free(doc);
}
