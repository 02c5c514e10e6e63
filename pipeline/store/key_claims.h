// Who is computing which key now, so that processes that share a store compute each key once.
//
// A claim is the file claims/<key>, which its process holds under a flock while a stage runs and until its output is stored.
// The kernel ends a flock with its process, however that ends, so on one machine no process waits for a dead one, and nothing
// needs to be unlocked by hand. Where a flock does not reach (some network file systems), a claim of another host counts as
// a lease: its process touches the file again and again, and if the file's time stands still for too long, the claim is
// free. Times of two hosts are never compared.
//
// A claim saves work and decides nothing: where it fails or lies, two processes compute the same key, and the store keeps
// what was first.
#pragma once

#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <variant>

#include "pipeline/core/digest.h"

namespace satdl {

// Of a claim; what is not known is empty.
struct ClaimHolder {
    std::string process{};  // name_with_process()
    std::string host{};
    std::string run{};  // its id

    // "run 20261124T031731.123456-4711 on host lab3", "another process"
    [[nodiscard]] std::string text() const;
};

// A key is claimed as long as this lives.
class Claim {
public:
    Claim() = default;
    virtual ~Claim() = default;
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;
};

// Safe from any thread.
class KeyClaims {
public:
    virtual ~KeyClaims() = default;
    // The claim, or who has it. Never waits. A claim that cannot be recorded (a full disk, a read-only store) is given all
    // the same.
    [[nodiscard]] virtual std::variant<std::unique_ptr<Claim>, ClaimHolder> claim(const Digest& key) = 0;
};

// How long a claim of another host may stand still, and how often one of ours is renewed.
struct LeaseTimes {
    std::chrono::milliseconds expiry{60'000};
    std::chrono::milliseconds renewal{10'000};
};

class ClaimFiles final : public KeyClaims {
public:
    ClaimFiles(const std::filesystem::path& store_folder, ClaimHolder self, LeaseTimes lease = {});
    ~ClaimFiles() override;  // after the claims that it gave

    [[nodiscard]] std::variant<std::unique_ptr<Claim>, ClaimHolder> claim(const Digest& key) override;

private:
    class FileClaim;
    struct Renewals;
    struct Sighting {
        std::pair<std::int64_t, std::int64_t> changed;  // the file's time: seconds, nanoseconds
        std::chrono::steady_clock::time_point since;
    };
    [[nodiscard]] bool has_expired(const Digest& key, std::pair<std::int64_t, std::int64_t> changed);

    const std::filesystem::path folder_;
    const ClaimHolder self_;
    const LeaseTimes lease_;
    const std::shared_ptr<Renewals> renewals_;  // shared with the claims
    std::mutex mutex_;
    std::map<Digest, Sighting> seen_;  // guarded by mutex_: claims of other hosts
};

// Whether a process holds the claim in this file, as far as a flock reaches. Creates no file.
[[nodiscard]] bool is_claim_held(const std::filesystem::path& file);

}  // namespace satdl
