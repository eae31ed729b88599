/**
 * The monitor's side of `attach`: who looks on gets what the program writes, as it comes. Nobody who looks on holds the program up:
 * who falls too far behind is let go.
 *
 * Packets of one byte that says what follows (`PACKET`): a greeting with the terminal, if there is one, output, the end.
 */
import { utf8 } from "../linux/door.ts";
import { EventLoop, READABLE, WRITABLE } from "../linux/eventloop.ts";
import { type Handle, setNonblocking } from "../linux/fd.ts";
import { removeFile } from "../linux/hostpath.ts";
import { acceptFrom, listenAt, SOCK, sendMessage, trySend } from "../linux/socket.ts";
import type { StreamName } from "./log.ts";

export const PACKET = { greeting: 0, stdout: 1, stderr: 2, end: 3 } as const;

/** What a packet has at most, with its first byte. */
export const PACKET_LIMIT_BYTES = 64 * 1024;
/** What is kept for who does not read it. */
const BEHIND_LIMIT_BYTES = 1024 * 1024;
/** How long the end is held up for those who have not read all yet. */
const FAREWELL_MS = 2000;

export interface Greeting {
  /** Whether what is typed is for the program; its terminal comes with the greeting. */
  readonly interactive: boolean;
}

function packet(kind: number, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(data.length + 1);
  bytes[0] = kind;
  bytes.set(data, 1);
  return bytes;
}

interface Spectator {
  readonly connection: Handle;
  behind: Uint8Array[];
  behindBytes: number;
}

/** Opens the place where the monitor is asked; one of a former start goes. */
export function openStand(path: string): Handle {
  removeFile(path);
  const stand = listenAt(path, SOCK.seqpacket);
  setNonblocking(stand.fd, true);
  return stand;
}

export class Spectators {
  readonly #stand: Handle;
  readonly #terminal: Handle | undefined;
  readonly #greeting: Greeting;
  readonly #all = new Set<Spectator>();
  #loop: EventLoop;

  constructor(loop: EventLoop, stand: Handle, terminal: Handle | undefined, greeting: Greeting) {
    this.#loop = loop;
    this.#stand = stand;
    this.#terminal = terminal;
    this.#greeting = greeting;
    loop.watch(stand.fd, () => this.#accept());
  }

  #accept(): void {
    const connection = acceptFrom(this.#stand.fd);
    if (connection === undefined) return;
    setNonblocking(connection.fd, true);
    const spectator = { connection, behind: [], behindBytes: 0 };
    try {
      const greeting = packet(PACKET.greeting, utf8(JSON.stringify(this.#greeting)));
      sendMessage(connection.fd, greeting, this.#terminal === undefined ? [] : [this.#terminal.fd]);
    } catch {
      // It has gone already.
      connection.close();
      return;
    }
    this.#all.add(spectator);
    this.#watch(spectator);
  }

  /** They say nothing: what is to be read is their end. */
  #watch(spectator: Spectator): void {
    const wantsRoom = spectator.behind.length > 0;
    this.#loop.watch(
      spectator.connection.fd,
      (events) => {
        if ((events & WRITABLE) !== 0) this.#catchUp(spectator);
        else this.#letGo(spectator);
      },
      wantsRoom ? WRITABLE : READABLE,
    );
  }

  #letGo(spectator: Spectator): void {
    if (!this.#all.delete(spectator)) return;
    this.#loop.unwatch(spectator.connection.fd);
    spectator.connection.close();
  }

  /** Passes on what the program has written. */
  tell(stream: StreamName, data: Uint8Array): void {
    if (this.#all.size > 0) this.#sendAll(packet(PACKET[stream], data));
  }

  #sendAll(bytes: Uint8Array): void {
    for (const spectator of [...this.#all]) {
      if (spectator.behind.length === 0 && trySend(spectator.connection.fd, bytes)) continue;
      spectator.behind.push(bytes);
      spectator.behindBytes += bytes.length;
      if (spectator.behindBytes > BEHIND_LIMIT_BYTES) this.#letGo(spectator);
      else if (spectator.behind.length === 1) this.#watch(spectator);
    }
  }

  #catchUp(spectator: Spectator): void {
    for (let next = spectator.behind[0]; next !== undefined; next = spectator.behind[0]) {
      if (!trySend(spectator.connection.fd, next)) return;
      spectator.behind.shift();
      spectator.behindBytes -= next.length;
    }
    this.#watch(spectator);
  }

  /** The program has ended: tells that, and waits a moment for who is behind. */
  end(): void {
    this.#sendAll(new Uint8Array([PACKET.end]));
    using loop = new EventLoop();
    this.#loop = loop;
    const behind = () => [...this.#all].some((spectator) => spectator.behind.length > 0);
    let isOver = false;
    loop.after(FAREWELL_MS, () => {
      isOver = true;
    });
    for (const spectator of [...this.#all]) this.#watch(spectator);
    while (!isOver && behind()) loop.turn();
    for (const spectator of [...this.#all]) this.#letGo(spectator);
    this.#stand.close();
  }
}
