/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/unit/test_label_llm_answer.c
 * Prompt files, what fills them, and answers that are read strictly.
 */
#include "support.h"
#include "base/alloc.h"
#include "base/json.h"
#include "label/llm_wire.h"

#define K 3

static const char SCHEMA[] = "name: three\n"
                             "templates: {positive: [\"There is {}.\"], negative: [\"There is no {}.\"]}\n"
                             "findings:\n"
                             "  - {name: effusion, title: pleural effusion, synonyms: [fluid]}\n"
                             "  - {name: nodule, title: nodule}\n"
                             "  - {name: emphysema, title: emphysema}\n";

static rvl_schema *schema;
static rvl_prompt *values, *json, *each;

static int setup(void **state)
{
    (void)state;
    OK(rvl_schema_parse(&schema, SCHEMA, sizeof SCHEMA - 1, "three", &err));
    OK(rvl_prompt_open(&values, "published-ct", &err));
    OK(rvl_prompt_open(&json, "json", &err));
    OK(rvl_prompt_open(&each, "yes-no", &err));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    rvl_prompt_free(values);
    rvl_prompt_free(json);
    rvl_prompt_free(each);
    rvl_schema_free(schema);
    return 0;
}

static rvl_span span(const char *text)
{
    return (rvl_span){.ptr = (const uint8_t *)text, .n_bytes = strlen(text)};
}

static rvl_status parse(rvl_answer_value *out, const rvl_prompt *p, const char *text)
{
    return rvl_answer_parse(out, p == each ? 1 : K, p, schema, text, strlen(text), NULL);
}

static void values__are_whole_or_nothing(void **state)
{
    static const char *const bad[] = {"",       "1,0",     "1,0,-1,0", "1,0,2",     "1,0,-1.",   "1;0;-1",
                                      "1,0,-",  "1,0,--1", "1 0 -1",   "10,0,-1",   "1,0,-1,",   "answer: 1,0,1",
                                      ",1,0,1", "1,,0",    "1,0,NaN",  "1,0,-1\n1", "\"1,0,1\"", "```1,0,1```"};
    rvl_answer_value         v[K];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        if (parse(v, values, bad[i]) != RVL_ERR_FORMAT)
            fail_msg("'%s' is taken", bad[i]);
    assert_int_equal(parse(v, values, " 1, 0 ,-1\n"), RVL_OK);
    assert_string_equal(values->choices[v[0].i_choice].text, "1");
    assert_string_equal(values->choices[v[1].i_choice].text, "0");
    assert_string_equal(values->choices[v[2].i_choice].text, "-1");
    assert_int_equal(v[0].at, 1);
    assert_int_equal(v[2].at, 7);
}

static void json__has_every_finding_once(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "null",
        "{}",
        "{\"effusion\": \"present\", \"nodule\": \"absent\"}",
        "{\"effusion\": \"present\", \"nodule\": \"absent\", \"emphysema\": \"maybe\"}",
        "{\"effusion\": \"present\", \"nodule\": \"absent\", \"emphysema\": 1}",
        "{\"effusion\": \"present\", \"nodule\": \"absent\", \"emphysema\": \"absent\", \"other\": \"absent\"}",
        "{\"effusion\": \"present\", \"nodule\": \"absent\", \"Emphysema\": \"absent\"}",
        "{\"effusion\": \"present\", \"effusion\": \"absent\", \"nodule\": \"absent\", \"emphysema\": \"absent\"}",
        "Sure: {\"effusion\": \"present\", \"nodule\": \"absent\", \"emphysema\": \"absent\"}"};
    static const char good[] =
        "```json\n{\"nodule\": \"not mentioned\", \"effusion\": \"present\", \"emphysema\" : \"uncertain\"}\n```";
    rvl_answer_value v[K];

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        if (parse(v, json, bad[i]) != RVL_ERR_FORMAT)
            fail_msg("'%s' is taken", bad[i]);
    assert_int_equal(parse(v, json, good), RVL_OK);
    static const char *const want[K] = {"present", "not mentioned", "uncertain"};
    for (int j = 0; j < K; j++) {
        assert_string_equal(json->choices[v[j].i_choice].text, want[j]);
        assert_memory_equal(good + v[j].at, want[j], strlen(want[j]));
    }
}

