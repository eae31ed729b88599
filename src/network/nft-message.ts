/**
 * nf_tables' messages and the expressions that its rules consist of: include/uapi/linux/netfilter/nf_tables.h.
 * Numbers are in network order here. `nft --debug=netlink` shows the same expressions for the same rules.
 */
import { utf8 } from "../linux/door.ts";
import { type Batch, NLM } from "./netlink.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFPROTO_INET = 1;
export const NFPROTO_IPV4 = 2;

const MSG = {
  newTable: 0,
  delTable: 2,
  newChain: 3,
  newRule: 6,
  getRule: 7,
  newSet: 9,
  newSetElem: 12,
  getSetElem: 13,
  delSetElem: 14,
} as const;
type MessageName = keyof typeof MSG;

/** `struct nfgenmsg` of messages to nf_tables. */
const INET_HEADER = new Uint8Array([NFPROTO_INET, 0, 0, 0]);
/** Of the messages around a batch: the resource is the subsystem, in network order. */
const BATCH_HEADER = new Uint8Array([0, 0, 0, NFNL_SUBSYS_NFTABLES]);

function add(batch: Batch, name: MessageName, flags: number, about: string, body: () => void): void {
  const type = (NFNL_SUBSYS_NFTABLES << 8) | MSG[name];
  batch.message({ type, flags, about, header: INET_HEADER }, body);
}

/** Surrounds requests: all of them are done, in one step, or none. */
export function transaction(batch: Batch, body: () => void): void {
  batch.message({ type: NFNL_MSG_BATCH_BEGIN, about: "change the packet filter (nf_tables)", header: BATCH_HEADER });
  body();
  // The kernel confirms the last message before the end; the end itself only since Linux 6.10.
  batch.acknowledgeLast();
  batch.message({ type: NFNL_MSG_BATCH_END, about: "change the packet filter (nf_tables)", header: BATCH_HEADER });
}

/** @param mayExist without it the request is refused with EEXIST if the table is there */
export function newTable(batch: Batch, table: string, mayExist: boolean): void {
  const flags = mayExist ? NLM.create : NLM.create | NLM.excl;
  add(batch, "newTable", flags, `make the nf_tables table ${table}`, () => batch.string(1, table).be32(2, 0));
}

export function deleteTable(batch: Batch, table: string): void {
  add(batch, "delTable", 0, `delete the nf_tables table ${table}`, () => batch.string(1, table));
}

/** Hooks of the inet family (include/uapi/linux/netfilter.h). */
export const HOOK = { prerouting: 0, input: 1, forward: 2, output: 3, postrouting: 4 } as const;

export interface BaseChain {
  readonly name: string;
  readonly type: "filter" | "nat";
  readonly hook: keyof typeof HOOK;
  readonly priority: number;
}

const NF_ACCEPT = 1;

/** A chain that packets go through; what no rule decides is accepted. */
export function newChain(batch: Batch, table: string, chain: BaseChain): void {
  add(batch, "newChain", NLM.create, `make the nf_tables chain ${chain.name} (${chain.type})`, () => {
    batch.string(1, table).string(3, chain.name);
    batch.string(7, chain.type).be32(5, NF_ACCEPT);
    batch.nest(4, () => batch.be32(1, HOOK[chain.hook]).be32(2, chain.priority));
  });
}

/** What a field of a set's key is: the number by which nft(8) knows the type, and how many bytes it has. */
const FIELDS = {
  ipv4_addr: { id: 7, bytes: 4 },
  inet_proto: { id: 12, bytes: 1 },
  inet_service: { id: 13, bytes: 2 },
  ifname: { id: 41, bytes: 16 },
} as const;
export type Field = keyof typeof FIELDS;

/** Fields of a concatenation fill whole registers of 4 bytes. */
const fieldsBytes = (fields: readonly Field[]) =>
  fields.length === 1 && fields[0] !== undefined
    ? FIELDS[fields[0]].bytes
    : fields.reduce((sum, field) => sum + ((FIELDS[field].bytes + 3) & ~3), 0);
/** nft(8)'s number for a concatenation of types: 6 bits each. */
const fieldsId = (fields: readonly Field[]) => fields.reduce((id, field) => (id << 6) | FIELDS[field].id, 0);

