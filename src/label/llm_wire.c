/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file label/llm_wire.c
 * OpenAI's chat completions, as far as labels need them.
 */
#include "label/llm_wire.h"
#include "base/alloc.h"
#include "base/json.h"
#include <math.h>
#include <string.h>

#define TOP_LOGPROBS 8

int rvl_wire_answer_tok_max(const rvl_prompt *p, const rvl_schema *schema)
{
    const int k = rvl_schema_count(schema);
    int       n = 16;

    if (p->form == RVL_PROMPT_EACH)
        return n;
    for (int j = 0; j < k; j++)
        n += p->form == RVL_PROMPT_VALUES ? 4 : 14 + (int)strlen(rvl_schema_at(schema, j)->name) / 2;
    return n;
}

/* ---- the request ------------------------------------------------------------------------------------------------ */

static json_t *answer_schema(const rvl_prompt *p, const rvl_schema *schema)
{
    json_t *root = json_object();
    json_t *properties = json_object();
    json_t *required = json_array();

    for (int j = 0; j < rvl_schema_count(schema); j++) {
        json_t *property = json_object();
        json_t *choices = json_array();
        for (int c = 0; c < p->n_choices; c++)
            json_array_append_new(choices, json_string(p->choices[c].text));
        rvl_json_set(property, "type", json_string("string"));
        rvl_json_set(property, "enum", choices);
        rvl_json_set(properties, rvl_schema_at(schema, j)->name, property);
        json_array_append_new(required, json_string(rvl_schema_at(schema, j)->name));
    }
    rvl_json_set(root, "type", json_string("object"));
    rvl_json_set(root, "properties", properties);
    rvl_json_set(root, "required", required);
    rvl_json_set(root, "additionalProperties", json_false());
    return root;
}

static void bound_add(json_t *root, const rvl_prompt *p, const rvl_schema *schema)
{
    rvl_str grammar = {0};

    if (p->form == RVL_PROMPT_JSON) {
        json_t *format = json_object();
        json_t *named = json_object();
        rvl_json_set(named, "name", json_string("labels"));
        rvl_json_set(named, "strict", json_true());
        rvl_json_set(named, "schema", answer_schema(p, schema));
        rvl_json_set(format, "type", json_string("json_schema"));
        rvl_json_set(format, "json_schema", named);
        rvl_json_set(root, "response_format", format);
        return;
    }
    if (p->form == RVL_PROMPT_VALUES && rvl_schema_count(schema) > 1)
        rvl_str_addf(&grammar, "root ::= value (\",\" value){%d}\nvalue ::= ", rvl_schema_count(schema) - 1);
    else
        rvl_str_add(&grammar, "root ::= value\nvalue ::= ");
    for (int c = 0; c < p->n_choices; c++)
        rvl_str_addf(&grammar, "%s\"%s\"", c ? " | " : "", p->choices[c].text);
    rvl_str_add(&grammar, "\n");
    rvl_json_set(root, "grammar", grammar.failed ? NULL : json_string(grammar.ptr));
    rvl_str_free(&grammar);
}

static void message_add(json_t *messages, const char *role, const char *content)
{
    json_t *m = json_object();

    rvl_json_set(m, "role", json_string(role));
    rvl_json_set(m, "content", json_string(content));
    json_array_append_new(messages, m);
}

rvl_status rvl_wire_format(char **out, const rvl_wire_request *r, const rvl_prompt *p, const rvl_schema *schema,
                           rvl_span report, rvl_error *err)
{
    char      *system = rvl_prompt_fill(p->system, schema, report, r->i_finding);
    char      *user = rvl_prompt_fill(p->user, schema, report, r->i_finding);
    json_t    *root = json_object();
    json_t    *messages = json_array();
    rvl_status st = RVL_OK;

    *out = NULL;
    if (!system || !user)
        st = rvl_fail(err, RVL_ERR_NOMEM, "out of memory for a request");
    else if (!rvl_utf8_valid(user, strlen(user), NULL) || strlen(user) < report.n_bytes)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the report is no UTF-8 text");
    if (!st) {
        if (*system)
            message_add(messages, "system", system);
        message_add(messages, "user", user);
        rvl_json_set(root, "model", json_string(r->model));
        rvl_json_set(root, "messages", json_incref(messages));
        if (r->features & RVL_WIRE_SAMPLING) {
            rvl_json_set(root, "temperature", json_real(r->temperature));
            rvl_json_set(root, "seed", json_integer(r->seed));
            rvl_json_set(root, "max_tokens", json_integer(rvl_wire_answer_tok_max(p, schema)));
        }
        if (r->features & RVL_WIRE_LOGPROBS) {
            rvl_json_set(root, "logprobs", json_true());
            rvl_json_set(root, "top_logprobs", json_integer(TOP_LOGPROBS));
        }
        if (r->features & RVL_WIRE_BOUND)
            bound_add(root, p, schema);
        st = rvl_json_format(out, root, 0, err);
    }
    json_decref(messages);
    json_decref(root);
    rvl_free(system);
    rvl_free(user);
    return st;
}

static bool body_names(const char *body, size_t n_bytes, const char *word)
{
    const size_t n = strlen(word);

    for (size_t i = 0; i + n <= n_bytes; i++)
        if (memcmp(body + i, word, n) == 0)
            return true;
    return false;
}

