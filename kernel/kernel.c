/* Parses XML records of the usual form to Arrow columns.

   The caller passes a block of records, with the start of each. The kernel reads them one after the
   other, and returns the columns of all tables. It parses XML but has no knowledge of Discogs: the
   program, which plugins/discogs/records/kernel_program.py makes from the mapping, says which
   elements are rows, and which texts and attributes are columns.

   A record that does not have the usual form is refused: it leaves no row, and the caller parses it
   with lxml. Refused are records that are not well-formed, and well-formed ones with rare content:
   comments, CDATA sections, processing instructions, namespaces, names that are not ASCII, elements
   within the text of a column, two elements where the mapping expects one, a row without content,
   and a number with other characters than digits. All other records are read as lxml reads them;
   tests compare the two.

   A record that lxml rejects is parsed once more, leniently: then errors that do not affect a value
   are ignored. These are comments of any kind, bytes that are not UTF-8, names of unknown elements
   and attributes, a missing space between attributes, and any depth.

   It is built as WebAssembly (make kernel) and imports nothing, so it cannot access anything outside
   its own memory, whatever bytes it reads. The memory is one arena: the program, then for each block
   its bytes, rows and columns. It grows to the size that the largest block needs. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <wasm_simd128.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef int32_t i32;

#define EXPORT(name) __attribute__((export_name(name)))
#define NONE (-1)
#define PAGE 65536u
/* Bytes are loaded and stored 16 at a time, so this many must be accessible after the last one. */
#define PADDING 64u
/* Elements nest eight deep in the dumps; lxml limits the depth too, above USUAL_DEPTH. */
#define USUAL_DEPTH 64
#define MAX_DEPTH 16384
#define MAX_ATTRIBUTES 16
#define MAX_UNKNOWN 64
/* The longest usual reference, "&#x10FFFF;", has eight bytes between & and ;. */
#define MAX_REFERENCE 8u

/* ---- The program, as kernel_program.py writes it, in this order, as 32-bit words ---- */

enum Type { TEXT, INTEGER, SMALLINT, BOOLEAN };
enum Content {
    ELEMENTS, /* only elements: a text in it is counted as unknown */
    COLUMN,   /* its text is a column of the row */
    BEFORE,   /* its text is a column of the row of the next sibling, unless that has its own */
    IGNORED,  /* its text is ignored */
};
enum Owner {
    RECORD, /* a row directly below the record */
    SEQ,    /* a row in another row, to which it refers by that row's ordinal */
    NUMBER, /* an item of a list, which refers to its row by the position in the table */
    DEEPER, /* nested deeper than the program allows: refused */
};

/* An element that the mapping reads. */
typedef struct {
    i32 name, name_size;               /* in the program's names */
    i32 child, next;                   /* its first child, and its next sibling */
    i32 table, owner;                  /* of its row; NONE if it is not a row */
    i32 content, column, type;         /* of its text */
    i32 before;                        /* the sibling that may have a column of its row */
    i32 first_attribute, attributes;
} Node;

typedef struct {
    i32 name, name_size, column, type;
} Attribute;

typedef struct {
    i32 first_column, columns;
    i32 per_record; /* whether ordinals count the rows of the record, not of the row around them */
} Shape;

static const Node *nodes;
static const Attribute *attributes;
static const Shape *shapes;
static const i32 *types; /* of the columns of all tables */
static const u8 *names;
static i32 node_count, table_count;

/* ---- The content of a block ---- */

/* A text by its address in the block, or a number; NULL if the size is 0. */
typedef struct {
    u32 value, size;
} Cell;

typedef struct {
    i32 record; /* the position of its record among the records that are not refused */
    i32 number; /* its position in its table */
    i32 owner;  /* the row around it, as given by its node's Owner */
    i32 seq;    /* its ordinal, from 1 */
    Cell cells[];
} Row;

