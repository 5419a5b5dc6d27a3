#include "processor/partition_fold.h"
#include "registry/attributes.h"

namespace muster {

void PartitionFold::set_attributes(Turn& turn, DeviceNumber number, const DeviceAttributes& given, bool by_operator) {
    DeviceDetail& detail = devices_.detail(number);
    if (by_operator && !detail.has_operator_attributes) {
        operator_attributes_.emplace(number, InternedAttributes{});
        detail.has_operator_attributes = true;
    }
    InternedAttributes& kept = by_operator ? operator_attributes_.at(number) : detail.declared;
    const InternedAttributes merged = interned(overlaid(given, attributes_from(kept)), turn.out);
    if (merged == kept) {
        return;
    }
    mark_changed(number);
    kept = merged;
    settle_attributes(number, turn.out);
    settle_maintenance(number);
    schedule_session(number);
}

void PartitionFold::settle_attributes(DeviceNumber number, FoldOutput& out) {
    const DeviceAttributes attributes = attributes_of(number);
    RegionTable::Region region = regions_.find_or_add(attributes.region);
    if (region == RegionTable::full) {
        out.refuse(Refusal::too_many_regions);
        region = RegionTable::fleet;
    }
    devices_.detail(number).place = {region, attributes.latitude, attributes.longitude};
    settle_timeout(number, attributes.heartbeat_timeout_s);
}

std::uint32_t PartitionFold::interned_name(std::string_view name, FoldOutput& out) {
    const std::uint32_t number = names_.intern(name);
    if (number == StringTable::full) {
        out.refuse(Refusal::too_many_names);
        return 0;
    }
    return number;
}

InternedAttributes PartitionFold::interned(const DeviceAttributes& attributes, FoldOutput& out) {
    InternedAttributes result;
    result.region = interned_name(attributes.region, out);
    result.model = interned_name(attributes.model, out);
    result.firmware = interned_name(attributes.firmware, out);
    result.carrier = interned_name(attributes.carrier, out);
    result.latitude = attributes.latitude;
    result.longitude = attributes.longitude;
    result.heartbeat_timeout_s = attributes.heartbeat_timeout_s;
    return result;
}

DeviceAttributes PartitionFold::attributes_from(const InternedAttributes& interned) const {
    DeviceAttributes result;
    result.region = names_.at(interned.region);
    result.model = names_.at(interned.model);
    result.firmware = names_.at(interned.firmware);
    result.carrier = names_.at(interned.carrier);
    result.latitude = interned.latitude;
    result.longitude = interned.longitude;
    result.heartbeat_timeout_s = interned.heartbeat_timeout_s;
    return result;
}

DeviceAttributes PartitionFold::attributes_of(DeviceNumber number) const {
    const DeviceDetail& detail = devices_.detail(number);
    DeviceAttributes declared = attributes_from(detail.declared);
    return detail.has_operator_attributes ? overlaid(attributes_from(operator_attributes_.at(number)), declared)
                                          : declared;
}

}  // namespace muster
