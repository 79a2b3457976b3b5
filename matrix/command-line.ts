import {ExitCode} from '../src/errors.js'

/** Parses the command line of a tool of this repository; undefined when it is wrong: then the reason and the usage are told. */
export function readOptions<Options>(
  argv: readonly string[],
  {parse, usage}: {readonly parse: (argv: readonly string[]) => Options; readonly usage: string},
): Options | undefined {
  try {
    return parse(argv)
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n\n${usage}`)
    process.exitCode = ExitCode.usage
    return undefined
  }
}
