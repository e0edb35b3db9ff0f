#include "test/vm/watchers/kill_points/points.hpp"

#include <map>
#include <utility>

#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <rdma/rdma_netlink.h>
#include <sys/socket.h>

#include "test/vm/watchers/kill_points/memory.hpp"

namespace kill_points {
namespace {

// "NEWLINK of 7, flags 0/1, attributes 28 3": numbers as in linux/rtnetlink.h and linux/if_link.h
std::string describe(pid_t pid, uint64_t address, const nlmsghdr& header) {
  const std::map<int, const char*> names = {
      {RTM_NEWLINK, "NEWLINK"},         {RTM_DELLINK, "DELLINK"},
      {RTM_SETLINK, "SETLINK"},         {RTM_NEWADDR, "NEWADDR"},
      {RTM_DELADDR, "DELADDR"},         {RTM_NEWROUTE, "NEWROUTE"},
      {RTM_DELROUTE, "DELROUTE"},       {RTM_NEWLINKPROP, "NEWLINKPROP"},
      {RTM_DELLINKPROP, "DELLINKPROP"},
  };
  const auto found = names.find(header.nlmsg_type);
  if (found == names.end()) return "type " + std::to_string(header.nlmsg_type);
  std::string out = found->second;
  size_t at = NLMSG_HDRLEN;
  if (header.nlmsg_type <= RTM_SETLINK || header.nlmsg_type >= RTM_NEWLINKPROP) {
    const auto link = peek<ifinfomsg>(pid, address + at);
    out += " of " + std::to_string(link.ifi_index);
    if (link.ifi_change != 0) {
      out += " flags " + std::to_string(link.ifi_flags) + "/" + std::to_string(link.ifi_change);
    }
    at += NLMSG_ALIGN(sizeof(ifinfomsg));
  } else {
    return out;
  }
  out += " attributes";
  while (at + NLA_HDRLEN <= header.nlmsg_len) {
    const auto attribute = peek<nlattr>(pid, address + at);
    if (attribute.nla_len < NLA_HDRLEN) break;
    out += " " + std::to_string(attribute.nla_type & NLA_TYPE_MASK);
    at += NLA_ALIGN(attribute.nla_len);
  }
  return out;
}

// A message that only asks is no point: rtnetlink's questions have 2 in the low bits of their type
// (RTM_GET*), NLDEV's are its GETs, and whatever wants a dump asks. Generic netlink is only asked.
std::string changing_message(pid_t pid, const user_regs_struct& regs) {
  const auto protocol = netlink_protocol(pid, regs.rdi);
  if (!protocol || *protocol == NETLINK_GENERIC) return "";
  const auto address = buffer_of(pid, regs);
  const auto message = peek<nlmsghdr>(pid, address);
  if (message.nlmsg_type < NLMSG_MIN_TYPE) return "";
  if (*protocol == NETLINK_RDMA) {
    const unsigned operation = message.nlmsg_type & 0x3ffU;
    const bool changes = operation == RDMA_NLDEV_CMD_SET || operation == RDMA_NLDEV_CMD_NEWLINK ||
                         operation == RDMA_NLDEV_CMD_DELLINK || operation == RDMA_NLDEV_CMD_SYS_SET;
    return changes ? "RDMA " + std::to_string(operation) : "";
  }
  if ((message.nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP || (message.nlmsg_type & 3) == 2) return "";
  return describe(pid, address, message);
}

// What the call would change; "" when it changes nothing outside of the program.
std::string change_of(pid_t pid, const user_regs_struct& regs) {
  switch (static_cast<long>(regs.orig_rax)) {
    case SYS_open:
    case SYS_openat: {
      const bool at = static_cast<long>(regs.orig_rax) == SYS_openat;
      const auto flags = at ? regs.rdx : regs.rsi;
      if ((flags & (O_CREAT | O_TRUNC)) == 0) return "";
      return peek_text(pid, at ? regs.rsi : regs.rdi);
    }
    case SYS_write:
    case SYS_pwrite64:
      if (regs.rdi <= 2) return "";
      return file_of(pid, regs.rdi) + " " + std::to_string(regs.rdx) + " bytes";
    case SYS_sendto:
    case SYS_sendmsg:
      return changing_message(pid, regs);
    case SYS_ftruncate:
    case SYS_fchmod:
    case SYS_fsync:
      return file_of(pid, regs.rdi);
    case SYS_unlinkat:
    case SYS_mkdirat:
    case SYS_renameat:
    case SYS_renameat2:
    case SYS_linkat:
    case SYS_symlink:
      return peek_text(pid, regs.rsi);
    case SYS_symlinkat:
      return peek_text(pid, regs.rdx);
    case SYS_rename:
    case SYS_unlink:
    case SYS_rmdir:
    case SYS_link:
    case SYS_mkdir:
    case SYS_mount:
    case SYS_umount2:
      return peek_text(pid, regs.rdi);
    default:
      return "";
  }
}

// What the call is about, whether it changes something or not.
std::string subject_of(pid_t pid, const user_regs_struct& regs) {
  switch (static_cast<long>(regs.orig_rax)) {
    case SYS_openat:
      return peek_text(pid, regs.rsi);
    case SYS_open:
      return peek_text(pid, regs.rdi);
    case SYS_sendto:
    case SYS_sendmsg:
      return "type " + std::to_string(peek<nlmsghdr>(pid, buffer_of(pid, regs)).nlmsg_type);
    case SYS_recvmsg:
    case SYS_recvfrom:
    case SYS_flock:
      return file_of(pid, regs.rdi);
    default:
      return "-";
  }
}

}  // namespace

uint64_t buffer_of(pid_t pid, const user_regs_struct& regs) {
  const auto number = static_cast<long>(regs.orig_rax);
  if (number != SYS_sendmsg && number != SYS_recvmsg) return regs.rsi;
  const auto header = peek<msghdr>(pid, regs.rsi);
  return reinterpret_cast<uint64_t>(
      peek<iovec>(pid, reinterpret_cast<uint64_t>(header.msg_iov)).iov_base);
}

const Call& call_of(const user_regs_struct& regs) {
  static const Call unknown{-1, "?", false};
  for (const auto& call : kCalls) {
    if (call.number == static_cast<long>(regs.orig_rax)) return call;
  }
  return unknown;
}

const char* word_of(Which which) {
  switch (which) {
    case Which::change:
      return "change";
    case Which::write:
      return "write";
    case Which::remove:
      return "remove";
    case Which::netlink:
      return "netlink";
    case Which::wait:
      return "wait";
  }
  return "?";
}

std::optional<Point> point_of(pid_t pid, const user_regs_struct& regs, Which wanted) {
  const auto& call = call_of(regs);
  if (wanted == Which::wait) {
    if (!call.waits) return std::nullopt;
    return Point{Which::wait, subject_of(pid, regs)};
  }
  auto which = call.removes ? Which::remove : Which::write;
  if (call.number == SYS_sendto || call.number == SYS_sendmsg) which = Which::netlink;
  if (wanted != Which::change && wanted != which) return std::nullopt;
  auto what = change_of(pid, regs);
  if (what.empty()) return std::nullopt;
  return Point{which, std::move(what)};
}

}  // namespace kill_points
