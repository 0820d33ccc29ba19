/* The columns of all tables, as Arrow lays them out, from the rows of a block. */

#pragma once

#include "characters.h"

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
