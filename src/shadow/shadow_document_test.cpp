#include "shadow/shadow_document.h"

#include <boost/json.hpp>
#include <gtest/gtest.h>

#include "base/random.h"

namespace muster {
namespace {

using boost::json::object;
using boost::json::parse;
using boost::json::value;

constexpr std::int64_t now_s = 1'700'000'000;

/// A shadow driven by JSON texts, as the service drives it.
struct Shadow {
    ShadowDocument document;
    std::int64_t time_s = now_s;

    ShadowResult<ShadowUpdate> update(std::string_view payload) {
        return parse_shadow_update(payload).and_then(
            [&](const ShadowRequest& request) { return update_shadow(document, request, time_s); });
    }
    void must_update(std::string_view payload) {
        const auto done = update(payload);
        ASSERT_TRUE(done) << done.error().message;
    }
    [[nodiscard]] value get() const {
        const auto text = get_shadow(document, {}, "d1", time_s);
        return text ? parse(*text) : value(nullptr);
    }
    [[nodiscard]] value state() const { return get().at("state"); }
};

std::string told(const ShadowResult<ShadowUpdate>& result) {
    return result ? "accepted" : std::to_string(result.error().code) + " " + result.error().message;
}

std::string refusal_of(std::string_view payload) {
    Shadow shadow;
    return told(shadow.update(payload));
}

std::string nested(std::size_t depth) {
    std::string text = "1";
    for (std::size_t i = 0; i < depth; ++i) {
        text = R"({"k":)" + text + "}";
    }
    return R"({"state":{"desired":)" + text + "}}";
}

TEST(ShadowRule1, an_update_changes_only_the_fields_it_names) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1,"b":{"c":2,"d":3}},"reported":{"r":1}}})");
    shadow.must_update(R"({"state":{"desired":{"b":{"c":9}}}})");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"a":1,"b":{"c":9,"d":3}})"));
    EXPECT_EQ(shadow.state().at("reported"), parse(R"({"r":1})"));
}

TEST(ShadowRule2, null_deletes_a_key) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1,"b":{"c":2,"d":3}}}})");
    shadow.must_update(R"({"state":{"desired":{"a":null,"b":{"c":null},"never":null}}})");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"b":{"d":3}})"));
    EXPECT_EQ(shadow.get().at_pointer("/metadata/desired"), parse(R"({"b":{"d":{"timestamp":1700000000}}})"));
}

TEST(ShadowRule2, a_null_inside_a_new_object_is_not_kept) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":{"b":1,"c":null}}}})");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"a":{"b":1}})"));
}

TEST(ShadowRule3, a_section_set_to_null_disappears) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1},"reported":{"a":1}}})");
    shadow.must_update(R"({"state":{"desired":null}})");
    EXPECT_EQ(shadow.get().at("state"), parse(R"({"reported":{"a":1}})"));
    EXPECT_FALSE(shadow.get().at("metadata").get_object().contains("desired"));
}

TEST(ShadowRule3, a_section_that_becomes_empty_disappears) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1},"reported":{"a":1}}})");
    shadow.must_update(R"({"state":{"desired":{"a":null}}})");
    EXPECT_EQ(shadow.get().at("state"), parse(R"({"reported":{"a":1}})"));
}

TEST(ShadowRule4, an_array_replaces_an_array_as_a_whole) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"colours":["red","green","blue"]}}})");
    shadow.must_update(R"({"state":{"desired":{"colours":["red"]}}})");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"colours":["red"]})"));
}

TEST(ShadowRule4, an_array_that_holds_null_is_refused) {
    EXPECT_EQ(refusal_of(R"({"state":{"desired":{"colours":["red",null]}}})"),
              "400 State contains an invalid node: 'colours'");
    EXPECT_EQ(refusal_of(R"({"state":{"desired":{"a":{"b":[{"c":null}]}}}})"),
              "400 State contains an invalid node: 'a'");
}

TEST(ShadowRule5, each_accepted_update_adds_one_to_the_version) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1}}})");
    shadow.must_update(R"({"state":{"desired":{"a":1}}})");
    EXPECT_EQ(shadow.document.version, 2U);
    EXPECT_EQ(told(shadow.update(R"({"state":{"wrong":1}})")), "400 State contains an invalid node: 'wrong'");
    EXPECT_EQ(shadow.document.version, 2U);
}

