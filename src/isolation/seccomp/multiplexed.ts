/**
 * Calls that 32-bit x86 also has as a part of another: socketcall(2) and ipc(2), whose first argument says which one is
 * meant. What a profile says of socket(2) is to hold for both ways, as libseccomp sees to as well. Pure.
 */
import type { Seccomp, SeccompRule } from "../../spec/config.ts";
import { lets } from "./actions.ts";

interface Multiplexer {
  readonly name: string;
  /** The bits of the first argument that say which call is meant. */
  readonly mask: number;
  /** In the order of numbers from 1 on; "-" where there is none. */
  readonly calls: string;
}

const MULTIPLEXERS: readonly Multiplexer[] = [
  {
    // include/uapi/linux/net.h
    name: "socketcall",
    mask: 0xffffffff,
    calls:
      "socket bind connect listen accept getsockname getpeername socketpair send recv sendto recvfrom shutdown setsockopt " +
      "getsockopt sendmsg recvmsg accept4 recvmmsg sendmmsg",
  },
  {
    // include/uapi/linux/ipc.h; the upper half is a version, which the kernel leaves out.
    name: "ipc",
    mask: 0xffff,
    calls:
      "semop semget semctl semtimedop - - - - - - msgsnd msgrcv msgget msgctl - - - - - - shmat shmdt shmget shmctl",
  },
];

/**
 * The profile with rules for the multiplexed ways of the calls that it names. A profile that names a multiplexer itself has
 * said what is to become of it.
 */
export function withMultiplexed(profile: Seccomp): Seccomp {
  const rules = profile.syscalls ?? [];
  const added = MULTIPLEXERS.filter(({ name }) => !rules.some(({ names }) => names.includes(name))).flatMap(
    (multiplexer) =>
      multiplexer.calls.split(" ").flatMap((call, index) => {
        const rule = decisiveRule(rules.filter(({ names }) => names.includes(call)));
        return rule === undefined ? [] : [through(multiplexer, index + 1, rule)];
      }),
  );
  return added.length === 0 ? profile : { ...profile, syscalls: [...rules, ...added] };
}

/**
 * The arguments are in memory there, where a filter cannot see them: conditions cannot be kept, and what they would refuse
 * is refused always.
 */
function decisiveRule(rules: readonly SeccompRule[]): SeccompRule | undefined {
  return rules.find(({ args = [] }) => args.length === 0) ?? rules.find(({ action }) => !lets(action));
}

function through({ name, mask }: Multiplexer, number: number, { action, errnoRet }: SeccompRule): SeccompRule {
  return {
    names: [name],
    action,
    ...(errnoRet === undefined ? {} : { errnoRet }),
    args: [{ index: 0, op: "SCMP_CMP_MASKED_EQ", value: mask, valueTwo: number }],
  };
}
