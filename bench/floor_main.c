/* The floor as a program, for comparison with one that is started for each verb:
 *
 *   bench_floor ADD|DEL INDEX NETNS NAME    NAME: in the pod; for DEL, in the host again */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench/floor.h"

static int add(int index, int pod, const char* name) {
  const int socket = floor_socket();
  const int failed = floor_leave(socket, index, pod, name);
  if (failed) return failed;
  if (setns(pod, CLONE_NEWNET) != 0) return -errno;
  return floor_activate(floor_socket(), index, 0);
}

static int del(int index, int pod, const char* name) {
  const int host = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
  const int socket = floor_socket(); /* of the host: it stays there */
  if (setns(pod, CLONE_NEWNET) != 0) return -errno;
  const int failed = floor_return(floor_socket(), index, host, name);
  return failed ? failed : floor_up(socket, index);
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  const int index = atoi(argv[2]);
  const int pod = open(argv[3], O_RDONLY | O_CLOEXEC);
  const int failed =
      strcmp(argv[1], "ADD") == 0 ? add(index, pod, argv[4]) : del(index, pod, argv[4]);
  if (failed) fprintf(stderr, "bench_floor: %s: %s\n", argv[1], strerror(-failed));
  return failed ? 1 : 0;
}
