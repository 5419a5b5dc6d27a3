#include "registry/attributes.h"

namespace muster {

DeviceAttributes overlaid(const DeviceAttributes& over, const DeviceAttributes& under) {
    DeviceAttributes result = under;
    for (std::string DeviceAttributes::* member : {&DeviceAttributes::region, &DeviceAttributes::model,
                                                   &DeviceAttributes::firmware, &DeviceAttributes::carrier}) {
        if (!(over.*member).empty()) {
            result.*member = over.*member;
        }
    }
    if (over.has_position()) {
        result.latitude = over.latitude;
        result.longitude = over.longitude;
    }
    if (over.heartbeat_timeout_s != 0) {
        result.heartbeat_timeout_s = over.heartbeat_timeout_s;
    }
    return result;
}

}  // namespace muster
