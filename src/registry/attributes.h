#pragma once

#include "contract/status_document.h"

namespace muster {

/// `over` laid on `under`, field by field: a field that `over` does not set keeps the value of `under`. Latitude and
/// longitude are one field. Serves both rules: a newer word of one source over its older one, and the operator's word
/// over the device's own.
[[nodiscard]] DeviceAttributes overlaid(const DeviceAttributes& over, const DeviceAttributes& under);

}  // namespace muster
