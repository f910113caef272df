// A stand-in for NVIDIA's driver library, for the tests: the few calls that the engine makes, with
// kernels/sieve.cu and kernels/structure_key.cu compiled for the host behind cuLaunchKernel. So the engine's own lines run on every
// machine, with errors where a test wants them.
//
// It is as late as a driver may be. What is put into a stream is done when somebody waits for it and
// not before, so that a wait that is missing shows: a copy from page-locked memory reads what is there
// by then, a copy to it has not happened yet. Pageable memory is read at the call, as CUDA does. Behind
// each allocation stands a guard, and what writes there ends the process.
//
// And it keeps no order between streams that is not asked for. While somebody waits for one, a step is
// taken, or a few, from a stream drawn at random until the awaited one is empty; only a stream that waits
// for an event stands still. So it shows too where an event is missing.
//
// It is strict about the primary context: retaining it fails unless its waits were set to block before. And it is
// slow to give memory back: what was freed in a stream counts as taken until somebody has waited for the stream and
// then trimmed the pool.
//
//   FAKE_CUDA_VERSION         of the interface, such as 11040; 12000 if not set
//   FAKE_CUDA_STUB            if it is 1, the library answers like a toolkit's stub
//   FAKE_CUDA_DEVICES         their number; 1 if not set
//   FAKE_CUDA_CAPABILITY      compute capability, such as 86 for 8.6; 90 if not set
//   FAKE_CUDA_REFUSE_CUBINS   the error with which machine code is refused; none is if not set
//   FAKE_CUDA_MEMORY          bytes of the device; 4 GiB if not set
//   FAKE_CUDA_CALLS           calls that succeed, of those that move, launch, wait or make an event; all if not set
#include "sieve_host.cc"

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

static const u32 SIEVE_BLOCK_ROWS = BLOCK_ROWS;

// The other kernel, whose words would clash with those of the sieve. Here, behind all headers: those of the
// compiler use `__noinline__` in another way.
#undef BLOCK_ROWS
#define __noinline__ __attribute__((noinline))
namespace structure_keys {
#include "../../kernels/structure_key.cu"

// It has no barriers, so its threads may run one after the other as they are.
static void run(const u8 *text, const u32 *text_end, u32 rows, ulonglong2 *keys, u8 *statuses) {
    for (blockIdx.x = 0; blockIdx.x * BLOCK_ROWS < rows; blockIdx.x++)
        for (threadIdx.x = 0; threadIdx.x < BLOCK_ROWS; threadIdx.x++)
            structure_key(text, text_end, rows, keys, statuses);
}
} // namespace structure_keys
static const u32 KEY_BLOCK_ROWS = BLOCK_ROWS;

typedef int Result;
enum {
    SUCCESS = 0,
    INVALID_VALUE = 1,
    OUT_OF_MEMORY = 2,
    STUB_LIBRARY = 34,
    NO_DEVICE = 100,
    INVALID_IMAGE = 200,
    NO_BINARY_FOR_GPU = 209,
    NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700,
    PRIMARY_CONTEXT_ACTIVE = 708,
};

struct Step {
    std::function<void()> work;
    // Whether it can be taken.
    std::function<bool()> ready = [] { return true; };
};

struct Stream {
    std::deque<Step> left;
    // Bytes freed in it since somebody has waited for it.
    size_t freed_bytes = 0;
    void add(std::function<void()> work) { left.push_back({std::move(work)}); }
};

static std::vector<Stream *> streams;

static std::recursive_mutex one_at_a_time;
typedef std::lock_guard<std::recursive_mutex> Turn;

static long long setting(const char *name, long long otherwise) {
    const char *value = getenv(name);
    return value ? atoll(value) : otherwise;
}

// Whether a call that a test can make fail succeeds. Once one has failed, the device is lost: it does nothing that is
// still in a stream, so the memory that such work uses may be freed without a wait.
static bool succeeds() {
    static long long calls_left = setting("FAKE_CUDA_CALLS", 1ll << 62);
    bool lost = calls_left-- <= 0;
    if (lost)
        for (Stream *stream : streams)
            stream->left.clear();
    return !lost;
}

// From 0 to count - 1 (xorshift; Marsaglia 2003). Every process draws the same.
static size_t drawn(size_t count) {
    static u64 state = 0x9e3779b97f4a7c15;
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state % count;
}

// Steps that are taken from one stream before another is drawn, on average.
static const size_t SAME_STREAM_STEPS = 16;

