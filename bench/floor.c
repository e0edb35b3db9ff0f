#include "bench/floor.h"

#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

struct request {
  struct nlmsghdr header;
  union {
    struct ifinfomsg link;
    struct ifaddrmsg address;
  } what;
  char attributes[64];
};

static struct request make(int type, int flags, size_t size) {
  struct request request;
  memset(&request, 0, sizeof(request));
  request.header.nlmsg_type = (uint16_t)type;
  request.header.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
  request.header.nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
  return request;
}

static void add(struct request* request, int type, const void* bytes, size_t size) {
  struct rtattr* attribute =
      (struct rtattr*)((char*)request + NLMSG_ALIGN(request->header.nlmsg_len));
  attribute->rta_type = (uint16_t)type;
  attribute->rta_len = (uint16_t)RTA_LENGTH(size);
  memcpy(RTA_DATA(attribute), bytes, size);
  request->header.nlmsg_len =
      (uint32_t)(NLMSG_ALIGN(request->header.nlmsg_len) + RTA_ALIGN(attribute->rta_len));
}

static int exchange(int socket, const struct request* request) {
  struct {
    struct nlmsghdr header;
    struct nlmsgerr error;
    char rest[256];
  } answer;
  if (send(socket, request, request->header.nlmsg_len, 0) < 0) return -errno;
  if (recv(socket, &answer, sizeof(answer), 0) < 0) return -errno;
  return answer.header.nlmsg_type == NLMSG_ERROR ? answer.error.error : -EPROTO;
}

static int set_up(int socket, int index, int up) {
  struct request request = make(RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
  request.what.link.ifi_index = index;
  request.what.link.ifi_change = IFF_UP;
  request.what.link.ifi_flags = up ? IFF_UP : 0;
  return exchange(socket, &request);
}

static int move(int socket, int index, int netns, const char* name) {
  struct request request = make(RTM_NEWLINK, 0, sizeof(struct ifinfomsg));
  request.what.link.ifi_index = index;
  add(&request, IFLA_NET_NS_FD, &netns, sizeof(netns));
  add(&request, IFLA_IFNAME, name, strlen(name) + 1);
  return exchange(socket, &request);
}

int floor_socket(void) {
  const int on = 1;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (fd < 0) return -errno;
  setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof(on));
  return fd;
}

int floor_leave(int socket, int index, int pod, const char* name) {
  const int failed = set_up(socket, index, 0);
  return failed ? failed : move(socket, index, pod, name);
}

int floor_activate(int socket, int index, unsigned address) {
  if (address != 0) {
    struct request request = make(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifaddrmsg));
    request.what.address.ifa_family = AF_INET;
    request.what.address.ifa_prefixlen = 24;
    request.what.address.ifa_index = (uint32_t)index;
    add(&request, IFA_LOCAL, &address, sizeof(address));
    add(&request, IFA_ADDRESS, &address, sizeof(address));
    const int failed = exchange(socket, &request);
    if (failed) return failed;
  }
  return set_up(socket, index, 1);
}

int floor_return(int socket, int index, int host, const char* name) {
  return floor_leave(socket, index, host, name);
}

int floor_up(int socket, int index) { return set_up(socket, index, 1); }
