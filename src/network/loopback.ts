/**
 * The loopback link: all the network that a container without one has.
 */
import { call } from "../linux/error.ts";
import { Handle } from "../linux/fd.ts";

const [AF_UNIX, SOCK_DGRAM, SOCK_CLOEXEC] = [1, 2, 0o2000000];
const [SIOCGIFFLAGS, SIOCSIFFLAGS] = [0x8913, 0x8914];
const IFF_UP = 1;
/** struct ifreq of linux/if.h: the name in 16 bytes, then a union whose first two are the flags. */
const [IFREQ_BYTES, FLAGS_AT] = [40, 16];

/** Sets it up in the network namespace of this process. Any socket will do for that (netdevice(7)). */
export function loopbackUp(): void {
  using socket = new Handle(call("socket", "lo", AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const request = new DataView(new ArrayBuffer(IFREQ_BYTES));
  request.setUint8(0, "l".charCodeAt(0));
  request.setUint8(1, "o".charCodeAt(0));
  call("ioctl", "lo", socket.fd, SIOCGIFFLAGS, request.buffer);
  request.setUint16(FLAGS_AT, request.getUint16(FLAGS_AT, true) | IFF_UP, true);
  call("ioctl", "lo", socket.fd, SIOCSIFFLAGS, request.buffer);
}
