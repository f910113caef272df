// The words of CUDA that the kernels use, in plain C++, for the tests.
//
// A grid's blocks run one after the other, in scrambled order. The threads of a block are contexts of
// their own (ucontext) on one thread of the host: each runs until it ends or comes to a barrier, and
// nobody passes a barrier before all that still run have come to it. They take turns in scrambled
// order too. So a kernel that relies on the order of blocks or threads is found out; one that relies on
// the atomicity of what is not atomic is not: that is for compute-sanitizer on a GPU.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__
#define __constant__ static
#define __launch_bounds__(threads)
#define __align__(bytes) __attribute__((aligned(bytes)))
// One block at a time: what its threads share can stand still.
#define __shared__ static

struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) ulonglong2 {
    unsigned long long x, y;
};

// Static, not inline: several libraries made from different sources are loaded side by side, and each
// must have its own.
struct Index {
    unsigned x;
};
static Index blockIdx, threadIdx;

static unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
    return static_cast<unsigned long long>(static_cast<unsigned __int128>(a) * b >> 64);
}

static int __ffs(int bits) { return __builtin_ffs(bits); }

static int __popc(unsigned bits) { return __builtin_popcount(bits); }

static int __popcll(unsigned long long bits) { return __builtin_popcountll(bits); }

template <class T> static T atomicCAS(T *at, T expected, T wanted) {
    T held = *at;
    if (held == expected)
        *at = wanted;
    return held;
}

template <class T> static T atomicMin(T *at, T value) {
    T held = *at;
    *at = value < held ? value : held;
    return held;
}

template <class T> static T atomicAdd(T *at, T value) {
    T held = *at;
    *at = held + value;
    return held;
}

template <class T> static T atomicOr(T *at, T value) {
    T held = *at;
    *at = held | value;
    return held;
}

// ── Grids, blocks, barriers ─────────────────────────────────────────────────────────────────────

namespace host {

constexpr unsigned STACK_BYTES = 32 << 10;

struct Thread {
    ucontext_t context;
    std::vector<char> stack = std::vector<char>(STACK_BYTES);
    bool running;
};

static std::vector<Thread> threads;
static ucontext_t block;
static std::function<void()> body;
static unsigned current;

static void enter() {
    body();
    threads[current].running = false;
    swapcontext(&threads[current].context, &block);
}

// Multiplying by an odd number and adding another walks through any power of two in scrambled order.
static unsigned scrambled(unsigned i, unsigned count, unsigned round) {
    return (i * 0x9e3779b1u + round * 0x85ebca77u) & (count - 1);
}

static void run_block(unsigned index, unsigned size) {
    blockIdx.x = index;
    threads.resize(size);
    for (Thread &thread : threads) {
        thread.running = true;
        getcontext(&thread.context);
        thread.context.uc_stack.ss_sp = thread.stack.data();
        thread.context.uc_stack.ss_size = STACK_BYTES;
        thread.context.uc_link = nullptr;
        makecontext(&thread.context, enter, 0);
    }
    unsigned running = size;
    for (unsigned round = index; running > 0; round++) {
        for (unsigned i = 0; i < size; i++) {
            current = scrambled(i, size, round);
            if (!threads[current].running)
                continue;
            threadIdx.x = current;
            swapcontext(&block, &threads[current].context);
            running -= !threads[current].running;
        }
    }
}

// Runs `kernel` in `blocks` blocks of `size` threads, a power of two.
static void run_grid(unsigned blocks, unsigned size, std::function<void()> kernel) {
    body = std::move(kernel);
    unsigned scramble = 1;
    while (scramble < blocks)
        scramble *= 2;
    for (unsigned i = 0; i < scramble; i++) {
        unsigned index = scrambled(i, scramble, size);
        if (index < blocks)
            run_block(index, size);
    }
}

} // namespace host

static void __syncthreads() {
    unsigned me = host::current;
    swapcontext(&host::threads[me].context, &host::block);
    threadIdx.x = me;
}
