/*
 * Listens on a Unix socket, takes one descriptor and tells what it is: `name=...`, `target=...`, what /proc says of a pidfd, or all
 * that is read from a terminal. `receiver SOCKET`. It says "listening" once somebody can connect.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int take(int listener, char *name, size_t size) {
  int connection = accept(listener, NULL, NULL);
  if (connection < 0) fail("accept");
  char control[CMSG_SPACE(sizeof(int))];
  struct iovec bytes = {.iov_base = name, .iov_len = size - 1};
  struct msghdr message = {.msg_iov = &bytes, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  ssize_t length = recvmsg(connection, &message, 0);
  if (length < 0) fail("recvmsg");
  name[length] = 0;
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  if (header == NULL || header->cmsg_type != SCM_RIGHTS) {
    fputs("no descriptor\n", stderr);
    exit(1);
  }
  int fd;
  memcpy(&fd, CMSG_DATA(header), sizeof fd);
  close(connection);
  return fd;
}

static void copy(int from) {
  char buffer[4096];
  ssize_t length;
  /* The master of a terminal whose other side is closed gives EIO. */
  while ((length = read(from, buffer, sizeof buffer)) > 0) {
    fwrite(buffer, 1, (size_t)length, stdout);
    fflush(stdout);
  }
}

int main(int argc, char **argv) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path) return 2;
  strcpy(address.sun_path, argv[1]);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 1) < 0) fail(argv[1]);
  puts("listening");
  fflush(stdout);

  char name[4096], path[64], target[256] = "";
  int fd = take(listener, name, sizeof name);
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  if (readlink(path, target, sizeof target - 1) < 0) fail(path);
  printf("name=%s\ntarget=%s\n", name, target);
  fflush(stdout);
  if (isatty(fd)) {
    copy(fd);
    return 0;
  }
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  FILE *info = fopen(path, "r");
  char line[256];
  while (info != NULL && fgets(line, sizeof line, info) != NULL) fputs(line, stdout);
  return 0;
}
