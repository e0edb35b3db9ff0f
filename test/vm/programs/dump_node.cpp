// The node's network as sorted text, for two looks that are compared: links with their VFs,
// addresses, sysctls, programs on them, RDMA devices, of the host and of each namespace in
// /run/netns; PCI functions with their drivers; the names of records.
//
//   vm_dump_node [FOLDER…]     the names in these folders too
//
// What the kernel gives anew at each move (indexes, minor numbers), counts, or changes by itself a
// little later (carrier, port states, link-local addresses) is left out. It has nothing in common
// with the code under test, not even a way to read netlink.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <rdma/rdma_netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;
using Bytes = std::span<const char>;

[[noreturn]] void die(const std::string& what) {
  std::perror(what.c_str());
  std::exit(1);
}

// ---- text ----

template <class... Values>
std::string text(const char* format, Values... values) {
  std::array<char, 512> line{};
  std::snprintf(line.data(), line.size(), format, values...);
  return line.data();
}

std::string hex(Bytes bytes) {
  std::string out;
  for (const char byte : bytes) {
    out += text(out.empty() ? "%02x" : ":%02x", static_cast<unsigned char>(byte));
  }
  return out;
}

std::string joined(Lines words, const char* between = ",") {
  std::sort(words.begin(), words.end());
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : between) + word;
  return out;
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Lines names_in(const fs::path& folder) {
  Lines names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    names.push_back(entry.path().filename());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string link_target(const fs::path& path) {
  std::error_code error;
  return fs::read_symlink(path, error).filename();
}

// ---- netlink ----

// Attributes by their number; where one comes several times, in a list.
class Attributes {
 public:
  explicit Attributes(Bytes bytes) {
    while (bytes.size() >= NLA_HDRLEN) {
      nlattr header{};
      std::memcpy(&header, bytes.data(), sizeof header);
      if (header.nla_len < NLA_HDRLEN || header.nla_len > bytes.size()) break;
      all_.emplace_back(header.nla_type & NLA_TYPE_MASK,
                        bytes.subspan(NLA_HDRLEN, header.nla_len - NLA_HDRLEN));
      bytes = bytes.subspan(std::min<size_t>(NLA_ALIGN(header.nla_len), bytes.size()));
    }
  }

  [[nodiscard]] std::optional<Bytes> find(int type) const {
    for (const auto& [number, bytes] : all_) {
      if (number == type) return bytes;
    }
    return std::nullopt;
  }
  template <class T>
  [[nodiscard]] std::optional<T> value(int type) const {
    const auto bytes = find(type);
    if (!bytes || bytes->size() < sizeof(T)) return std::nullopt;
    T value{};
    std::memcpy(&value, bytes->data(), sizeof value);
    return value;
  }
  [[nodiscard]] std::string string(int type) const {
    const auto bytes = find(type);
    return bytes ? std::string(bytes->data(), strnlen(bytes->data(), bytes->size())) : "";
  }
  [[nodiscard]] Attributes nested(int type) const {
    return Attributes(find(type).value_or(Bytes{}));
  }
  [[nodiscard]] std::vector<std::pair<int, Bytes>> all() const { return all_; }

 private:
  std::vector<std::pair<int, Bytes>> all_;
};

struct Question {
  int type = 0;
  int attribute = 0;  // a 32-bit one; 0: none
  uint32_t value = 0;
  size_t header = 0;  // bytes of zeros behind the message's header
  bool dump = true;
};

// The payloads of an answer; none where the kernel has no such protocol, nothing when the dump was
// not whole. Each look has its own socket: namespaces change.
using Messages = std::vector<std::vector<char>>;
std::optional<Messages> asked_once(int protocol, const Question& question) {
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) return Messages{};
  std::vector<char> request(NLMSG_HDRLEN + NLMSG_ALIGN(question.header), 0);
  if (question.attribute != 0) {
    const nlattr header{NLA_HDRLEN + sizeof question.value,
                        static_cast<uint16_t>(question.attribute)};
    const auto* at = reinterpret_cast<const char*>(&header);
    request.insert(request.end(), at, at + sizeof header);
    at = reinterpret_cast<const char*>(&question.value);
    request.insert(request.end(), at, at + sizeof question.value);
  }
  nlmsghdr header{static_cast<uint32_t>(request.size()), static_cast<uint16_t>(question.type),
                  static_cast<uint16_t>(NLM_F_REQUEST | (question.dump ? NLM_F_DUMP : NLM_F_ACK)),
                  1, 0};
  std::memcpy(request.data(), &header, sizeof header);
  if (send(fd, request.data(), request.size(), 0) < 0) die("netlink send");
  Messages answer;
  bool whole = true;
  std::vector<char> buffer(256 * 1024);
  for (bool more = true; more;) {
    const ssize_t got = recv(fd, buffer.data(), buffer.size(), 0);
    if (got <= 0) die("netlink receive");
    Bytes left(buffer.data(), static_cast<size_t>(got));
    while (left.size() >= NLMSG_HDRLEN) {
      std::memcpy(&header, left.data(), sizeof header);
      if (header.nlmsg_len < NLMSG_HDRLEN || header.nlmsg_len > left.size()) die("netlink message");
      if ((header.nlmsg_flags & NLM_F_DUMP_INTR) != 0) whole = false;
      const auto payload = left.subspan(NLMSG_HDRLEN, header.nlmsg_len - NLMSG_HDRLEN);
      if (header.nlmsg_type == NLMSG_DONE || header.nlmsg_type == NLMSG_ERROR) {
        int error = 0;
        std::memcpy(&error, payload.data(), std::min(payload.size(), sizeof error));
        errno = -error;
        if (error != 0) die("netlink question " + std::to_string(question.type));
        more = false;
      }
      if (more) answer.emplace_back(payload.begin(), payload.end());
      left = left.subspan(std::min<size_t>(NLMSG_ALIGN(header.nlmsg_len), left.size()));
    }
  }
  close(fd);
  if (!whole) return std::nullopt;
  return answer;
}

