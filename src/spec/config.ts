/**
 * The container configuration of the OCI runtime specification 1.2 (config.md, config-linux.md), as types: those of the
 * schema's values. 64-bit quantities are numbers where they are safe integers, else BigInts. Types only: who imports this
 * does not load the schema.
 */
import type * as schema from "./schema.ts";
import type * as ofProcess from "./schema-process.ts";
import type * as ofResources from "./schema-resources.ts";
import type * as ofSeccomp from "./schema-seccomp.ts";
import type { Infer } from "./shape.ts";

export type { Int64 } from "./shape.ts";

// Interfaces, where names are to appear in messages of the compiler.
export interface Spec extends Infer<typeof schema.spec> {}
export interface Root extends Infer<typeof schema.root> {}
export interface Mount extends Infer<typeof schema.mount> {}
export interface Hook extends Infer<typeof schema.hook> {}
export interface Hooks extends Infer<typeof schema.hooks> {}
export type HookKind = keyof Hooks;
export interface IdMapping extends Infer<typeof schema.idMapping> {}

export interface Process extends Infer<typeof ofProcess.process> {}
export interface User extends Infer<typeof ofProcess.user> {}
export interface Rlimit extends Infer<typeof ofProcess.rlimit> {}
export interface Capabilities extends Infer<typeof ofProcess.capabilities> {}
export interface Scheduler extends Infer<typeof ofProcess.scheduler> {}

export interface Linux extends Infer<typeof schema.linux> {}
export type NamespaceType = Infer<typeof schema.namespaceType>;
export interface Namespace extends Infer<typeof schema.namespace> {}
export interface Device extends Infer<typeof schema.device> {}
export interface IntelRdt extends Infer<typeof schema.intelRdt> {}
export interface MemoryPolicy extends Infer<typeof schema.memoryPolicy> {}

export interface Resources extends Infer<typeof ofResources.resources> {}
export interface DeviceRule extends Infer<typeof ofResources.deviceRule> {}
export interface MemoryLimits extends Infer<typeof ofResources.memoryLimits> {}
export interface CpuLimits extends Infer<typeof ofResources.cpuLimits> {}
export interface BlockIoLimits extends Infer<typeof ofResources.blockIoLimits> {}
export interface DeviceRate extends Infer<typeof ofResources.deviceRate> {}

export interface Seccomp extends Infer<typeof ofSeccomp.seccomp> {}
export type SeccompAction = Infer<typeof ofSeccomp.seccompAction>;
export type SeccompOperator = Infer<typeof ofSeccomp.seccompOperator>;
export interface SeccompRule extends Infer<typeof ofSeccomp.seccompRule> {}
