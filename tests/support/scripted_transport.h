// A remote in memory whose answers a test scripts.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "pipeline/remote/transport.h"

namespace satdl::test {

class ScriptedTransport final : public Transport {
public:
    std::map<std::string, std::string> files;
    // The next outcomes of the transfers whose names begin like this, in place of what the files say.
    std::map<std::string, std::deque<TransferOutcome>> next;
    std::vector<std::string> asked;  // "get ac/...", "put cas/...": the order in which they began

    void perform(std::span<Transfer> transfers, const Ended& ended) override {
        ++batches;
        for (Transfer& transfer : transfers) {
            const bool is_put = transfer.direction == Transfer::Direction::Put;
            asked.push_back((is_put ? "put " : "get ") + transfer.name);
            transfer.outcome = scripted(transfer.name).value_or(is_put ? put(transfer) : get(transfer));
            if (transfer.outcome != TransferOutcome::Done && transfer.outcome != TransferOutcome::Missing) transfer.problem = "as scripted";
            if (!ended(transfer)) return;
        }
    }
    [[nodiscard]] const std::string& place() const override { return place_; }

    int batches = 0;

private:
    std::optional<TransferOutcome> scripted(const std::string& name) {
        for (auto& [start, outcomes] : next) {
            if (!name.starts_with(start) || outcomes.empty()) continue;
            const TransferOutcome outcome = outcomes.front();
            outcomes.pop_front();
            return outcome;
        }
        return std::nullopt;
    }

    TransferOutcome get(Transfer& transfer) {
        const auto found = files.find(transfer.name);
        if (found == files.end()) return TransferOutcome::Missing;
        const std::string& text = found->second;
        if (text.size() > transfer.max_bytes) return TransferOutcome::TooLong;
        constexpr std::size_t kPiece = 1000;
        for (std::size_t from = 0; from < text.size(); from += kPiece) {
            const auto piece = std::as_bytes(std::span(text)).subspan(from, std::min(kPiece, text.size() - from));
            if (!transfer.receive(piece)) return TransferOutcome::Stopped;
            transfer.moved += piece.size();
        }
        return TransferOutcome::Done;
    }

    TransferOutcome put(Transfer& transfer) {
        const std::string text(reinterpret_cast<const char*>(transfer.body.data()), transfer.body.size());
        if (transfer.replace) files.insert_or_assign(transfer.name, text);
        else files.emplace(transfer.name, text);
        transfer.moved = transfer.body.size();
        return TransferOutcome::Done;
    }

    const std::string place_ = "scripted";
};

}  // namespace satdl::test
