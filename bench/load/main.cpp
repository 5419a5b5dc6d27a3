#include <iostream>

#include <CLI/CLI.hpp>
#include <sys/resource.h>

#include "load_modes.h"

namespace muster {
namespace {

constexpr std::uint32_t connections_max = 1'000'000;
constexpr std::size_t payload_bytes_max = 60'000;

void raise_descriptor_limit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)::setrlimit(RLIMIT_NOFILE, &limit);
    }
}

void add_options(CLI::App& app, LoadOptions& options) {
    app.add_option("--broker", options.broker, "address:port, numeric")->capture_default_str();
    app.add_option("--connections", options.connections, "how many")
        ->check(CLI::Range(std::uint32_t{1}, connections_max))
        ->capture_default_str();
    app.add_option("--id-prefix", options.id_prefix, "client ids are this and six digits")->capture_default_str();
    app.add_option("--keep-alive", options.greeting.keep_alive_s, "seconds, 0 = none")->capture_default_str();
    app.add_flag("--will", options.greeting.has_will, "each connection has a will on status/{id}");
    app.add_option("--connect-rate", options.connect_rate, "connects a second")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    app.add_option("--duration", options.duration_s, "seconds")->check(CLI::PositiveNumber)->capture_default_str();
    app.add_option("--patience", options.patience_s, "seconds for all to be connected")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
}

void add_publish_options(CLI::App& app, LoadOptions& options) {
    app.add_option("--rate", options.rate, "messages a second, all connections together; 0 = all that the broker takes")
        ->check(CLI::NonNegativeNumber)
        ->capture_default_str();
    app.add_option("--qos", options.qos, "0 or 1")->check(CLI::Range(0, 1))->capture_default_str();
    app.add_option("--payload-bytes", options.payload_bytes, "JSON of four metrics, padded to this size")
        ->check(CLI::Range(std::size_t{0}, payload_bytes_max))
        ->capture_default_str();
    app.add_option("--topic", options.topic, "{id} becomes the client id")->capture_default_str();
    app.add_option("--ack-resolution-ms", options.ack_resolution_ms, "how often acknowledgements are looked for")
        ->check(CLI::Range(0.05, 1000.0))
        ->capture_default_str();
}

int run(int argc, char** argv) {
    CLI::App app("Load for any MQTT 3.1.1 broker; prints one line of JSON");
    LoadOptions options;
    auto* publish = app.add_subcommand("publish", "publish at a rate");
    auto* idle = app.add_subcommand("idle", "hold idle connections until the duration or standard input ends");
    auto* storm = app.add_subcommand("storm", "break all connections at once, and connect all again");
    auto* wills = app.add_subcommand("wills", "break all connections at once, and count their wills at a subscriber");
    app.require_subcommand(1);
    for (CLI::App* mode : {publish, idle, storm, wills}) {
        add_options(*mode, options);
    }
    add_publish_options(*publish, options);
    wills->add_option("--watch-user", options.watch_user, "of the subscriber")->capture_default_str();
    wills->add_option("--watch-password", options.watch_password, "of the subscriber");
    CLI11_PARSE(app, argc, argv);
    raise_descriptor_limit();
    const auto result = *publish ? run_publish(options)
                        : *idle  ? run_idle(options)
                        : *storm ? run_storm(options)
                                 : run_wills(options);
    if (!result) {
        std::cerr << "muster_load: " << result.error().message() << '\n';
        return 1;
    }
    std::cout << *result << std::endl;
    return 0;
}

}  // namespace
}  // namespace muster

int main(int argc, char** argv) {
    return muster::run(argc, argv);
}