/* The rows of a table are in chunks of one page, which do not move. */
typedef struct Chunk {
    struct Chunk *next;
    u8 rows[];
} Chunk;

typedef struct {
    Chunk *first, *last;
    i32 rows;
    u32 row_size, chunk_rows;
    const Row *group; /* the row in which the ordinals are currently counted */
    i32 seq;
} Table;

/* An element, attribute or text of a known element that the program does not name. */
typedef struct {
    i32 node, kind, name, name_size, count;
    i32 record, in_record; /* the last record that has it, and how many times */
} Unknown;
enum Kind { AN_ELEMENT, AN_ATTRIBUTE, A_TEXT };

typedef struct {
    const Node *node; /* NULL for an element that the program does not name */
    const Node *last; /* the child that was read last */
    Row *row;         /* the row that its values belong to */
    const u8 *name;
    u32 name_size;
    bool filled;      /* whether it has an attribute, a child or a text */
    bool text_noted;
} Frame;

/* The result of parse(); addresses and sizes are in bytes. */
static struct {
    u32 refused, refused_count; /* positions of the records that were refused */
    u32 unknown, unknown_count;
    u32 layout;  /* the positions of the tables and columns in the output */
    u32 output, output_size;
} result;

static u8 *arena, *top; /* the ends of the memory in use outside blocks, and in all */
static Table *tables, *saved;
static const Row **seen; /* for each node, the row in which it occurred last */
static Unknown unknowns[MAX_UNKNOWN];
static i32 unknown_count;
static i32 records, *bounds, *refused, refused_count;
static i32 *layout;
static u8 *data;
static i32 record; /* the position among the records that are not refused */
static bool lenient;
static Frame stack[MAX_DEPTH];

extern u8 __heap_base; /* defined by the linker: the first byte after all variables */

/* Allocate bytes after the memory in use; NULL if the memory has reached its limit. */
static void *take(size_t size) {
    size_t start = ((size_t)top + 15) & ~(size_t)15, end = start + size;
    if (end < start || end > UINT32_MAX - PAGE) return NULL;
    size_t pages = __builtin_wasm_memory_size(0);
    if (end > pages * PAGE) {
        size_t wanted = (end + PAGE - 1) / PAGE;
        if (__builtin_wasm_memory_grow(0, wanted - pages) == (size_t)-1) return NULL;
    }
    top = (u8 *)end;
    return (void *)start;
}

/* Allocate a program of so many bytes; 0 if there is no memory. */
EXPORT("program") void *program(u32 size) {
    top = &__heap_base;
    return take(size + PADDING);
}

/* Set up the program that was written there; 0 if there is no memory. */
EXPORT("start")
i32 start(void *written, i32 with_nodes, i32 with_attributes, i32 with_tables, i32 with_columns) {
    node_count = with_nodes;
    table_count = with_tables;
    nodes = written;
    attributes = (const Attribute *)(nodes + with_nodes);
    shapes = (const Shape *)(attributes + with_attributes);
    types = (const i32 *)(shapes + with_tables);
    names = (const u8 *)(types + with_columns);
    tables = take(with_tables * sizeof(Table));
    saved = take(with_tables * sizeof(Table));
    seen = take(with_nodes * sizeof(Row *));
    layout = take((with_tables * 4 + with_columns * 5) * sizeof(i32));
    arena = top;
    return tables && saved && seen && layout;
}

/* Allocate a block: records + 1 words, for the start of each record and the end of the last, and
   then the bytes; 0 if there is no memory. */
EXPORT("block") void *block(i32 with_records, u32 size) {
    top = arena;
    records = with_records;
    bounds = take((size_t)(with_records + 1) * sizeof(i32) + size + PADDING);
    if (!bounds) return NULL;
    data = (u8 *)(bounds + with_records + 1);
    __builtin_memset(data + size, 0, PADDING);
    refused = take((size_t)with_records * sizeof(i32));
    return refused ? bounds : NULL;
}

