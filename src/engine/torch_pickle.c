/* SPDX-License-Identifier: Apache-2.0 */
/**
 * @file engine/torch_pickle.c
 * The pickle machine: a stack, a memo, and one case for each opcode that torch.save writes.
 */
#include "engine/torch_pickle.h"
#include <string.h>

#define MAX_PICKLE_BYTES ((size_t)16 << 20)
#define MAX_VALUES 2000000

/* What a GLOBAL may name. Storage types follow, one for each row of `storages`. */
enum { GLOBAL_ORDERED_DICT, GLOBAL_REBUILD_TENSOR, GLOBAL_REBUILD_PARAMETER, GLOBAL_STORAGE };

static const char *const functions[] = {"collections OrderedDict", "torch._utils _rebuild_tensor_v2",
                                        "torch._utils _rebuild_parameter"};
static const struct {
    const char *name;
    rvl_dtype   dtype;
} storages[] = {{"torch FloatStorage", RVL_DTYPE_F32},
                {"torch DoubleStorage", RVL_DTYPE_F64},
                {"torch HalfStorage", RVL_DTYPE_F16},
                {"torch BFloat16Storage", RVL_DTYPE_BF16},
                {"torch LongStorage", RVL_DTYPE_I64},
                {"torch IntStorage", RVL_DTYPE_I32},
                {"torch ShortStorage", RVL_DTYPE_I16},
                {"torch ByteStorage", RVL_DTYPE_U8},
                {"torch BoolStorage", RVL_DTYPE_U8 /* 0 and 1 */}};

/** A growing array of values: the stack, or the memo. */
typedef struct {
    rvl_pickle_value **at;
    size_t             n, capacity;
} value_array;

typedef struct {
    rvl_arena          *arena;
    rvl_span            bytes;
    const char         *name;
    rvl_error          *err;
    size_t              pos;
    bool                is_capped; /* there are more bytes than a pickle may have */
    size_t              n_values;
    value_array         stack; /* NULL is a MARK */
    value_array         memo;  /* NULL where nothing was put */
    rvl_pickle_storage *storages;
} machine;

static rvl_status fail(const machine *m, const char *what)
{
    return rvl_fail(m->err, RVL_ERR_FORMAT, "cannot read '%s': its pickle is damaged at byte %zu: %s", m->name, m->pos,
                    what);
}

static rvl_status out_of_memory(const machine *m)
{
    return rvl_fail(m->err, RVL_ERR_NOMEM, "cannot read '%s': out of memory", m->name);
}

static rvl_status array_reserve(const machine *m, value_array *a, size_t n)
{
    if (n <= a->capacity)
        return RVL_OK;
    size_t capacity = a->capacity * 2 > n ? a->capacity * 2 : n + 64;
    void  *grown = rvl_realloc_array(a->at, capacity, sizeof *a->at);
    if (!grown)
        return out_of_memory(m);
    a->at = grown;
    a->capacity = capacity;
    return RVL_OK;
}

static rvl_status push(machine *m, rvl_pickle_value *v)
{
    rvl_status st = array_reserve(m, &m->stack, m->stack.n + 1);

    if (!st)
        m->stack.at[m->stack.n++] = v;
    return st;
}

static rvl_status push_new(machine *m, rvl_pickle_value value)
{
    rvl_pickle_value *v;

    if (++m->n_values > MAX_VALUES)
        return rvl_fail(m->err, RVL_ERR_LIMIT, "cannot read '%s': its pickle has more than %d values", m->name,
                        MAX_VALUES);
    v = rvl_arena_alloc(m->arena, sizeof *v);
    if (!v)
        return out_of_memory(m);
    *v = value;
    return push(m, v);
}

static rvl_status push_int(machine *m, rvl_pickle_kind kind, int64_t i)
{
    return push_new(m, (rvl_pickle_value){.kind = kind, .u.i = i});
}

/** The top value, taken off; NULL if there is none above the last MARK. */
static rvl_pickle_value *pop(machine *m)
{
    return m->stack.n > 0 && m->stack.at[m->stack.n - 1] ? m->stack.at[--m->stack.n] : NULL;
}