static void finish(Stream *stream) {
    while (!stream->left.empty()) {
        std::vector<Stream *> ready;
        for (Stream *other : streams)
            if (!other->left.empty() && other->left.front().ready())
                ready.push_back(other);
        if (ready.empty()) {
            fprintf(stderr, "all streams wait for events of each other\n");
            abort();
        }
        // The same one for a while, so that others fall far behind.
        static Stream *next;
        if (drawn(SAME_STREAM_STEPS) == 0 || std::find(ready.begin(), ready.end(), next) == ready.end())
            next = ready[drawn(ready.size())];
        Step step = std::move(next->left.front());
        next->left.pop_front();
        step.work();
    }
}

// ── Memory ──────────────────────────────────────────────────────────────────────────────────────

static const size_t GUARD_BYTES = 256;
static std::map<char *, size_t> device_memory, pinned_memory;
static size_t allocated;
// Freed bytes that count as taken: those that only trimming gives back, and those of streams that were destroyed
// before anybody waited for them.
static size_t pool_bytes, abandoned_bytes;
static int the_pool;

static char *allocate(std::map<char *, size_t> &memory, size_t bytes) {
    size_t whole = (bytes + 255) / 256 * 256 + GUARD_BYTES;
    char *at = static_cast<char *>(aligned_alloc(256, whole));
    memset(at, 0xa5, whole);
    memory[at] = bytes;
    return at;
}

static void release(std::map<char *, size_t> &memory, char *at) {
    memory.erase(at);
    free(at);
}

static void check_guards() {
    for (auto &[at, bytes] : device_memory)
        for (size_t i = bytes; i < bytes + GUARD_BYTES; i++)
            if (at[i] != char(0xa5)) {
                fprintf(stderr, "a kernel or a copy wrote behind a buffer of %zu bytes\n", bytes);
                abort();
            }
}

static bool within(const std::map<char *, size_t> &memory, const void *from, size_t bytes) {
    const char *at = static_cast<const char *>(from);
    auto behind = memory.upper_bound(const_cast<char *>(at));
    if (behind == memory.begin())
        return false;
    auto [begin, length] = *--behind;
    return at + bytes <= begin + length;
}

extern "C" Result cuMemAllocAsync(u64 *pointer, size_t bytes, Stream *) {
    Turn turn(one_at_a_time);
    if (!succeeds())
        return ILLEGAL_ADDRESS;
    if (allocated + bytes > size_t(setting("FAKE_CUDA_MEMORY", 4ll << 30)))
        return OUT_OF_MEMORY;
    allocated += bytes;
    pool_bytes -= std::min(pool_bytes, bytes);
    *pointer = reinterpret_cast<u64>(allocate(device_memory, bytes));
    return SUCCESS;
}

extern "C" Result cuMemFreeAsync(u64 pointer, Stream *stream) {
    Turn turn(one_at_a_time);
    finish(stream);
    check_guards();
    char *at = reinterpret_cast<char *>(pointer);
    allocated -= device_memory[at];
    stream->freed_bytes += device_memory[at];
    release(device_memory, at);
    return SUCCESS;
}

extern "C" Result cuMemHostAlloc(void **pointer, size_t bytes, unsigned flags) {
    Turn turn(one_at_a_time);
    if (!succeeds() || flags != 0)
        return flags != 0 ? INVALID_VALUE : ILLEGAL_ADDRESS;
    *pointer = allocate(pinned_memory, bytes);
    return SUCCESS;
}

extern "C" Result cuMemFreeHost(void *pointer) {
    Turn turn(one_at_a_time);
    release(pinned_memory, static_cast<char *>(pointer));
    return SUCCESS;
}

extern "C" Result cuDeviceGetDefaultMemPool(int **pool, int) {
    *pool = &the_pool;
    return SUCCESS;
}

extern "C" Result cuMemPoolTrimTo(int *pool, size_t bytes_to_keep) {
    Turn turn(one_at_a_time);
    pool_bytes = std::min(pool_bytes, bytes_to_keep);
    return pool == &the_pool ? SUCCESS : INVALID_VALUE;
}

extern "C" Result cuMemGetInfo_v2(size_t *left, size_t *all) {
    Turn turn(one_at_a_time);
    size_t taken = allocated + pool_bytes + abandoned_bytes;
    for (Stream *stream : streams)
        taken += stream->freed_bytes;
    *all = setting("FAKE_CUDA_MEMORY", 4ll << 30);
    *left = *all - std::min(*all, taken);
    return SUCCESS;
}

