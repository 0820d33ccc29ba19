/* The program, the rows of a block, and the memory that has both. */

#pragma once

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
