// kernels/sieve.cu compiled for the host, line by line as it stands, with an entry point for each
// kernel. tests/it/conformance.rs compiles and loads it.
#include "cuda_words.h"

// Reads of the filter by look-ups, where a test puts `COUNTED` before them.
static unsigned long long host_reads;
#define COUNTED host_reads++,

#include "../../kernels/sieve.cu"

extern "C" u64 host_look_up_reads() { return host_reads; }

static void launch(u32 rows, std::function<void()> kernel) {
    host::run_grid((rows + BLOCK_ROWS - 1) / BLOCK_ROWS, BLOCK_ROWS, std::move(kernel));
}

extern "C" void host_hash_rows(const u64 *text, const u32 *text_end, u32 rows, ulonglong2 *keys) {
    launch(rows, [=] { hash_rows(text, text_end, rows, keys); });
}

extern "C" void host_claim_rows(const ulonglong2 *keys, u32 rows, u32 *table, u32 table_mask,
                                u32 *places) {
    launch(rows, [=] { claim_rows(keys, rows, table, table_mask, places); });
}

extern "C" void host_look_up(const ulonglong2 *keys, u32 rows, const u32 *table, const u32 *places,
                             const u64 *filter, u64 bits, u32 hashes, u8 *verdicts, u32 *tally) {
    launch(rows, [=] {
        look_up(keys, rows, table, places, filter, bits, hashes, verdicts, tally);
    });
}

extern "C" void host_insert_new(const ulonglong2 *keys, u32 rows, const u8 *verdicts, u64 *filter,
                                u64 bits, u32 hashes) {
    launch(rows, [=] { insert_new(keys, rows, verdicts, filter, bits, hashes); });
}

extern "C" void host_insert_keys(const ulonglong2 *keys, u32 rows, u64 *filter, u64 bits,
                                 u32 hashes) {
    launch(rows, [=] { insert_keys(keys, rows, filter, bits, hashes); });
}

extern "C" void host_fill_at_random(const ulonglong2 *keys, u32 rows, u64 *filter, u64 bits) {
    launch(rows, [=] { fill_at_random(keys, rows, filter, bits); });
}

extern "C" void host_read_at_random(ulonglong2 *keys, u32 rows, const u64 *filter, u64 bits,
                                    u32 accesses) {
    launch(rows, [=] { read_at_random(keys, rows, filter, bits, accesses); });
}

extern "C" void host_add_at_random(ulonglong2 *keys, u32 rows, u64 *filter, u64 bits,
                                   u32 accesses) {
    launch(rows, [=] { add_at_random(keys, rows, filter, bits, accesses); });
}
