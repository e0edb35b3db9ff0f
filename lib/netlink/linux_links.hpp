#pragma once
#include <memory>

#include "host/links.hpp"
#include "netlink/link.hpp"
#include "netlink/socket.hpp"

namespace railhead::netlink {

// host::Links by rtnetlink, of the namespace that the thread calling open() is in.
class LinuxLinks final : public host::Links {
 public:
  static Result<std::unique_ptr<host::Links>> open();

  Result<std::vector<host::Link>> list() override;
  Result<host::Link> by_index(uint32_t index) override;
  Result<host::Link> by_name(std::string_view name) override;
  Result<host::Link> by_parent(std::string_view pci_address,
                               host::LinkLayer layer = host::LinkLayer::ethernet) override;
  Result<void> change(uint32_t index, const host::LinkChange& change) override;
  Result<void> remove(uint32_t index) override;
  Result<unsigned> detach_programs(uint32_t index) override;
  Result<void> add_alt_name(uint32_t index, std::string_view name) override;
  Result<void> remove_alt_name(uint32_t index, std::string_view name) override;
  Result<host::VfAttributes> vf(uint32_t pf_index, uint32_t vf) override;
  Result<std::map<uint32_t, host::VfAttributes>> vfs(uint32_t pf_index) override;
  Result<void> change_vf(uint32_t pf_index, uint32_t vf, const host::VfAttributes& change) override;
  Result<std::vector<host::IpPrefix>> addresses(uint32_t index) override;
  Result<std::vector<host::LinkAddress>> all_addresses() override;
  Result<void> add_address(uint32_t index, const host::IpPrefix& address) override;
  Result<void> add_route(const host::Route& route) override;
  Result<void> remove_route(const host::Route& route) override;
  Result<std::vector<host::Route>> routes(uint32_t index) override;
  Result<std::vector<host::Route>> table_routes(uint32_t table) override;
  Result<std::vector<host::Rule>> rules(bool v6) override;
  Result<void> add_rule(const host::Rule& rule) override;
  Result<void> remove_rule(const host::Rule& rule) override;
  Result<void> set_neighbour(uint32_t index, const host::IpPrefix& address,
                             const HwAddress& mac) override;
  Result<std::vector<host::Route>> default_routes() override;

 private:
  explicit LinuxLinks(Socket socket) : socket_(std::move(socket)) {}
  Result<host::Link> get(Request request);
  Result<unsigned> detach_xdp_programs(const host::Link& link);
  Result<void> detach_xdp_program(uint32_t index, XdpMode mode, uint32_t program);
  // Runs `work` in the namespace of the socket.
  Result<void> run_inside(const std::function<Result<void>()>& work);
  Result<std::vector<host::LinkAddress>> dump_addresses(uint32_t index);

  Socket socket_;
};

}  // namespace railhead::netlink
