// The HTTP subset of Bazel's cache servers, over libcurl: GET and PUT of whole files, HTTP/1.1, connections kept, no redirects, no ranges,
// no compression, no chunks, no Expect.
//
// A server may do anything. Each transfer ends: connecting takes two seconds at most, a record ten, and what is received must move, at
// ten kilobytes a second over ten seconds. What is sent has a minute for that, since a server may write all of it to its disk before it
// answers. No more is taken than the caller's limit. A redirect could lead to another host, with the credentials: an HTTP cache has no
// use for them.
//
// libcurl 7.88's error texts name hosts and addresses, never credentials, which come by options of their own and not in the URL.
#include "pipeline/remote/http_library.h"

#include <curl/curl.h>
#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "pipeline/core/check.h"
#include "pipeline/core/utf8.h"

namespace satdl {
namespace {

constexpr std::size_t kConnections = 32;
constexpr long kConnectMilliseconds = 2'000;
constexpr long kShortMilliseconds = 10'000;
constexpr long kStallSeconds = 10, kAnswerSeconds = 60;
constexpr long kStallBytesPerSecond = 10'000;
constexpr int kLookMilliseconds = 200;  // how often it is asked whether to stop
constexpr std::size_t kMaxErrorPage = 64 << 10;

struct FreeEasy {
    void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct FreeMulti {
    void operator()(CURLM* handle) const { curl_multi_cleanup(handle); }
};
struct FreeList {
    void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using List = std::unique_ptr<curl_slist, FreeList>;

template <typename Value>
void set(const Easy& easy, CURLoption option, Value value) {
    const CURLcode code = curl_easy_setopt(easy.get(), option, value);
    if (code == CURLE_OUT_OF_MEMORY) throw std::bad_alloc();
    SATDL_CHECK(code == CURLE_OK, std::string("libcurl: ") + curl_easy_strerror(code));
}

void add(List& list, const char* line) {
    curl_slist* const longer = curl_slist_append(list.get(), line);
    if (longer == nullptr) throw std::bad_alloc();
    [[maybe_unused]] curl_slist* const old = list.release();
    list.reset(longer);
}

// Stages that this process starts must not inherit a connection.
curl_socket_t open_socket(void*, curlsocktype, curl_sockaddr* address) {
    return ::socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// One transfer on its way.
class Request {
public:
    Request(const HttpOptions& options, Transfer& transfer) : transfer_(transfer), easy_(curl_easy_init()) {
        if (!easy_) throw std::bad_alloc();
        set(easy_, CURLOPT_URL, fmt::format("{}/{}", options.url, transfer.name).c_str());
        set(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
        set(easy_, CURLOPT_FOLLOWLOCATION, 0L);
        set(easy_, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
        set(easy_, CURLOPT_USERAGENT, "satdl");
        set(easy_, CURLOPT_NOSIGNAL, 1L);
        set(easy_, CURLOPT_ERRORBUFFER, error_);
        set(easy_, CURLOPT_CONNECTTIMEOUT_MS, kConnectMilliseconds);
        set(easy_, CURLOPT_LOW_SPEED_LIMIT, kStallBytesPerSecond);
        set(easy_, CURLOPT_LOW_SPEED_TIME, is_put() ? kAnswerSeconds : kStallSeconds);
        if (transfer.is_short) set(easy_, CURLOPT_TIMEOUT_MS, kShortMilliseconds);
        set(easy_, CURLOPT_OPENSOCKETFUNCTION, open_socket);
        set(easy_, CURLOPT_WRITEFUNCTION, &Request::receive);
        set(easy_, CURLOPT_WRITEDATA, this);
        add(headers_, "Expect:");
        if (!options.authorities.empty()) set(easy_, CURLOPT_CAINFO, options.authorities.c_str());
        authorize(options);
        if (is_put()) prepare_put();
        else set(easy_, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(transfer.max_bytes));
        set(easy_, CURLOPT_HTTPHEADER, headers_.get());
    }
    Request(const Request&) = delete;
    Request& operator=(const Request&) = delete;

    [[nodiscard]] CURL* handle() const { return easy_.get(); }
    [[nodiscard]] Transfer& transfer() const { return transfer_; }

    void finish(CURLcode code) {
        long status = 0;
        if (curl_easy_getinfo(easy_.get(), CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) status = 0;
        transfer_.outcome = outcome_of(code, status);
        if (transfer_.outcome == TransferOutcome::Done || transfer_.outcome == TransferOutcome::Missing) return;
        if (transfer_.outcome == TransferOutcome::TooLong) transfer_.problem = "it is longer than it may be";
        else if (status >= 300 && status < 400) transfer_.problem = fmt::format("HTTP {}: a redirect, which is not followed", status);
        else if (status >= 300 || (code == CURLE_OK && status != 0)) transfer_.problem = fmt::format("HTTP {}", status);
        else transfer_.problem = printable(error_[0] != '\0' ? error_ : curl_easy_strerror(code));
    }

private:
    [[nodiscard]] bool is_put() const { return transfer_.direction == Transfer::Direction::Put; }

    void authorize(const HttpOptions& options) {
        if (!options.token.empty()) {
            set(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BEARER));
            set(easy_, CURLOPT_XOAUTH2_BEARER, options.token.c_str());
        } else if (!options.user.empty()) {
            set(easy_, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
            set(easy_, CURLOPT_USERNAME, options.user.c_str());
            set(easy_, CURLOPT_PASSWORD, options.password.c_str());
        }
    }

    void prepare_put() {
        set(easy_, CURLOPT_UPLOAD, 1L);
        set(easy_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer_.body.size()));
        set(easy_, CURLOPT_READFUNCTION, &Request::send);
        set(easy_, CURLOPT_READDATA, this);
        set(easy_, CURLOPT_SEEKFUNCTION, &Request::seek);
        set(easy_, CURLOPT_SEEKDATA, this);
        add(headers_, "Content-Type: application/octet-stream");
        add(headers_, "Transfer-Encoding:");
    }

    TransferOutcome outcome_of(CURLcode code, long status) const {
        if (refused_) return TransferOutcome::Stopped;
        if (too_long_ || code == CURLE_FILESIZE_EXCEEDED) return TransferOutcome::TooLong;
        const bool whole = code == CURLE_OK;
        if (status == 401 || status == 403 || status == 405 || status == 407) return TransferOutcome::Denied;
        if (is_put()) {
            const bool sent = whole && transfer_.moved == transfer_.body.size();
            if (sent && (status == 200 || status == 201 || status == 202 || status == 204)) return TransferOutcome::Done;
            if (status >= 400 && status < 500 && status != 408 && status != 429) return TransferOutcome::Refused;
            return TransferOutcome::Failed;
        }
        if (status == 204 || status == 404 || status == 410) return TransferOutcome::Missing;
        return whole && status == 200 ? TransferOutcome::Done : TransferOutcome::Failed;
    }

    static std::size_t receive(char* bytes, std::size_t, std::size_t count, void* self) {
        Request& request = *static_cast<Request*>(self);
        Transfer& transfer = request.transfer_;
        long status = 0;
        if (curl_easy_getinfo(request.easy_.get(), CURLINFO_RESPONSE_CODE, &status) != CURLE_OK) return 0;
        if (transfer.direction == Transfer::Direction::Put || status != 200) {
            request.error_page_ += count;
            return request.error_page_ > kMaxErrorPage ? 0 : count;
        }
        if (count > transfer.max_bytes - transfer.moved) {
            request.too_long_ = true;
            return 0;
        }
        if (!transfer.receive(std::as_bytes(std::span(bytes, count)))) {
            request.refused_ = true;
            return 0;
        }
        transfer.moved += count;
        return count;
    }

    static std::size_t send(char* bytes, std::size_t, std::size_t count, void* self) {
        Transfer& transfer = static_cast<Request*>(self)->transfer_;
        const auto rest = transfer.body.subspan(transfer.moved);
        const std::size_t next = std::min(rest.size(), count);
        if (next > 0) std::memcpy(bytes, rest.data(), next);
        transfer.moved += next;
        return next;
    }

    // A kept connection turned out to be closed: libcurl begins again on another.
    static int seek(void* self, curl_off_t offset, int origin) {
        Transfer& transfer = static_cast<Request*>(self)->transfer_;
        if (origin != SEEK_SET || offset < 0 || static_cast<std::uint64_t>(offset) > transfer.body.size()) return CURL_SEEKFUNC_CANTSEEK;
        transfer.moved = static_cast<std::uint64_t>(offset);
        return CURL_SEEKFUNC_OK;
    }

    Transfer& transfer_;
    const Easy easy_;
    List headers_;
    char error_[CURL_ERROR_SIZE] = {};
    bool refused_ = false, too_long_ = false;
    std::size_t error_page_ = 0;
};

class CurlTransport final : public Transport {
public:
    explicit CurlTransport(HttpOptions options) : options_(std::move(options)) {}

    void perform(std::span<Transfer> transfers, const Ended& ended) override {
        Multi multi = take();
        std::vector<std::unique_ptr<Request>> running;
        std::size_t next = 0;
        bool goes_on = true;
        while (true) {
            goes_on = goes_on && !is_stopped();
            if (!goes_on) break;
            for (; next < transfers.size() && running.size() < kConnections; ++next) {
                running.push_back(std::make_unique<Request>(options_, transfers[next]));
                check(curl_multi_add_handle(multi.get(), running.back()->handle()));
            }
            if (running.empty()) break;
            int count = 0;
            check(curl_multi_perform(multi.get(), &count));
            const std::size_t before = running.size();
            goes_on = collect(multi.get(), running, ended);
            if (goes_on && running.size() == before)
                check(curl_multi_poll(multi.get(), nullptr, 0, kLookMilliseconds, nullptr));
        }
        for (const auto& request : running) check(curl_multi_remove_handle(multi.get(), request->handle()));
        running.clear();
        give_back(std::move(multi));
    }

    [[nodiscard]] const std::string& place() const override { return options_.url; }

private:
    static void check(CURLMcode code) {
        if (code == CURLM_OUT_OF_MEMORY) throw std::bad_alloc();
        SATDL_CHECK(code == CURLM_OK || code == CURLM_UNRECOVERABLE_POLL, std::string("libcurl: ") + curl_multi_strerror(code));
    }

    [[nodiscard]] bool is_stopped() const { return options_.is_stopped && options_.is_stopped(); }

    // Those that have ended. Returns whether further ones are wanted.
    static bool collect(CURLM* multi, std::vector<std::unique_ptr<Request>>& running, const Ended& ended) {
        bool goes_on = true;
        int left = 0;
        while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            const CURLcode code = message->data.result;
            CURL* const handle = message->easy_handle;
            const auto request = std::ranges::find(running, handle, &Request::handle);
            SATDL_CHECK(request != running.end(), "libcurl: it ends what was not begun");
            check(curl_multi_remove_handle(multi, handle));
            (*request)->finish(code);
            goes_on = ended((*request)->transfer()) && goes_on;
            running.erase(request);
        }
        return goes_on;
    }

    // Each has the connections that its last user left open.
    Multi take() {
        {
            const std::scoped_lock lock(mutex_);
            if (!idle_.empty()) {
                Multi multi = std::move(idle_.back());
                idle_.pop_back();
                return multi;
            }
        }
        Multi multi(curl_multi_init());
        if (!multi) throw std::bad_alloc();
        check(curl_multi_setopt(multi.get(), CURLMOPT_MAXCONNECTS, static_cast<long>(kConnections)));
        return multi;
    }
    void give_back(Multi multi) {
        const std::scoped_lock lock(mutex_);
        idle_.push_back(std::move(multi));
    }

    const HttpOptions options_;
    std::mutex mutex_;
    std::vector<Multi> idle_;  // guarded by mutex_
};

}  // namespace

extern "C" __attribute__((visibility("default"))) std::unique_ptr<Transport> satdl_http_library(const HttpOptions& options) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (ready != CURLE_OK) throw std::bad_alloc();
    return std::make_unique<CurlTransport>(options);
}

static_assert(std::is_same_v<decltype(&satdl_http_library), HttpLibraryFunction>);

}  // namespace satdl
