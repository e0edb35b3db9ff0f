#include "attach/kinds.hpp"

#include "attach/own_table.hpp"
#include "attach/parts/ib.hpp"
#include "attach/parts/link.hpp"
#include "attach/parts/rdma.hpp"
#include "attach/parts/reset.hpp"
#include "attach/parts/vf.hpp"

namespace railhead::attach {
namespace {

// The admin MAC off before the effective MAC changes, and on after it; trust after the admin MAC
// (vf_settings.hpp). The RDMA device after its netdev: the other order loses its port's netdev.
constexpr AddStep kAddEthVf[] = {
    {AddPhase::leave, link::drop_equal_alt_name},
    {AddPhase::leave, link::down},
    {AddPhase::leave, vf::free_address},
    {AddPhase::leave, link::move},
    {AddPhase::configure, vf::apply},
    {AddPhase::rdma, rdma::move},
    {AddPhase::read_back, vf::read_back},
    {AddPhase::read_back, link::read_back},
};

// RDMA before the netdev: on the way back the other order loses the device's port. The VF's
// attributes once before its own address, and once with the admin MAC after it. Where the link's
// "up" made the driver write another admin MAC (igb, a trusted VF), the second try finds it up. A
// reset makes the netdev and the RDMA devices anew: it comes before all that is restored of them.
constexpr UndoStep kUndoEthVf[] = {
    {remove_own_rules},       {link::silence},
    {rdma::bring_back, true}, {rdma::restore_names},
    {link::clean, true},      {link::leave_pod, true},
    {link::arrive, true},     {vf::restore_before_reset, true},
    {reset::run, true},       {rdma::restore_names_anew},
    {vf::look, true},         {link::down_in_host},
    {link::clean_in_host},    {vf::restore_before_address},
    {link::restore_address},  {vf::restore},
    {link::restore_mtu},      {link::restore_names},
    {link::restore_sysctls},  {link::restore_up},
    {link::restore_host_use},
};

constexpr AddStep kAddUserVf[] = {
    {AddPhase::configure, vf::apply},
    {AddPhase::rdma, rdma::move},
    {AddPhase::read_back, vf::read_back},
};
constexpr UndoStep kUndoUserVf[] = {
    {rdma::bring_back, true},
    {reset::run, true},
    {vf::look, true},
    {vf::restore},
};

constexpr AddStep kAddWholeNic[] = {
    {AddPhase::leave, link::drop_equal_alt_name},
    {AddPhase::leave, link::down},
    {AddPhase::leave, link::move},
    {AddPhase::rdma, rdma::move},
    {AddPhase::read_back, link::read_back},
};
constexpr UndoStep kUndoWholeNic[] = {
    {remove_own_rules},      {link::silence},      {rdma::bring_back, true},
    {rdma::restore_names},   {link::clean, true},  {link::leave_pod, true},
    {link::arrive, true},    {link::down_in_host}, {link::clean_in_host},
    {link::restore_address}, {link::restore_mtu},  {link::restore_names},
    {link::restore_sysctls}, {link::restore_up},   {link::restore_host_use},
};

constexpr AddStep kAddRdmaOnly[] = {{AddPhase::rdma, rdma::move}};
constexpr UndoStep kUndoRdmaOnly[] = {{rdma::bring_back, true}, {rdma::restore_names}};

// The RDMA device before its netdev: its move makes that one anew, in the host.
constexpr AddStep kAddIbVf[] = {
    {AddPhase::configure, ib::apply},       {AddPhase::rdma, rdma::move},
    {AddPhase::follow, link::find_anew},    {AddPhase::follow, link::drop_equal_alt_name},
    {AddPhase::follow, link::down},         {AddPhase::follow, link::move},
    {AddPhase::read_back, link::read_back}, {AddPhase::read_back, ib::read_back},
};

// The RDMA device first, too: with its move the netdev is in the host again, a new one. What the
// pod made on the netdev is cleaned before, as it would go with it and not be seen.
constexpr UndoStep kUndoIbVf[] = {
    {remove_own_rules},       {link::silence},
    {link::clean, true},      {rdma::bring_back, true},
    {link::silence},          {link::leave_pod, true},
    {link::arrive, true},     {rdma::restore_names},
    {ib::look, true},         {ib::restore},
    {reset::run, true},       {rdma::restore_names_anew},
    {link::down_in_host},     {link::clean_in_host},
    {link::restore_mtu},      {link::restore_names},
    {link::restore_sysctls},  {link::restore_up},
    {link::restore_host_use},
};

constexpr AddStep kAddIbUserVf[] = {{AddPhase::configure, ib::apply}, {AddPhase::rdma, rdma::move}};
constexpr UndoStep kUndoIbUserVf[] = {
    {rdma::bring_back, true},
    {ib::look, true},
    {ib::restore},
    {reset::run, true},
};

// The pod's netdev tells the GUID in force (link::check); link states are never read.
Result<std::string> as_asked(Subject& /*subject*/) { return std::string(); }

constexpr VfSteps kEthernet{vf::inspect, vf::look, vf::difference_left, vf::difference_to_asked};
constexpr VfSteps kInfiniband{ib::inspect, ib::look, ib::difference_left, as_asked};

constexpr Kind kEthVf{kAddEthVf, kUndoEthVf, &kEthernet};
constexpr Kind kUserVf{kAddUserVf, kUndoUserVf, &kEthernet};
constexpr Kind kWholeNic{kAddWholeNic, kUndoWholeNic};
constexpr Kind kRdmaOnly{kAddRdmaOnly, kUndoRdmaOnly};
constexpr Kind kIbVf{kAddIbVf, kUndoIbVf, &kInfiniband};
constexpr Kind kIbUserVf{kAddIbUserVf, kUndoIbUserVf, &kInfiniband};

}  // namespace

KindName without_netdev(KindName kind) {
  switch (kind) {
    case KindName::eth_vf:
      return KindName::user_vf;
    case KindName::whole_nic:
      return KindName::rdma_only;
    case KindName::ib_vf:
      return KindName::ib_user_vf;
    case KindName::user_vf:
    case KindName::rdma_only:
    case KindName::ib_user_vf:
      break;
  }
  return kind;
}

KindName with_netdev(KindName kind) {
  if (kind == KindName::user_vf) return KindName::eth_vf;
  return kind == KindName::ib_user_vf ? KindName::ib_vf : kind;
}

bool is_vf(KindName kind) { return kind_of(kind).vf != nullptr; }

bool is_of_userspace(KindName kind) {
  return kind == KindName::user_vf || kind == KindName::ib_user_vf;
}

host::LinkLayer layer_of(KindName kind) {
  return kind == KindName::ib_vf || kind == KindName::ib_user_vf ? host::LinkLayer::infiniband
                                                                 : host::LinkLayer::ethernet;
}

const Kind& kind_of(KindName name) {
  switch (name) {
    case KindName::user_vf:
      return kUserVf;
    case KindName::whole_nic:
      return kWholeNic;
    case KindName::rdma_only:
      return kRdmaOnly;
    case KindName::ib_vf:
      return kIbVf;
    case KindName::ib_user_vf:
      return kIbUserVf;
    case KindName::eth_vf:
      break;
  }
  return kEthVf;
}

}  // namespace railhead::attach
