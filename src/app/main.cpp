#include <variant>

#include "app/cluster_command.h"
#include "app/cluster_roles.h"
#include "app/command_line.h"
#include "app/gateway_command.h"
#include "app/history_command.h"
#include "app/process.h"
#include "app/rules_command.h"
#include "app/serve.h"
#include "app/simulate.h"

namespace {

/// The table of roles: each alternative of Command has its function.
struct Run {
    int operator()(const muster::ServeOptions& options) const { return muster::run_serve(options); }
    int operator()(const muster::SimulateOptions& options) const { return muster::run_simulator(options); }
    int operator()(const muster::HistoryExportOptions& options) const { return muster::run_history_export(options); }
    int operator()(const muster::RulesTestOptions& options) const { return muster::run_rules_test(options); }
    int operator()(const muster::HistoryVerifyOptions& options) const { return muster::run_history_verify(options); }
    int operator()(const muster::GatewayDrainOptions& options) const { return muster::run_gateway_drain(options); }
    int operator()(const muster::GatewayProcessOptions& options) const { return muster::run_gateway_process(options); }
    int operator()(const muster::ProcessorProcessOptions& options) const {
        return muster::run_processor_process(options);
    }
    int operator()(const muster::ShadowProcessOptions& options) const { return muster::run_shadow_process(options); }
    int operator()(const muster::AlertsProcessOptions& options) const { return muster::run_alerts_process(options); }
    int operator()(const muster::ApiProcessOptions& options) const { return muster::run_api_process(options); }
    int operator()(const muster::ClusterOptions& options) const { return muster::run_cluster(options); }
};

}  // namespace

int main(int argc, char** argv) {
    const muster::ParsedCommandLine parsed = muster::parse_command_line(argc, argv);
    if (!parsed.command) {
        return parsed.exit_code;
    }
    muster::hold_signals();
    muster::raise_open_files_limit();
    return std::visit(Run{}, *parsed.command);
}