Messages ask(int protocol, const Question& question) {
  for (int attempt = 0; attempt < 50; ++attempt) {
    if (auto answer = asked_once(protocol, question)) return *answer;
  }
  die("no whole netlink dump");
}

// ---- links ----

struct Link {
  int index = 0;
  unsigned flags = 0;
  unsigned type = 0;
  std::string name;
  std::vector<char> message;
  [[nodiscard]] Attributes attributes() const {
    return Attributes(Bytes(message).subspan(NLMSG_ALIGN(sizeof(ifinfomsg))));
  }
};

std::map<int, Link> read_links() {
  std::map<int, Link> links;
  constexpr uint32_t kNoStatistics = 1U << 3;  // RTEXT_FILTER_SKIP_STATS
  for (auto& message : ask(NETLINK_ROUTE, {RTM_GETLINK, IFLA_EXT_MASK,
                                           RTEXT_FILTER_VF | kNoStatistics, sizeof(ifinfomsg)})) {
    if (message.size() < sizeof(ifinfomsg)) die("link message");
    ifinfomsg header{};
    std::memcpy(&header, message.data(), sizeof header);
    Link link{header.ifi_index, header.ifi_flags, header.ifi_type, {}, std::move(message)};
    link.name = link.attributes().string(IFLA_IFNAME);
    links.emplace(link.index, std::move(link));
  }
  return links;
}

std::string name_of(const std::map<int, Link>& links, uint32_t index) {
  const auto found = links.find(static_cast<int>(index));
  return found == links.end() ? "?" : found->second.name;
}

std::string vf_line(const Attributes& vf, size_t address_bytes) {
  std::string out;
  if (const auto mac = vf.value<ifla_vf_mac>(IFLA_VF_MAC)) {
    const auto* bytes = reinterpret_cast<const char*>(mac->mac);
    out +=
        text(" %u: mac ", mac->vf) + hex({bytes, std::min<size_t>(address_bytes, sizeof mac->mac)});
  }
  for (const auto& [number, bytes] : vf.nested(IFLA_VF_VLAN_LIST).all()) {
    ifla_vf_vlan_info vlan{};
    std::memcpy(&vlan, bytes.data(), std::min(bytes.size(), sizeof vlan));
    out += text(" vlan %u qos %u proto %04x", vlan.vlan, vlan.qos, ntohs(vlan.vlan_proto));
  }
  if (const auto rate = vf.value<ifla_vf_rate>(IFLA_VF_RATE)) {
    out += text(" rate %u-%u", rate->min_tx_rate, rate->max_tx_rate);
  }
  constexpr std::array<std::pair<int, const char*>, 4> kSettings{{{IFLA_VF_SPOOFCHK, "spoofchk"},
                                                                  {IFLA_VF_TRUST, "trust"},
                                                                  {IFLA_VF_LINK_STATE, "state"},
                                                                  {IFLA_VF_RSS_QUERY_EN, "rss"}}};
  for (const auto& [number, word] : kSettings) {
    if (const auto now = vf.value<ifla_vf_spoofchk>(number)) {
      out += text(" %s %d", word, static_cast<int>(now->setting));
    }
  }
  constexpr std::array<std::pair<int, const char*>, 2> kGuids{
      {{IFLA_VF_IB_NODE_GUID, "node_guid"}, {IFLA_VF_IB_PORT_GUID, "port_guid"}}};
  for (const auto& [number, word] : kGuids) {
    if (const auto guid = vf.value<ifla_vf_guid>(number)) {
      out += text(" %s %016llx", word, static_cast<unsigned long long>(guid->guid));
    }
  }
  return out;
}

