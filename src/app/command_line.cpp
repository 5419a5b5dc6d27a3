#include "app/command_line.h"

#include <string_view>

#include <CLI/CLI.hpp>

#include "app/cluster_commands.h"
#include "app/option_groups.h"
#include "contract/drain_order.h"
#include "simulator/scenario.h"

namespace muster {
namespace {

/// A CLI11 check that passes when `parse` does and else gives its sentence.
template <class Parse>
CLI::Validator checked_by(Parse parse) {
    return CLI::Validator(
        [parse](std::string& text) {
            const auto parsed = parse(std::string_view(text));
            return parsed ? std::string() : parsed.error().message();
        },
        "");
}

void add_serve(CLI::App& app, ServeOptions& options) {
    CLI::App* serve = app.add_subcommand(
        "serve", "Run every role in this process: gateway, bus, processor, shadow, alerts, API and dashboard");
    serve->footer(
        "Example:\n  muster serve --simulate 1000\n"
        "starts everything on this machine with 1,000 simulated devices and prints where to look.\n"
        "  muster serve --listen mqtts://0.0.0.0:8883 --tls-cert server.pem --tls-key server.key --tls-client-ca "
        "ca.pem\n"
        "serves devices that show a certificate of this authority with their id as its CN; README.md makes a test "
        "one.\n"
        "Each option can also stand in the environment (MUSTER_DATA_DIR, …) or, under [serve], in a TOML file given "
        "by\n"
        "--config; the command line wins over the environment, the environment over the file.");
    serve->add_option("--data-dir", options.data_directory, "Where everything is kept; made when it is not there")
        ->envname("MUSTER_DATA_DIR")
        ->capture_default_str();
    add_listener_options(*serve, options.gateway);
    add_api_options(*serve, options.api);
    add_processor_options(*serve, options.processor);
    serve->add_option("--gateway-name", options.gateway.name, "Name of this gateway on the bus and in the dashboard")
        ->envname("MUSTER_GATEWAY_NAME")
        ->capture_default_str();
    serve->add_option("--gateway-threads", options.gateway.threads, "Threads that serve MQTT connections")
        ->check(CLI::Range(1, 64))
        ->envname("MUSTER_GATEWAY_THREADS")
        ->capture_default_str();
    serve
        ->add_option("--partitions", options.partitions,
                     "Partitions of the bus; fixed once the data directory has data")
        ->check(CLI::Range(1, 1024))
        ->envname("MUSTER_PARTITIONS")
        ->capture_default_str();
    serve
        ->add_option("--commit-interval-ms", options.commit_interval_ms,
                     "Longest wait for others before the bus writes to disk, which is before QoS 1 is acknowledged")
        ->check(CLI::Range(1, 10))
        ->envname("MUSTER_COMMIT_INTERVAL_MS")
        ->capture_default_str();
    serve->add_option("--events-bytes-max", options.events_bytes_max, "Disk for the newest device records, for replay")
        ->check(CLI::Range(std::uint64_t{64} << 20U, std::uint64_t{1} << 50U))
        ->envname("MUSTER_EVENTS_BYTES_MAX")
        ->capture_default_str();
    serve
        ->add_option("--canaries", options.canaries,
                     "Devices of each kind of death, inside Muster, that measure how fast and how rightly it detects; "
                     "0: none")
        ->check(CLI::Range(0, 100))
        ->envname("MUSTER_CANARIES")
        ->capture_default_str();
    add_alerting_options(*serve, options.alerts);
    add_log_option(*serve, options.log_level);
    add_limit_options(*serve, options.gateway);
    add_history_options(*serve, options.history);
    serve->add_option("--simulate", options.simulate, "Also run this many simulated devices, over real connections")
        ->check(CLI::Range(std::uint32_t{0}, simulated_devices_max))
        ->envname("MUSTER_SIMULATE")
        ->group("Simulated fleet");
    serve->add_option("--simulate-seed", options.simulate_seed, "The same seed gives the same fleet")
        ->capture_default_str()
        ->group("Simulated fleet");
    serve
        ->add_option("--simulate-outage", options.simulate_outages,
                     "region@start+seconds:share; default: a region loses 60 % of its devices after 60 s for 120 s")
        ->check(checked_by(parse_outage))
        ->group("Simulated fleet");
}

/// Texts of the options that need parsing of their own; they are put into the scenario once all is read.
struct SimulateTexts {
    std::vector<std::string> outages;
    std::vector<std::string> storms;
    std::string flappers = "2%";
    std::string sleepers = "3%";
    std::string qos1 = "25%";
    std::string telemetry_interval = "30s";
};

void add_simulate(CLI::App& app, SimulateOptions& options, SimulateTexts& texts) {
    SimulatorOptions& simulator = options.simulator;
    Scenario& scenario = simulator.scenario;
    CLI::App* command =
        app.add_subcommand("simulator", "Run a seeded fleet of devices against any MQTT broker, with its ground truth");
    command->footer(
        "Examples:\n  muster simulator --devices 20000 --duration 300\n"
        "  muster simulator --outage in/karnataka@60+120:60% --outage ng/lagos@90+30 --truth-file truth.jsonl\n"
        "Shares are written 2% or 0.02, times 90, 90s, 2m or 1h.");
    command
        ->add_option(
            "--broker", simulator.broker,
            "Address and port of the MQTT broker; several with commas: devices are spread over them, and go to "
            "the next when theirs fails")
        ->envname("MUSTER_BROKER")
        ->capture_default_str();
    command->add_option("--devices", scenario.devices, "How many devices")
        ->check(CLI::Range(std::uint32_t{1}, simulated_devices_max))
        ->capture_default_str();
    command->add_option("--seed", scenario.seed, "The same seed gives the same fleet")->capture_default_str();
    command->add_option("--duration", options.duration_s, "Seconds to run; 0 runs until Ctrl-C")->capture_default_str();
    command->add_option("--region", scenario.regions, "Only cohorts under these regions (repeatable); none means all");
    command->add_option("--flappers", texts.flappers, "Share of devices that lose their connection again and again")
        ->check(checked_by(parse_share))
        ->capture_default_str();
    command->add_option("--sleepers", texts.sleepers, "Share that announces sleep, goes, and comes back")
        ->check(checked_by(parse_share))
        ->capture_default_str();
    command->add_option("--qos1", texts.qos1, "Share that publishes its telemetry with QoS 1")
        ->check(checked_by(parse_share))
        ->capture_default_str();
    command->add_option("--telemetry-interval", texts.telemetry_interval, "Time between two samples of a device")
        ->check(checked_by(parse_duration))
        ->capture_default_str();
    command
        ->add_option("--outage", texts.outages,
                     "region@start+duration:share (repeatable); default: the largest region, 60 s to 180 s, 60 %")
        ->check(checked_by(parse_outage));
    command->add_option("--storm", texts.storms, "start:share (repeatable): all break at one instant and come back")
        ->check(checked_by(parse_storm));
    command->add_option("--truth-file", simulator.truth_file, "Write what really happens to each device as JSON lines");
    command->add_option("--connect-rate", simulator.connect_rate, "First connects a second")
        ->check(CLI::PositiveNumber)
        ->capture_default_str();
    command->add_option("--threads", simulator.threads, "Threads")->check(CLI::Range(1, 64))->capture_default_str();
    command->add_option("--user", simulator.user_name, "MQTT user name of every device");
    command->add_option("--password", simulator.password, "MQTT password of every device")->envname("MUSTER_PASSWORD");
    add_log_option(*command, options.log_level);
}

void add_history(CLI::App& app, HistoryExportOptions& to_export, HistoryVerifyOptions& verify) {
    CLI::App* history = app.add_subcommand("history", "Export or check the history of a running muster serve");
    history->require_subcommand(1);
    const auto add_common = [](CLI::App* command, std::string& data_directory, bool& quiet) {
        command->add_option("--data-dir", data_directory, "Data directory of the muster serve that is asked")
            ->envname("MUSTER_DATA_DIR")
            ->capture_default_str();
        command->add_flag("--quiet", quiet, "Say nothing of the progress");
    };
    CLI::App* exporting = history->add_subcommand("export", "Write samples or transitions as NDJSON or CSV");
    exporting->footer(
        "Examples:\n  muster history export --csv --device my-device --from 2026-11-01 --out my-device.csv\n"
        "  muster history export --transitions --region in/karnataka | jq .state\n"
        "Times are ISO 8601 (a date is its midnight, UTC) or epoch milliseconds; from is included, to is not.\n"
        "Needs a running muster serve, which goes on serving; progress is on standard error.");
    add_common(exporting, to_export.data_directory, to_export.quiet);
    CLI::Option* csv = exporting->add_flag("--csv", to_export.csv, "CSV, a line a value");
    exporting->add_flag("--ndjson")->description("NDJSON, a line a sample: the default")->excludes(csv);
    exporting->add_flag("--transitions", to_export.transitions, "Presence transitions instead of samples");
    CLI::Option* device = exporting->add_option("--device", to_export.device, "Of this device only");
    exporting->add_option("--region", to_export.region, "Of this region and everything below it")->excludes(device);
    exporting->add_option("--from", to_export.from, "From this time on; default: all there is");
    exporting->add_option("--to", to_export.to, "Until before this time; default: now");
    exporting->add_option("--out", to_export.out,
                          "Into this file, which appears when it is whole; default: standard output");
    CLI::App* verifying = history->add_subcommand("verify", "Read everything stored against its checksums");
    add_common(verifying, verify.data_directory, verify.quiet);
}

void add_gateway_drain(CLI::App& gateway, GatewayDrainOptions& options) {
    CLI::App* drain = gateway.add_subcommand("drain", "Send a gateway's clients elsewhere, at a steady pace");
    drain->footer(
        "Examples:\n  muster gateway drain --rate 200 --server-reference mqtt2.example.com:8883\n"
        "  muster gateway drain --undo\n"
        "Connections are closed and new ones refused until --undo or the gateway's restart; MQTT 5.0 clients are told "
        "where\nto go. Wills are not published. Ctrl-C ends the waiting, not the drain.");
    drain->add_option("--gateway", options.gateway, "Its name")->capture_default_str();
    drain->add_option("--rate", options.rate_per_s, "Connections closed a second")
        ->check(CLI::Range(std::uint32_t{1}, drain_rate_per_s_max))
        ->capture_default_str();
    drain
        ->add_option("--server-reference", options.server_reference,
                     "Where MQTT 5.0 clients are sent, for example mqtt2.example.com:8883")
        ->check(CLI::Validator(
            [](std::string& text) {
                return text.size() <= server_reference_bytes_max ? std::string() : "at most 256 bytes";
            },
            ""));
    drain->add_flag("--moved", options.moved, "For good (reason code 0x9D), not only for now (0x9C)");
    CLI::Option* undo = drain->add_flag("--undo", options.undo, "Let it take clients again");
    drain->add_flag("--no-wait", options.no_wait, "Do not wait until its clients have gone")->excludes(undo);
    drain->add_option("--data-dir", options.data_directory, "Data directory of the muster serve that is asked")
        ->envname("MUSTER_DATA_DIR")
        ->capture_default_str();
    drain->add_option("--url", options.url, "Of the API, http://127.0.0.1:8080, instead of a data directory")
        ->envname("MUSTER_URL");
    drain->add_option("--token", options.token, "An admin's, instead of the data directory's")->envname("MUSTER_TOKEN");
}

void add_rules(CLI::App& app, RulesTestOptions& options) {
    CLI::App* rules = app.add_subcommand("rules", "Try alert rules before they page anyone");
    rules->require_subcommand(1);
    CLI::App* test =
        rules->add_subcommand("test", "What the rules of a file would have raised on the recorded presence");
    test->footer(
        "Example:\n  muster rules test --since 7d rules.toml\n"
        "Asks a running muster serve for its presence history (--presence-days) and judges it as the alerts role "
        "would.\n"
        "Rules on telemetry, models, firmware or carriers cannot be tested: the presence history does not know them.");
    test->add_option("file", options.file, "TOML or JSON, as for serve --rules")->required();
    test->add_option("--since", options.since, "How far back: 7d, 12h, 30m")->capture_default_str();
    test->add_option("--data-dir", options.data_directory, "Data directory of the muster serve that is asked")
        ->envname("MUSTER_DATA_DIR")
        ->capture_default_str();
}

void add_cluster(CLI::App& app, ClusterOptions& init, ClusterOptions& check) {
    CLI::App* cluster = app.add_subcommand("cluster", "Prepare or check the Kafka cluster that Muster runs on");
    cluster->require_subcommand(1);
    const auto add_common = [](CLI::App* command, ClusterOptions& options) {
        add_kafka_connection(*command, options.kafka);
        command->get_option("--kafka")->required();
        command
            ->add_option("--partitions", options.partitions,
                         "Of every topic, 1 to 1024: processors share them out, so at least as many as there will be. "
                         "It cannot be changed later. Default: as many as there are, 16 in a new cluster")
            ->check(CLI::Range(1, 1024));
        command
            ->add_option("--replication", options.replication,
                         "Copies of every record, on as many brokers: 3 lose nothing and go on when a broker fails")
            ->check(CLI::Range(1, 100))
            ->capture_default_str();
        command
            ->add_option("--events-bytes-max", options.events_bytes_max,
                         "Disk for muster.events, a copy: what a processor can be replayed from")
            ->check(CLI::PositiveNumber)
            ->capture_default_str();
    };
    CLI::App* making = cluster->add_subcommand("init", "Make Muster's topics; those that are there are left alone");
    making->footer(
        "Examples:\n  muster cluster init --kafka 127.0.0.1:9092\n"
        "  muster cluster init --kafka kafka-1:9092,kafka-2:9092 --partitions 64 --replication 3\n"
        "Needed once, before the first role starts. A second call changes nothing, and says what is not as asked.\n"
        "No Kafka at hand? tools/kafka.sh run --data kafka-data starts a broker on this machine.");
    add_common(making, init);
    CLI::App* looking =
        cluster->add_subcommand("check", "Say what is missing or not as Muster makes it; change nothing");
    looking->footer("Exit code 0: all is as Muster wants it. 1: it is not, or Kafka cannot be reached.");
    add_common(looking, check);
    check.check_only = true;
}

void put_texts(const SimulateTexts& texts, Scenario& scenario) {
    scenario.flappers = *parse_share(texts.flappers);
    scenario.sleepers = *parse_share(texts.sleepers);
    scenario.qos1 = *parse_share(texts.qos1);
    scenario.telemetry_interval = *parse_duration(texts.telemetry_interval);
    if (!texts.outages.empty() || !texts.storms.empty()) {
        scenario.outages.clear();
    }
    for (const auto& text : texts.outages) {
        scenario.outages.push_back(*parse_outage(text));
    }
    for (const auto& text : texts.storms) {
        scenario.outages.push_back(*parse_storm(text));
    }
}

}  // namespace

ParsedCommandLine parse_command_line(int argc, char** argv) {
    CLI::App app("Muster tells which of a million MQTT devices are alive, and why the others are not.", "muster");
    app.set_version_flag("--version", std::string("muster " MUSTER_VERSION));
    app.set_config("--config", "", "A TOML file with these options, a [table] for each command", false)
        ->envname("MUSTER_CONFIG");
    app.allow_config_extras(CLI::config_extras_mode::error);
    app.require_subcommand(1);
    app.footer(
        "Start here:  muster serve --simulate 1000\nEach command has its own --help; gateway, processor, shadow, "
        "alerts and api run one role each, in a cluster.");

    ServeOptions serve;
    SimulateOptions simulate;
    SimulateTexts texts;
    HistoryExportOptions history_export;
    HistoryVerifyOptions history_verify;
    GatewayDrainOptions gateway_drain;
    RulesTestOptions rules_test;
    ClusterOptions cluster_init;
    ClusterOptions cluster_check;
    add_serve(app, serve);
    add_simulate(app, simulate, texts);
    add_history(app, history_export, history_verify);
    add_rules(app, rules_test);
    ClusterCommands cluster;
    add_gateway_drain(*add_cluster_commands(app, cluster), gateway_drain);
    add_cluster(app, cluster_init, cluster_check);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const int code = app.exit(error);
        return {std::nullopt, code == 0 ? 0 : 1};
    }
    if (app.got_subcommand("serve")) {
        return {serve, 0};
    }
    const auto role = cluster_command(app, cluster);
    if (!role) {
        fmt::print(stderr, "{}\n", role.error().message());
        return {std::nullopt, 1};
    }
    if (*role) {
        return {std::visit([](const auto& options) { return Command(options); }, **role), 0};
    }
    if (app.got_subcommand("gateway")) {
        return {gateway_drain, 0};
    }
    if (app.got_subcommand("cluster")) {
        return {app.get_subcommand("cluster")->got_subcommand("init") ? cluster_init : cluster_check, 0};
    }
    if (app.got_subcommand("rules")) {
        return {rules_test, 0};
    }
    if (app.got_subcommand("history")) {
        return app.get_subcommand("history")->got_subcommand("export") ? ParsedCommandLine{history_export, 0}
                                                                       : ParsedCommandLine{history_verify, 0};
    }
    put_texts(texts, simulate.simulator.scenario);
    return {simulate, 0};
}

}  // namespace muster
