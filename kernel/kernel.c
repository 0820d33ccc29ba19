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

#include "characters.h"
#include "columns.h"

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

/* ---- Blocks ---- */

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
