#include "app/banner.h"

#include <fstream>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

namespace muster {
namespace {

constexpr std::string_view endpoints_name = "endpoints.json";

}  // namespace

std::string banner(const Endpoints& endpoints, std::string_view version) {
    const std::size_t colon = endpoints.mqtt.rfind(':');
    const std::string host = endpoints.mqtt.substr(0, colon);
    const std::string port = endpoints.mqtt.substr(colon + 1);
    std::string out = fmt::format(
        "\nMuster {} is ready{}.\n"
        "  Dashboard   http://{}/#token={}\n"
        "  API         http://{}/api/v1   (tokens: {})\n"
        "  MQTT        {}\n",
        version,
        endpoints.simulated_devices == 0 ? "" : fmt::format(", with {} simulated devices", endpoints.simulated_devices),
        endpoints.http, endpoints.token, endpoints.http, (endpoints.data_directory / "tokens.json").string(),
        fmt::join(endpoints.listeners, "\n              "));
    const bool is_plain = endpoints.listeners.empty() || endpoints.listeners.front().starts_with("mqtt://");
    if (!is_plain) {
        return out + fmt::format("\nCtrl-C stops Muster; its data stays in {}.\n", endpoints.data_directory.string());
    }
    out += fmt::format(
        "\nConnect a device by hand; Ctrl-C kills it, and its will is executed:\n"
        "  while sleep 2; do echo '{{\"battery\":87,\"temperature\":21.5}}'; done | mosquitto_pub -h {} -p {} -i "
        "my-device -l "
        "-t telemetry/my-device --will-topic status/my-device --will-payload OFFLINE\n"
        "\nCtrl-C stops Muster; its data stays in {}.\n",
        host, port, endpoints.data_directory.string());
    return out;
}

Result<void> write_endpoints(const Endpoints& endpoints) {
    const auto path = endpoints.data_directory / endpoints_name;
    auto temporary = path;
    temporary += ".new";
    std::ofstream file(temporary, std::ios::trunc);
    file << fmt::format("{{\"mqtt\":\"{}\",\"http\":\"{}\",\"pid\":{},\"listeners\":[", endpoints.mqtt, endpoints.http,
                        ::getpid());
    for (std::size_t i = 0; i < endpoints.listeners.size(); ++i) {
        file << (i == 0 ? "\"" : ",\"") << endpoints.listeners[i] << '"';
    }
    file << "]}\n";
    file.close();
    std::error_code error;
    if (file) {
        std::filesystem::rename(temporary, path, error);
    }
    if (!file || error) {
        return fail(ErrorCode::io, "cannot write into the data directory", path.string());
    }
    return {};
}

void remove_endpoints(const std::filesystem::path& data_directory) {
    std::error_code ignored;
    std::filesystem::remove(data_directory / endpoints_name, ignored);
}

}  // namespace muster
