// Holds openapi.json and the running server against each other, both ways.
#include <set>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "api/api_fixture.h"
#include "api/bundled_file.h"

namespace muster {
namespace {

using boost::json::object;
using boost::json::value;

/// The part of JSON Schema that openapi.json uses: $ref, oneOf, type, enum, required, properties, additionalProperties,
/// items.
class SchemaCheck final {
 public:
    explicit SchemaCheck(const object& document) : document_(document) {}

    /// Empty when `value` is of the schema; else where and what is wrong.
    [[nodiscard]] std::string mismatch(const value& item, const object& schema, const std::string& at) const {
        if (const auto* reference = schema.if_contains("$ref")) {
            return mismatch(item, resolve(reference->as_string()), at);
        }
        if (const auto* choices = schema.if_contains("oneOf")) {
            std::string last;
            for (const auto& choice : choices->as_array()) {
                last = mismatch(item, choice.as_object(), at);
                if (last.empty()) {
                    return {};
                }
            }
            return last;
        }
        if (const auto* type = schema.if_contains("type"); type != nullptr && !is_of_type(item, *type)) {
            return at + ": expected " + boost::json::serialize(*type) + ", got " + boost::json::serialize(item);
        }
        if (const auto* words = schema.if_contains("enum"); words != nullptr && !contains(words->as_array(), item)) {
            return at + ": not one of the words: " + boost::json::serialize(item);
        }
        return item.is_object()  ? object_mismatch(item.as_object(), schema, at)
               : item.is_array() ? array_mismatch(item.as_array(), schema, at)
                                 : std::string();
    }

    [[nodiscard]] const object& resolve(std::string_view reference) const {
        const object* current = &document_;
        reference.remove_prefix(2);  // "#/"
        while (!reference.empty()) {
            const std::string_view part = reference.substr(0, reference.find('/'));
            reference.remove_prefix(std::min(reference.size(), part.size() + 1));
            current = &current->at(part).as_object();
        }
        return *current;
    }

 private:
    static bool is_of_type(const value& item, const value& type) {
        if (type.is_array()) {
            return std::any_of(type.as_array().begin(), type.as_array().end(),
                               [&](const value& one) { return is_of_type(item, one); });
        }
        const std::string_view name = type.as_string();
        return name == "object"    ? item.is_object()
               : name == "array"   ? item.is_array()
               : name == "string"  ? item.is_string()
               : name == "integer" ? item.is_int64() || item.is_uint64()
               : name == "number"  ? item.is_number()
               : name == "boolean" ? item.is_bool()
                                   : item.is_null();
    }
    static bool contains(const boost::json::array& words, const value& item) {
        return std::find(words.begin(), words.end(), item) != words.end();
    }
    std::string object_mismatch(const object& item, const object& schema, const std::string& at) const {
        if (const auto* required = schema.if_contains("required")) {
            for (const auto& name : required->as_array()) {
                if (!item.contains(name.as_string())) {
                    return at + ": misses " + std::string(name.as_string());
                }
            }
        }
        const auto* properties = schema.if_contains("properties");
        const auto* others = schema.if_contains("additionalProperties");
        for (const auto& member : item) {
            const std::string path = at + "/" + std::string(member.key());
            const auto* known = properties == nullptr ? nullptr : properties->as_object().if_contains(member.key());
            // A member that is not described is as wrong as one that is missing.
            if (known == nullptr && others == nullptr && properties != nullptr &&
                !undescribed_.contains(std::string(member.key()))) {
                return path + ": is not described";
            }
            const auto* member_schema = known != nullptr ? known : others;
            if (member_schema != nullptr) {
                if (auto wrong = mismatch(member.value(), member_schema->as_object(), path); !wrong.empty()) {
                    return wrong;
                }
            }
        }
        return {};
    }
    std::string array_mismatch(const boost::json::array& items, const object& schema, const std::string& at) const {
        for (const auto& item : items) {
            if (auto wrong = mismatch(item, schema.at("items").as_object(), at + "/[]"); !wrong.empty()) {
                return wrong;
            }
        }
        return {};
    }

