/**
 * What an image says of the containers made from it: the object `config` of the OCI image configuration
 * (image-spec config.md).
 */
export interface ImageConfig {
  readonly User?: string;
  readonly ExposedPorts?: Readonly<Record<string, object>>;
  readonly Env?: readonly string[];
  readonly Entrypoint?: readonly string[];
  readonly Cmd?: readonly string[];
  readonly Volumes?: Readonly<Record<string, object>>;
  readonly WorkingDir?: string;
  readonly Labels?: Readonly<Record<string, string>>;
  readonly StopSignal?: string;
  readonly Healthcheck?: Healthcheck;
  /** Instructions that an image built on this one begins with: docker's addition, as is the next. */
  readonly OnBuild?: readonly string[];
  /** What runs commands of the Dockerfile that are one text. */
  readonly Shell?: readonly string[];
}

/** How to find out whether a container does its work: docker's addition to the specification. Times are in nanoseconds. */
export interface Healthcheck {
  /** `["NONE"]`, `["CMD", ...]` or `["CMD-SHELL", text]`; empty or missing: that of the image below. */
  readonly Test?: readonly string[];
  /** From the end of a check to the next; 0, here and below, is the same as none given. */
  readonly Interval?: number;
  readonly Timeout?: number;
  /** How long failures after the start do not count. */
  readonly StartPeriod?: number;
  /** In place of `Interval` within that time, until a check succeeds. */
  readonly StartInterval?: number;
  /** Failures in a row that make it unhealthy. */
  readonly Retries?: number;
}