TEST(ShadowRule5, a_version_that_is_not_the_current_one_is_a_conflict) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1}},"version":0})");
    shadow.must_update(R"({"state":{"desired":{"a":2}},"version":1})");
    EXPECT_EQ(told(shadow.update(R"({"state":{"desired":{"a":3}},"version":1})")), "409 Version conflict");
    EXPECT_EQ(told(shadow.update(R"({"state":{"desired":{"a":3}},"version":3})")), "409 Version conflict");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"a":2})"));
}

TEST(ShadowRule6, deletion_does_not_reset_the_version) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1}}})");
    shadow.must_update(R"({"state":{"desired":{"a":2}}})");
    const auto deleted = delete_shadow(shadow.document, *parse_shadow_request(R"({"clientToken":"t"})"), "d1", now_s);
    ASSERT_TRUE(deleted);
    EXPECT_EQ(parse(*deleted), parse(R"({"version":2,"timestamp":1700000000,"clientToken":"t"})"));
    shadow.document = *parse_stored_shadow(to_stored(shadow.document));
    EXPECT_FALSE(shadow.document.exists);
    shadow.must_update(R"({"state":{"desired":{"b":1}}})");
    EXPECT_EQ(shadow.document.version, 3U);
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"b":1})"));
}

TEST(ShadowRule7, a_key_absent_in_reported_is_in_the_delta_as_a_whole) {
    EXPECT_EQ(shadow_delta(parse(R"({"a":{"b":{"c":1}}})").get_object(), {}),
              parse(R"({"a":{"b":{"c":1}}})").get_object());
}

TEST(ShadowRule7, objects_are_compared_member_by_member) {
    const auto delta = shadow_delta(parse(R"({"a":{"same":1,"other":2,"new":3}})").get_object(),
                                    parse(R"({"a":{"same":1,"other":0}})").get_object());
    EXPECT_EQ(delta, parse(R"({"a":{"other":2,"new":3}})").get_object());
}

TEST(ShadowRule7, a_different_value_or_kind_gives_the_desired_value) {
    const auto delta = shadow_delta(parse(R"({"a":[1,2],"b":{"c":1},"d":"x"})").get_object(),
                                    parse(R"({"a":[1],"b":5,"d":{"x":1}})").get_object());
    EXPECT_EQ(delta, parse(R"({"a":[1,2],"b":{"c":1},"d":"x"})").get_object());
}

TEST(ShadowRule7, keys_only_in_reported_never_appear) {
    EXPECT_TRUE(shadow_delta(parse(R"({"a":1})").get_object(), parse(R"({"a":1,"b":2})").get_object()).empty());
}

TEST(ShadowRule7, numbers_are_compared_by_value) {
    const auto desired = parse(R"({"a":21,"b":[1,{"c":2.0}],"d":0.5})").get_object();
    EXPECT_TRUE(shadow_delta(desired, parse(R"({"a":21.0,"b":[1.0,{"c":2}],"d":5e-1})").get_object()).empty());
    EXPECT_EQ(shadow_delta(desired, parse(R"({"a":"21","b":[1.0,{"c":2}],"d":0.5})").get_object()).size(), 1U);
}

TEST(ShadowRule8, a_delta_lists_all_differences_not_only_those_of_the_update) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1}}})");
    shadow.time_s += 5;
    const auto update = shadow.update(R"({"state":{"desired":{"b":[2]}},"clientToken":"t"})");
    ASSERT_TRUE(update && update->delta);
    EXPECT_EQ(parse(*update->delta), parse(R"({"version":2,"timestamp":1700000005,"state":{"a":1,"b":[2]},
                        "metadata":{"a":{"timestamp":1700000000},"b":[{"timestamp":1700000005}]},"clientToken":"t"})"));
}

TEST(ShadowRule8, without_a_difference_there_is_no_delta) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1}}})");
    const auto update = shadow.update(R"({"state":{"reported":{"a":1,"b":2}}})");
    ASSERT_TRUE(update);
    EXPECT_FALSE(update->delta);
    EXPECT_FALSE(shadow.state().get_object().contains("delta"));
}

TEST(ShadowRule9, an_empty_section_creates_none) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{},"reported":{"a":1}}})");
    EXPECT_EQ(shadow.state(), parse(R"({"reported":{"a":1}})"));
    shadow.must_update(R"({"state":{"reported":{}}})");
    EXPECT_EQ(shadow.state(), parse(R"({"reported":{"a":1}})")) << "nor does it empty one";
}

