/* Characters: names, references, UTF-8. */

#pragma once

#include "memory.h"

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
