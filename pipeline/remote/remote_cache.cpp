#include "pipeline/remote/remote_cache.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/store/layout.h"
#include "pipeline/store/staged_file.h"

namespace satdl {
namespace {

namespace fs = std::filesystem;

constexpr int kTries = 3;              // of what fails while the remote still answers others
constexpr std::size_t kTogether = 32;  // files that are being written at once

// A file on its way into the store.
struct Download {
    Download(const fs::path& folder, const std::string& name, std::uint64_t number, const RemoteRecord& of)
        : record(of), file(folder, name, number) {}

    bool write(std::span<const std::byte> bytes) {
        try {
            file.write(bytes);
            digest.update(bytes);
            const std::size_t of_header = std::min(bytes.size(), record.header_text.size() - start.size());
            start.append(reinterpret_cast<const char*>(bytes.data()), of_header);
            size += bytes.size();
            return true;
        } catch (...) {
            failure = std::current_exception();
            return false;
        }
    }

    // "" if it is what the record says.
    std::string_view fault() {
        if (size != record.header.file_bytes) return "it is shorter than its record says";
        if (digest.finish() != record.blob) return "its bytes do not match their digest";
        if (start != record.header_text) return "it has another header than its record";
        return "";
    }

    const RemoteRecord& record;
    StagedFile file;
    Sha256 digest;
    std::uint64_t size = 0;
    std::string start;           // as long as the record's header
    std::exception_ptr failure;  // of writing it
};

std::string short_name(const ArtifactHeader& header) {
    const KeyPart* const kind = find_part(header.recipe, "kind");
    return fmt::format("{} ({})", header.key.short_hex(), kind == nullptr ? "" : printable(kind->value));
}

}  // namespace

RemoteCache::RemoteCache(std::unique_ptr<Transport> transport, RemotePolicy policy, RemoteMemory memory, World world)
    : transport_(std::move(transport)), policy_(std::move(policy)), memory_(std::move(memory)), world_(std::move(world)),
      breaker_(world_.now) {
    use_.place = transport_->place();
    use_.is_read_only = !policy_.key && !policy_.trust.everyone;
}

// With the user's own key. Its public one comes from libcrypto, which a run that has everything itself does not load.
const RecordTrust& RemoteCache::trust() {
    std::call_once(trust_made_, [&] {
        trust_ = policy_.trust;
        if (policy_.key) trust_.keys.push_back(policy_.key->public_key());
    });
    return trust_;
}

// ---- looking up -------------------------------------------------------------------------------------------------------

void RemoteCache::look_up(std::span<const Digest> keys) {
    const std::vector<Digest> unknown = unknown_of(keys);
    if (unknown.empty()) return;
    for (int tries = 0; tries < kTries; ++tries) {
        std::vector<Digest> rest;
        {
            const std::scoped_lock lock(mutex_);
            std::ranges::copy_if(unknown, std::back_inserter(rest), [&](const Digest& key) { return !known_.contains(key); });
        }
        if (rest.empty() || !may(&RemoteCache::may_read_) || !breaker_.allows()) break;
        memory_.index().commit_so_far();
        ask(rest);
    }
    if (world_.is_stopped()) return;
    std::size_t lost = 0;
    {
        const std::scoped_lock lock(mutex_);
        for (const Digest& key : unknown) {
            if (known_.contains(key)) continue;
            ++lost;
            lost_.insert(key);
        }
    }
    fail_if_required(lost);
}

std::shared_ptr<const RemoteRecord> RemoteCache::find(const Digest& key) {
    look_up({&key, 1});
    return known(key);
}

RemoteCache::Record RemoteCache::known(const Digest& key) {
    const std::scoped_lock lock(mutex_);
    const auto found = known_.find(key);
    return found == known_.end() ? nullptr : found->second;
}

std::vector<Digest> RemoteCache::unknown_of(std::span<const Digest> keys) {
    std::vector<Digest> unknown;
    std::set<Digest> seen;
    for (const Digest& key : keys) {
        if (!seen.insert(key).second) continue;
        {
            const std::scoped_lock lock(mutex_);
            if (known_.contains(key)) continue;
        }
        if (policy_.refresh || !remember(key)) unknown.push_back(key);
    }
    return unknown;
}

// What an earlier run was told, checked again: whom the user trusts may have changed.
bool RemoteCache::remember(const Digest& key) {
    Record record;
    if (const auto text = memory_.record(key)) {
        auto parsed = parse_record(*text, key, trust());
        auto* const good = std::get_if<RemoteRecord>(&parsed);
        if (good == nullptr) return false;
        record = std::make_shared<const RemoteRecord>(std::move(*good));
    } else if (!memory_.is_missing(key)) {
        return false;
    }
    const std::scoped_lock lock(mutex_);
    if (record != nullptr) ++use_.found;
    known_.emplace(key, std::move(record));
    return true;
}

void RemoteCache::ask(std::span<const Digest> keys) {
    std::vector<std::string> received(keys.size());
    std::vector<Transfer> transfers;
    for (std::size_t i = 0; i < keys.size(); ++i) {
        Transfer& transfer = transfers.emplace_back();
        transfer.name = record_name(keys[i]);
        transfer.max_bytes = kMaxRecordBytes;
        transfer.is_short = true;
        transfer.receive = [&text = received[i]](std::span<const std::byte> bytes) {
            text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
            return true;
        };
    }
    transport_->perform(transfers, [&](const Transfer& transfer) { return went_on(transfer); });
    const Index::Batch one_transaction(memory_.index());
    for (std::size_t i = 0; i < keys.size(); ++i) {
        switch (transfers[i].outcome) {
            case TransferOutcome::Done: take_record(keys[i], received[i]); break;
            case TransferOutcome::TooLong: refuse_record(keys[i], {.why = "it is too long"}); break;
            case TransferOutcome::Missing: {
                memory_.put_missing(keys[i]);
                const std::scoped_lock lock(mutex_);
                known_.emplace(keys[i], nullptr);
                break;
            }
            default: break;
        }
    }
}

void RemoteCache::take_record(const Digest& key, const std::string& bytes) {
    const auto text = text_in_action_result(bytes);
    if (!text) return refuse_record(key, {.why = "it is no record"});
    auto parsed = parse_record(*text, key, trust());
    if (auto* const refused = std::get_if<RefusedRecord>(&parsed)) return refuse_record(key, std::move(*refused));
    memory_.put_record(key, std::string(*text));
    const std::scoped_lock lock(mutex_);
    ++use_.found;
    known_.insert_or_assign(key, std::make_shared<const RemoteRecord>(std::get<RemoteRecord>(std::move(parsed))));
}

void RemoteCache::refuse_record(const Digest& key, RefusedRecord refused) {
    const bool is_whole = !refused.signed_text.empty();
    const std::string why = refused.why;
    {
        const std::scoped_lock lock(mutex_);
        known_.insert_or_assign(key, nullptr);
        refused_.insert_or_assign(key, std::move(refused));
    }
    if (is_whole) {
        warn_once("untrusted " + why, fmt::format("records of {} are not used: {}, whom `satdl cache trust` does not list", place(), why));
    } else {
        warn_once("damaged record", fmt::format("a record of {} is not used, and replaced if its stage runs: {}", place(), why));
    }
}

// ---- downloading ------------------------------------------------------------------------------------------------------

void RemoteCache::download(std::span<const Digest> keys, const fs::path& folder, const Take& take) {
    look_up(keys);
    std::vector<Record> found;
    for (const Digest& key : std::set<Digest>(keys.begin(), keys.end()))
        if (Record record = known(key)) found.push_back(std::move(record));
    std::size_t lost = 0;
    for (std::size_t from = 0; from < found.size(); from += kTogether) {
        std::vector<Record> rest(found.begin() + from, found.begin() + std::min(from + kTogether, found.size()));
        for (int tries = 0; tries < kTries && !rest.empty() && may(&RemoteCache::may_read_) && breaker_.allows(); ++tries)
            rest = download_some(rest, folder, take);
        lost += rest.size();
    }
    if (world_.is_stopped()) return;
    {
        const std::scoped_lock lock(mutex_);
        use_.lost_downloads += lost;
    }
    fail_if_required(lost);
}

// Returns those that failed.
std::vector<RemoteCache::Record> RemoteCache::download_some(std::span<const Record> records, const fs::path& folder, const Take& take) {
    std::vector<std::unique_ptr<Download>> downloads;
    std::vector<Transfer> transfers;
    for (const Record& record : records) {
        const std::string name = record->header.key.hex() + std::string(store_layout::kArtifactExtension);
        Download& download = *downloads.emplace_back(std::make_unique<Download>(folder, name, staged_.fetch_add(1), *record));
        Transfer& transfer = transfers.emplace_back();
        transfer.name = blob_name(record->blob);
        transfer.max_bytes = record->header.file_bytes;
        transfer.receive = [&download](std::span<const std::byte> bytes) { return download.write(bytes); };
    }
    transport_->perform(transfers, [&](const Transfer& transfer) { return went_on(transfer); });
    std::vector<Record> failed;
    for (std::size_t i = 0; i < records.size(); ++i) {
        const RemoteRecord& record = *records[i];
        if (downloads[i]->failure) std::rethrow_exception(downloads[i]->failure);
        switch (transfers[i].outcome) {
            case TransferOutcome::Done:
                if (const std::string_view fault = downloads[i]->fault(); !fault.empty()) {
                    forget_artifact(record, fault);
                    break;
                }
                downloads[i]->file.make_durable();
                take(record, downloads[i]->file.path());
                memory_.forget(record.header.key);  // the store knows more of it from now on
                {
                    const std::scoped_lock lock(mutex_);
                    ++use_.downloads;
                    use_.downloaded_bytes += transfers[i].moved;
                }
                break;
            case TransferOutcome::TooLong: forget_artifact(record, "it is longer than its record says"); break;
            case TransferOutcome::Missing: forget_artifact(record, ""); break;
            default: failed.push_back(records[i]);
        }
    }
    return failed;
}

// `why`: "" if it is merely gone, which servers do with what is old.
void RemoteCache::forget_artifact(const RemoteRecord& record, std::string_view why) {
    memory_.forget(record.header.key);
    {
        const std::scoped_lock lock(mutex_);
        known_.insert_or_assign(record.header.key, nullptr);
        refused_.try_emplace(record.header.key);
        if (!why.empty()) refused_blobs_.insert(record.blob);
    }
    if (!why.empty())
        warn_once("damaged artifact", fmt::format("an artifact of {} is damaged, and replaced if its stage runs: {}: {}", place(),
                                                  short_name(record.header), why));
}

// ---- uploading --------------------------------------------------------------------------------------------------------

bool RemoteCache::takes_uploads() { return (policy_.key || policy_.trust.everyone) && may(&RemoteCache::may_write_); }

std::vector<UploadResult> RemoteCache::upload(std::span<const LocalArtifact> artifacts) {
    std::vector<UploadResult> results(artifacts.size(), UploadResult::Later);
    std::vector<RemoteRecord> records;
    std::vector<Transfer> blobs;
    for (const LocalArtifact& artifact : artifacts) {
        const std::string_view file(reinterpret_cast<const char*>(artifact.file.bytes.data()), artifact.file.bytes.size());
        RemoteRecord& record = records.emplace_back();
        record = {.blob = sha256(file), .header = artifact.header, .header_text = std::string(file.substr(0, artifact.header.text_bytes))};
        const std::scoped_lock lock(mutex_);
        blobs.push_back({.direction = Transfer::Direction::Put, .name = blob_name(record.blob), .body = artifact.file.bytes,
                         .replace = refused_blobs_.contains(record.blob)});
    }
    const auto ended = [&](const Transfer& transfer) { return went_on(transfer); };
    transport_->perform(blobs, ended);

    std::vector<std::size_t> positions;  // of those whose artifact is there: a record must not come before it
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < artifacts.size(); ++i) {
        if (blobs[i].outcome == TransferOutcome::Refused) results[i] = UploadResult::Never;
        if (blobs[i].outcome != TransferOutcome::Done) continue;
        const std::string text = record_text(records[i], signatures_for(records[i]));
        texts.push_back(as_action_result(records[i], text));
        positions.push_back(i);
    }
    std::vector<Transfer> puts;
    for (std::size_t k = 0; k < positions.size(); ++k) {
        const std::scoped_lock lock(mutex_);
        const Digest& key = records[positions[k]].header.key;
        puts.push_back({.direction = Transfer::Direction::Put, .name = record_name(key), .body = std::as_bytes(std::span(texts[k])),
                        .replace = refused_.contains(key)});
    }
    transport_->perform(puts, ended);
    for (std::size_t k = 0; k < positions.size(); ++k) {
        const std::size_t i = positions[k];
        if (puts[k].outcome == TransferOutcome::Refused) results[i] = UploadResult::Never;
        if (puts[k].outcome != TransferOutcome::Done) continue;
        results[i] = UploadResult::Done;
        memory_.forget(records[i].header.key);
        const std::scoped_lock lock(mutex_);
        ++use_.uploads;
        use_.uploaded_bytes += blobs[i].moved;
    }
    return results;
}

