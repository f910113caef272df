// The sieve on an NVIDIA GPU. src/sieve.rs has the contract, shaders/sieve.wgsl the same kernels in WGSL;
// src/sieve/gpu launches them one after the other:
//
//   hash_rows    keys of a slot's rows
//   claim_rows   a table from each key to the first row that has it
//   look_up      verdicts, from the filter as it was before the slot; the tally
//   insert_new   inserts the new keys into the filter
//   insert_keys  inserts keys from the host into the filter
//
// and three that only `molsieve bench` launches:
//
//   fill_at_random  sets a random half of the filter's bits
//   read_at_random  only reads random words of the filter
//   add_at_random   only sets random bits of the filter by atomics
//
// One thread per row, BLOCK_ROWS threads a block. This file is CUDA C++ for NVRTC, without headers.
// tests/shim/ defines the words of CUDA in plain C++, so that the tests run this source on the
// host. scripts/ptx.sh compiles it to kernels/sieve.ptx.

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

// Threads of a block, one for each of its rows.
#define BLOCK_ROWS 256u
// Bytes of a block's text that are staged in shared memory: 80 bytes a row. A block with more text reads global
// memory. Eight such blocks fill the shared memory and the threads of Hopper's multiprocessors.
#define STAGE_BYTES 20480u
// Whole words are read, so up to three words past the last byte: the text's buffer must be longer than the
// text by this much (TEXT_PAD_BYTES in src/sieve/gpu/device.rs).
#define PAD_WORDS 4u
#define NEW 0
#define MAYBE 1
#define DUPLICATE 2

// ── Keys: MurmurHash3_x64_128, seed 0 ───────────────────────────────────────────────────────────

__device__ static inline u64 rotate_left(u64 x, u32 by) { return x << by | x >> (64 - by); }

__device__ static inline u64 mix_first(u64 k) {
    return rotate_left(k * 0x87c37b91114253d5ull, 31) * 0x4cf5ad432745937full;
}

__device__ static inline u64 mix_second(u64 k) {
    return rotate_left(k * 0x4cf5ad432745937full, 33) * 0x87c37b91114253d5ull;
}

__device__ static inline u64 finalise(u64 k) {
    k = (k ^ k >> 33) * 0xff51afd7ed558ccdull;
    k = (k ^ k >> 33) * 0xc4ceb9fe1a85ec53ull;
    return k ^ k >> 33;
}

// The word that begins at bit `shift` of `low` and ends in `high`.
__device__ static inline u64 join(u64 low, u64 high, u32 shift) {
    return low >> shift | high << 1 << (63 - shift);
}

// The first `bytes` bytes of a word, then zeroes.
__device__ static inline u64 first_bytes(u64 word, u32 bytes) {
    return bytes >= 8 ? word : word & ((1ull << 8 * bytes) - 1);
}

// The key of the `length` bytes from byte `begin` of `words` on. Reads whole words only, whatever the
// alignment of the bytes.
__device__ static inline ulonglong2 key_of(const u64 *words, u32 begin, u32 length) {
    u32 shift = 8 * (begin & 7);
    words += begin >> 3;
    u64 h1 = 0, h2 = 0;
    u64 low = words[0];
    for (u32 left = length; left >= 16; left -= 16) {
        u64 middle = words[1], high = words[2];
        h1 = rotate_left(h1 ^ mix_first(join(low, middle, shift)), 27) + h2;
        h1 = h1 * 5 + 0x52dce729;
        h2 = rotate_left(h2 ^ mix_second(join(middle, high, shift)), 31) + h1;
        h2 = h2 * 5 + 0x38495ab5;
        low = high;
        words += 2;
    }
    u32 left = length & 15;
    // Mixing a zero word gives zero, so short tails need no special case.
    u64 middle = words[1];
    h1 ^= mix_first(first_bytes(join(low, middle, shift), left));
    h2 ^= mix_second(left > 8 ? first_bytes(join(middle, words[2], shift), left - 8) : 0);
    h1 ^= length;
    h2 ^= length;
    h1 += h2;
    h2 += h1;
    h1 = finalise(h1);
    h2 = finalise(h2);
    h1 += h2;
    h2 += h1;
    ulonglong2 key;
    key.x = h1;
    key.y = h2;
    return key;
}