static rvl_pickle_value *top(const machine *m)
{
    return m->stack.n > 0 ? m->stack.at[m->stack.n - 1] : NULL;
}

/** Place of the last MARK; false if there is none. */
static bool mark_find(const machine *m, size_t *out)
{
    for (size_t i = m->stack.n; i > 0; i--)
        if (!m->stack.at[i - 1]) {
            *out = i - 1;
            return true;
        }
    return false;
}

static rvl_status item_add(machine *m, rvl_pickle_value *to, const rvl_pickle_value *key, const rvl_pickle_value *value)
{
    rvl_pickle_item *item;

    if (key && key->kind != RVL_PICKLE_STR && key->kind != RVL_PICKLE_INT)
        return fail(m, "a dict has a key that is neither text nor an integer");
    item = rvl_arena_alloc(m->arena, sizeof *item);
    if (!item)
        return out_of_memory(m);
    *item = (rvl_pickle_item){key, value, NULL};
    if (to->u.items.last)
        to->u.items.last->next = item;
    else
        to->u.items.first = item;
    to->u.items.last = item;
    to->u.items.n++;
    return RVL_OK;
}

/** Move the values from `begin` to the top into `to`, a pair each if `to` is a dict; the stack is cut to `end`. */
static rvl_status items_take(machine *m, rvl_pickle_value *to, size_t begin, size_t end)
{
    size_t     step = to->kind == RVL_PICKLE_DICT ? 2 : 1;
    rvl_status st = RVL_OK;

    if ((m->stack.n - begin) % step)
        return fail(m, "a key without a value");
    for (size_t i = begin; !st && i < m->stack.n; i += step)
        st = step == 2 ? item_add(m, to, m->stack.at[i], m->stack.at[i + 1]) : item_add(m, to, NULL, m->stack.at[i]);
    m->stack.n = end;
    return st;
}

/** APPENDS and SETITEMS: everything above the MARK goes into the container below it. */
static rvl_status items_add(machine *m, rvl_pickle_kind kind)
{
    size_t mark;

    if (!mark_find(m, &mark) || mark == 0 || !m->stack.at[mark - 1] || m->stack.at[mark - 1]->kind != kind)
        return fail(m, "items without a list or dict");
    return items_take(m, m->stack.at[mark - 1], mark + 1, mark);
}

/** APPEND and SETITEM. */
static rvl_status item_add_one(machine *m, rvl_pickle_kind kind)
{
    size_t n = kind == RVL_PICKLE_DICT ? 2 : 1;

    if (m->stack.n < n + 1)
        return fail(m, "an item without a list or dict");
    for (size_t i = m->stack.n - n - 1; i < m->stack.n; i++)
        if (!m->stack.at[i])
            return fail(m, "an item without a list or dict");
    if (m->stack.at[m->stack.n - n - 1]->kind != kind)
        return fail(m, "an item without a list or dict");
    return items_take(m, m->stack.at[m->stack.n - n - 1], m->stack.n - n, m->stack.n - n);
}

/** A tuple of the values from `begin` on; the stack is cut to `end` first. */
static rvl_status tuple_make(machine *m, size_t begin, size_t end)
{
    rvl_pickle_value tuple = {.kind = RVL_PICKLE_TUPLE};
    rvl_status       st = items_take(m, &tuple, begin, end);

    return st ? st : push_new(m, tuple);
}

static rvl_status tuple_of(machine *m, size_t n)
{
    if (m->stack.n < n)
        return fail(m, "a tuple of more values than there are");
    for (size_t i = m->stack.n - n; i < m->stack.n; i++)
        if (!m->stack.at[i])
            return fail(m, "a tuple across a mark");
    return tuple_make(m, m->stack.n - n, m->stack.n - n);
}

static rvl_status tuple_marked(machine *m)
{
    size_t mark;

    return mark_find(m, &mark) ? tuple_make(m, mark + 1, mark) : fail(m, "a tuple without a mark");
}

/** Up to `max` members of a tuple (or list) into `out`; how many it has, -1 if it is none. */
static int members(const rvl_pickle_value **out, int max, const rvl_pickle_value *v)
{
    int n = 0;

    if (!v || (v->kind != RVL_PICKLE_TUPLE && v->kind != RVL_PICKLE_LIST))
        return -1;
    for (const rvl_pickle_item *i = v->u.items.first; i && n < max; i = i->next)
        out[n++] = i->value;
    return v->u.items.n > max ? max + 1 : n;
}

