/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file tests/tiny_gguf.h
 * A language model of random weights: GGUF version 3, architecture "llama", one block, width 32, a vocabulary of single
 * bytes and ChatML's two control tokens. Written from the format's description, for tests of the path, not of answers.
 */
#ifndef RVL_TESTS_TINY_GGUF_H
#define RVL_TESTS_TINY_GGUF_H
#include "base/str.h"
#include "base/file.h"
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define TINY_WIDTH 32
#define TINY_FFN 64
#define TINY_VOCAB 259 /* bytes, "<|im_start|>", "<|im_end|>", one merge */

enum { GGUF_U32 = 4, GGUF_I32 = 5, GGUF_F32 = 6, GGUF_STRING = 8, GGUF_ARRAY = 9 };

static inline void gguf_u32(rvl_str *s, uint32_t v)
{
    rvl_str_add_n(s, &v, sizeof v);
}

static inline void gguf_u64(rvl_str *s, uint64_t v)
{
    rvl_str_add_n(s, &v, sizeof v);
}

static inline void gguf_string(rvl_str *s, const char *text)
{
    gguf_u64(s, strlen(text));
    rvl_str_add(s, text);
}

static inline void gguf_key(rvl_str *s, const char *key, uint32_t type)
{
    gguf_string(s, key);
    gguf_u32(s, type);
}

static inline void gguf_key_u32(rvl_str *s, const char *key, uint32_t v)
{
    gguf_key(s, key, GGUF_U32);
    gguf_u32(s, v);
}

static inline void gguf_key_string(rvl_str *s, const char *key, const char *text)
{
    gguf_key(s, key, GGUF_STRING);
    gguf_string(s, text);
}

/* Token i: GPT-2 writes byte i as a printable character, others as U+0100 and on. */
static inline void tiny_token(char out[16], int i)
{
    static const char *const others[] = {"<|im_start|>", "<|im_end|>", "\xC4\xA0t"};
    uint32_t                 code = 0x100;
    if (i >= 256) {
        snprintf(out, 16, "%s", others[i - 256]);
        return;
    }
    for (int b = 0; b <= i; b++) {
        bool is_printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        if (b == i && is_printable)
            code = (uint32_t)b;
        else if (b < i && !is_printable)
            code++;
    }
    if (code < 0x80)
        snprintf(out, 16, "%c", (char)code);
    else
        snprintf(out, 16, "%c%c", (char)(0xC0 | (code >> 6)), (char)(0x80 | (code & 0x3F)));
}

static inline void tiny_vocab(rvl_str *s)
{
    char token[16];
    gguf_key_string(s, "tokenizer.ggml.model", "gpt2");
    gguf_key_string(s, "tokenizer.ggml.pre", "gpt-2");
    gguf_key(s, "tokenizer.ggml.tokens", GGUF_ARRAY);
    gguf_u32(s, GGUF_STRING);
    gguf_u64(s, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++) {
        tiny_token(token, i);
        gguf_string(s, token);
    }
    gguf_key(s, "tokenizer.ggml.token_type", GGUF_ARRAY);
    gguf_u32(s, GGUF_I32);
    gguf_u64(s, TINY_VOCAB);
    for (int i = 0; i < TINY_VOCAB; i++)
        gguf_u32(s, i == 256 || i == 257 ? 3 : 1); /* control, else normal */
    gguf_key(s, "tokenizer.ggml.merges", GGUF_ARRAY);
    gguf_u32(s, GGUF_STRING);
    gguf_u64(s, 1);
    gguf_string(s, "\xC4\xA0 t");
    gguf_key_u32(s, "tokenizer.ggml.bos_token_id", 256);
    gguf_key_u32(s, "tokenizer.ggml.eos_token_id", 257);
    gguf_key_string(
        s, "tokenizer.chat_template", /* ChatML's */
        "{% for m in messages %}{{ '<|im_start|>' + m.role + '\n' + m.content + '<|im_end|>\n' }}{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}");
}

typedef struct {
    const char *name;
    uint32_t    n_in, n_out; /* n_out 0: a vector */
    float       scale;       /* of the random weights; 0: ones */
} tiny_tensor;

