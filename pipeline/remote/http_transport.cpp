#include "pipeline/remote/http_transport.h"

#include <mutex>
#include <utility>

#include "pipeline/core/error.h"
#include "pipeline/os/shared_library.h"

namespace satdl {
namespace {

std::unique_ptr<Transport> load_transport(const HttpOptions& options) {
    const auto path = program_folder() / "libsatdl_http.so";
    const SharedLibrary library(path);
    const auto function = reinterpret_cast<HttpLibraryFunction>(library.find(kHttpLibrarySymbol));
    if (function == nullptr) throw Error(ExitCode::Store, path.string() + " lacks " + kHttpLibrarySymbol, "build satdl again");
    return function(options);
}

class HttpTransport final : public Transport {
public:
    explicit HttpTransport(HttpOptions options) : options_(std::move(options)) {}

    void perform(std::span<Transfer> transfers, const Ended& ended) override {
        if (transfers.empty()) return;
        std::call_once(loaded_once_, [&] { loaded_ = load_transport(options_); });
        loaded_->perform(transfers, ended);
    }
    [[nodiscard]] const std::string& place() const override { return options_.url; }

private:
    const HttpOptions options_;
    std::once_flag loaded_once_;
    std::unique_ptr<Transport> loaded_;  // once that is set
};

}  // namespace

std::unique_ptr<Transport> http_transport(HttpOptions options) { return std::make_unique<HttpTransport>(std::move(options)); }

}  // namespace satdl
