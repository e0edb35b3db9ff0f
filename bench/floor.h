#ifndef RAILHEAD_BENCH_FLOOR_H
#define RAILHEAD_BENCH_FLOOR_H
/* The least that gives a netdev to a pod and takes it back: the bare changes in the kernel, each
 * one message. They return 0, or -errno. */
#ifdef __cplusplus
extern "C" {
#endif

/* A socket for what follows, in the namespace of the caller. */
int floor_socket(void);

/* In the host: down, then one message that moves and names. The netdev keeps its index. */
int floor_leave(int socket, int index, int pod, const char* name);
/* In the pod: an IPv4 address where `address` is not 0 (network order, /24), then up. */
int floor_activate(int socket, int index, unsigned address);
/* In the pod: down, then one message that moves and names. */
int floor_return(int socket, int index, int host, const char* name);
/* In the host again. */
int floor_up(int socket, int index);

#ifdef __cplusplus
}
#endif
#endif