TEST(ShadowRule10, an_object_may_replace_a_scalar_and_back) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1}}})");
    shadow.must_update(R"({"state":{"desired":{"a":{"b":2}}}})");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"a":{"b":2}})"));
    EXPECT_EQ(shadow.get().at_pointer("/metadata/desired"), parse(R"({"a":{"b":{"timestamp":1700000000}}})"));
    shadow.must_update(R"({"state":{"desired":{"a":"x"}}})");
    EXPECT_EQ(shadow.get().at_pointer("/metadata/desired"), parse(R"({"a":{"timestamp":1700000000}})"));
}

TEST(ShadowRule10, empty_objects_are_kept) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":{},"b":{"c":1}}}})");
    shadow.must_update(R"({"state":{"desired":{"b":{"c":null}}}})");
    EXPECT_EQ(shadow.state().at("desired"), parse(R"({"a":{},"b":{}})"));
}

TEST(ShadowRule11, each_leaf_has_the_time_at_which_it_was_set) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"reported":{"a":1,"b":{"c":2,"list":[1,{"x":2}]}}}})");
    shadow.time_s += 7;
    shadow.must_update(R"({"state":{"reported":{"b":{"c":2}}}})");
    EXPECT_EQ(shadow.get().at_pointer("/metadata/reported"),
              parse(R"({"a":{"timestamp":1700000000},"b":{"c":{"timestamp":1700000007},
                        "list":[{"timestamp":1700000000},{"x":{"timestamp":1700000000}}]}})"));
}

TEST(ShadowRule12, a_state_over_8_kilobytes_is_refused_and_changes_nothing) {
    Shadow shadow;
    const std::string overhead = R"({"desired":{"a":""}})";
    const std::string fits(shadow_state_bytes_max - overhead.size(), 'x');
    shadow.must_update(R"({"state":{"desired":{"a":")" + fits + R"("}}})");
    EXPECT_EQ(told(shadow.update(R"({"state":{"reported":{"b":1}}})")),
              "413 The payload exceeds the maximum size allowed");
    EXPECT_EQ(shadow.document.version, 1U);
    shadow.must_update(R"({"state":{"desired":null,"reported":{"b":1}}})");
    EXPECT_EQ(refusal_of(std::string(shadow_request_bytes_max + 1, ' ')),
              "413 The payload exceeds the maximum size allowed");
}

TEST(ShadowRule12, metadata_does_not_count) {
    Shadow shadow;
    std::string payload = R"({"state":{"desired":{"k":0)";
    for (int i = 0; i < 700; ++i) {
        payload += R"(,"k)" + std::to_string(i) + R"(":1)";
    }
    shadow.must_update(payload + "}}}");
    EXPECT_GT(to_stored(shadow.document).size(), 2 * shadow_state_bytes_max);
}

TEST(ShadowRule12, eight_levels_are_enough_and_nine_too_many) {
    EXPECT_EQ(refusal_of(nested(8)), "accepted");
    EXPECT_EQ(refusal_of(nested(9)), "400 JSON contains too many levels of nesting; maximum is 8");
    EXPECT_EQ(refusal_of(nested(500)), "400 JSON contains too many levels of nesting; maximum is 8");
    EXPECT_EQ(refusal_of(R"({"state":{"desired":{"a":[[[[[[[[1]]]]]]]]}}})"),
              "400 JSON contains too many levels of nesting; maximum is 8");
}

TEST(ShadowRule12, what_is_as_deep_as_allowed_is_read_back_from_the_store) {
    Shadow shadow;
    shadow.must_update(nested(8));
    shadow.must_update(R"({"state":{"reported":{"a":[[[[[[[1]]]]]]]}}})");
    const auto stored = parse_stored_shadow(to_stored(shadow.document));
    ASSERT_TRUE(stored) << stored.error().message();
    EXPECT_EQ(to_stored(*stored), to_stored(shadow.document));
}

TEST(ShadowRule12, a_client_token_has_at_most_64_bytes) {
    const std::string longest(64, 't');
    EXPECT_EQ(refusal_of(R"({"state":{},"clientToken":")" + longest + R"("})"), "accepted");
    EXPECT_EQ(refusal_of(R"({"state":{},"clientToken":")" + longest + R"(t"})"), "400 Invalid clientToken");
    EXPECT_EQ(refusal_of(R"({"state":{},"clientToken":5})"), "400 Invalid clientToken");
}

