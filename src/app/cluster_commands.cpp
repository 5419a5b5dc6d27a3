#include "app/cluster_commands.h"

#include <string_view>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "app/option_groups.h"

namespace muster {
namespace {

constexpr std::string_view cluster_footer =
    "A cluster is any number of gateways and processors, a shadow, an alerts and an api process, on Apache Kafka and "
    "Redis.\n'muster cluster init' makes Kafka's topics first; 'make scale-out' shows all of it on one machine.\n";

CLI::App* add_role(CLI::App& app, const char* role, const char* help, RoleProcessOptions& options, const char* name,
                   bool uses_redis, std::string_view example) {
    CLI::App* command = app.add_subcommand(role, help);
    command->footer(fmt::format("Example:\n  {}\n{}", example, cluster_footer));
    options.name = name;
    add_cluster_options(*command, options, role);
    if (uses_redis) {
        add_redis_option(*command, options);
    }
    add_log_option(*command, options.log_level);
    return command;
}

/// What no role of a cluster can do without.
Result<void> complete(std::string_view role, RoleProcessOptions& options, bool uses_redis) {
    if (options.kafka.brokers.empty()) {
        return fail(ErrorCode::invalid_argument, "it needs Kafka: --kafka host:port (or MUSTER_KAFKA)",
                    fmt::format("muster {}; one process that needs no server is 'muster serve'", role));
    }
    if (uses_redis && options.redis.empty()) {
        return fail(ErrorCode::invalid_argument, "it needs Redis: --redis host:port (or MUSTER_REDIS)",
                    fmt::format("muster {}", role));
    }
    if (options.name.empty()) {
        return fail(ErrorCode::invalid_argument, "it needs a name: --name", fmt::format("muster {}", role));
    }
    if (options.data_directory.empty()) {
        options.data_directory = fmt::format("muster-data/{}-{}", role, options.name);
    }
    return {};
}

}  // namespace

CLI::App* add_cluster_commands(CLI::App& app, ClusterCommands& commands) {
    CLI::App* gateway =
        add_role(app, "gateway", "Run a gateway of a cluster, or look after the gateways of a running Muster",
                 commands.gateway.cluster, "gw-1", true,
                 "muster gateway --name gw-1 --kafka 10.0.0.1:9092 --redis 10.0.0.2:6379 --mqtt-listen 127.0.0.1:1883");
    gateway->require_subcommand(0, 1);
    add_listener_options(*gateway, commands.gateway.gateway);
    add_limit_options(*gateway, commands.gateway.gateway);
    gateway->add_option("--gateway-threads", commands.gateway.gateway.threads, "Threads that serve MQTT connections")
        ->check(CLI::Range(1, 64))
        ->envname("MUSTER_GATEWAY_THREADS")
        ->capture_default_str();
    gateway
        ->add_option("--tokens", commands.gateway.tokens_file,
                     "The API's tokens.json: its operators may connect as MQTT user 'operator'; default: nobody")
        ->envname("MUSTER_TOKENS");

    CLI::App* processor = add_role(app, "processor", "Run a processor of a cluster: presence, flapping, regions",
                                   commands.processor.cluster, "processor-1", true,
                                   "muster processor --name processor-1 --kafka 10.0.0.1:9092 --redis 10.0.0.2:6379");
    add_processor_options(*processor, commands.processor.processor);
    processor->add_option("--threads", commands.processor.processor.threads, "Threads that share its partitions")
        ->check(CLI::Range(1, 64))
        ->envname("MUSTER_PROCESSOR_THREADS")
        ->capture_default_str();

    add_role(app, "shadow", "Run the shadow role of a cluster: shadows and commands; one process",
             commands.shadow.cluster, "shadow-1", false, "muster shadow --kafka 10.0.0.1:9092");

    CLI::App* alerts =
        add_role(app, "alerts", "Run the alerts role of a cluster: rules, incidents, notifiers; one process",
                 commands.alerts.cluster, "alerts-1", false,
                 "muster alerts --kafka 10.0.0.1:9092 --webhook https://example.com/muster");
    add_alerting_options(*alerts, commands.alerts.alerts);

    CLI::App* api =
        add_role(app, "api", "Run the API and the dashboard of a cluster, with its history", commands.api.cluster,
                 "api-1", true, "muster api --kafka 10.0.0.1:9092 --redis 10.0.0.2:6379 --http-listen 127.0.0.1:8080");
    add_api_options(*api, commands.api.api);
    add_history_options(*api, commands.api.history);
    add_processor_options(*api, commands.api.processor);
    return gateway;
}

Result<std::optional<ClusterCommand>> cluster_command(const CLI::App& app, ClusterCommands& commands) {
    const auto chosen = [&](std::string_view role, auto& options,
                            bool uses_redis) -> Result<std::optional<ClusterCommand>> {
        if (auto done = complete(role, options.cluster, uses_redis); !done) {
            return tl::unexpected(done.error());
        }
        return ClusterCommand(options);
    };
    if (app.got_subcommand("gateway") && app.get_subcommand("gateway")->get_subcommands().empty()) {
        return chosen("gateway", commands.gateway, true);
    }
    if (app.got_subcommand("processor")) {
        return chosen("processor", commands.processor, true);
    }
    if (app.got_subcommand("shadow")) {
        return chosen("shadow", commands.shadow, false);
    }
    if (app.got_subcommand("alerts")) {
        return chosen("alerts", commands.alerts, false);
    }
    if (app.got_subcommand("api")) {
        return chosen("api", commands.api, true);
    }
    return std::optional<ClusterCommand>();
}

}  // namespace muster
