export function inspectImage(_i: string, _n: string): unknown {
  throw new Error("none");
}
