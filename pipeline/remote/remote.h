// The remote of a store, opened: what runs and plans use in place of the store itself.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "pipeline/remote/remote_settings.h"
#include "pipeline/remote/remote_store.h"

namespace satdl {

// How long the end of a run waits for uploads.
inline constexpr std::chrono::seconds kUploadPatience{60};

class Remote {
public:
    // Connects to nothing yet. `open` is borrowed; `warn` gets each warning once, from any thread. Throws Error{Usage} if records could
    // not be told from those of others: nobody is trusted, and others can write there.
    Remote(RemoteSettings settings, OpenStore& open, Access access, std::function<void(const std::string&)> warn);
    ~Remote();
    Remote(const Remote&) = delete;
    Remote& operator=(const Remote&) = delete;

    [[nodiscard]] RemoteStore& store() { return *store_; }
    [[nodiscard]] RemoteCache& cache() { return *cache_; }
    // Set by a signal: transfers end at once. It must outlive the Remote.
    void stop_at(const std::atomic<bool>& stop) { stop_ = &stop; }
    // At the end of a run, once: waits for uploads.
    [[nodiscard]] RemoteUse finish(std::chrono::milliseconds patience = kUploadPatience);

private:
    [[nodiscard]] bool is_stopped() const;

    std::atomic<const std::atomic<bool>*> stop_{nullptr};
    std::atomic<bool> is_abandoned_{false};
    std::unique_ptr<RemoteCache> cache_;
    std::unique_ptr<RemoteStore> store_;
};

}  // namespace satdl
