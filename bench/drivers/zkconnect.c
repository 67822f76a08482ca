// zkconnect: opens sessions of anything that speaks the ZooKeeper client protocol, and keeps them until the end.
// One thread, epoll, W of them being opened at a time. Build: cc -O2 -o zkconnect zkconnect.c
//   zkconnect PORT SESSIONS W
// Prints sessions/s, and the median time of one in us, from connect() until the server's answer is there whole.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

// int length, then ConnectRequest: version 0, zxid 0, timeout 30 s, session 0, a password of 16 zeros, readOnly.
static const uint8_t request[49] = { [3] = 45, [18] = 0x75, [19] = 0x30, [31] = 16 };
enum { ANSWER_BYTES = 41 };

typedef struct { int fd, got; double since; } session;
static session *all;
static double *took;
static int port, total, begun, done, epoll;

static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1e6 + t.tv_nsec / 1e3; }
static void die(const char *what) { perror(what); exit(2); }
static int by_size(const void *a, const void *b) { double x = *(const double *)a, y = *(const double *)b; return (x > y) - (x < y); }

static void begin(void) {
  session *s = &all[begun];
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (s->fd < 0) die("socket");
  int one = 1;
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
  s->since = now();
  if (connect(s->fd, (struct sockaddr *)&to, sizeof to) != 0) die("connect");
  if (send(s->fd, request, sizeof request, MSG_NOSIGNAL) != sizeof request) die("send");
  struct epoll_event wanted = { .events = EPOLLIN, .data.u32 = begun++ };
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, s->fd, &wanted) != 0) die("epoll_ctl");
}

int main(int argc, char **argv) {
  if (argc != 4) { fprintf(stderr, "zkconnect PORT SESSIONS W\n"); return 2; }
  port = atoi(argv[1]); total = atoi(argv[2]);
  int width = atoi(argv[3]);
  all = calloc(total, sizeof *all); took = calloc(total, sizeof *took);
  epoll = epoll_create1(0);
  double started = now();
  while (begun < width && begun < total) begin();
  while (done < total) {
    struct epoll_event ready[64];
    int count = epoll_wait(epoll, ready, 64, 10000);
    if (count <= 0) { fprintf(stderr, "no answer within 10 s\n"); return 2; }
    for (int i = 0; i < count; i++) {
      session *s = &all[ready[i].data.u32];
      uint8_t answer[64];
      ssize_t got = recv(s->fd, answer, sizeof answer, 0);
      if (got <= 0) { fprintf(stderr, "session %u: the server closed\n", ready[i].data.u32); return 2; }
      s->got += got;
      if (s->got < ANSWER_BYTES) continue;
      epoll_ctl(epoll, EPOLL_CTL_DEL, s->fd, NULL);
      took[done++] = now() - s->since;
      if (begun < total) begin();
    }
  }
  double seconds = (now() - started) / 1e6;
  qsort(took, total, sizeof *took, by_size);
  printf("%.1f %.1f\n", total / seconds, took[total / 2]);
  return 0;
}