static rvl_status unknown_global(const machine *m, const char *text)
{
    return rvl_fail(m->err, RVL_ERR_UNSUPPORTED,
                    "cannot read '%s': it wants '%.120s', which is not run or understood\n"
                    "hint: write the weights alone, with torch.save(model.state_dict(), ...) or as safetensors",
                    m->name, text);
}

/** `text` is "module name". */
static rvl_status push_global(machine *m, const char *text)
{
    for (size_t i = 0; i < RVL_ARRAY_LEN(functions); i++)
        if (rvl_str_equal(text, functions[i]))
            return push_int(m, RVL_PICKLE_GLOBAL, (int64_t)i);
    for (size_t i = 0; i < RVL_ARRAY_LEN(storages); i++)
        if (rvl_str_equal(text, storages[i].name))
            return push_int(m, RVL_PICKLE_GLOBAL, GLOBAL_STORAGE + (int64_t)i);
    return unknown_global(m, text);
}

/** Text in the arena; NULL with the error set. */
static const char *text_make(const machine *m, const uint8_t *bytes, size_t n)
{
    const char *text = NULL;

    if (memchr(bytes, 0, n) || !rvl_utf8_valid(bytes, n, NULL))
        (void)fail(m, "a text is not UTF-8");
    else if (!(text = rvl_arena_strndup(m->arena, (const char *)bytes, n)))
        (void)out_of_memory(m);
    return text;
}

/** GLOBAL: module and name, each up to the end of a line. */
static rvl_status global_read(machine *m)
{
    const uint8_t *begin = m->bytes.ptr + m->pos;
    size_t         n_left = m->bytes.n_bytes - m->pos;
    const uint8_t *middle = memchr(begin, '\n', n_left);
    const uint8_t *end = middle ? memchr(middle + 1, '\n', n_left - (size_t)(middle + 1 - begin)) : NULL;
    rvl_str        text = {0};
    rvl_status     st;

    if (!end)
        return fail(m, "cut off in the name of a global");
    m->pos += (size_t)(end + 1 - begin);
    if (!rvl_utf8_valid(begin, (size_t)(end - begin), NULL))
        return fail(m, "the name of a global is not UTF-8");
    rvl_str_add_n(&text, begin, (size_t)(middle - begin));
    rvl_str_add(&text, " ");
    rvl_str_add_n(&text, middle + 1, (size_t)(end - middle - 1));
    st = text.failed ? out_of_memory(m) : push_global(m, text.ptr);
    rvl_str_free(&text);
    return st;
}

static rvl_status global_from_stack(machine *m)
{
    const rvl_pickle_value *name = pop(m);
    const rvl_pickle_value *module = name ? pop(m) : NULL;
    rvl_str                 text = {0};
    rvl_status              st;

    if (!module || module->kind != RVL_PICKLE_STR || name->kind != RVL_PICKLE_STR)
        return fail(m, "a global without a name");
    rvl_str_addf(&text, "%s %s", module->u.text, name->u.text);
    st = text.failed ? out_of_memory(m) : push_global(m, text.ptr);
    rvl_str_free(&text);
    return st;
}

/** Persistent id ('storage', type, key, location, count[, None]) -> a storage. */
static rvl_status storage_make(machine *m)
{
    const rvl_pickle_value *v[6] = {0};
    const int               n = members(v, 6, pop(m));
    rvl_pickle_storage     *s;

    if ((n != 5 && n != 6) || v[0]->kind != RVL_PICKLE_STR || !rvl_str_equal(v[0]->u.text, "storage") ||
        v[1]->kind != RVL_PICKLE_GLOBAL || v[1]->u.i < GLOBAL_STORAGE || v[2]->kind != RVL_PICKLE_STR ||
        v[4]->kind != RVL_PICKLE_INT || v[4]->u.i < 0)
        return fail(m, "a persistent id that is no storage");
    if (n == 6 && v[5]->kind != RVL_PICKLE_NONE)
        return rvl_fail(m->err, RVL_ERR_UNSUPPORTED,
                        "cannot read '%s': storage '%.40s' is a view of another, as only very old PyTorch wrote",
                        m->name, v[2]->u.text);
    s = rvl_arena_alloc(m->arena, sizeof *s);
    if (!s)
        return out_of_memory(m);
    *s = (rvl_pickle_storage){
        v[2]->u.text, storages[v[1]->u.i - GLOBAL_STORAGE].dtype, v[4]->u.i, NULL, m->storages,
    };
    m->storages = s;
    return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_STORAGE, .u.storage = s});
}

