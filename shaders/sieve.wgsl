// The sieve on any GPU. src/sieve.rs has the contract, kernels/sieve.cu the same kernels in CUDA with the
// same names; src/sieve/gpu launches them one after the other, and src/sieve/steps those that only
// `molsieve bench` needs.
//
// Differences: WGSL has no 64-bit integers, so they are pairs of 32-bit words, the low one first; it
// has no bytes, so four verdicts share a word; the tally follows the table; and the filter may be
// larger than a binding, so it has up to four pieces.

struct Shape {
    rows: u32,
    // Entries of the table, less one. The tally is in the three words after the table.
    table_mask: u32,
    hashes: u32,
    // 32-bit words in each piece of the filter except the last.
    piece_words: u32,
    bits: vec2<u32>,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> text: array<u32>;
@group(0) @binding(2) var<storage, read> text_end: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> table: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> places: array<u32>;
@group(0) @binding(6) var<storage, read_write> verdicts: array<atomic<u32>>;
@group(0) @binding(7) var<storage, read_write> filter_0: array<atomic<u32>>;
@group(0) @binding(8) var<storage, read_write> filter_1: array<atomic<u32>>;
@group(0) @binding(9) var<storage, read_write> filter_2: array<atomic<u32>>;
@group(0) @binding(10) var<storage, read_write> filter_3: array<atomic<u32>>;

const BLOCK_ROWS = 256;

const NEW = 0u;
const MAYBE = 1u;
const DUPLICATE = 2u;

// ── 64-bit arithmetic ───────────────────────────────────────────────────────────────────────────

fn add(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = a.x + b.x;
    return vec2(low, a.y + b.y + select(0u, 1u, low < a.x));
}

// The whole product of two words.
fn multiply_words(a: u32, b: u32) -> vec2<u32> {
    let a_low = a & 0xffffu;
    let a_high = a >> 16u;
    let b_low = b & 0xffffu;
    let b_high = b >> 16u;
    let low = a_low * b_low;
    // Neither sum exceeds 32 bits: (2^16 - 1)^2 + 2 (2^16 - 1) = 2^32 - 1.
    let middle = a_high * b_low + (low >> 16u);
    let other = a_low * b_high + (middle & 0xffffu);
    return vec2(other << 16u | (low & 0xffffu), a_high * b_high + (middle >> 16u) + (other >> 16u));
}

// The low 64 bits of the product.
fn multiply(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = multiply_words(a.x, b.x);
    return vec2(low.x, low.y + a.x * b.y + a.y * b.x);
}

// The high 64 bits of the product.
fn multiply_high(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let low = multiply_words(a.x, b.x);
    let cross = add(multiply_words(a.x, b.y), vec2(low.y, 0u));
    let other = add(multiply_words(a.y, b.x), vec2(cross.x, 0u));
    return add(add(multiply_words(a.y, b.y), vec2(cross.y, 0u)), vec2(other.y, 0u));
}

// By 1 to 31 bits.
fn rotate_left(a: vec2<u32>, by: u32) -> vec2<u32> {
    return a << vec2(by) | a.yx >> vec2(32u - by);
}

// ── Keys: MurmurHash3_x64_128, seed 0 ───────────────────────────────────────────────────────────

fn mix_first(k: vec2<u32>) -> vec2<u32> {
    let mixed = rotate_left(multiply(k, vec2(0x114253d5u, 0x87c37b91u)), 31u);
    return multiply(mixed, vec2(0x2745937fu, 0x4cf5ad43u));
}

fn mix_second(k: vec2<u32>) -> vec2<u32> {
    // By 33: swaps the words, then by 1.
    let mixed = rotate_left(multiply(k, vec2(0x2745937fu, 0x4cf5ad43u)).yx, 1u);
    return multiply(mixed, vec2(0x114253d5u, 0x87c37b91u));
}

// k ^ k >> 33
fn fold(k: vec2<u32>) -> vec2<u32> {
    return vec2(k.x ^ k.y >> 1u, k.y);
}

fn finalise(k: vec2<u32>) -> vec2<u32> {
    let once = multiply(fold(k), vec2(0xed558ccdu, 0xff51afd7u));
    return fold(multiply(fold(once), vec2(0x1a85ec53u, 0xc4ceb9feu)));
}

// The first `bytes` bytes from byte `begin` of the text, then zeroes.
fn word_at(begin: u32, bytes: u32) -> u32 {
    if bytes == 0u {
        return 0u;
    }
    let shift = 8u * (begin & 3u);
    var word = text[begin >> 2u] >> shift;
    if shift != 0u {
        word |= text[(begin >> 2u) + 1u] << (32u - shift);
    }
    return select(word & ((1u << (8u * bytes)) - 1u), word, bytes >= 4u);
}

fn words_at(begin: u32, bytes: u32) -> vec2<u32> {
    return vec2(word_at(begin, min(bytes, 4u)), word_at(begin + 4u, clamp(bytes, 4u, 8u) - 4u));
}

// The key of `length` bytes: first word, second word.
fn key_of(begin: u32, length: u32) -> vec4<u32> {
    var h1 = vec2(0u);
    var h2 = vec2(0u);
    let tail = begin + (length & ~15u);
    for (var at = begin; at < tail; at += 16u) {
        h1 = add(rotate_left(h1 ^ mix_first(words_at(at, 8u)), 27u), h2);
        h1 = add(multiply(h1, vec2(5u, 0u)), vec2(0x52dce729u, 0u));
        h2 = add(rotate_left(h2 ^ mix_second(words_at(at + 8u, 8u)), 31u), h1);
        h2 = add(multiply(h2, vec2(5u, 0u)), vec2(0x38495ab5u, 0u));
    }
    let left = length & 15u;
    // Mixing a zero word gives zero, so short tails need no special case.
    h1 ^= mix_first(words_at(tail, min(left, 8u)));
    h2 ^= mix_second(words_at(tail + 8u, max(left, 8u) - 8u));
    h1.x ^= length;
    h2.x ^= length;
    h1 = add(h1, h2);
    h2 = add(h2, h1);
    h1 = finalise(h1);
    h2 = finalise(h2);
    h1 = add(h1, h2);
    h2 = add(h2, h1);
    return vec4(h1, h2);
}

@compute @workgroup_size(BLOCK_ROWS)
fn hash_rows(@builtin(global_invocation_id) thread: vec3<u32>) {
    let row = thread.x;
    if row >= shape.rows {
        return;
    }
    var begin = 0u;
    if row > 0u {
        begin = text_end[row - 1u];
    }
    keys[row] = key_of(begin, text_end[row] - begin);
}

// ── First rows ──────────────────────────────────────────────────────────────────────────────────

// See kernels/sieve.cu.
@compute @workgroup_size(BLOCK_ROWS)
fn claim_rows(@builtin(global_invocation_id) thread: vec3<u32>) {
    let row = thread.x;
    if row >= shape.rows {
        return;
    }
    let key = keys[row];
    // The filter uses the first word, so the second one distributes the rows.
    var place = key.z & shape.table_mask;
    loop {
        let exchange = atomicCompareExchangeWeak(&table[place], 0u, row + 1u);
        if exchange.exchanged {
            break;
        }
        let held = exchange.old_value;
        // A weak exchange may fail although the entry is free: then it is repeated.
        if held != 0u {
            if all(keys[held - 1u] == key) {
                atomicMin(&table[place], row + 1u);
                break;
            }
            place = (place + 1u) & shape.table_mask;
        }
    }
    places[row] = place;
}

// ── The filter: fastbloom's bits ────────────────────────────────────────────────────────────────
//
// A word of fastbloom is two words here, the low one first; so bit n is bit n mod 32 of word n / 32.

fn word_of(bit: vec2<u32>) -> u32 {
    return bit.x >> 5u | bit.y << 27u;
}

fn load(word: u32) -> u32 {
    let piece = word / shape.piece_words;
    let at = word - piece * shape.piece_words;
    switch piece {
        case 0u: { return atomicLoad(&filter_0[at]); }
        case 1u: { return atomicLoad(&filter_1[at]); }
        case 2u: { return atomicLoad(&filter_2[at]); }
        default: { return atomicLoad(&filter_3[at]); }
    }
}

fn add_bits(word: u32, mask: u32) {
    let piece = word / shape.piece_words;
    let at = word - piece * shape.piece_words;
    switch piece {
        case 0u: { atomicOr(&filter_0[at], mask); }
        case 1u: { atomicOr(&filter_1[at], mask); }
        case 2u: { atomicOr(&filter_2[at], mask); }
        default: { atomicOr(&filter_3[at], mask); }
    }
}

// Reads one bit after the other, which reads least: two words for an absent key in a half-full filter. On lavapipe the
// batches of kernels/sieve.cu take 1.5 times as long for absent keys, and as long for present keys.
fn may_hold(source: vec2<u32>) -> bool {
    let step = multiply(source, vec2(0x27220a95u, 0x517cc1b7u));
    var hash = source;
    for (var done = 0u; done < shape.hashes; done++) {
        let bit = multiply_high(hash, shape.bits);
        if (load(word_of(bit)) >> (bit.x & 31u) & 1u) == 0u {
            return false;
        }
        hash = add(rotate_left(hash, 5u), step);
    }
    return true;
}

fn insert(source: vec2<u32>) {
    let step = multiply(source, vec2(0x27220a95u, 0x517cc1b7u));
    var hash = source;
    for (var done = 0u; done < shape.hashes; done++) {
        let bit = multiply_high(hash, shape.bits);
        add_bits(word_of(bit), 1u << (bit.x & 31u));
        hash = add(rotate_left(hash, 5u), step);
    }
}

var<workgroup> counts: array<atomic<u32>, 3>;

// All verdicts are 0 at first; four rows share a word.
@compute @workgroup_size(BLOCK_ROWS)
fn look_up(
    @builtin(global_invocation_id) thread: vec3<u32>,
    @builtin(local_invocation_index) in_block: u32,
) {
    let row = thread.x;
    if row < shape.rows {
        var verdict = DUPLICATE;
        if atomicLoad(&table[places[row]]) == row + 1u {
            verdict = select(NEW, MAYBE, may_hold(keys[row].xy));
        }
        atomicOr(&verdicts[row >> 2u], verdict << (8u * (row & 3u)));
        atomicAdd(&counts[verdict], 1u);
    }
    workgroupBarrier();
    if in_block < 3u {
        atomicAdd(&table[shape.table_mask + 1u + in_block], atomicLoad(&counts[in_block]));
    }
}

@compute @workgroup_size(BLOCK_ROWS)
fn insert_new(@builtin(global_invocation_id) thread: vec3<u32>) {
    let row = thread.x;
    if row >= shape.rows {
        return;
    }
    let verdict = atomicLoad(&verdicts[row >> 2u]) >> (8u * (row & 3u)) & 0xffu;
    if verdict == NEW {
        insert(keys[row].xy);
    }
}

@compute @workgroup_size(BLOCK_ROWS)
fn insert_keys(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x < shape.rows {
        insert(keys[thread.x].xy);
    }
}

// ── Ceilings: for `molsieve bench` ──────────────────────────────────────────────────────────────
//
// The first word of a row's key is the state of the row's generator; see kernels/sieve.cu. Differences: words
// of 32 bits are read and written, and the generator has 32 bits.

// The linear congruential generator of Numerical Recipes.
fn next_state(state: u32) -> u32 {
    return state * 1664525u + 1013904223u;
}

// The word of the filter that a state chooses by its upper bits.
fn word_at_random(state: u32) -> u32 {
    return multiply_words(state, word_of(shape.bits)).y;
}

@compute @workgroup_size(BLOCK_ROWS)
fn fill_at_random(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= shape.rows {
        return;
    }
    let words = word_of(shape.bits);
    var state = keys[thread.x].xy;
    for (var word = thread.x; word < words; word += shape.rows) {
        state = add(state, vec2(0x7f4a7c15u, 0x9e3779b9u));
        let piece = word / shape.piece_words;
        let at = word - piece * shape.piece_words;
        let filled = finalise(state).x;
        switch piece {
            case 0u: { atomicStore(&filter_0[at], filled); }
            case 1u: { atomicStore(&filter_1[at], filled); }
            case 2u: { atomicStore(&filter_2[at], filled); }
            default: { atomicStore(&filter_3[at], filled); }
        }
    }
}

@compute @workgroup_size(BLOCK_ROWS)
fn read_at_random(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= shape.rows {
        return;
    }
    var key = keys[thread.x];
    for (var done = 0u; done < shape.hashes; done++) {
        key.x = next_state(key.x);
        key.z += load(word_at_random(key.x));
    }
    keys[thread.x] = key;
}

@compute @workgroup_size(BLOCK_ROWS)
fn add_at_random(@builtin(global_invocation_id) thread: vec3<u32>) {
    if thread.x >= shape.rows {
        return;
    }
    var state = keys[thread.x].x;
    for (var done = 0u; done < shape.hashes; done++) {
        state = next_state(state);
        add_bits(word_at_random(state), 1u << (state >> 10u & 31u));
    }
    keys[thread.x].x = state;
}