TEST(ShadowRule13, accepted_echoes_only_what_was_asked) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":1,"b":2},"reported":{"a":1}}})");
    const auto update = shadow.update(R"({"state":{"desired":{"b":3,"a":null}},"clientToken":"t","version":1})");
    ASSERT_TRUE(update);
    EXPECT_EQ(parse(update->accepted),
              parse(R"({"state":{"desired":{"b":3,"a":null}},"metadata":{"desired":{"b":{"timestamp":1700000000}}},
                        "version":2,"timestamp":1700000000,"clientToken":"t"})"));
}

TEST(ShadowRule13, documents_has_the_state_before_and_after) {
    Shadow shadow;
    const auto first = shadow.update(R"({"state":{"reported":{"a":1}}})");
    ASSERT_TRUE(first);
    EXPECT_TRUE(parse(first->documents).at("previous").is_null());
    shadow.time_s += 1;
    const auto second = shadow.update(R"({"state":{"reported":{"a":2}},"clientToken":"t"})");
    ASSERT_TRUE(second);
    EXPECT_EQ(parse(second->documents), parse(R"({
        "previous":{"state":{"reported":{"a":1}},"metadata":{"reported":{"a":{"timestamp":1700000000}}},"version":1},
        "current":{"state":{"reported":{"a":2}},"metadata":{"reported":{"a":{"timestamp":1700000001}}},"version":2},
        "timestamp":1700000001,"clientToken":"t"})"));
}

TEST(ShadowGet, shows_both_sections_and_their_difference) {
    Shadow shadow;
    shadow.must_update(R"({"state":{"desired":{"a":2},"reported":{"a":1}}})");
    const auto got = get_shadow(shadow.document, *parse_shadow_request(R"({"clientToken":"t"})"), "d1", now_s + 9);
    ASSERT_TRUE(got);
    EXPECT_EQ(parse(*got), parse(R"({"state":{"desired":{"a":2},"reported":{"a":1},"delta":{"a":2}},
        "metadata":{"desired":{"a":{"timestamp":1700000000}},"reported":{"a":{"timestamp":1700000000}}},
        "version":1,"timestamp":1700000009,"clientToken":"t"})"));
}

TEST(ShadowErrors, have_the_texts_of_aws) {
    EXPECT_EQ(refusal_of("{not json"), "400 Invalid JSON");
    EXPECT_EQ(refusal_of("[]"), "400 Invalid JSON");
    EXPECT_EQ(refusal_of(""), "400 Invalid JSON");
    EXPECT_EQ(refusal_of("{}"), "400 Missing required node: state");
    EXPECT_EQ(refusal_of(R"({"state":5})"), "400 State node must be an object");
    EXPECT_EQ(refusal_of(R"({"state":{"desired":5}})"), "400 Desired node must be an object");
    EXPECT_EQ(refusal_of(R"({"state":{"reported":[]}})"), "400 Reported node must be an object");
    EXPECT_EQ(refusal_of(R"({"state":{},"version":"1"})"), "400 Invalid version");
    EXPECT_EQ(refusal_of(R"({"state":{},"version":-1})"), "400 Invalid version");
    EXPECT_EQ(refusal_of(R"({"state":{},"version":1.5})"), "400 Invalid version");
    EXPECT_EQ(refusal_of("{\"state\":{\"desired\":{\"a\":\"\xe9\"}}}"),
              "415 Unsupported documented encoding; supported encoding is UTF-8");
}

TEST(ShadowErrors, name_the_shadow_that_is_not_there) {
    ShadowDocument none;
    EXPECT_EQ(get_shadow(none, {}, "d1", now_s).error().message, "No shadow exists with name: 'd1'");
    const auto refused = delete_shadow(none, *parse_shadow_request(R"({"clientToken":"t"})"), "d1~config", now_s);
    ASSERT_FALSE(refused);
    EXPECT_EQ(parse(to_json(refused.error(), now_s)),
              parse(R"({"code":404,"message":"No shadow exists with name: 'd1~config'","timestamp":1700000000,
                        "clientToken":"t"})"));
}