/** A tuple of integers >= 0 into `out`; -1 if it is something else. */
static int extents(int64_t *out, const rvl_pickle_value *v)
{
    const rvl_pickle_value *at[RVL_MAX_DIMS] = {0};
    const int               n = members(at, RVL_MAX_DIMS, v);

    for (int i = 0; i < n && i < RVL_MAX_DIMS; i++) {
        if (at[i]->kind != RVL_PICKLE_INT || at[i]->u.i < 0)
            return -1;
        out[i] = at[i]->u.i;
    }
    return n;
}

/** _rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks[, metadata]). */
static rvl_status tensor_make(machine *m, const rvl_pickle_value *args)
{
    const rvl_pickle_value *v[7] = {0};
    const int               n = members(v, 7, args);
    rvl_pickle_tensor      *t = rvl_arena_alloc(m->arena, sizeof *t);

    if (!t)
        return out_of_memory(m);
    if (n < 4 || n > 7 || v[0]->kind != RVL_PICKLE_STORAGE || v[1]->kind != RVL_PICKLE_INT || v[1]->u.i < 0)
        return fail(m, "a tensor without a storage and an offset");
    t->storage = v[0]->u.storage;
    t->offset = v[1]->u.i;
    t->n_dims = extents(t->shape, v[2]);
    if (t->n_dims < 0 || extents(t->stride, v[3]) != t->n_dims)
        return fail(m, "a tensor whose shape and strides do not fit");
    if (t->n_dims > RVL_MAX_DIMS)
        return rvl_fail(m->err, RVL_ERR_UNSUPPORTED, "cannot read '%s': a tensor has more than %d axes", m->name,
                        RVL_MAX_DIMS);
    return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_TENSOR, .u.tensor = t});
}

/** OrderedDict(), or OrderedDict([[key, value], ...]) as Python 2 wrote it. */
static rvl_status ordered_dict_make(machine *m, const rvl_pickle_value *args)
{
    rvl_pickle_value        dict = {.kind = RVL_PICKLE_DICT};
    const rvl_pickle_value *v[2] = {0};
    const int               n = members(v, 1, args);
    const rvl_pickle_item  *i = n == 1 && v[0]->kind == RVL_PICKLE_LIST ? v[0]->u.items.first : NULL;
    rvl_status              st = RVL_OK;

    if (n > 1 || (n == 1 && v[0]->kind != RVL_PICKLE_LIST))
        return fail(m, "an OrderedDict of something else than pairs");
    for (; !st && i; i = i->next)
        st = members(v, 2, i->value) == 2 ? item_add(m, &dict, v[0], v[1])
                                          : fail(m, "an OrderedDict of something else than pairs");
    return st ? st : push_new(m, dict);
}

static rvl_status reduce(machine *m)
{
    rvl_pickle_value       *args = pop(m);
    rvl_pickle_value       *callee = args ? pop(m) : NULL;
    const rvl_pickle_value *v[3] = {0};

    if (!callee || callee->kind != RVL_PICKLE_GLOBAL || args->kind != RVL_PICKLE_TUPLE)
        return fail(m, "a call of something that is no global");
    switch (callee->u.i) {
    case GLOBAL_ORDERED_DICT:
        return ordered_dict_make(m, args);
    case GLOBAL_REBUILD_TENSOR:
        return tensor_make(m, args);
    case GLOBAL_REBUILD_PARAMETER:
        if (members(v, 3, args) != 3 || v[0]->kind != RVL_PICKLE_TENSOR)
            return fail(m, "a parameter without a tensor");
        return push_new(m, *v[0]);
    default:
        return fail(m, "a call of a storage type");
    }
}

