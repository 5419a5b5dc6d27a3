#include "api/tokens.h"

#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "api/test_ports.h"

namespace muster {
namespace {

std::function<std::string()> numbered_tokens() {
    return [n = 0]() mutable { return "a-token-with-number-" + std::to_string(++n); };
}

TEST(Tokens, are_made_once_for_the_owner_alone) {
    const TestDirectory directory;
    const std::string path = directory.path() + "/tokens.json";
    const auto made = Tokens::load_or_create(path, numbered_tokens());
    ASSERT_TRUE(made) << made.error().message();
    struct stat status{};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777U, 0600U);
    const auto again = Tokens::load_or_create(path, [] { return "a token that is not asked for"; });
    ASSERT_TRUE(again) << again.error().message();
    EXPECT_EQ(again->first_of(Role::admin), made->first_of(Role::admin));
    EXPECT_EQ(again->find(made->first_of(Role::fleet_operator))->role, Role::fleet_operator);
}

TEST(Tokens, in_a_file_that_others_can_read_are_refused) {
    const TestDirectory directory;
    const std::string path = directory.path() + "/tokens.json";
    ASSERT_TRUE(Tokens::load_or_create(path, numbered_tokens()));
    ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
    const auto loaded = Tokens::load_or_create(path, numbered_tokens());
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message().find("chmod 600"), std::string::npos);
}

TEST(Tokens, have_names_of_their_own_with_a_role) {
    const auto tokens =
        Tokens::parse(R"({"admin":"0123456789abcdef","grafana":{"role":"viewer","token":"fedcba9876543210"}})");
    ASSERT_TRUE(tokens) << tokens.error().message();
    EXPECT_EQ(tokens->find("fedcba9876543210")->name, "grafana");
    EXPECT_EQ(tokens->find("fedcba9876543210")->role, Role::viewer);
    EXPECT_EQ(tokens->first_of(Role::fleet_operator), "");
}

TEST(Tokens, that_are_not_in_the_file_are_nobodys) {
    const auto tokens = Tokens::parse(R"({"admin":"0123456789abcdef"})");
    for (const char* text : {"", "0123456789abcde", "0123456789abcdeF", "0123456789abcdef0"}) {
        EXPECT_FALSE(tokens->find(text)) << text;
    }
}

TEST(Tokens, malformed_are_told_apart_from_good_ones) {
    for (const char* text :
         {"[]", "{", R"({"admin":"short"})", R"({"boss":"0123456789abcdef"})",
          R"({"x":{"role":"king","token":"0123456789abcdef"}})", R"({"x":{"role":"admin"}})", R"({"admin":7})"}) {
        EXPECT_FALSE(Tokens::parse(text)) << text;
    }
}

TEST(Tokens, broken_files_say_which_file) {
    const TestDirectory directory;
    const std::string path = directory.path() + "/tokens.json";
    std::ofstream(path) << "not json";
    ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
    const auto loaded = Tokens::load_or_create(path, numbered_tokens());
    ASSERT_FALSE(loaded);
    EXPECT_NE(loaded.error().message().find(path), std::string::npos);
}

}  // namespace
}  // namespace muster