// Those of a record of others that says the same stay: it is as good for those who trust them.
std::vector<std::string> RemoteCache::signatures_for(const RemoteRecord& record) {
    const std::string text = signed_text(record);
    std::vector<std::string> signatures;
    if (policy_.key) signatures.push_back(sign(*policy_.key, text));
    const std::scoped_lock lock(mutex_);
    const auto other = refused_.find(record.header.key);
    if (other != refused_.end() && other->second.signed_text == text)
        for (const std::string& one : other->second.signatures)
            if (signatures.size() < kMaxSignatures && std::ranges::find(signatures, one) == signatures.end()) signatures.push_back(one);
    return signatures;
}

void RemoteCache::count_lost_uploads(std::size_t count, const std::string& why) {
    const std::scoped_lock lock(mutex_);
    use_.lost_uploads += count;
    if (use_.problem.empty()) use_.problem = why;
}

// ---- what went wrong --------------------------------------------------------------------------------------------------

// Of a transfer that has ended: whether others are worth their time.
bool RemoteCache::went_on(const Transfer& transfer) {
    const bool is_put = transfer.direction == Transfer::Direction::Put;
    if (transfer.outcome == TransferOutcome::Failed) breaker_.failed();
    else breaker_.answered();
    if (!transfer.problem.empty()) {
        const std::scoped_lock lock(mutex_);
        if (use_.problem.empty()) use_.problem = transfer.problem;
    }
    if (transfer.outcome != TransferOutcome::Denied) return breaker_.allows();
    {
        const std::scoped_lock lock(mutex_);
        (is_put ? may_write_ : may_read_) = false;
    }
    warn_once(is_put ? "write" : "read", fmt::format("{} does not let you {} ({}){}", place(), is_put ? "write" : "read", transfer.problem,
                                                     is_put ? ": nothing is uploaded" : ": nothing is looked up there"));
    return false;
}

bool RemoteCache::may(bool RemoteCache::* what) {
    const std::scoped_lock lock(mutex_);
    return this->*what;
}

void RemoteCache::warn_once(const std::string& about, const std::string& text) {
    {
        const std::scoped_lock lock(mutex_);
        if (!warned_.insert(about).second) return;
    }
    world_.warn(text);
}

void RemoteCache::fail_if_required(std::size_t lost) {
    if (lost == 0 || !policy_.required) return;
    throw Error(ExitCode::Store, fmt::format("the remote {} does not answer, and is required: {}", place(), use().problem),
                "try again later, or run without --remote-required");
}

RemoteUse RemoteCache::use() {
    const std::scoped_lock lock(mutex_);
    RemoteUse use = use_;
    use.lost_lookups = static_cast<std::uint64_t>(std::ranges::count_if(lost_, [&](const Digest& key) { return !known_.contains(key); }));
    return use;
}

}  // namespace satdl
