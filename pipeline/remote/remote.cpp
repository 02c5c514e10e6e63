#include "pipeline/remote/remote.h"

#include <fmt/format.h>

#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/remote/folder_transport.h"
#include "pipeline/remote/http_transport.h"

namespace satdl {
namespace {

double monotonic_seconds() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
double wall_seconds() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

RemotePolicy policy_of(const RemoteSettings& settings) {
    RemotePolicy policy{.trust = {.keys = settings.keys.trusted}, .key = settings.keys.signing, .refresh = settings.refresh,
                        .required = settings.required};
    policy.trust.everyone = !settings.is_http() && is_own_folder(settings.place);
    if (!policy.trust.everyone && policy.trust.keys.empty() && !policy.key)
        throw Error(ExitCode::Usage,
                    fmt::format("no key is trusted, so nothing in {} can be believed: others can write there", printable(settings.place)),
                    "`satdl cache trust NAME:BASE64` trusts the key of whoever writes there; `satdl cache keygen NAME` makes one of your "
                    "own (docs/remote.md)");
    return policy;
}

}  // namespace

Remote::Remote(RemoteSettings settings, OpenStore& open, Access access, std::function<void(const std::string&)> warn) {
    RemotePolicy policy = policy_of(settings);
    const auto is_stopped = [this] { return this->is_stopped(); };
    auto transport = settings.is_http() ? http_transport({.url = settings.place,
                                                          .user = settings.user,
                                                          .password = settings.password,
                                                          .token = settings.token,
                                                          .authorities = settings.ca_file,
                                                          .is_stopped = is_stopped})
                                        : folder_transport(settings.place, open.files(), is_stopped);
    RemoteMemory memory(open.index(), access, settings.place, wall_seconds);
    cache_ = std::make_unique<RemoteCache>(std::move(transport), std::move(policy), std::move(memory),
                                           RemoteCache::World{monotonic_seconds, is_stopped, std::move(warn)});
    store_ = std::make_unique<RemoteStore>(open, *cache_);
}

Remote::~Remote() { is_abandoned_ = true; }

bool Remote::is_stopped() const {
    const std::atomic<bool>* const stop = stop_;
    return is_abandoned_ || (stop != nullptr && stop->load(std::memory_order_relaxed));
}

RemoteUse Remote::finish(std::chrono::milliseconds patience) {
    store_->finish_uploads(patience, [this] { is_abandoned_ = true; });
    return cache_->use();
}

}  // namespace satdl