static void words__may_have_a_full_stop(void **state)
{
    rvl_answer_value v;

    (void)state;
    assert_int_equal(parse(&v, each, " Yes.\n"), RVL_OK);
    assert_int_equal(each->choices[v.i_choice].answer, RVL_ANSWER_PRESENT);
    assert_int_equal(parse(&v, each, "No"), RVL_OK);
    assert_int_equal(each->choices[v.i_choice].answer, RVL_ANSWER_DENIED);
    assert_int_equal(parse(&v, each, "Yes, but"), RVL_ERR_FORMAT);
    assert_int_equal(parse(&v, each, "Nothing"), RVL_ERR_FORMAT);
    assert_int_equal(parse(&v, each, "yes"), RVL_ERR_FORMAT);
}

static void answers__that_are_lumped_are_told_apart_by_the_text(void **state)
{
    const rvl_finding *effusion = rvl_schema_at(schema, 0);

    (void)state;
    assert_true(rvl_prompt_names(span("Pleural-effusion is seen"), effusion));
    assert_true(rvl_prompt_names(span("no PLEURAL EFFUSIONS."), effusion));
    assert_true(rvl_prompt_names(span("fluid"), effusion));
    assert_false(rvl_prompt_names(span("superfluid; pleural effusio"), effusion));
    assert_false(rvl_prompt_names(span(""), effusion));
    assert_int_equal(rvl_answer_state(RVL_ANSWER_UNCLEAR, true), RVL_LABEL_UNCERTAIN);
    assert_int_equal(rvl_answer_state(RVL_ANSWER_UNCLEAR, false), RVL_LABEL_NOT_MENTIONED);
    assert_int_equal(rvl_answer_state(RVL_ANSWER_DENIED, true), RVL_LABEL_ABSENT);
    assert_int_equal(rvl_answer_state(RVL_ANSWER_DENIED, false), RVL_LABEL_NOT_MENTIONED);
}

static void places__are_filled_once(void **state)
{
    char *text = rvl_prompt_fill("{n} {names}; {report} {other} {finding}", schema, span("{n} {report} {finding}"), 1);

    (void)state;
    assert_string_equal(text, "3 effusion, nodule, emphysema; {n} {report} {finding} {other} nodule");
    rvl_free(text);
    text = rvl_prompt_fill("{findings} {example}", schema, span(""), -1);
    assert_string_equal(text, "1. pleural effusion\n2. nodule\n3. emphysema 0,1,-1");
    rvl_free(text);
}

static void prompts__that_cannot_work_are_refused(void **state)
{
    static const char *const bad[] = {
        "name: a\nform: values\nuser: \"no place\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nform: values\nuser: \"{report} {report}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nform: values\nsystem: \"{report}\"\nuser: \"{report}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nform: each\nuser: \"{finding} in {report}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nform: json\nuser: \"{report} {finding}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nform: poem\nuser: \"{report}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nform: values\nuser: \"{report}\"\nanswers: {\"1\": present}\n",
        "name: a\nform: values\nuser: \"{report}\"\nanswers: {\"1\": present, \"10\": absent}\n",
        "name: a\nform: values\nuser: \"{report}\"\nanswers: {\"1\": present, \"0\": gone}\n",
        "name: a\nform: values\nuser: \"{report}\"\nanswers: {\"1,\": present, \"0\": absent}\n",
        "name: a\nform: values\nuser: \"{report}\"\nanswers: {\"1\": present, \"0\": absent}\ncolour: red\n",
        "form: values\nuser: \"{report}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "name: a\nuser: \"{report}\"\nanswers: {\"1\": present, \"0\": absent}\n",
        "- a\n",
        ""};
    rvl_prompt *p = NULL;

    (void)state;
    for (size_t i = 0; i < RVL_ARRAY_LEN(bad); i++)
        if (rvl_prompt_parse(&p, bad[i], strlen(bad[i]), "bad", NULL) == RVL_OK)
            fail_msg("prompt %zu is taken", i);
    assert_int_equal(rvl_prompt_open(&p, "no-such", NULL), RVL_ERR_NOT_FOUND);
    assert_null(p);
}