    const object& document_;
    // The shadow role keeps these of its own in a command.
    const std::set<std::string> undescribed_{"timeout_s", "idempotency_key"};
};

class OpenApiTest : public ApiFixture {
 protected:
    OpenApiTest() : document(*json::parse_object(bundled_openapi().front().bytes)), check(document) {}

    struct Operation {
        std::string method;
        std::string path;  ///< with {parameters}
        object described;
    };
    [[nodiscard]] std::vector<Operation> operations() const {
        std::vector<Operation> out;
        for (const auto& path : document.at("paths").as_object()) {
            for (const auto& method : path.value().as_object()) {
                std::string name(method.key());
                std::transform(name.begin(), name.end(), name.begin(),
                               [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
                out.push_back({name, std::string(path.key()), method.value().as_object()});
            }
        }
        return out;
    }
    /// The path with the examples of its parameters, and of those of its query that it cannot do without.
    [[nodiscard]] static std::string target_of(const Operation& operation) {
        std::string target = operation.path;
        if (const auto* parameters = operation.described.if_contains("parameters")) {
            for (const auto& parameter : parameters->as_array()) {
                if (parameter.at("in").as_string() == "path") {
                    const std::string name = "{" + std::string(parameter.at("name").as_string()) + "}";
                    target.replace(target.find(name), name.size(), std::string(parameter.at("example").as_string()));
                } else if (parameter.as_object().contains("required")) {
                    target = with_query(target, std::string(parameter.at("name").as_string()) + "=" +
                                                    std::string(parameter.at("example").as_string()));
                }
            }
        }
        return target;
    }
    static std::string with_query(const std::string& target, const std::string& query) {
        return target + (target.find('?') == std::string::npos ? "?" : "&") + query;
    }
    /// Checks that this answer is one that the operation documents, in type and shape.
    void expect_documented(const Operation& operation, const ClientReply& reply) const {
        const std::string what = operation.method + " " + operation.path + " → " + std::to_string(reply.status);
        const auto* response =
            operation.described.at("responses").as_object().if_contains(std::to_string(reply.status));
        ASSERT_NE(response, nullptr) << what << " is not documented: " << reply.body;
        const object& described = response->as_object().contains("$ref")
                                      ? check.resolve(response->at("$ref").as_string())
                                      : response->as_object();
        const auto* content = described.if_contains("content");
        ASSERT_NE(content, nullptr) << what;
        const std::string type = reply.headers.at("content-type").substr(0, reply.headers.at("content-type").find(';'));
        const auto* media = content->as_object().if_contains(type);
        ASSERT_NE(media, nullptr) << what << " has the undocumented type " << type;
        if (type.ends_with("/json") || type.ends_with("+json")) {
            const auto body = json::parse(reply.body);
            ASSERT_TRUE(body) << what << reply.body;
            EXPECT_EQ(check.mismatch(*body, media->at("schema").as_object(), what), "");
        }
    }
    /// What the shadow role would say to a change.
    void prepare(const Operation& operation) {
        shadow_role = {};
        if (operation.path.ends_with("/commands")) {
            shadow_role = {201, *read_document(document_keys::command, "e-1"), false};
        } else if (operation.method == "PATCH") {
            shadow_role.body = R"({"state":{"desired":{"interval":60}},"metadata":{},"version":2,"timestamp":1})";
        } else if (operation.method == "DELETE") {
            shadow_role.body = R"({"version":2,"timestamp":1})";
        }
    }
    [[nodiscard]] std::optional<std::string> read_document(std::string_view collection, std::string_view key) const {
        return *documents.get(collection, key);
    }
    std::string body_for(const Operation& operation) const {
        if (operation.path.starts_with("/api/v1/models/")) {
            return R"({"heartbeat_timeout_s":30})";
        }
        if (operation.path.ends_with("/drain")) {
            return operation.method == "POST" ? R"({"rate_per_s":100,"server_reference":"other.example.com:8883"})"
                                              : "";
        }
        if (operation.path == "/api/v1/maintenance") {
            const std::int64_t now = to_epoch_ms(clock.now());
            return fmt::format(R"({{"id":"w-1","query":{{"region":"in"}},"from":{},"to":{},"reason":"mast"}})", now,
                               now + 60'000);
        }
        return operation.path.ends_with("/rules/{name}") && operation.method == "PUT"
                   ? R"({"metric":"offline_count","raise":100})"
               : operation.method == "PUT"   ? R"({"model":"m2"})"
               : operation.method == "PATCH" ? R"({"state":{"desired":{"interval":60}}})"
               : operation.method == "POST"  ? R"({"name":"reboot"})"
                                             : "";
    }

    const object document;
    const SchemaCheck check;
};

TEST_F(OpenApiTest, every_operation_answers_as_it_is_described) {
    start();
    fill();
    raise("i-1");
    (void)get_until("/api/v1/alerts/i-1", 200);
    (void)get_until("/readyz", 200);
    for (const auto& [path, samples] :
         {std::pair("/api/v1/fleet/series", "series"), std::pair("/api/v1/regions/series", "times")}) {
        while (parsed(client->get(path, viewer)).at(samples).as_array().size() < 2) {
            clock.advance(Seconds(1));
        }
    }
    for (const Operation& operation : operations()) {
        prepare(operation);
        const auto reply = send(operation.method, target_of(operation), admin, body_for(operation));
        const bool is_live = operation.path == "/api/v1/live";
        EXPECT_TRUE(is_live ? reply.status == 426 : reply.status < 300)
            << operation.path << " " << reply.status << reply.body;
        expect_documented(operation, reply);
    }
}

TEST_F(OpenApiTest, every_operation_documents_its_refusals) {
    start();
    (void)get_until("/readyz", 200);
    for (const Operation& operation : operations()) {
        const std::string target = target_of(operation);
        shadow_role = {404, R"({"code":404,"message":"No shadow exists"})", false};
        if (!operation.described.at("security").as_array().empty()) {
            expect_documented(operation, send(operation.method, target, "", body_for(operation)));
            expect_documented(operation, send(operation.method, target, viewer, body_for(operation)));
        }
        expect_documented(operation, send(operation.method, with_query(target, "%zz"), admin, body_for(operation)));
        expect_documented(operation,
                          send(operation.method, target, admin, operation.method == "GET" ? "" : "nonsense"));
        if (operation.path.find('{') != std::string::npos && operation.method == "GET") {
            const std::string nobody = operation.path.substr(0, operation.path.find('{')) + "nobody" +
                                       operation.path.substr(operation.path.find('}') + 1);
            expect_documented(operation, send(operation.method, nobody, admin));
        }
    }
}

TEST_F(OpenApiTest, every_query_parameter_is_known_to_its_route) {
    start();
    fill();
    for (const Operation& operation : operations()) {
        const auto* parameters = operation.described.if_contains("parameters");
        for (const auto& parameter : parameters == nullptr ? boost::json::array() : parameters->as_array()) {
            if (parameter.at("in").as_string() == "query" && operation.path != "/api/v1/live") {
                const std::string name(parameter.at("name").as_string());
                const std::string target = target_of(operation);
                const auto reply = client->get(target.substr(0, target.find('?')) + "?" + name + "=1", admin);
                EXPECT_EQ(reply.body.find("unknown query parameter"), std::string::npos)
                    << operation.path << " " << name;
            }
        }
    }
}

TEST_F(OpenApiTest, every_route_is_described) {
    start();
    std::set<std::string> described;
    for (const Operation& operation : operations()) {
        described.insert(operation.method + " " + operation.path);
    }
    std::set<std::string> served;
    for (const auto& [method, pattern] : api->routes()) {
        served.insert(method + " " + pattern);
    }
    EXPECT_EQ(served, described);
}

TEST_F(OpenApiTest, roles_are_as_described) {
    start();
    for (const Operation& operation : operations()) {
        const bool open = operation.described.at("security").as_array().empty();
        const bool for_operators = operation.method != "GET";
        const std::string target = target_of(operation);
        EXPECT_EQ(send(operation.method, target, "", "{}").status == 401, !open) << operation.path;
        EXPECT_EQ(send(operation.method, target, viewer, "{}").status == 403, for_operators) << operation.path;
    }
}

}  // namespace
}  // namespace muster
