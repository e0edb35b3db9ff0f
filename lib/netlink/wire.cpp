#include "netlink/wire.hpp"

#include <algorithm>

namespace railhead::netlink {
namespace {

size_t align4(size_t size) { return (size + 3) & ~size_t{3}; }

}  // namespace

Result<std::vector<Message>> parse_messages(Bytes datagram) {
  std::vector<Message> messages;
  while (!datagram.empty()) {
    auto header = read_header<nlmsghdr>(datagram);
    if (!header) return pass(header, "netlink message");
    if (header->nlmsg_len < sizeof(nlmsghdr) || header->nlmsg_len > datagram.size()) {
      return fail(ErrorCode::decode, "netlink message of {} bytes in {} bytes", header->nlmsg_len,
                  datagram.size());
    }
    messages.push_back({header->nlmsg_type, header->nlmsg_flags, header->nlmsg_seq,
                        datagram.subspan(sizeof(nlmsghdr), header->nlmsg_len - sizeof(nlmsghdr))});
    datagram = datagram.subspan(std::min(align4(header->nlmsg_len), datagram.size()));
  }
  return messages;
}

Result<Attributes> Attributes::parse(Bytes bytes, size_t skip) {
  if (bytes.size() < skip) {
    return fail(ErrorCode::decode, "{} bytes where a header of {} is due", bytes.size(), skip);
  }
  bytes = bytes.subspan(std::min(align4(skip), bytes.size()));
  Attributes result;
  while (!bytes.empty()) {
    auto header = read_header<nlattr>(bytes);
    if (!header) return pass(header, "attribute");
    if (header->nla_len < sizeof(nlattr) || header->nla_len > bytes.size()) {
      return fail(ErrorCode::decode, "attribute {} of {} bytes in {} bytes",
                  header->nla_type & NLA_TYPE_MASK, header->nla_len, bytes.size());
    }
    result.all_.push_back({static_cast<uint16_t>(header->nla_type & NLA_TYPE_MASK),
                           bytes.subspan(sizeof(nlattr), header->nla_len - sizeof(nlattr))});
    bytes = bytes.subspan(std::min(align4(header->nla_len), bytes.size()));
  }
  return result;
}

std::optional<Bytes> Attributes::bytes(uint16_t type) const {
  for (const auto& attribute : all_) {
    if (attribute.type == type) return attribute.data;
  }
  return std::nullopt;
}

std::optional<std::string> Attributes::string(uint16_t type) const {
  auto data = bytes(type);
  if (!data) return std::nullopt;
  std::string_view text(reinterpret_cast<const char*>(data->data()), data->size());
  return std::string(text.substr(0, text.find('\0')));
}

Result<void> Attributes::verify() const {
  if (too_short_) return fail(ErrorCode::decode, "attribute {} is too short", *too_short_);
  return {};
}

Result<Acknowledgement> parse_acknowledgement(const Message& message) {
  auto status = read_header<int>(message.payload);
  if (!status) return pass(status, "netlink status");
  if (*status > 0 || *status < -4095) {  // MAX_ERRNO, linux/err.h
    return fail(ErrorCode::decode, "netlink status {}", *status);
  }
  Acknowledgement result{-*status, {}};
  if (!(message.flags & NLM_F_ACK_TLVS)) return result;
  size_t skip = sizeof(int);
  if (message.type == NLMSG_ERROR) {
    auto error = read_header<nlmsgerr>(message.payload);
    if (!error) return pass(error, "netlink error");
    // Without NLM_F_CAPPED the whole request stands between the header and the attributes.
    skip = sizeof(nlmsgerr);
    if (!(message.flags & NLM_F_CAPPED)) {
      if (error->msg.nlmsg_len < sizeof(nlmsghdr)) {
        return fail(ErrorCode::decode, "netlink error about {} bytes", error->msg.nlmsg_len);
      }
      skip += error->msg.nlmsg_len - sizeof(nlmsghdr);
    }
  }
  auto attributes = Attributes::parse(message.payload, skip);
  if (!attributes) return pass(attributes, "netlink status");
  result.text = attributes->string(NLMSGERR_ATTR_MSG).value_or("");
  return result;
}

Request::Request(uint16_t type, uint16_t flags) {
  nlmsghdr header{};
  header.nlmsg_type = type;
  header.nlmsg_flags = static_cast<uint16_t>(flags | NLM_F_REQUEST);
  // A dump ends with NLMSG_DONE; everything else is acknowledged, so that an exchange has an end.
  if ((flags & NLM_F_DUMP) != NLM_F_DUMP) header.nlmsg_flags |= NLM_F_ACK;
  append(bytes_of(header));
}

void Request::append(Bytes data) {
  bytes_.insert(bytes_.end(), data.begin(), data.end());
  bytes_.resize(align4(bytes_.size()));
  const auto length = static_cast<uint32_t>(bytes_.size());
  write_at(offsetof(nlmsghdr, nlmsg_len), bytes_of(length));
}

void Request::write_at(size_t offset, Bytes data) {
  std::memcpy(bytes_.data() + offset, data.data(), data.size());
}

void Request::put(uint16_t type, Bytes data) {
  const nlattr header{static_cast<uint16_t>(sizeof(nlattr) + data.size()), type};
  append(bytes_of(header));
  append(data);
}

void Request::put_string(uint16_t type, std::string_view text) {
  const std::string terminated(text);
  put(type, std::as_bytes(std::span(terminated.c_str(), terminated.size() + 1)));
}

void Request::nest(uint16_t type, const std::function<void()>& fill) {
  const size_t start = bytes_.size();
  put(static_cast<uint16_t>(type | NLA_F_NESTED), {});
  fill();
  const auto length = static_cast<uint16_t>(bytes_.size() - start);
  write_at(start + offsetof(nlattr, nla_len), bytes_of(length));
}

void Request::set_sequence(uint32_t sequence) {
  write_at(offsetof(nlmsghdr, nlmsg_seq), bytes_of(sequence));
}

}  // namespace railhead::netlink