export interface SetDeclaration {
  readonly name: string;
  readonly key: readonly Field[];
  /** With data it is a map. */
  readonly data?: readonly Field[];
  readonly interval?: boolean;
}

const NFT_SET_INTERVAL = 4;
const NFT_SET_MAP = 8;
/** What nft(8) keeps with a set to print it (libnftnl's udata.h): the byte order of the key (1 host, 2 network). */
const UDATA_KEYBYTEORDER = 0;

/** @param id a number of its own within the transaction */
export function newSet(batch: Batch, table: string, set: SetDeclaration, id: number): void {
  add(batch, "newSet", NLM.create, `make the nf_tables set ${set.name}`, () => {
    batch.string(1, table).string(2, set.name);
    batch.be32(3, (set.interval === true ? NFT_SET_INTERVAL : 0) | (set.data === undefined ? 0 : NFT_SET_MAP));
    batch.be32(4, fieldsId(set.key)).be32(5, fieldsBytes(set.key));
    if (set.data !== undefined) batch.be32(6, fieldsId(set.data)).be32(7, fieldsBytes(set.data));
    batch.be32(10, id);
    const order = set.key.length > 1 ? 0 : set.key[0] === "ifname" ? 1 : 2;
    batch.bytes(13, new Uint8Array([UDATA_KEYBYTEORDER, 4, order, 0, 0, 0]));
  });
}

export interface Element {
  readonly key: Uint8Array;
  readonly data?: Uint8Array;
  /** It ends the interval that the element before it began. */
  readonly endsInterval?: boolean;
}

const NFT_SET_ELEM_INTERVAL_END = 1;
/** So many fit into one attribute, whose length is 16 bits wide. */
const ELEMENTS_PER_MESSAGE = 500;

function changeElements(
  batch: Batch,
  name: "newSetElem" | "delSetElem",
  table: string,
  set: string,
  elements: readonly Element[],
): void {
  const about = `${name === "newSetElem" ? "add to" : "remove from"} the nf_tables set ${set}`;
  for (let from = 0; from < elements.length; from += ELEMENTS_PER_MESSAGE) {
    add(batch, name, name === "newSetElem" ? NLM.create : 0, about, () => {
      batch.string(1, table).string(2, set);
      batch.nest(3, () => {
        for (const { key, data, endsInterval } of elements.slice(from, from + ELEMENTS_PER_MESSAGE)) {
          batch.nest(1, () => {
            if (endsInterval === true) batch.be32(3, NFT_SET_ELEM_INTERVAL_END);
            batch.nest(1, () => batch.bytes(1, key));
            if (data !== undefined) batch.nest(2, () => batch.bytes(1, data));
          });
        }
      });
    });
  }
}

/** Adds elements; those that are there already are fine, unless they stand for something else (EEXIST). */
export function addElements(batch: Batch, table: string, set: string, elements: readonly Element[]): void {
  changeElements(batch, "newSetElem", table, set, elements);
}

/** Removes elements; refused with ENOENT if one is not there. */
export function deleteElements(batch: Batch, table: string, set: string, elements: readonly Element[]): void {
  changeElements(batch, "delSetElem", table, set, elements);
}

export function askForRules(batch: Batch, table: string): void {
  add(batch, "getRule", NLM.dump, "list the nf_tables rules", () => batch.string(1, table));
}

/** Asks for one element; refused with ENOENT if it or the set is not there. */
export function askForElement(batch: Batch, table: string, set: string, { key }: Element): void {
  add(batch, "getSetElem", 0, `look into the nf_tables set ${set}`, () => {
    batch.string(1, table).string(2, set);
    batch.nest(3, () => batch.nest(1, () => batch.nest(1, () => batch.bytes(1, key))));
  });
}

export function askForElements(batch: Batch, table: string, set: string): void {
  const about = `list the nf_tables set ${set}`;
  add(batch, "getSetElem", NLM.dump, about, () => batch.string(1, table).string(2, set));
}

/** Writes one expression of a rule. */
export type Expression = (batch: Batch) => void;

function expression(name: string, body: (batch: Batch) => void): Expression {
  return (batch) => {
    batch.nest(1, () => {
      batch.string(1, name);
      batch.nest(2, () => body(batch));
    });
  };
}

