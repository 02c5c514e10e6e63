// Preloaded (LD_PRELOAD) into a real satdl: counts what it and its libraries allocate while main runs, and lets one allocation fail as if
// there were no memory left. What the loader allocates before main is not what is tried. Notice by the environment:
//
//   SATDL_MEMORY_COUNTER=FILE  8 bytes, at first zero: how many there were. Required; shared by all processes that count
//   SATDL_MEMORY_IN=worker     those of `satdl exec-node` count, else those of every other satdl
//   SATDL_MEMORY_AT=n          the n-th (from 1) fails,
//   SATDL_MEMORY_FOREVER=1     and all after it
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

using Main = int (*)(int, char**, char**);

std::atomic<long>* counter = nullptr;  // null: nothing is counted, before and after main
long fails_at = 0;
bool for_ever = false;
Main real_main = nullptr;

bool has(const char* name, const char* value) {
    const char* const found = getenv(name);
    return found != nullptr && std::strcmp(found, value) == 0;
}

void begin(int argc, char** argv) {
    const bool is_worker = argc > 1 && std::strcmp(argv[1], "exec-node") == 0;
    const char* const file = getenv("SATDL_MEMORY_COUNTER");
    if (file == nullptr || is_worker != has("SATDL_MEMORY_IN", "worker")) return;
    const int descriptor = ::open(file, O_RDWR | O_CLOEXEC);
    void* const shared = ::mmap(nullptr, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    if (shared == MAP_FAILED) _exit(99);
    if (const char* const at = getenv("SATDL_MEMORY_AT")) fails_at = std::strtol(at, nullptr, 10);
    for_ever = has("SATDL_MEMORY_FOREVER", "1");
    counter = static_cast<std::atomic<long>*>(shared);
}

int main_with_counting(int argc, char** argv, char** environment) {
    begin(argc, argv);
    const int code = real_main(argc, argv, environment);
    counter = nullptr;
    return code;
}

bool fails() {
    if (counter == nullptr) return false;
    const long number = counter->fetch_add(1) + 1;
    const bool struck = fails_at > 0 && (number == fails_at || (for_ever && number > fails_at));
    if (struck) errno = ENOMEM;
    return struck;
}

}  // namespace

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void* __libc_memalign(size_t, size_t);

void* malloc(size_t bytes) noexcept { return fails() ? nullptr : __libc_malloc(bytes); }
void* calloc(size_t count, size_t bytes) noexcept { return fails() ? nullptr : __libc_calloc(count, bytes); }
void* realloc(void* old, size_t bytes) noexcept { return fails() ? nullptr : __libc_realloc(old, bytes); }
void* memalign(size_t alignment, size_t bytes) noexcept { return fails() ? nullptr : __libc_memalign(alignment, bytes); }
void* aligned_alloc(size_t alignment, size_t bytes) noexcept { return memalign(alignment, bytes); }
int posix_memalign(void** made, size_t alignment, size_t bytes) noexcept {
    void* const found = memalign(alignment, bytes);
    if (found == nullptr) return ENOMEM;
    *made = found;
    return 0;
}

int __libc_start_main(Main main, int argc, char** argv, void (*init)(), void (*fini)(), void (*loader_fini)(), void* stack_end) {
    real_main = main;
    const auto next = reinterpret_cast<decltype(&__libc_start_main)>(dlsym(RTLD_NEXT, "__libc_start_main"));
    return next(main_with_counting, argc, argv, init, fini, loader_fini, stack_end);
}

}  // extern "C"