/** Attributes of an OrderedDict (torch's `_metadata`) say nothing about weights and are dropped. */
static rvl_status build(machine *m)
{
    if (!pop(m) || !top(m) || top(m)->kind != RVL_PICKLE_DICT)
        return fail(m, "attributes of something that is no OrderedDict");
    return RVL_OK;
}

static rvl_status memo_put(machine *m, size_t i)
{
    rvl_status st;

    if (!top(m))
        return fail(m, "nothing to remember");
    if (i >= MAX_VALUES)
        return fail(m, "a memo number out of range");
    st = array_reserve(m, &m->memo, i + 1);
    if (st)
        return st;
    for (; m->memo.n <= i; m->memo.n++)
        m->memo.at[m->memo.n] = NULL;
    m->memo.at[i] = top(m);
    return RVL_OK;
}

static rvl_status memo_get(machine *m, size_t i)
{
    return i < m->memo.n && m->memo.at[i] ? push(m, m->memo.at[i]) : fail(m, "a memo number that was not put");
}

/** `n` bytes at the place of reading, passed over; NULL with the error set if there are fewer. */
static const uint8_t *take(machine *m, size_t n)
{
    const uint8_t *at = m->bytes.ptr + m->pos;

    if (n > m->bytes.n_bytes - m->pos) {
        (void)(m->is_capped
                   ? rvl_fail(m->err, RVL_ERR_LIMIT, "cannot read '%s': its pickle is larger than 16 MiB", m->name)
                   : fail(m, "cut off"));
        return NULL;
    }
    m->pos += n;
    return at;
}

/** A little-endian number of `n` <= 8 bytes, not extended by its sign. */
static bool take_number(machine *m, size_t n, uint64_t *out)
{
    const uint8_t *at = take(m, n);

    *out = 0;
    for (size_t i = 0; at && i < n; i++)
        *out |= (uint64_t)at[i] << (8 * i);
    return at != NULL;
}

static rvl_status push_text(machine *m, size_t n_length)
{
    const uint8_t *bytes;
    const char    *text;
    uint64_t       n;

    if (!take_number(m, n_length, &n) || !(bytes = take(m, (size_t)n)) || !(text = text_make(m, bytes, (size_t)n)))
        return m->err->code;
    return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_STR, .u.text = text});
}

/** Two's complement of `n` bytes. */
static rvl_status push_signed(machine *m, size_t n)
{
    uint64_t number;

    if (n > 8)
        return fail(m, "an integer of more than 8 bytes");
    if (!take_number(m, n, &number))
        return m->err->code;
    if (n > 0 && n < 8 && (number >> (8 * n - 1) & 1))
        number |= UINT64_MAX << (8 * n);
    return push_int(m, RVL_PICKLE_INT, (int64_t)number);
}

/** BINFLOAT: 8 bytes, most significant first. */
static rvl_status push_float(machine *m)
{
    rvl_pickle_value v = {.kind = RVL_PICKLE_FLOAT};
    const uint8_t   *at = take(m, 8);
    uint64_t         bits = 0;

    if (!at)
        return m->err->code;
    for (int i = 0; i < 8; i++)
        bits = bits << 8 | at[i];
    memcpy(&v.u.f, &bits, sizeof v.u.f);
    return push_new(m, v);
}

/** Opcodes followed by a number of `n` bytes. */
static rvl_status step_numbered(machine *m, uint8_t op)
{
    const size_t n = op == 'M' ? 2 : op == 'r' || op == 'j' ? 4 : op == 0x95 ? 8 : 1;
    uint64_t     number;

    if (!take_number(m, n, &number))
        return m->err->code;
    switch (op) {
    case 0x80: /* PROTO */
        return number >= 2 && number <= 4 ? RVL_OK : fail(m, "not of protocol 2 to 4");
    case 0x95: /* FRAME */
        return RVL_OK;
    case 'K': /* BININT1 */
    case 'M': /* BININT2 */
        return push_int(m, RVL_PICKLE_INT, (int64_t)number);
    case 0x8a: /* LONG1 */
        return push_signed(m, (size_t)number);
    case 'q': /* BINPUT */
    case 'r': /* LONG_BINPUT */
        return memo_put(m, (size_t)number);
    default: /* 'h' BINGET, 'j' LONG_BINGET */
        return memo_get(m, (size_t)number);
    }
}