// Writes the key of each row. `text_end` has the end of each row in `text`, where the next row begins.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    hash_rows(const u64 *__restrict__ text, const u32 *__restrict__ text_end, u32 rows,
              ulonglong2 *__restrict__ keys) {
    __shared__ __align__(16) u64 stage[STAGE_BYTES / 8 + PAD_WORDS];
    u32 first = blockIdx.x * BLOCK_ROWS;
    u32 behind = rows - first < BLOCK_ROWS ? rows : first + BLOCK_ROWS;
    // Rounded down to 16 bytes, the widest load.
    u32 stage_begin = (first == 0 ? 0 : text_end[first - 1]) & ~15u;
    u32 stage_bytes = text_end[behind - 1] - stage_begin;
    bool staged = stage_bytes <= STAGE_BYTES;
    if (staged) {
        const uint4 *from = reinterpret_cast<const uint4 *>(text) + stage_begin / 16;
        uint4 *to = reinterpret_cast<uint4 *>(stage);
        for (u32 line = threadIdx.x; line < (stage_bytes + 15) / 16; line += BLOCK_ROWS)
            to[line] = from[line];
    }
    __syncthreads();
    u32 row = first + threadIdx.x;
    if (row >= rows)
        return;
    u32 begin = row == 0 ? 0 : text_end[row - 1];
    u32 length = text_end[row] - begin;
    if (staged)
        keys[row] = key_of(stage, begin - stage_begin, length);
    else
        keys[row] = key_of(text, begin, length);
}

// ── First rows ──────────────────────────────────────────────────────────────────────────────────

// Enters each row into an open-addressed table of `table_mask + 1` entries (a power of two, at least
// twice the rows, all 0 at first) and writes the index of its entry. Once an entry holds a row (row + 1),
// it belongs to that row's key; of all rows with that key the least number remains. So the final table
// does not depend on the order of threads.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    claim_rows(const ulonglong2 *__restrict__ keys, u32 rows, u32 *table, u32 table_mask,
               u32 *__restrict__ places) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row >= rows)
        return;
    ulonglong2 key = keys[row];
    // The filter uses the first word, so the second one distributes the rows.
    u32 place = static_cast<u32>(key.y) & table_mask;
    for (;;) {
        u32 held = atomicCAS(&table[place], 0u, row + 1);
        if (held == 0)
            break;
        ulonglong2 other = keys[held - 1];
        if (other.x == key.x && other.y == key.y) {
            if (held > row + 1)
                atomicMin(&table[place], row + 1);
            break;
        }
        place = (place + 1) & table_mask;
    }
    places[row] = place;
}

// ── The filter: fastbloom's bits ────────────────────────────────────────────────────────────────
//
// The bits of a key follow from its first word, the source hash h: bit (h × bits) >> 64 of the filter,
// then for each further one h = rotate_left(h, 5) + source × 0x517cc1b727220a95.

__device__ static inline u64 step_of(u64 source) { return source * 0x517cc1b727220a95ull; }

// Whether the next BATCH bits of a key are set, or as many as are `left` of its bits. Advances `hash` and `left`.
// The reads of a batch do not wait for each other; none is made past the last bit.
template <u32 BATCH>
__device__ static inline bool are_set(const u64 *__restrict__ filter, u64 bits, u64 step, u64 &hash,
                                      u32 &left) {
    u64 words[BATCH];
    u32 places[BATCH];
#pragma unroll
    for (u32 probe = 0; probe < BATCH; probe++) {
        u64 bit = __umul64hi(hash, bits);
        places[probe] = bit & 63;
        words[probe] = ~0ull;
        if (probe < left)
            words[probe] = filter[bit >> 6];
        hash = rotate_left(hash, 5) + step;
    }
    u64 missing = 0;
#pragma unroll
    for (u32 probe = 0; probe < BATCH; probe++)
        missing |= ~words[probe] >> places[probe];
    left -= left < BATCH ? left : BATCH;
    return !(missing & 1);
}

// Most keys are new, and in a half-full filter the first bit decides half of the time. So the first bits are
// read one by one, and batches grow as it becomes likely that the key is present: 1, 1, 2, 4, 4, …
// (PROBE_BATCHES in src/sieve/steps/step.rs, where a test compares the cost of other batches).
__device__ static inline bool may_hold(const u64 *__restrict__ filter, u64 bits, u32 hashes,
                                       u64 source) {
    u64 step = step_of(source), hash = source;
    u32 left = hashes;
    if (!are_set<1>(filter, bits, step, hash, left) || !are_set<1>(filter, bits, step, hash, left) ||
        !are_set<2>(filter, bits, step, hash, left))
        return false;
    while (left > 0)
        if (!are_set<4>(filter, bits, step, hash, left))
            return false;
    return true;
}