extern "C" Result cuMemsetD8Async(u64 pointer, unsigned char value, size_t bytes, Stream *stream) {
    Turn turn(one_at_a_time);
    char *at = reinterpret_cast<char *>(pointer);
    if (!succeeds() || !within(device_memory, at, bytes))
        return ILLEGAL_ADDRESS;
    stream->add([=] { memset(at, value, bytes); });
    return SUCCESS;
}

extern "C" Result cuMemcpyHtoDAsync_v2(u64 pointer, const void *from, size_t bytes, Stream *stream) {
    Turn turn(one_at_a_time);
    char *to = reinterpret_cast<char *>(pointer);
    if (!succeeds() || !within(device_memory, to, bytes))
        return ILLEGAL_ADDRESS;
    if (within(pinned_memory, from, bytes)) {
        stream->add([=] { memcpy(to, from, bytes); });
    } else {
        std::string now(static_cast<const char *>(from), bytes);
        stream->add([=] { memcpy(to, now.data(), bytes); });
    }
    return SUCCESS;
}

extern "C" Result cuMemcpyDtoHAsync_v2(void *to, u64 pointer, size_t bytes, Stream *stream) {
    Turn turn(one_at_a_time);
    char *from = reinterpret_cast<char *>(pointer);
    if (!succeeds() || !within(device_memory, from, bytes))
        return ILLEGAL_ADDRESS;
    stream->add([=] { memcpy(to, from, bytes); });
    if (!within(pinned_memory, to, bytes))
        finish(stream);
    return SUCCESS;
}

// ── Streams and kernels ─────────────────────────────────────────────────────────────────────────

extern "C" Result cuStreamCreate(Stream **stream, unsigned) {
    Turn turn(one_at_a_time);
    *stream = new Stream;
    streams.push_back(*stream);
    return SUCCESS;
}

extern "C" Result cuStreamDestroy_v2(Stream *stream) {
    Turn turn(one_at_a_time);
    finish(stream);
    abandoned_bytes += stream->freed_bytes;
    std::erase(streams, stream);
    delete stream;
    return SUCCESS;
}

extern "C" Result cuStreamSynchronize(Stream *stream) {
    Turn turn(one_at_a_time);
    if (!succeeds())
        return ILLEGAL_ADDRESS;
    finish(stream);
    pool_bytes += stream->freed_bytes;
    stream->freed_bytes = 0;
    check_guards();
    return SUCCESS;
}

// Counts how often it was recorded, and how often a stream has come to that place. Steps that are left
// outlive the event.
struct Event {
    std::shared_ptr<u64> reached = std::make_shared<u64>(0);
    u64 recorded = 0;
};

extern "C" Result cuEventCreate(Event **event, unsigned flags) {
    const unsigned DISABLE_TIMING = 2;
    Turn turn(one_at_a_time);
    if (!succeeds() || flags != DISABLE_TIMING)
        return flags != DISABLE_TIMING ? INVALID_VALUE : ILLEGAL_ADDRESS;
    *event = new Event;
    return SUCCESS;
}

extern "C" Result cuEventDestroy_v2(Event *event) {
    Turn turn(one_at_a_time);
    delete event;
    return SUCCESS;
}

extern "C" Result cuEventRecord(Event *event, Stream *stream) {
    Turn turn(one_at_a_time);
    if (!succeeds())
        return ILLEGAL_ADDRESS;
    stream->add([reached = event->reached, number = ++event->recorded] { *reached = number; });
    return SUCCESS;
}

extern "C" Result cuStreamWaitEvent(Stream *stream, Event *event, unsigned) {
    Turn turn(one_at_a_time);
    if (!succeeds())
        return ILLEGAL_ADDRESS;
    // The record that was the last one at this call.
    auto ready = [reached = event->reached, number = event->recorded] { return *reached >= number; };
    stream->left.push_back({[] {}, ready});
    return SUCCESS;
}

static const char *const KERNELS[] = {"hash_rows",      "claim_rows",     "look_up",
                                      "insert_new",     "insert_keys",    "fill_at_random",
                                      "read_at_random", "add_at_random", "structure_key"};

// 90 for compute capability 9.0.
static int capability() { return setting("FAKE_CUDA_CAPABILITY", 90); }

// Machine code is an ELF file for 64 bits. Its tables end the file.
static const std::string ELF = "\x7f"
                               "ELF";