static const tiny_tensor TINY_TENSORS[] = {
    {"token_embd.weight", TINY_WIDTH, TINY_VOCAB, 1.0F},
    {"output_norm.weight", TINY_WIDTH, 0, 0.0F},
    {"blk.0.attn_norm.weight", TINY_WIDTH, 0, 0.0F},
    {"blk.0.attn_q.weight", TINY_WIDTH, TINY_WIDTH, 0.4F},
    {"blk.0.attn_k.weight", TINY_WIDTH, TINY_WIDTH / 2, 0.4F},
    {"blk.0.attn_v.weight", TINY_WIDTH, TINY_WIDTH / 2, 0.4F},
    {"blk.0.attn_output.weight", TINY_WIDTH, TINY_WIDTH, 0.4F},
    {"blk.0.ffn_norm.weight", TINY_WIDTH, 0, 0.0F},
    {"blk.0.ffn_gate.weight", TINY_WIDTH, TINY_FFN, 0.3F},
    {"blk.0.ffn_up.weight", TINY_WIDTH, TINY_FFN, 0.3F},
    {"blk.0.ffn_down.weight", TINY_FFN, TINY_WIDTH, 0.3F},
};
#define TINY_N_TENSORS (sizeof TINY_TENSORS / sizeof TINY_TENSORS[0])

static inline size_t tiny_count(const tiny_tensor *t)
{
    return (size_t)t->n_in * (t->n_out ? t->n_out : 1);
}

/* The file's bytes; rvl_str_free. */
static inline rvl_str tiny_gguf(uint32_t n_context)
{
    rvl_str  s = {0};
    uint64_t offset = 0;
    uint64_t random = 1;
    rvl_str_add(&s, "GGUF");
    gguf_u32(&s, 3);
    gguf_u64(&s, TINY_N_TENSORS);
    gguf_u64(&s, 18); /* keys */
    gguf_key_string(&s, "general.architecture", "llama");
    gguf_key_string(&s, "general.name", "tiny");
    gguf_key_u32(&s, "llama.context_length", n_context);
    gguf_key_u32(&s, "llama.embedding_length", TINY_WIDTH);
    gguf_key_u32(&s, "llama.block_count", 1);
    gguf_key_u32(&s, "llama.feed_forward_length", TINY_FFN);
    gguf_key_u32(&s, "llama.attention.head_count", 2);
    gguf_key_u32(&s, "llama.attention.head_count_kv", 1);
    gguf_key(&s, "llama.attention.layer_norm_rms_epsilon", GGUF_F32);
    rvl_str_add_n(&s, &(float){1e-5F}, 4);
    gguf_key_u32(&s, "llama.rope.dimension_count", TINY_WIDTH / 2);
    tiny_vocab(&s);
    for (size_t i = 0; i < TINY_N_TENSORS; i++) {
        const tiny_tensor *t = &TINY_TENSORS[i];
        gguf_string(&s, t->name);
        gguf_u32(&s, t->n_out ? 2 : 1);
        gguf_u64(&s, t->n_in);
        if (t->n_out)
            gguf_u64(&s, t->n_out);
        gguf_u32(&s, 0); /* f32 */
        gguf_u64(&s, offset);
        offset += (tiny_count(t) * 4 + 31) / 32 * 32;
    }
    while (s.n_bytes % 32)
        rvl_str_add_n(&s, "", 1);
    for (size_t i = 0; i < TINY_N_TENSORS; i++) {
        for (size_t j = 0; j < tiny_count(&TINY_TENSORS[i]); j++) {
            random = random * 6364136223846793005U + 1442695040888963407U;
            float v = ((float)(random >> 40) / 8388608.0F - 1.0F) * TINY_TENSORS[i].scale;
            v = TINY_TENSORS[i].scale > 0.0F ? v : 1.0F;
            rvl_str_add_n(&s, &v, sizeof v);
        }
        while (s.n_bytes % 32)
            rvl_str_add_n(&s, "", 1);
    }
    return s;
}

#endif /* RVL_TESTS_TINY_GGUF_H */