/* ---- Characters ---- */

#define LOAD(at) wasm_v128_load(at)
#define ANY(a, b) wasm_v128_or(a, b)
#define IS(bytes, c) wasm_i8x16_eq(bytes, wasm_i8x16_splat(c))
#define MASK(bytes) ((u32)wasm_i8x16_bitmask(bytes))

static inline bool is_space(u8 c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static inline bool is_letter(u8 c) { return (u8)((c | 32) - 'a') < 26 || c == '_'; }

static bool in_any_name(u8 c) {
    return c > ' ' && c != '<' && c != '>' && c != '/' && c != '=' && c != '"' && c != '\'';
}

static inline bool in_name(u8 c) {
    return is_letter(c) || (u8)(c - '0') < 10 || c == '-' || c == '.' ||
           (lenient && in_any_name(c));
}

static inline bool starts_name(u8 c) {
    return is_letter(c) || (lenient && in_any_name(c) && c != '!' && c != '?' && c != '&');
}

static inline bool only_space(const u8 *at, const u8 *end) {
    while (at < end && is_space(*at)) at++;
    return at == end;
}

/* Whether two byte strings are equal; up to eight bytes after them are read. */
static inline bool same(const u8 *one, const u8 *other, u32 size) {
    uint64_t a, b;
    for (; size > 8; size -= 8, one += 8, other += 8) {
        __builtin_memcpy(&a, one, 8);
        __builtin_memcpy(&b, other, 8);
        if (a != b) return false;
    }
    __builtin_memcpy(&a, one, 8); /* the bytes after them are shifted out */
    __builtin_memcpy(&b, other, 8);
    return size == 0 || ((a ^ b) << (64 - 8 * size)) == 0;
}

/* Whether bytes are equal to a word, given as a literal. */
#define IS_WORD(at, size, word)                                                                  \
    ((size) == sizeof(word) - 1 && same(at, (const u8 *)word "\0\0\0\0\0\0\0", sizeof(word) - 1))

static inline bool continues(const u8 *at, i32 bytes) {
    for (i32 i = 1; i <= bytes; i++)
        if ((at[i] & 0xC0) != 0x80) return false;
    return true;
}

/* Whether bytes are UTF-8 without NUL. Other characters that XML forbids are kept, as lxml_parser
   does. */
static bool is_text(const u8 *at, const u8 *end) {
    while (at < end) {
        u32 odd = MASK(wasm_i8x16_lt(LOAD(at), wasm_i8x16_splat(1))); /* NUL, or not ASCII */
        if (!odd) {
            at += 16;
            continue;
        }
        at += __builtin_ctz(odd);
        if (at >= end) return true;
        if (*at == 0) return false;
        while (at < end && *at >= 0x80) {
            u8 c = *at;
            i32 more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3;
            if (c < 0xC2 || c > 0xF4 || end - at <= more || !continues(at, more)) return false;
            if (c == 0xE0 && at[1] < 0xA0) return false;  /* overlong */
            if (c == 0xED && at[1] >= 0xA0) return false; /* a surrogate */
            if (c == 0xF0 && at[1] < 0x90) return false;
            if (c == 0xF4 && at[1] >= 0x90) return false; /* beyond Unicode */
            at += more + 1;
        }
    }
    return true;
}

/* The next '<', or the end. Sets encoded if the text before it has to be decoded. */
static inline u8 *find_markup(u8 *at, u8 *end, bool *encoded) {
    for (; at < end; at += 16) {
        v128_t bytes = LOAD(at);
        u32 markup = MASK(IS(bytes, '<'));
        u32 special = MASK(ANY(IS(bytes, '&'), IS(bytes, '\r')));
        if (special & (markup ? (markup & -markup) - 1 : 0xFFFF)) *encoded = true;
        if (markup) {
            at += __builtin_ctz(markup);
            return at < end ? at : end;
        }
    }
    return end;
}

/* The character of a reference, given the bytes between & and ;; 0 if it is unknown, or cannot be
   stored. */
static u32 referenced(const u8 *at, u32 size) {
    if (size < 2 || size > MAX_REFERENCE) return 0;
    if (*at == '#') {
        bool hexadecimal = at[1] == 'x';
        u32 code = 0;
        u32 i = hexadecimal ? 2 : 1;
        if (i == size) return 0;
        for (; i < size; i++) {
            u8 c = at[i], letter = (u8)((c | 32) - 'a');
            if ((u8)(c - '0') < 10) code = code * (hexadecimal ? 16 : 10) + (c - '0');
            else if (hexadecimal && letter < 6) code = code * 16 + 10 + letter;
            else return 0;
        }
        return code > 0x10FFFF || (code >= 0xD800 && code < 0xE000) ? 0 : code;
    }
    if (IS_WORD(at, size, "amp")) return '&';
    if (IS_WORD(at, size, "lt")) return '<';
    if (IS_WORD(at, size, "gt")) return '>';
    if (IS_WORD(at, size, "quot")) return '"';
    if (IS_WORD(at, size, "apos")) return '\'';
    return 0;
}

static u8 *put_character(u8 *to, u32 code) {
    if (code < 0x80) {
        *to++ = (u8)code;
    } else if (code < 0x800) {
        *to++ = (u8)(0xC0 | code >> 6);
        *to++ = (u8)(0x80 | (code & 63));
    } else if (code < 0x10000) {
        *to++ = (u8)(0xE0 | code >> 12);
        *to++ = (u8)(0x80 | (code >> 6 & 63));
        *to++ = (u8)(0x80 | (code & 63));
    } else {
        *to++ = (u8)(0xF0 | code >> 18);
        *to++ = (u8)(0x80 | (code >> 12 & 63));
        *to++ = (u8)(0x80 | (code >> 6 & 63));
        *to++ = (u8)(0x80 | (code & 63));
    }
    return to;
}

/* Decode references and line ends in place, since the result is never longer. Returns its end, or
   NULL to refuse the record. */
static u8 *decode(u8 *at, const u8 *end) {
    u8 *to = at;
    while (at < end) {
        if (*at == '\r') {
            at += at + 1 < end && at[1] == '\n' ? 2 : 1;
            *to++ = '\n';
        } else if (*at == '&') {
            u32 size = 0;
            while (at + 1 + size < end && size <= MAX_REFERENCE && at[1 + size] != ';') size++;
            if (at + 1 + size >= end || at[1 + size] != ';') return NULL;
            u32 code = referenced(at + 1, size);
            if (!code) return NULL;
            to = put_character(to, code);
            at += size + 2;
        } else {
            *to++ = *at++;
        }
    }
    return to;
}

/* ---- Values ---- */

/* Store a value in its cell; a blank value leaves the cell unchanged. False refuses the record. */
static inline bool put(Cell *cell, i32 type, u8 *at, u8 *end, bool encoded) {
    if (encoded) {
        end = decode(at, end);
        if (!end) return false;
    }
    while (at < end && is_space(*at)) at++;
    while (at < end && is_space(end[-1])) end--;
    u32 size = (u32)(end - at);
    if (!size) return true;
    if (lenient && !is_text(at, end)) return false;
    u32 value = (u32)(size_t)at;
    if (type == INTEGER || type == SMALLINT) {
        uint64_t number = 0;
        if (size > 10) return false;
        for (; at < end; at++) {
            if ((u8)(*at - '0') > 9) return false;
            number = number * 10 + (*at - '0');
        }
        if (number > (type == SMALLINT ? INT16_MAX : INT32_MAX)) return false;
        value = (u32)number;
    } else if (type == BOOLEAN) {
        if (IS_WORD(at, size, "true")) value = 1;
        else if (IS_WORD(at, size, "false")) value = 0;
        else return false;
    }
    *cell = (Cell){value, size};
    return true;
}

/* Count something that the program does not name. False if there are too many kinds: the record is
   then refused, and its unknown parts are counted by the caller. */
static bool note_unknown(const Node *node, i32 kind, const u8 *name, u32 size) {
    Unknown *unknown = unknowns, *end = unknowns + unknown_count;
    i32 number = (i32)(node - nodes);
    for (; unknown < end; unknown++)
        if (unknown->node == number && unknown->kind == kind && unknown->name_size == (i32)size &&
            same(data + unknown->name, name, size))
            break;
    if (unknown == end) {
        if (unknown_count == MAX_UNKNOWN) return false;
        unknown_count++;
        *unknown = (Unknown){number, kind, (i32)(name - data), (i32)size, 0, record, 0};
    }
    if (unknown->record != record) {
        unknown->record = record;
        unknown->in_record = 0;
    }
    unknown->count++;
    unknown->in_record++;
    return true;
}

/* ---- Rows ---- */

/* Add a row of NULLs; returns NULL if there is no memory. */
static Row *add_row(const Node *node, Row *around, const Row *of_record) {
    Table *table = &tables[node->table];
    const Shape *shape = &shapes[node->table];
    u32 position = (u32)table->rows % table->chunk_rows;
    if (!position) {
        Chunk *chunk = take(PAGE);
        if (!chunk) return NULL;
        if (table->rows) table->last->next = chunk;
        else table->first = chunk;
        table->last = chunk;
    }
    Row *row = (Row *)(table->last->rows + position * table->row_size);
    row->record = record;
    row->number = table->rows++;
    row->owner = !around ? 0 : node->owner == SEQ ? around->seq
                             : node->owner == NUMBER ? around->number : 0;
    const Row *group = shape->per_record ? of_record : around;
    if (table->group != group) {
        table->group = group;
        table->seq = 0;
    }
    row->seq = ++table->seq;
    for (i32 i = 0; i < shape->columns; i++) row->cells[i] = (Cell){0, 0};
    return row;
}

/* ---- Elements ---- */

/* The child of a name. Children are mostly in the order of the mapping, possibly repeated, so the
   search starts at the last one found. */
static inline const Node *child_named(Frame *frame, const u8 *name, u32 size) {
    if (!frame->node || frame->node->child == NONE) return NULL;
    const Node *first = &nodes[frame->node->child], *likely = frame->last ? frame->last : first;
    for (const Node *node = likely;;) {
        if (node->name_size == (i32)size && same(names + node->name, name, size))
            return frame->last = node;
        node = node->next == NONE ? first : &nodes[node->next];
        if (node == likely) return NULL;
    }
}

/* Read the attributes of a start tag up to its '>' or '/'; NULL refuses the record. */
static inline u8 *read_attributes(u8 *at, u8 *end, const Node *node, Row *row, bool *filled) {
    const u8 *stood[MAX_ATTRIBUTES];
    u32 sizes[MAX_ATTRIBUTES];
    i32 count = 0, likely = 0;
    for (;;) {
        if (*at == '>' || *at == '/') return at;
        if (!is_space(*at) && !lenient) return NULL;
        while (is_space(*at)) at++;
        if (*at == '>' || *at == '/') continue;

        const u8 *name = at;
        if (!starts_name(*at)) return NULL;
        while (in_name(*at)) at++;
        u32 size = (u32)(at - name);
        if (IS_WORD(name, size, "xmlns")) return NULL;
        if (count == MAX_ATTRIBUTES) return NULL;
        *filled = true;
        for (i32 i = 0; i < count; i++)
            if (sizes[i] == size && same(stood[i], name, size)) return NULL;
        stood[count] = name;
        sizes[count++] = size;

        u8 quote = at[1];
        if (at[0] != '=' || (quote != '"' && quote != '\'')) return NULL;
        at += 2;
        u8 *value = at;
        bool encoded = false;
        for (;;) {
            if (at >= end) return NULL;
            v128_t bytes = LOAD(at);
            v128_t stops = ANY(ANY(IS(bytes, quote), IS(bytes, '<')), IS(bytes, '&'));
            u32 stop = MASK(ANY(stops, wasm_u8x16_lt(bytes, wasm_u8x16_splat(' '))));
            if (!stop) {
                at += 16;
                continue;
            }
            at += __builtin_ctz(stop);
            if (at >= end || *at == '<' || *at == '\r') return NULL;
            if (*at == quote) break;
            if (*at == '&') encoded = true;
            else if (*at == '\n' || *at == '\t') *at = ' '; /* XML's attribute-value normalization */
            at++;
        }

        if (node) {
            const Attribute *attribute = NULL;
            for (i32 i = 0; i < node->attributes; i++) {
                i32 number = likely + i < node->attributes ? likely + i
                                                           : likely + i - node->attributes;
                const Attribute *known = &attributes[node->first_attribute + number];
                if (known->name_size == (i32)size && same(names + known->name, name, size)) {
                    attribute = known;
                    likely = number + 1;
                    break;
                }
            }
            if (!attribute) {
                if (!note_unknown(node, AN_ATTRIBUTE, name, size)) return NULL;
            } else if (attribute->column != NONE) {
                Cell *cell = &row->cells[attribute->column];
                if (!put(cell, attribute->type, value, at, encoded)) return NULL;
                encoded = false;
            }
        }
        if (encoded && !decode(value, at)) return NULL;
        at++;
    }
}

/* Read an end tag, after its "</"; returns its end, or NULL. */
static inline u8 *read_end(u8 *at, const u8 *name, u32 size) {
    if (!same(at, name, size)) return NULL;
    at += size;
    while (is_space(*at)) at++;
    return *at == '>' ? at + 1 : NULL;
}

static bool is_comment(const u8 *at) { return at[1] == '!' && at[2] == '-' && at[3] == '-'; }

/* The end of a comment, or NULL. */
static u8 *skip_comment(u8 *at, const u8 *end) {
    for (at += 4; at + 3 <= end; at++)
        if (at[0] == '-' && at[1] == '-' && at[2] == '>') return at + 3;
    return NULL;
}

/* Whether an element is a row only if it is not empty: a record with an empty one is refused. The
   record itself is always a row, and empty items of lists are dropped later. */
static inline bool makes_row(const Node *node) {
    return node && node->table > 0 && node->owner != NUMBER;
}

/* Parse a record into the tables; false refuses it. */
static bool read_record(u8 *at, u8 *end) {
    Row *of_record = NULL;
    const Node *before = NULL; /* an element whose text may be a column of the next row */
    Cell before_cell = {0, 0};
    u32 depth = 0;

    if (!lenient && !is_text(at, end)) return false;
    __builtin_memset(seen, 0, (size_t)node_count * sizeof(Row *));
    stack[0] = (Frame){.node = nodes};
    for (;;) {
        Frame *parent = &stack[depth];
        u8 *text = at;
        bool encoded = false;
        at = find_markup(at, end, &encoded);
        if (at == end) return false;
        /* Before a record there may only be white space, and no references. */
        if (!depth && !only_space(text, at)) return false;
        u8 *text_end = encoded ? decode(text, at) : at;
        if (!text_end) return false;
        if (text != text_end && parent->node && !parent->text_noted &&
            !only_space(text, text_end)) {
            if (!note_unknown(parent->node, A_TEXT, data, 0)) return false;
            parent->filled = parent->text_noted = true;
        }

        if (at[1] == '/') {
            before = NULL;
            at = depth ? read_end(at + 2, parent->name, parent->name_size) : NULL;
            if (!at || (makes_row(parent->node) && !parent->filled)) return false;
            if (!--depth) break;
            continue;
        }
        if (lenient && depth && is_comment(at)) {
            at = skip_comment(at, end);
            if (!at) return false;
            continue;
        }
        parent->filled = true;

        const u8 *name = ++at;
        if (!starts_name(*at)) return false; /* a comment, CDATA section or instruction */
        while (in_name(*at)) at++;
        u32 size = (u32)(at - name);
        const Node *node = child_named(parent, name, size);
        Row *row = parent->row;
        if (!node) {
            if (!depth) return false;
            if (parent->node && !note_unknown(parent->node, AN_ELEMENT, name, size)) return false;
        } else if (node->table != NONE) {
            if (node->owner == DEEPER) return false;
            row = add_row(node, row, of_record);
            if (!row) return false;
            if (!depth) of_record = row;
            if (before && node->before == before - nodes) row->cells[before->column] = before_cell;
        } else if (node->content != BEFORE) {
            if (seen[node - nodes] == row) return false; /* it occurs twice in one row */
            seen[node - nodes] = row;
        }
        before = NULL;
        bool filled = false;
        at = read_attributes(at, end, node, row, &filled);
        if (!at) return false;
        if (*at++ == '/') {
            if (*at++ != '>' || (makes_row(node) && !filled)) return false;
            if (!depth) break;
        } else if (node && node->content != ELEMENTS) {
            text = at;
            encoded = false;
            at = find_markup(at, end, &encoded);
            if (at == end || at[1] != '/') return false;
            if (node->content == COLUMN) {
                Cell *cell = &row->cells[node->column];
                if (!put(cell, node->type, text, at, encoded)) return false;
                if (makes_row(node) && !filled && !cell->size) return false;
            } else if (node->content == BEFORE) {
                before_cell = (Cell){0, 0};
                if (!put(&before_cell, node->type, text, at, encoded)) return false;
                before = node;
            } else if (encoded && !decode(text, at)) {
                return false;
            }
            at = read_end(at + 2, name, size);
            if (!at) return false;
        } else {
            if (++depth == (lenient ? MAX_DEPTH : USUAL_DEPTH)) return false;
            stack[depth] = (Frame){node, NULL, row, name, size, filled, false};
        }
    }
    return at <= end && only_space(at, end);
}

/* ---- Columns ---- */

/* Iterate over the rows of a table, chunk by chunk. */
#define EACH_ROW(row, table)                                                                     \
    for (Chunk *chunk = (table)->rows ? (table)->first : NULL; chunk;                            \
         chunk = chunk == (table)->last ? NULL : chunk->next)                                    \
        for (Row *row = (Row *)chunk->rows,                                                      \
                 *stop = (Row *)(chunk->rows + (table)->row_size * rows_in(table, chunk));       \
             row < stop; row = (Row *)((u8 *)row + (table)->row_size))

static u32 rows_in(const Table *table, const Chunk *chunk) {
    return chunk == table->last ? ((u32)table->rows - 1) % table->chunk_rows + 1
                                : table->chunk_rows;
}

static u8 *aligned(u8 *at) { return (u8 *)(((size_t)at + 7) & ~(size_t)7); }

/* Write the validity bitmap, the values and, for texts, the bytes of a column; returns their end. */
static u8 *write_column(const Table *table, i32 column, i32 type, u8 *at, i32 **words) {
    i32 rows = table->rows, nulls = 0, row_number = 0;
    u8 *validity = at, bits = 0;
    i32 *values = (i32 *)aligned(at + rows / 8 + 1);
    u8 *bytes = (u8 *)(values + rows + 1), *to = bytes;
    EACH_ROW(row, table) {
        Cell cell = row->cells[column];
        if (cell.size) bits |= (u8)(1 << (row_number & 7));
        else nulls++;
        if ((row_number & 7) == 7) {
            validity[row_number >> 3] = bits;
            bits = 0;
        }
        if (type == TEXT) {
            values[row_number] = (i32)(to - bytes);
            /* Bytes that are written beyond the end are overwritten by the next text. */
            const u8 *from = (const u8 *)(size_t)cell.value;
            for (u32 i = 0; i < cell.size; i += 16) wasm_v128_store(to + i, LOAD(from + i));
            to += cell.size;
        } else {
            values[row_number] = (i32)cell.value;
        }
        row_number++;
    }
    if (rows & 7) validity[rows >> 3] = bits;
    if (type == TEXT) values[rows] = (i32)(to - bytes);
    *(*words)++ = nulls;
    *(*words)++ = (i32)((u32)(size_t)validity - result.output);
    *(*words)++ = (i32)((u32)(size_t)values - result.output);
    *(*words)++ = (i32)((u32)(size_t)bytes - result.output);
    *(*words)++ = (i32)(to - bytes);
    return aligned(to);
}

/* Write the columns of all tables; false if there is no memory. */
static bool write_columns(u32 text_bytes) {
    size_t size = text_bytes + PADDING; /* each text occurs in the block once */
    for (i32 i = 0; i < table_count; i++) {
        size_t rows = (size_t)tables[i].rows;
        size += 3 * (rows * 4 + 8) + (size_t)shapes[i].columns * (rows * 4 + rows / 8 + 32);
    }
    u8 *output = take(size), *at = output;
    if (!output) return false;
    result.output = (u32)(size_t)output;
    i32 *words = layout;
    for (i32 i = 0; i < table_count; i++) {
        const Table *table = &tables[i];
        i32 rows = table->rows, row_number = 0;
        i32 *of_records = (i32 *)at, *owners = of_records + rows, *seqs = owners + rows;
        EACH_ROW(row, table) {
            of_records[row_number] = row->record;
            owners[row_number] = row->owner;
            seqs[row_number++] = row->seq;
        }
        *words++ = rows;
        *words++ = (i32)((u32)(size_t)of_records - result.output);
        *words++ = (i32)((u32)(size_t)owners - result.output);
        *words++ = (i32)((u32)(size_t)seqs - result.output);
        at = aligned((u8 *)(seqs + rows));
        for (i32 column = 0; column < shapes[i].columns; column++) {
            i32 type = types[shapes[i].first_column + column];
            at = write_column(table, column, type, at, &words);
        }
    }
    result.output_size = (u32)(at - output);
    return true;
}

/* Parse the block that was written; returns the address of the result, 0 if there is no memory. */
EXPORT("parse") void *parse(i32 leniently) {
    lenient = leniently;
    for (i32 i = 0; i < table_count; i++) {
        u32 row_size = (u32)(sizeof(Row) + (size_t)shapes[i].columns * sizeof(Cell));
        u32 chunk_rows = (u32)((PAGE - sizeof(Chunk)) / row_size);
        tables[i] = (Table){.row_size = row_size, .chunk_rows = chunk_rows};
    }
    unknown_count = refused_count = record = 0;
    for (i32 i = 0; i < records; i++) {
        u8 *free = top;
        __builtin_memcpy(saved, tables, (size_t)table_count * sizeof(Table));
        if (read_record(data + bounds[i], data + bounds[i + 1])) {
            record++;
            continue;
        }
        refused[refused_count++] = i;
        top = free;
        __builtin_memcpy(tables, saved, (size_t)table_count * sizeof(Table));
        for (i32 u = 0; u < unknown_count; u++)
            if (unknowns[u].record == record) {
                unknowns[u].count -= unknowns[u].in_record;
                unknowns[u].in_record = 0;
            }
    }
    if (!write_columns((u32)bounds[records])) return NULL;
    result.refused = (u32)(size_t)refused;
    result.refused_count = (u32)refused_count;
    result.unknown = (u32)(size_t)unknowns;
    result.unknown_count = (u32)unknown_count;
    result.layout = (u32)(size_t)layout;
    return &result;
}