/** Adds a rule behind the others of its chain. */
export function newRule(batch: Batch, table: string, chain: string, expressions: readonly Expression[]): void {
  add(batch, "newRule", NLM.create | NLM.append, `add a rule to the nf_tables chain ${chain}`, () => {
    batch.string(1, table).string(2, chain);
    batch.nest(4, () => {
      for (const write of expressions) write(batch);
    });
  });
}

/** Registers: 1 is 16 bytes wide, 8 to 23 are its and the following ones' quarters of 4 bytes. */
export const REG = { whole: 1, second: 9, third: 10, nextWhole: 2 } as const;
const REG_VERDICT = 0;

const META = { iifname: 6, oifname: 7, nfproto: 15, l4proto: 16 } as const;

export const meta = (key: keyof typeof META, register: number = REG.whole): Expression =>
  expression("meta", (batch) => batch.be32(2, META[key]).be32(1, register));

const PAYLOAD = {
  ipv4Source: [1, 12, 4],
  ipv4Destination: [1, 16, 4],
  ipv4SourceFirstByte: [1, 12, 1],
  ipv4DestinationFirstByte: [1, 16, 1],
  destinationPort: [2, 2, 2],
} as const;

export const payload = (part: keyof typeof PAYLOAD, register: number = REG.whole): Expression => {
  const [base, offset, length] = PAYLOAD[part];
  return expression("payload", (batch) => batch.be32(1, register).be32(2, base).be32(3, offset).be32(4, length));
};

const CMP = { is: 0, isNot: 1 } as const;

export const compare = (operator: keyof typeof CMP, value: Uint8Array): Expression =>
  expression("cmp", (batch) => {
    batch.be32(1, REG.whole).be32(2, CMP[operator]);
    batch.nest(3, () => batch.bytes(1, value));
  });

/** Goes on if the first register is, or with `not` is not, in a set; with `data`, what a map says is put there. */
export const lookup = (set: string, how?: "not" | "data"): Expression =>
  expression("lookup", (batch) => {
    batch.be32(2, REG.whole);
    if (how === "data") batch.be32(3, REG.whole);
    batch.string(1, set);
    if (how === "not") batch.be32(5, 1);
  });

const CT = { state: 0, status: 2 } as const;

/** Goes on if one of these bits of the connection's state or status is set. They are numbers of the host's order. */
export const connection = (key: keyof typeof CT, bits: number): readonly Expression[] => [
  expression("ct", (batch) => batch.be32(2, CT[key]).be32(1, REG.whole)),
  expression("bitwise", (batch) => {
    batch.be32(1, REG.whole).be32(2, REG.whole).be32(3, 4);
    batch.nest(4, () => batch.u32(1, bits));
    batch.nest(5, () => batch.u32(1, 0));
  }),
  compare("isNot", new Uint8Array(4)),
];

const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_DADDR = 2;
const RTN_LOCAL = 2;

/** Goes on if the destination is an address of this machine. */
export const toThisMachine: readonly Expression[] = [
  expression("fib", (batch) => batch.be32(3, NFTA_FIB_F_DADDR).be32(2, NFT_FIB_RESULT_ADDRTYPE).be32(1, REG.whole)),
  compare("is", new Uint8Array([RTN_LOCAL, 0, 0, 0])),
];

const VERDICT = { drop: 0, accept: 1, return: -5 } as const;

export const verdict = (what: keyof typeof VERDICT): Expression =>
  expression("immediate", (batch) => {
    batch.be32(1, REG_VERDICT);
    batch.nest(2, () => batch.nest(2, () => batch.be32(1, VERDICT[what])));
  });

export const masquerade: Expression = expression("masq", () => {});

const NFT_NAT_DNAT = 1;

/** Sends the packet to the IPv4 address in the first register and the port in the second. */
export const sendToRegisters: Expression = expression("nat", (batch) =>
  batch.be32(1, NFT_NAT_DNAT).be32(2, NFPROTO_IPV4).be32(3, REG.whole).be32(5, REG.second),
);

/** A link's name as the kernel compares it: 16 bytes. */
export function linkName(name: string): Uint8Array {
  const bytes = new Uint8Array(FIELDS.ifname.bytes);
  bytes.set(utf8(name));
  return bytes;
}
