/** A command: takes the arguments after its name, returns the exit status. */
export interface Command {
  readonly run: (argv: readonly string[]) => number | Promise<number>;
}
