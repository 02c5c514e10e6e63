// A file descriptor with an owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace satdl {

class UniqueFd {
public:
    explicit UniqueFd(int number = -1) : number_(number) {}
    ~UniqueFd() { close(); }
    UniqueFd(UniqueFd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    UniqueFd& operator=(UniqueFd&& other) noexcept {
        if (this != &other) {
            close();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }

    [[nodiscard]] int get() const { return number_; }
    [[nodiscard]] int release() { return std::exchange(number_, -1); }  // the caller closes it
    explicit operator bool() const { return number_ >= 0; }
    void close() {
        if (number_ >= 0) ::close(std::exchange(number_, -1));
    }

private:
    int number_;
};

}  // namespace satdl