unsigned rvl_wire_refused(unsigned features, const char *body, size_t n_bytes)
{
    static const struct {
        unsigned    feature;
        const char *word;
    } words[] = {{RVL_WIRE_BOUND, "response_format"}, {RVL_WIRE_BOUND, "json_schema"},
                 {RVL_WIRE_BOUND, "grammar"},         {RVL_WIRE_LOGPROBS, "logprobs"},
                 {RVL_WIRE_SAMPLING, "temperature"},  {RVL_WIRE_SAMPLING, "max_tokens"},
                 {RVL_WIRE_SAMPLING, "seed"}};

    for (size_t i = 0; i < RVL_ARRAY_LEN(words); i++)
        if ((features & words[i].feature) && body_names(body, n_bytes, words[i].word))
            return words[i].feature;
    for (unsigned f = RVL_WIRE_BOUND; f <= RVL_WIRE_SAMPLING; f <<= 1)
        if (features & f)
            return f;
    return 0;
}

/* ---- the answer ------------------------------------------------------------------------------------------------- */

/* The only choice that `text` can be, or become when more tokens follow; -1 if none or several. */
static int choice_of(const rvl_prompt *p, const char *text, size_t n_bytes)
{
    int found = -1;

    for (int c = 0; n_bytes > 0 && c < p->n_choices; c++) {
        const size_t n = strlen(p->choices[c].text);
        if (memcmp(text, p->choices[c].text, n < n_bytes ? n : n_bytes) != 0)
            continue;
        if (found >= 0)
            return -1;
        found = c;
    }
    return found;
}

/* Shares of one value from the alternatives of the token in which it begins, `lead` bytes into it. */
static bool shares_read(double *shares, const rvl_prompt *p, const json_t *token, size_t lead, int i_choice)
{
    const char *taken = rvl_json_get_string(token, "token", "");
    json_t     *list = json_object_get(token, "top_logprobs");
    double      sum = 0.0;
    double      found[RVL_PROMPT_CHOICES_MAX] = {0};

    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *a = json_array_get(list, i);
        const char   *text = rvl_json_get_string(a, "token", "");
        const double  logprob = rvl_json_get_f64(a, "logprob", -INFINITY);
        const size_t  n = strlen(text);
        if (n <= lead || memcmp(text, taken, lead) != 0 || !(logprob <= 1e-3))
            continue;
        const int c = choice_of(p, text + lead, n - lead);
        if (c >= 0)
            found[c] += exp(fmin(logprob, 0.0));
    }
    for (int c = 0; c < p->n_choices; c++)
        sum += found[c];
    if (!(sum > 0.0) || !(found[i_choice] > 0.0))
        return false;
    for (int c = 0; c < p->n_choices; c++)
        shares[c] = found[c] / sum;
    return true;
}

/* Shares of all values from `tokens`, which must spell the content; false leaves them as they were. */
static bool logprobs_read(double *shares, const rvl_answer_value *values, int n, const rvl_prompt *p,
                          const json_t *tokens, const char *content)
{
    const size_t n_content = strlen(content);
    size_t       at = 0;
    int          n_read = 0;

    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *token = json_array_get(tokens, i);
        const char   *text = rvl_json_get_string(token, "token", "");
        const size_t  n_text = strlen(text);
        if (at == n_content) /* an end token may follow */
            break;
        if (n_text > n_content - at || memcmp(content + at, text, n_text) != 0)
            return false;
        for (int v = 0; v < n; v++)
            if (values[v].at >= at && values[v].at < at + n_text && (values[v].at > 0 || v == 0))
                n_read += shares_read(shares + v * p->n_choices, p, token, values[v].at - at, values[v].i_choice);
        at += n_text;
    }
    return at == n_content && n_read > 0;
}

static int64_t tokens_get(const json_t *root, const char *key)
{
    const int64_t n = rvl_json_get_i64(json_object_get(root, "usage"), key, -1);
    return n >= 0 && n < (int64_t)1 << 40 ? n : -1;
}

rvl_status rvl_wire_parse(rvl_wire_answer *out, double *shares, int n, const rvl_prompt *p, const rvl_schema *schema,
                          const char *json, size_t n_bytes, rvl_error *err)
{
    json_t           *root = NULL;
    rvl_answer_value *values = rvl_alloc_array((size_t)n, sizeof *values);
    rvl_status        st = RVL_OK;

    *out = (rvl_wire_answer){.prompt_tok = -1, .answer_tok = -1};
    if (!values)
        return rvl_fail(err, RVL_ERR_NOMEM, "out of memory for an answer");
    if (rvl_json_parse(&root, json, n_bytes, "answer", NULL))
        st = rvl_fail(err, RVL_ERR_FORMAT, "the server's answer is no JSON");
    const json_t *choice = json_array_get(json_object_get(root, "choices"), 0);
    const char   *content = rvl_json_get_string(json_object_get(choice, "message"), "content", NULL);
    if (!st) {
        out->prompt_tok = tokens_get(root, "prompt_tokens");
        out->answer_tok = tokens_get(root, "completion_tokens");
    }
    if (!st && !content)
        st = rvl_fail(err, RVL_ERR_FORMAT, "the server's answer has no choices[0].message.content");
    if (!st && rvl_str_equal(rvl_json_get_string(choice, "finish_reason", ""), "length"))
        st = rvl_fail(err, RVL_ERR_FORMAT, "the answer was cut by the token limit");
    if (!st)
        st = rvl_answer_parse(values, n, p, schema, content, strlen(content), err);
    if (!st) {
        memset(shares, 0, (size_t)n * (size_t)p->n_choices * sizeof *shares);
        for (int v = 0; v < n; v++)
            shares[v * p->n_choices + values[v].i_choice] = 1.0;
        out->has_logprobs = logprobs_read(shares, values, n, p,
                                          json_object_get(json_object_get(choice, "logprobs"), "content"), content);
    }
    json_decref(root);
    rvl_free(values);
    return st;
}