// The programs at tcx's hooks, which rtnetlink does not tell.
std::string tcx(int index) {
  constexpr std::array<std::pair<unsigned, const char*>, 2> kHooks{
      {{46, "ingress"}, {47, "egress"}}};
  std::string out;
  for (const auto& [hook, word] : kHooks) {
    std::array<uint32_t, 64> ids{};
    bpf_attr query{};
    query.query.target_fd = static_cast<uint32_t>(index);
    query.query.attach_type = hook;
    query.query.prog_ids = reinterpret_cast<uint64_t>(ids.data());
    query.query.prog_cnt = ids.size();
    if (syscall(SYS_bpf, BPF_PROG_QUERY, &query, sizeof query) != 0) continue;
    for (uint32_t i = 0; i < query.query.prog_cnt; ++i) out += text(" tcx-%s %u", word, ids.at(i));
  }
  return out;
}

std::string programs(const Attributes& xdp, int index) {
  std::string out;
  if (xdp.value<uint8_t>(IFLA_XDP_ATTACHED).value_or(0) != 0) {
    for (const int number :
         {IFLA_XDP_PROG_ID, IFLA_XDP_DRV_PROG_ID, IFLA_XDP_SKB_PROG_ID, IFLA_XDP_HW_PROG_ID}) {
      if (const auto id = xdp.value<uint32_t>(number)) out += text(" xdp-%d %u", number, *id);
    }
  }
  return out + tcx(index);
}

std::string link_line(const std::map<int, Link>& links, const Link& link) {
  const auto attributes = link.attributes();
  std::string out = text(" type %u", link.type);
  constexpr std::array<std::pair<unsigned, const char*>, 5> kFlags{{{IFF_UP, "up"},
                                                                    {IFF_PROMISC, "promisc"},
                                                                    {IFF_ALLMULTI, "allmulti"},
                                                                    {IFF_NOARP, "noarp"},
                                                                    {IFF_DYNAMIC, "dynamic"}}};
  for (const auto& [flag, word] : kFlags) {
    if ((link.flags & flag) != 0) out += text(" %s", word);
  }
  constexpr std::array<std::pair<int, const char*>, 6> kNumbers{
      {{IFLA_MTU, "mtu"},
       {IFLA_MIN_MTU, "min_mtu"},
       {IFLA_MAX_MTU, "max_mtu"},
       {IFLA_PROMISCUITY, "promiscuity"},
       {61 /* IFLA_ALLMULTI */, "allmulti"},
       {IFLA_GROUP, "group"}}};
  for (const auto& [number, word] : kNumbers) {
    if (const auto now = attributes.value<uint32_t>(number); now.value_or(0) != 0) {
      out += text(" %s %u", word, *now);
    }
  }
  if (const auto address = attributes.find(IFLA_ADDRESS)) out += " address " + hex(*address);
  if (const auto alias = attributes.string(IFLA_IFALIAS); !alias.empty()) {
    out += " alias '" + alias + "'";
  }
  Lines alt_names;
  for (const auto& [number, bytes] : attributes.nested(IFLA_PROP_LIST).all()) {
    if (number == IFLA_ALT_IFNAME) alt_names.emplace_back(bytes.data());
  }
  if (!alt_names.empty()) out += " altnames " + joined(alt_names);
  if (const auto kind = attributes.nested(IFLA_LINKINFO).string(IFLA_INFO_KIND); !kind.empty()) {
    out += " kind " + kind;
  }
  if (const auto master = attributes.value<uint32_t>(IFLA_MASTER)) {
    out += " master " + name_of(links, *master);
  }
  if (attributes.find(IFLA_LINK_NETNSID)) {
    out += " lower-elsewhere";
  } else if (const auto lower = attributes.value<uint32_t>(IFLA_LINK); lower.value_or(0) != 0) {
    out += " lower " + name_of(links, *lower);
  }
  Lines uppers;
  for (const auto& [index, other] : links) {
    const auto of_other = other.attributes();
    const auto lower = of_other.value<uint32_t>(IFLA_LINK);
    if (lower == static_cast<uint32_t>(link.index) && index != link.index &&
        !of_other.find(IFLA_LINK_NETNSID)) {
      uppers.push_back(other.name);
    }
  }
  if (!uppers.empty()) out += " uppers " + joined(uppers);
  if (const auto parent = attributes.string(IFLA_PARENT_DEV_NAME); !parent.empty()) {
    out += " device " + parent;
  }
  return out + programs(attributes.nested(IFLA_XDP), link.index);
}

