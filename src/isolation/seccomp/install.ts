export function installSeccomp(_c: unknown): void {}
