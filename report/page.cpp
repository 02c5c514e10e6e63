#include "report/page.h"

#include <fmt/format.h>

#include "pipeline/core/base64.h"
#include "pipeline/core/digest.h"
#include "pipeline/core/error.h"
#include "pipeline/core/xml.h"
#include "report/escape.h"

namespace satdl {

namespace {

// The page's own scripts, in the order of their dependencies.
constexpr const char* kScripts[] = {"text.js",     "plots.js", "sweep.js",    "verdict.js", "curves.js",
                                    "pictures.js", "graph.js", "evidence.js", "main.js"};

std::string read_part(const std::filesystem::path& path, FileSystem& files) {
    const auto identity = files.stamp(path);
    if (!identity) {
        throw Error(
            ExitCode::Usage, fmt::format("the report needs {}, which is missing", path.string()),
            "Vega-Lite's scripts come from npm: install npm (Debian: apt-get install --no-install-recommends npm) and build "
            "satdl again, or run cmake/report_scripts.sh --into " +
                path.parent_path().string());
    }
    return files.read(path, 0, identity->bytes);
}

// A script must not contain what ends its element or begins a comment; ours do not, and Vega's are checked here.
std::string script_element(const std::string& script, std::string& policy) {
    SATDL_CHECK(script.find("</script") == std::string::npos && script.find("<!--") == std::string::npos,
                "a script of the page would end its own element");
    const Digest digest = sha256(script);
    policy += fmt::format(" 'sha256-{}'", base64({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()}));
    return "<script>" + script + "</script>\n";
}

}  // namespace

PageParts page_parts(const std::filesystem::path& folder, FileSystem& files) {
    PageParts parts;
    parts.style = read_part(folder / "style.css", files);
    parts.scripts = "'use strict';\n(function () {\n";
    for (const char* name : kScripts) parts.scripts += read_part(folder / name, files);
    parts.scripts += "})();\n";
    parts.vega = read_part(folder / "vega.js", files);
    parts.vega_lite = read_part(folder / "vega-lite.js", files);
    parts.interpreter = read_part(folder / "vega-interpreter.js", files);
    parts.licences = read_part(folder / "vega-licences.txt", files) + "\n" + read_part(folder / "licences.txt", files);
    return parts;
}

std::string page_html(const PageParts& parts, const std::string& title, const std::string& document) {
    std::string policy =
        "default-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; "
        "script-src";
    std::string scripts;
    for (const std::string* script : {&parts.vega, &parts.vega_lite, &parts.interpreter, &parts.scripts}) {
        scripts += script_element(*script, policy);
    }
    return fmt::format(R"(<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="satdl">
<title>{}</title>
<style>
{}</style>
</head>
<body>
<noscript><p class="notice">This page needs JavaScript, which is switched off here. Its scripts are part of the page.</p>
</noscript>
<main id="report"></main>
<details id="licences"><summary>Licences of the scripts in this page</summary><pre>{}</pre></details>
<script type="application/json" id="data">{}</script>
{}</body>
</html>
)",
                       policy, xml_text(title), parts.style, xml_text(parts.licences), json_for_script(document), scripts);
}

}  // namespace satdl