static std::string elf_file(const char *image) {
    u64 table[2];       // where program headers and section headers begin
    unsigned short sizes[5]; // bytes and number of the former, of the latter, and more
    memcpy(table, image + 32, sizeof table);
    memcpy(sizes, image + 54, sizeof sizes);
    return std::string(image, std::max(table[0] + sizes[0] * sizes[1], table[1] + sizes[2] * sizes[3]));
}

static Result check_machine_code(const std::string &file) {
    if (Result refusal = setting("FAKE_CUDA_REFUSE_CUBINS", SUCCESS))
        return refusal;
    int architecture = static_cast<unsigned char>(file[48]); // the lowest byte of the flags
    bool runs = architecture / 10 == capability() / 10 && architecture % 10 <= capability() % 10;
    return runs ? SUCCESS : NO_BINARY_FOR_GPU;
}

// A module is the image that the engine hands over: PTX or machine code.
extern "C" Result cuModuleLoadData(std::string **module, const char *image) {
    bool is_elf = strncmp(image, ELF.data(), ELF.size()) == 0;
    std::string content = is_elf ? elf_file(image) : image;
    if (is_elf)
        if (Result refusal = check_machine_code(content))
            return refusal;
    if (!is_elf && content.find(".target sm_70") == std::string::npos)
        return INVALID_IMAGE;
    *module = new std::string(std::move(content));
    return SUCCESS;
}

static bool has_kernel(const std::string &module, const std::string &name) {
    if (module.starts_with(ELF))
        return module.find('\0' + (".text." + name) + '\0') != std::string::npos;
    return module.find(".visible .entry " + name + "(") != std::string::npos;
}

extern "C" Result cuModuleUnload(std::string *module) {
    delete module;
    return SUCCESS;
}

extern "C" Result cuModuleGetFunction(const char **function, const std::string *module, const char *name) {
    if (!has_kernel(*module, name))
        return NOT_FOUND;
    for (const char *kernel : KERNELS)
        if (strcmp(kernel, name) == 0) {
            *function = kernel;
            return SUCCESS;
        }
    return NOT_FOUND;
}

extern "C" Result cuFuncGetAttribute(int *value, int attribute, const char *kernel) {
    const int LOCAL_SIZE_BYTES = 3;
    bool known = attribute == LOCAL_SIZE_BYTES && strcmp(kernel, "structure_key") == 0;
    *value = sizeof(structure_keys::Work);
    return known ? SUCCESS : INVALID_VALUE;
}

template <class T> static T argument(void **arguments, int i) { return *static_cast<T *>(arguments[i]); }

// A pointer to device memory.
template <class T> static T *buffer(void **arguments, int i) {
    return reinterpret_cast<T *>(argument<u64>(arguments, i));
}

static std::function<void()> bound(const std::string &kernel, void **a, u32 rows) {
    if (kernel == "hash_rows")
        return [=, text = buffer<u64>(a, 0), text_end = buffer<u32>(a, 1), keys = buffer<ulonglong2>(a, 3)] {
            host_hash_rows(text, text_end, rows, keys);
        };
    if (kernel == "structure_key")
        return [=, text = buffer<u8>(a, 0), text_end = buffer<u32>(a, 1), keys = buffer<ulonglong2>(a, 3),
                statuses = buffer<u8>(a, 4)] { structure_keys::run(text, text_end, rows, keys, statuses); };
    ulonglong2 *keys = buffer<ulonglong2>(a, 0);
    if (kernel == "claim_rows")
        return [=, table = buffer<u32>(a, 2), mask = argument<u32>(a, 3), places = buffer<u32>(a, 4)] {
            host_claim_rows(keys, rows, table, mask, places);
        };
    if (kernel == "look_up")
        return [=, table = buffer<u32>(a, 2), places = buffer<u32>(a, 3), filter = buffer<u64>(a, 4),
                bits = argument<u64>(a, 5), hashes = argument<u32>(a, 6), verdicts = buffer<u8>(a, 7),
                tally = buffer<u32>(a, 8)] {
            host_look_up(keys, rows, table, places, filter, bits, hashes, verdicts, tally);
        };
    if (kernel == "insert_new")
        return [=, verdicts = buffer<u8>(a, 2), filter = buffer<u64>(a, 3), bits = argument<u64>(a, 4),
                hashes = argument<u32>(a, 5)] {
            host_insert_new(keys, rows, verdicts, filter, bits, hashes);
        };
    u64 *filter = buffer<u64>(a, 2), bits = argument<u64>(a, 3);
    if (kernel == "fill_at_random")
        return [=] { host_fill_at_random(keys, rows, filter, bits); };
    u32 hashes = argument<u32>(a, 4);
    if (kernel == "read_at_random")
        return [=] { host_read_at_random(keys, rows, filter, bits, hashes); };
    if (kernel == "add_at_random")
        return [=] { host_add_at_random(keys, rows, filter, bits, hashes); };
    return [=] {
        host_insert_keys(keys, rows, filter, bits, hashes);
    };
}

