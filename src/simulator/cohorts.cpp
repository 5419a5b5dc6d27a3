#include "simulator/cohorts.h"

namespace muster {
namespace {

constexpr std::array<Cohort, 14> cohorts{{
    {"in/karnataka/ka-04", "ka", 12.97, 77.59, 0.45, 14, 25, {0.15, 0.25}, {"Jio", "Airtel", "BSNL"}},
    {"in/maharashtra/mh-12", "mh", 18.52, 73.86, 0.40, 10, 26, {0.15, 0.25}, {"Jio", "Airtel", "Vi"}},
    {"in/tamil-nadu/tn-09", "tn", 13.08, 80.27, 0.35, 8, 29, {0.15, 0.25}, {"Jio", "Airtel", "BSNL"}},
    {"ng/lagos", "la", 6.52, 3.38, 0.25, 8, 28, {0.30, 0.40}, {"MTN", "Airtel", "Glo"}},
    {"ke/nairobi", "nb", -1.29, 36.82, 0.30, 6, 19, {0.25, 0.40}, {"Safaricom", "Airtel", "Telkom"}},
    {"za/gauteng", "gp", -26.20, 28.05, 0.40, 6, 17, {0.10, 0.30}, {"Vodacom", "MTN", "Cell C"}},
    {"br/rio", "rj", -22.91, -43.20, 0.35, 7, 24, {0.10, 0.25}, {"Vivo", "Claro", "TIM"}},
    {"mx/cdmx", "cd", 19.43, -99.13, 0.30, 6, 17, {0.10, 0.30}, {"Telcel", "AT&T", "Movistar"}},
    {"us/texas", "tx", 31.00, -98.00, 1.60, 8, 20, {0.00, 0.10}, {"Verizon", "AT&T", "T-Mobile"}},
    {"de/berlin", "be", 52.52, 13.40, 0.18, 6, 11, {0.05, 0.00}, {"Telekom", "Vodafone", "O2"}},
    {"fr/idf", "fr", 48.85, 2.35, 0.30, 5, 12, {0.05, 0.05}, {"Orange", "SFR", "Free"}},
    {"jp/tokyo", "tk", 35.68, 139.69, 0.25, 6, 16, {0.00, 0.05}, {"Docomo", "SoftBank", "KDDI"}},
    {"id/java", "jv", -7.25, 110.00, 0.90, 7, 27, {0.15, 0.30}, {"Telkomsel", "Indosat", "XL"}},
    {"au/nsw", "ns", -33.20, 150.00, 0.90, 3, 18, {0.00, 0.15}, {"Telstra", "Optus", "Vodafone"}},
}};

constexpr std::array<DeviceType, 4> device_types{{
    {"MT-100", {"2.4.1", "2.4.0", "2.3.7"}},
    {"MT-200", {"3.1.0", "3.0.4", "2.9.9"}},
    {"AQ-7", {"1.8.2", "1.8.0", "1.7.5"}},
    {"GridNode", {"5.0.3", "5.0.2", "4.9.0"}, mqtt::ProtocolVersion::v5},
}};

constexpr std::array<NetworkProfile, 3> profiles{{
    {"2G", Millis(600), Millis(1800), 0.30, -92, 50},
    {"3G", Millis(150), Millis(500), 0.06, -84, 45},
    {"4G", Millis(30), Millis(120), 0.01, -76, 40},
}};

}  // namespace

std::span<const Cohort> all_cohorts() {
    return cohorts;
}

std::span<const DeviceType> all_device_types() {
    return device_types;
}

const NetworkProfile& profile_of(Network network) {
    return profiles[static_cast<std::size_t>(network)];
}

bool region_is_under(std::string_view region, std::string_view path) {
    return path == "all" || (region.starts_with(path) && (region.size() == path.size() || region[path.size()] == '/'));
}

}  // namespace muster