__device__ static inline void insert(u64 *filter, u64 bits, u32 hashes, u64 source) {
    u64 step = step_of(source), hash = source;
    for (u32 done = 0; done < hashes; done++) {
        u64 bit = __umul64hi(hash, bits);
        atomicOr(&filter[bit >> 6], 1ull << (bit & 63));
        hash = rotate_left(hash, 5) + step;
    }
}

// Writes each row's verdict and adds the number of rows of each verdict to `tally` (3 × u32).
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    look_up(const ulonglong2 *__restrict__ keys, u32 rows, const u32 *__restrict__ table,
            const u32 *__restrict__ places, const u64 *__restrict__ filter, u64 bits, u32 hashes,
            u8 *__restrict__ verdicts, u32 *tally) {
    __shared__ u32 counts[3];
    if (threadIdx.x < 3)
        counts[threadIdx.x] = 0;
    __syncthreads();
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row < rows) {
        u8 verdict = DUPLICATE;
        if (table[places[row]] == row + 1)
            verdict = may_hold(filter, bits, hashes, keys[row].x) ? MAYBE : NEW;
        verdicts[row] = verdict;
        atomicAdd(&counts[verdict], 1u);
    }
    __syncthreads();
    if (threadIdx.x < 3)
        atomicAdd(&tally[threadIdx.x], counts[threadIdx.x]);
}

// Inserts the keys of the new rows. A separate launch, so that all rows are looked up before.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    insert_new(const ulonglong2 *__restrict__ keys, u32 rows, const u8 *__restrict__ verdicts,
               u64 *filter, u64 bits, u32 hashes) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row < rows && verdicts[row] == NEW)
        insert(filter, bits, hashes, keys[row].x);
}

// Inserts all keys.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    insert_keys(const ulonglong2 *__restrict__ keys, u32 rows, u64 *filter, u64 bits, u32 hashes) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row < rows)
        insert(filter, bits, hashes, keys[row].x);
}

// ── Ceilings: for `molsieve bench` ──────────────────────────────────────────────────────────────
//
// The first word of a row's key is the state of the row's generator. It is kept there, so that every launch
// accesses other words.

// Knuth's linear congruential generator: its upper bits choose a word, and the next address does not depend
// on the word before.
__device__ static inline u64 next_state(u64 state) {
    return state * 6364136223846793005ull + 1442695040888963407ull;
}

// Writes the words of the filter, each bit set with a probability of 1/2, as in a filter that holds the keys
// that it is made for.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    fill_at_random(const ulonglong2 *__restrict__ keys, u32 rows, u64 *__restrict__ filter, u64 bits) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row >= rows)
        return;
    u64 state = keys[row].x;
    for (u64 word = row; word < bits >> 6; word += rows) {
        state += 0x9e3779b97f4a7c15ull;
        filter[word] = finalise(state);
    }
}

// Reads `accesses` words for each row, and sums them in the second word of the row's key.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    read_at_random(ulonglong2 *__restrict__ keys, u32 rows, const u64 *__restrict__ filter, u64 bits,
                   u32 accesses) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row >= rows)
        return;
    ulonglong2 key = keys[row];
#pragma unroll 8
    for (u32 done = 0; done < accesses; done++) {
        key.x = next_state(key.x);
        key.y += filter[__umul64hi(key.x, bits >> 6)];
    }
    keys[row] = key;
}

// Sets a bit in `accesses` words for each row, by the same atomics as an insert.
extern "C" __global__ void __launch_bounds__(BLOCK_ROWS)
    add_at_random(ulonglong2 *__restrict__ keys, u32 rows, u64 *filter, u64 bits, u32 accesses) {
    u32 row = blockIdx.x * BLOCK_ROWS + threadIdx.x;
    if (row >= rows)
        return;
    u64 state = keys[row].x;
#pragma unroll 8
    for (u32 done = 0; done < accesses; done++) {
        state = next_state(state);
        atomicOr(&filter[__umul64hi(state, bits >> 6)], 1ull << (state >> 20 & 63));
    }
    keys[row].x = state;
}