extern "C" Result cuLaunchKernel(const char *kernel, unsigned grid, unsigned, unsigned, unsigned block, unsigned,
                                 unsigned, unsigned, Stream *stream, void **arguments, void **) {
    Turn turn(one_at_a_time);
    if (!succeeds())
        return ILLEGAL_ADDRESS;
    bool makes_keys = strcmp(kernel, "structure_key") == 0;
    u32 rows = argument<u32>(arguments, makes_keys || strcmp(kernel, "hash_rows") == 0 ? 2 : 1);
    u32 block_rows = makes_keys ? KEY_BLOCK_ROWS : SIEVE_BLOCK_ROWS;
    if (rows == 0 || block != block_rows || grid != (rows + block_rows - 1) / block_rows)
        return INVALID_VALUE;
    stream->add(bound(kernel, arguments, rows));
    return SUCCESS;
}

// ── The driver, the device, its context ─────────────────────────────────────────────────────────

static int the_context;
// The schedule of those who wait for it; 0, the default, spins.
static unsigned context_flags;
static int context_users;
static thread_local void *current_context;

static bool is_stub() { return setting("FAKE_CUDA_STUB", 0) == 1; }

extern "C" Result cuDriverGetVersion(int *version) {
    if (is_stub())
        return STUB_LIBRARY;
    *version = setting("FAKE_CUDA_VERSION", 12000);
    return SUCCESS;
}

extern "C" Result cuInit(unsigned) {
    if (is_stub())
        return STUB_LIBRARY;
    return setting("FAKE_CUDA_DEVICES", 1) > 0 ? SUCCESS : NO_DEVICE;
}

extern "C" Result cuDeviceGetCount(int *count) {
    *count = setting("FAKE_CUDA_DEVICES", 1);
    return SUCCESS;
}

extern "C" Result cuDeviceGet(int *device, int index) {
    *device = index;
    return SUCCESS;
}

extern "C" Result cuDeviceGetName(char *name, int length, int) {
    snprintf(name, length, "stand-in");
    return SUCCESS;
}

extern "C" Result cuDeviceGetAttribute(int *value, int attribute, int) {
    // Multiprocessors, threads that each holds, compute capability, memory pools.
    static const std::map<int, int> ATTRIBUTES = {
        {16, 4}, {39, 1024}, {75, capability() / 10}, {76, capability() % 10}, {115, 1}};
    auto known = ATTRIBUTES.find(attribute);
    *value = known == ATTRIBUTES.end() ? -1 : known->second;
    return SUCCESS;
}

extern "C" Result cuDeviceTotalMem_v2(size_t *bytes, int) {
    *bytes = setting("FAKE_CUDA_MEMORY", 4ll << 30);
    return SUCCESS;
}

// As drivers before CUDA 11 do, which refuse flags while the context is in use.
extern "C" Result cuDevicePrimaryCtxSetFlags_v2(int, unsigned flags) {
    Turn turn(one_at_a_time);
    if (context_users > 0)
        return PRIMARY_CONTEXT_ACTIVE;
    context_flags = flags;
    return SUCCESS;
}

extern "C" Result cuDevicePrimaryCtxRetain(void **context, int) {
    const unsigned SCHED_BLOCKING_SYNC = 4;
    Turn turn(one_at_a_time);
    if (context_flags != SCHED_BLOCKING_SYNC)
        return INVALID_VALUE;
    context_users++;
    *context = &the_context;
    return SUCCESS;
}

extern "C" Result cuDevicePrimaryCtxRelease_v2(int) {
    Turn turn(one_at_a_time);
    // All that the context still has goes with it.
    if (--context_users == 0)
        pool_bytes = abandoned_bytes = 0;
    return SUCCESS;
}

extern "C" Result cuCtxGetCurrent(void **context) {
    *context = current_context;
    return SUCCESS;
}

extern "C" Result cuCtxSetCurrent(void *context) {
    current_context = context;
    return SUCCESS;
}

extern "C" Result cuGetErrorString(Result error, const char **words) {
    *words = error == ILLEGAL_ADDRESS ? "an illegal memory access was encountered" : "an error on purpose";
    return SUCCESS;
}
