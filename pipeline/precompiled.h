// Precompiled once for the whole engine (pipeline/CMakeLists.txt): parsing the standard library and fmt was most of what its files cost.
// A file still includes what it uses itself; a build with -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON shows what is missing.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>