static void request__is_bound_to_the_prompts_answers(void **state)
{
    rvl_wire_request r = {.model = "m", .features = 7, .i_finding = -1};
    char            *text = NULL;
    json_t          *o = NULL;

    (void)state;
    OK(rvl_wire_format(&text, &r, json, schema, span("a \"quoted\"\nreport"), &err));
    OK(rvl_json_parse(&o, text, strlen(text), "request", &err));
    json_t *s = json_object_get(json_object_get(json_object_get(o, "response_format"), "json_schema"), "schema");
    assert_int_equal(json_object_size(json_object_get(s, "properties")), K);
    assert_int_equal(json_array_size(json_object_get(s, "required")), K);
    json_t *user = json_array_get(json_object_get(o, "messages"), 1);
    assert_string_equal(rvl_json_get_string(user, "content", ""), "Report: a \"quoted\"\nreport");
    json_decref(o);
    rvl_free(text);
    OK(rvl_wire_format(&text, &r, values, schema, span("x"), &err));
    OK(rvl_json_parse(&o, text, strlen(text), "request", &err));
    assert_string_equal(rvl_json_get_string(o, "grammar", ""),
                        "root ::= value (\",\" value){2}\nvalue ::= \"1\" | \"0\" | \"-1\"\n");
    json_decref(o);
    rvl_free(text);
    r.features = 0;
    OK(rvl_wire_format(&text, &r, values, schema, span("x"), &err));
    assert_null(strstr(text, "grammar"));
    assert_null(strstr(text, "logprobs"));
    assert_null(strstr(text, "temperature"));
    rvl_free(text);
    assert_int_equal(rvl_wire_format(&text, &r, values, schema, span("\xff"), NULL), RVL_ERR_FORMAT);
    assert_int_equal(rvl_wire_refused(7, "bad top_logprobs", 16), RVL_WIRE_LOGPROBS);
    assert_int_equal(rvl_wire_refused(7, "", 0), RVL_WIRE_BOUND);
    assert_int_equal(rvl_wire_refused(RVL_WIRE_SAMPLING, "grammar", 7), RVL_WIRE_SAMPLING);
    assert_int_equal(rvl_wire_refused(0, "grammar", 7), 0);
}

/* Tokens that do not spell the content, or tell of other values, are no probabilities. */
static void probabilities__need_tokens_that_spell_the_answer(void **state)
{
    static const char right[] =
        "{\"choices\": [{\"message\": {\"content\": \"Yes\"}, \"logprobs\": {\"content\": [{\"token\": \"Yes\", "
        "\"top_logprobs\": [{\"token\": \"Yes\", \"logprob\": -0.2876821}, {\"token\": \"No\", \"logprob\": "
        "-1.3862944}, "
        "{\"token\": \"Maybe\", \"logprob\": -9.0}]}]}}]}";
    static const char wrong[] =
        "{\"choices\": [{\"message\": {\"content\": \"Yes\"}, \"logprobs\": {\"content\": [{\"token\": \"Nes\", "
        "\"top_logprobs\": [{\"token\": \"Yes\", \"logprob\": -0.2876821}, {\"token\": \"No\", \"logprob\": "
        "-1.3862944}]}]}}]}";
    rvl_wire_answer a;
    double          shares[2];

    (void)state;
    OK(rvl_wire_parse(&a, shares, 1, each, schema, right, sizeof right - 1, &err));
    assert_true(a.has_logprobs);
    assert_int_equal(a.prompt_tok, -1);
    assert_float_equal(shares[0], 0.75, 1e-6);
    OK(rvl_wire_parse(&a, shares, 1, each, schema, wrong, sizeof wrong - 1, &err));
    assert_false(a.has_logprobs);
    assert_float_equal(shares[0], 1.0, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values__are_whole_or_nothing),
        cmocka_unit_test(json__has_every_finding_once),
        cmocka_unit_test(words__may_have_a_full_stop),
        cmocka_unit_test(answers__that_are_lumped_are_told_apart_by_the_text),
        cmocka_unit_test(places__are_filled_once),
        cmocka_unit_test(prompts__that_cannot_work_are_refused),
        cmocka_unit_test(request__is_bound_to_the_prompts_answers),
        cmocka_unit_test(probabilities__need_tokens_that_spell_the_answer),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