std::string sysctl_line(const std::string& link) {
  constexpr std::array kKeys{
      "ipv4/conf/*/forwarding",   "ipv4/conf/*/rp_filter",    "ipv4/conf/*/arp_ignore",
      "ipv4/conf/*/arp_announce", "ipv4/conf/*/arp_notify",   "ipv6/conf/*/forwarding",
      "ipv6/conf/*/accept_ra",    "ipv6/conf/*/accept_dad",   "ipv6/conf/*/addr_gen_mode",
      "ipv6/conf/*/disable_ipv6", "ipv6/conf/*/ndisc_notify", "ipv6/conf/*/keep_addr_on_down",
  };
  std::string out;
  for (std::string key : kKeys) {
    const auto star = key.find('*');
    const auto value =
        first_line("/proc/sys/net/" + key.substr(0, star) + link + key.substr(star + 1));
    if (!value.empty()) out += " " + key.substr(0, 5) + key.substr(star + 2) + "=" + value;
  }
  return out;
}

void add_links(const std::string& where, const std::map<int, Link>& links, Lines& lines) {
  for (const auto& [index, link] : links) {
    const auto head = where + " link " + link.name;
    lines.push_back(head + link_line(links, link));
    lines.push_back(head + " sysctls" + sysctl_line(link.name));
    const auto attributes = link.attributes();
    const auto address = attributes.find(IFLA_ADDRESS);
    for (const auto& [number, bytes] : attributes.nested(IFLA_VFINFO_LIST).all()) {
      lines.push_back(head + " vf" + vf_line(Attributes(bytes), address ? address->size() : 6));
    }
  }
}

void add_addresses(const std::string& where, const std::map<int, Link>& links, Lines& lines) {
  constexpr int kAddressProtocol = 11;  // IFA_PROTO
  constexpr uint8_t kLinkLocal = 3;     // IFAPROT_KERNEL_LL: comes and goes with the carrier
  for (const auto& message : ask(NETLINK_ROUTE, {RTM_GETADDR, 0, 0, sizeof(ifaddrmsg)})) {
    ifaddrmsg header{};
    std::memcpy(&header, message.data(), sizeof header);
    const Attributes attributes(Bytes(message).subspan(NLMSG_ALIGN(sizeof header)));
    if (attributes.value<uint8_t>(kAddressProtocol) == kLinkLocal) continue;
    auto bytes = attributes.find(IFA_LOCAL);
    if (!bytes) bytes = attributes.find(IFA_ADDRESS);
    std::array<char, INET6_ADDRSTRLEN> address{};
    if (!bytes || !inet_ntop(header.ifa_family, bytes->data(), address.data(), address.size()))
      continue;
    const auto flags = attributes.value<uint32_t>(IFA_FLAGS).value_or(header.ifa_flags);
    lines.push_back(where + " address " + name_of(links, header.ifa_index) +
                    text(" %s/%u scope %u%s", address.data(), header.ifa_prefixlen,
                         header.ifa_scope, (flags & IFA_F_DADFAILED) != 0 ? " dadfailed" : ""));
  }
}

// ---- RDMA ----

constexpr int nldev(int command) { return RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command); }

