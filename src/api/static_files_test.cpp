#include "api/static_files.h"

#include <array>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "api/test_ports.h"

namespace muster {
namespace {

constexpr std::array files{BundledFile{"index.html", "\"1\"", "<html>", "zipped index"},
                           BundledFile{"assets/a.js", "\"2\"", "let a", {}}};

HttpRequest request(const std::string& path) {
    HttpRequest out;
    out.method = "GET";
    out.path = path;
    return out;
}

std::string header(const HttpResponse& response, std::string_view name) {
    for (const auto& [candidate, value] : response.headers) {
        if (candidate == name) {
            return value;
        }
    }
    return {};
}

TEST(StaticFiles, are_served_with_their_type_and_lifetime) {
    const StaticFiles web(files);
    const auto script = web.get(request("/assets/a.js"));
    EXPECT_EQ(script.content(), "let a");
    EXPECT_EQ(script.content_type, "text/javascript; charset=utf-8");
    EXPECT_NE(header(script, "Cache-Control").find("immutable"), std::string::npos);
    EXPECT_EQ(header(web.get(request("/")), "Cache-Control"), "no-cache");
    EXPECT_NE(header(web.get(request("/")), "Content-Security-Policy").find("frame-ancestors 'none'"),
              std::string::npos);
}

TEST(StaticFiles, the_dashboards_own_paths_get_its_page) {
    const StaticFiles web(files);
    EXPECT_EQ(web.get(request("/devices/d-1.2")).content(), "<html>");
    EXPECT_EQ(web.get(request("/assets/gone.js")).status, 404U);
    EXPECT_EQ(web.get(request("/favicon.svg")).status, 404U);
}

TEST(StaticFiles, are_compressed_for_who_takes_it) {
    const StaticFiles web(files);
    auto wants = request("/");
    wants.accept_encoding = "br, gzip";
    EXPECT_EQ(web.get(wants).content(), "zipped index");
    EXPECT_EQ(header(web.get(wants), "Content-Encoding"), "gzip");
    wants.accept_encoding = "gzip;q=0";
    EXPECT_EQ(web.get(wants).content(), "<html>");
}

TEST(StaticFiles, are_not_sent_again_to_who_has_them) {
    const StaticFiles web(files);
    auto has = request("/");
    has.if_none_match = "\"0\", \"1\"";
    EXPECT_EQ(web.get(has).status, 304U);
}

TEST(StaticFiles, paths_do_not_leave_their_folder) {
    const TestDirectory directory;
    std::filesystem::create_directory(directory.path() + "/web");
    std::ofstream(directory.path() + "/web/index.html") << "page";
    std::ofstream(directory.path() + "/web/.hidden") << "secret";
    std::ofstream(directory.path() + "/secret.js") << "secret";
    const auto web = StaticFiles::from_directory(directory.path() + "/web");
    ASSERT_TRUE(web);
    EXPECT_EQ(web->get(request("/")).content(), "page");
    for (const char* path :
         {"/../secret.js", "/%2e%2e/secret.js", "/.hidden", "//secret.js", "/..%2fsecret.js", "/x/..\\secret.js"}) {
        const auto response = web->get(request(path));
        EXPECT_EQ(response.status, 404U) << path;
        EXPECT_EQ(response.content().find("secret"), std::string::npos) << path;
    }
}

TEST(StaticFiles, a_directory_without_a_page_is_refused) {
    const TestDirectory directory;
    EXPECT_FALSE(StaticFiles::from_directory(directory.path()));
}

TEST(StaticFiles, an_empty_table_says_how_to_build_the_dashboard) {
    const StaticFiles web{std::span<const BundledFile>()};
    EXPECT_NE(web.get(request("/")).content().find("make web"), std::string::npos);
}

TEST(StaticFiles, can_only_be_read) {
    auto post = request("/");
    post.method = "POST";
    EXPECT_EQ(StaticFiles(files).get(post).status, 405U);
}

}  // namespace
}  // namespace muster