/** Opcodes that make or fill containers, and calls. */
static rvl_status step_structure(machine *m, uint8_t op)
{
    switch (op) {
    case '(':
        return push(m, NULL);
    case ')':
        return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_TUPLE});
    case ']':
        return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_LIST});
    case '}':
        return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_DICT});
    case 't':
        return tuple_marked(m);
    case 0x85:
    case 0x86:
    case 0x87:
        return tuple_of(m, op - 0x84u);
    case 'a':
        return item_add_one(m, RVL_PICKLE_LIST);
    case 's':
        return item_add_one(m, RVL_PICKLE_DICT);
    case 'e':
        return items_add(m, RVL_PICKLE_LIST);
    case 'u':
        return items_add(m, RVL_PICKLE_DICT);
    case 'c':
        return global_read(m);
    case 0x93: /* STACK_GLOBAL */
        return global_from_stack(m);
    case 'Q': /* BINPERSID */
        return storage_make(m);
    case 'R':
        return reduce(m);
    case 'b':
        return build(m);
    default:
        return rvl_fail(m->err, RVL_ERR_UNSUPPORTED,
                        "cannot read '%s': pickle opcode 0x%02x at byte %zu is nothing that weights need", m->name, op,
                        m->pos - 1);
    }
}

static rvl_status step(machine *m, uint8_t op)
{
    switch (op) {
    case 'N':
        return push_new(m, (rvl_pickle_value){.kind = RVL_PICKLE_NONE});
    case 0x88: /* NEWTRUE */
    case 0x89: /* NEWFALSE */
        return push_int(m, RVL_PICKLE_BOOL, op == 0x88);
    case 'J': /* BININT */
        return push_signed(m, 4);
    case 'G':
        return push_float(m);
    case 'X': /* BINUNICODE */
    case 'T': /* BINSTRING, Python 2 */
        return push_text(m, 4);
    case 0x8c: /* SHORT_BINUNICODE */
    case 'U':  /* SHORT_BINSTRING, Python 2 */
        return push_text(m, 1);
    case 0x94: /* MEMOIZE */
        return memo_put(m, m->memo.n);
    case 0x80:
    case 0x95:
    case 'K':
    case 'M':
    case 0x8a:
    case 'q':
    case 'r':
    case 'h':
    case 'j':
        return step_numbered(m, op);
    default:
        return step_structure(m, op);
    }
}

rvl_status rvl__pickle_parse(rvl_pickle *out, rvl_arena *arena, rvl_span bytes, const char *name, rvl_error *err)
{
    rvl_error  local = {0};
    machine    m = {.arena = arena, .bytes = bytes, .name = name, .err = err ? err : &local};
    rvl_status st = RVL_OK;

    *out = (rvl_pickle){0};
    m.is_capped = bytes.n_bytes > MAX_PICKLE_BYTES;
    if (m.is_capped)
        m.bytes.n_bytes = MAX_PICKLE_BYTES;
    if (m.bytes.n_bytes < 2 || m.bytes.ptr[0] != 0x80)
        return fail(&m, "it does not begin as one");
    while (!st) {
        const uint8_t *op = take(&m, 1);

        if (op && *op == '.')
            break;
        st = op ? step(&m, *op) : m.err->code;
    }
    if (!st && (m.stack.n != 1 || !top(&m)))
        st = fail(&m, "it does not end with one value");
    if (!st)
        *out = (rvl_pickle){m.stack.at[0], m.storages, m.pos};
    rvl_free(m.stack.at);
    rvl_free(m.memo.at);
    return st;
}

const rvl_pickle_value *rvl__pickle_get(const rvl_pickle_value *dict, const char *key)
{
    const rvl_pickle_value *found = NULL;

    if (!dict || dict->kind != RVL_PICKLE_DICT)
        return NULL;
    for (const rvl_pickle_item *i = dict->u.items.first; i; i = i->next)
        if (i->key->kind == RVL_PICKLE_STR && rvl_str_equal(i->key->u.text, key))
            found = i->value;
    return found;
}
