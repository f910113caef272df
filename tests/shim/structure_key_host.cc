// kernels/structure_key.cu compiled for the host, line by line as it stands. tests/it/structure_key.rs compiles it
// twice: as a library, and as a program that looks for faults in the use of memory (MAIN).
#include <iostream>
#include <string>

#include "cuda_words.h"

// Here, behind all headers: those of the compiler use this word in another way.
#define __noinline__ __attribute__((noinline))

#include "../../kernels/structure_key.cu"

// The kernel has no barriers, so its threads may run one after the other as they are.
extern "C" void host_structure_key(const u8 *text, const u32 *text_end, u32 rows, ulonglong2 *keys, u8 *statuses) {
    for (blockIdx.x = 0; blockIdx.x * BLOCK_ROWS < rows; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < BLOCK_ROWS; threadIdx.x++)
            structure_key(text, text_end, rows, keys, statuses);
}

// Bytes of local memory that a thread asks for by itself.
extern "C" u32 host_work_bytes() { return sizeof(Work); }

#ifdef MAIN
// Reads lines and writes for each its status and its key in hexadecimal digits. Each line lies in memory of its
// own length, so that whoever reads behind its end is caught.
int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::vector<u8> text(line.begin(), line.end());
        text.shrink_to_fit();
        u32 text_end = text.size();
        ulonglong2 key;
        u8 status;
        host_structure_key(text.data(), &text_end, 1, &key, &status);
        printf("%u %016llx %016llx\n", status, key.x, key.y);
    }
}
#endif
