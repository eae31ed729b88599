export function run(_argv: readonly string[]): number {
  return 1;
}