TEST(ShadowErrors, carry_the_client_token_of_the_request) {
    Shadow shadow;
    const auto refused = shadow.update(R"({"state":{"desired":1},"clientToken":"t"})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().client_token, "t");
}

TEST(ShadowName, follows_the_designs_alphabet) {
    EXPECT_TRUE(is_valid_shadow_name("config:v_1-A"));
    EXPECT_FALSE(is_valid_shadow_name(""));
    EXPECT_FALSE(is_valid_shadow_name("a.b"));
    EXPECT_FALSE(is_valid_shadow_name("a/b"));
    EXPECT_FALSE(is_valid_shadow_name(std::string(65, 'a')));
}

TEST(StoredShadow, refuses_what_is_not_one) {
    EXPECT_FALSE(parse_stored_shadow("{"));
    EXPECT_FALSE(parse_stored_shadow("[]"));
    EXPECT_FALSE(parse_stored_shadow(R"({"version":"x"})"));
}

// ---- random documents against a naive model ----

value random_value(Random& random, int depth) {
    const std::uint64_t kind = random.below(depth > 0 ? 6 : 4);
    if (kind == 0) {
        return random.below(2) == 0;
    }
    if (kind == 1) {
        return static_cast<std::int64_t>(random.below(3));
    }
    if (kind == 2) {
        return boost::json::string(std::string(random.below(3), 'x'));
    }
    if (kind == 3) {
        boost::json::array list;
        for (std::uint64_t i = random.below(3); i > 0; --i) {
            list.push_back(static_cast<std::int64_t>(random.below(2)));
        }
        return list;
    }
    object members;
    for (std::uint64_t i = random.below(4); i > 0; --i) {
        members[std::string(1, static_cast<char>('a' + random.below(4)))] = random_value(random, depth - 1);
    }
    return members;
}

/// A section of a request: like a value, with nulls among its members.
value random_change(Random& random, int depth) {
    object members;
    for (std::uint64_t i = random.below(4); i > 0; --i) {
        value& member = members[std::string(1, static_cast<char>('a' + random.below(4)))];
        member = random.chance(0.2)                ? value(nullptr)
                 : depth > 0 && random.chance(0.4) ? random_change(random, depth - 1)
                                                   : random_value(random, depth);
    }
    return members;
}

/// RFC 7396, which is what rules 1, 2, 4 and 10 say.
value merge_patch(value target, const value& patch) {
    if (!patch.is_object()) {
        return patch;
    }
    object result = target.is_object() ? target.get_object() : object{};
    for (const auto& member : patch.get_object()) {
        if (member.value().is_null()) {
            result.erase(member.key());
        } else {
            result[member.key()] = merge_patch(result[member.key()], member.value());
        }
    }
    return result;
}

bool same_shape(const value& state, const value& metadata) {
    if (const auto* members = state.if_object(); members != nullptr) {
        return metadata.is_object() && members->size() == metadata.get_object().size() &&
               std::all_of(members->begin(), members->end(), [&](const auto& member) {
                   const value* stamp = metadata.get_object().if_contains(member.key());
                   return stamp != nullptr && same_shape(member.value(), *stamp);
               });
    }
    if (state.is_array()) {
        return metadata.is_array() && metadata.get_array().size() == state.get_array().size();
    }
    return metadata.is_object() && metadata.get_object().contains("timestamp");
}

TEST(ShadowProperty, random_updates_follow_the_naive_model_and_the_delta_closes_the_gap) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Random random(seed);
        Shadow shadow;
        value desired = object{};
        value reported = object{};
        for (int step = 0; step < 30; ++step) {
            const bool to_desired = random.chance(0.5);
            const value change = random_change(random, 3);
            shadow.must_update(
                boost::json::serialize(object{{"state", {{to_desired ? "desired" : "reported", change}}}}));
            value& model = to_desired ? desired : reported;
            model = merge_patch(model, change);
            ASSERT_EQ(value(shadow.document.desired.state), desired) << "seed " << seed << " step " << step;
            ASSERT_EQ(value(shadow.document.reported.state), reported) << "seed " << seed << " step " << step;
            ASSERT_TRUE(same_shape(desired, shadow.document.desired.metadata)) << "seed " << seed;
            const object delta = shadow_delta(desired.get_object(), reported.get_object());
            const value closed = merge_patch(reported, delta);
            ASSERT_TRUE(shadow_delta(desired.get_object(), closed.get_object()).empty()) << "seed " << seed;
        }
    }
}

}  // namespace
}  // namespace muster
