#include "attach/debt.hpp"

#include <nlohmann/json.hpp>

#include "host/files.hpp"

namespace railhead::attach {

using Json = nlohmann::ordered_json;

std::string to_string(const Debt& debt) {
  return fmt::format("{} is {}, was {}", debt.what, debt.found, debt.wanted);
}

Debts read_debts(const Store& store, const device::DeviceId& device) {
  const auto text = host::read_private_file(store.debts(device));
  if (!text) return {};
  try {
    const Json json = Json::parse(*text);
    Debts debts;
    debts.inode = json.at("inode").get<uint64_t>();
    for (const auto& debt : json.at("debts")) {
      debts.debts.push_back({debt.at("what").get<std::string>(),
                             debt.at("wanted").get<std::string>(),
                             debt.at("found").get<std::string>()});
    }
    return debts;
  } catch (const std::exception&) {
    return {};
  }
}

Result<void> write_debts(const Store& store, const device::DeviceId& device, const Debts& debts) {
  if (debts.debts.empty()) return host::remove_file(store.debts(device));
  Json list = Json::array();
  for (const auto& debt : debts.debts) {
    list.push_back({{"what", debt.what}, {"wanted", debt.wanted}, {"found", debt.found}});
  }
  const Json json{{"schema", 1}, {"inode", debts.inode}, {"debts", std::move(list)}};
  const auto text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  return store.write_debts(device, text);
}

Result<void> keep_debts(const Store& store, const Record& record, std::vector<Debt> debts) {
  auto former = read_debts(store, record.device);
  if (former.inode == record.driver.inode) {
    for (auto& debt : former.debts) {
      const bool is_of_part =
          debt.what == kRdmaNameDebt ? record.changes_rdma() : record.link.has_value();
      if (!is_of_part) debts.push_back(std::move(debt));
    }
  }
  return write_debts(store, record.device, {record.driver.inode, std::move(debts)});
}

}  // namespace railhead::attach