// "shared", "exclusive", or "" where there is no RDMA.
std::string rdma_mode() {
  const Question question{.type = nldev(RDMA_NLDEV_CMD_SYS_GET), .dump = false};
  for (const auto& message : ask(NETLINK_RDMA, question)) {
    const auto mode = Attributes(message).value<uint8_t>(RDMA_NLDEV_SYS_ATTR_NETNS_MODE);
    if (mode) return *mode != 0 ? "shared" : "exclusive";
  }
  return "";
}

void add_rdma(const std::string& where, Lines& lines) {
  for (const auto& message : ask(NETLINK_RDMA, {nldev(RDMA_NLDEV_CMD_GET)})) {
    const Attributes device(message);
    const auto head = where + " rdma " + device.string(RDMA_NLDEV_ATTR_DEV_NAME);
    const auto guid = device.value<uint64_t>(RDMA_NLDEV_ATTR_NODE_GUID).value_or(0);
    const auto system = device.value<uint64_t>(RDMA_NLDEV_ATTR_SYS_IMAGE_GUID).value_or(0);
    lines.push_back(head + text(" node_guid %016llx sys_image_guid %016llx",
                                static_cast<unsigned long long>(guid),
                                static_cast<unsigned long long>(system)));
    const auto index = device.value<uint32_t>(RDMA_NLDEV_ATTR_DEV_INDEX).value_or(0);
    for (const auto& port :
         ask(NETLINK_RDMA, {nldev(RDMA_NLDEV_CMD_PORT_GET), RDMA_NLDEV_ATTR_DEV_INDEX, index})) {
      const Attributes attributes(port);
      lines.push_back(head +
                      text(" port %u netdev %s",
                           attributes.value<uint32_t>(RDMA_NLDEV_ATTR_PORT_INDEX).value_or(0),
                           attributes.string(RDMA_NLDEV_ATTR_NDEV_NAME).c_str()));
    }
  }
}

// ---- namespaces, functions, records ----

void add_namespace(const std::string& where, bool with_rdma, Lines& lines) {
  const auto links = read_links();
  add_links(where, links, lines);
  add_addresses(where, links, lines);
  if (with_rdma) add_rdma(where, lines);
}

void add_named_namespaces(bool with_rdma, Lines& lines) {
  const int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  for (const auto& name : names_in("/run/netns")) {
    const int fd = open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET) != 0) {
      lines.push_back("netns:" + name + " cannot be entered");
    } else {
      add_namespace("netns:" + name, with_rdma, lines);
    }
    close(fd);
    if (setns(home, CLONE_NEWNET) != 0) die("back to the host's namespace");
  }
  close(home);
}

void add_functions(Lines& lines) {
  const fs::path devices = "/sys/bus/pci/devices";
  for (const auto& address : names_in(devices)) {
    const auto path = devices / address;
    if (!first_line(path / "class").starts_with("0x02")) continue;
    const auto value = [](const std::string& now) {
      return now.empty() || now == "(null)" ? "-" : now;
    };
    lines.push_back("pci " + address + " driver " + value(link_target(path / "driver")) +
                    " override " + value(first_line(path / "driver_override")) + " vfs " +
                    value(first_line(path / "sriov_numvfs")) + " pf " +
                    value(link_target(path / "physfn")) + " netdevs " +
                    value(joined(names_in(path / "net"))) + " rdma " +
                    value(joined(names_in(path / "infiniband"))));
  }
}

// A name that begins with a dot stands for nothing: a file that a killed program was writing.
void add_names(const std::string& folder, Lines& lines) {
  for (const auto& name : names_in(folder)) {
    if (name.front() == '.') continue;
    const auto target = link_target(folder + '/' + name);
    lines.push_back("file " + folder + '/' + name + (target.empty() ? "" : " -> " + target));
  }
}

}  // namespace

int main(int argc, char** argv) {
  Lines lines;
  const auto mode = rdma_mode();
  if (!mode.empty()) lines.push_back("rdma " + mode);
  add_namespace("host", !mode.empty(), lines);
  // shared: what the host sees, each namespace does
  add_named_namespaces(mode == "exclusive", lines);
  add_functions(lines);
  for (const auto* folder : {"attachments", "devices", "debts", "baseline"}) {
    add_names(std::string("/run/railhead/") + folder, lines);
  }
  for (int i = 1; i < argc; ++i) add_names(argv[i], lines);
  std::sort(lines.begin(), lines.end());
  for (const auto& line : lines) std::puts(line.c_str());
}
