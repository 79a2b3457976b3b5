import type {Command, Interfaces} from '@oclif/core'
import {Flags} from './definitions.js'
import {writeJson} from './output.js'
import {type LineDeclarations, parsePlainLine} from './plain-line.js'

/** The library's parsed flags or arguments, by name. */
type Values = {[name: string]: unknown}

type Parsed<F extends Values, B extends Values, A extends Values> = Pick<
  Interfaces.ParserOutput<F, B, A>,
  'args' | 'argv' | 'flags'
>

/**
 * A command as the command library declares one, so that its help and its manifest know it; but one that runs without
 * the library, which takes longer to load than most commands take to run.
 */
export abstract class DeclaredCommand {
  static summary?: string
  static description?: string
  static usage?: string
  static examples: Command.Example[] = []
  static aliases: string[] = []
  static hiddenAliases: string[] = []
  static hidden = false
  static strict = true
  static args: Interfaces.ArgInput = {}
  static flags: Interfaces.FlagInput = {}
  static baseFlags: Interfaces.FlagInput = {}
  static enableJsonFlag = false

  /**
   * Runs it to its end and says what there is to say; its exit status is the process's.
   *
   * @param id - The words of its name, separated by `:`.
   */
  static async run(
    this: new (
      argv: string[],
      id: string,
    ) => DeclaredCommand,
    argv: readonly string[],
    id: string,
  ): Promise<void> {
    const command = new this([...argv], id)
    let result: unknown
    try {
      result = await command.run()
    } catch (error) {
      command.catch(error)
    } finally {
      command.finally()
    }
    if (result !== undefined && command.jsonEnabled()) command.logJson(result)
  }

  constructor(
    protected argv: string[],
    protected readonly id: string,
  ) {}

  /** @returns What `--json` shows. */
  abstract run(): Promise<unknown>

  protected abstract catch(error: unknown): void
  protected abstract finally(): void
  protected abstract readonly environment: Readonly<Record<string, string | undefined>>

  /** Whether the result is to be JSON, which can be told before anything is parsed. */
  protected jsonEnabled(): boolean {
    const at = this.argv.indexOf('--json')
    const end = this.argv.indexOf('--')
    return this.#declared.enableJsonFlag && at !== -1 && (end === -1 || at < end)
  }

  protected logJson(json: unknown): void {
    writeJson(json)
  }

  /** @throws {@link commandLineError} */
  protected async parse<F extends Values, B extends Values, A extends Values>(
    input: Interfaces.Input<F, B, A>,
    argv = this.argv,
  ): Promise<Parsed<F, B, A>> {
    this.argv = [...argv]
    const declarations = lineDeclarations(input)
    const parsed =
      (await parsePlainLine(argv, declarations, this.environment)) ??
      (await (await import('./library-line.js')).parseByLibrary(argv, declarations, this.id))
    // Both return what is declared.
    return parsed as Parsed<F, B, A>
  }

  get #declared(): typeof DeclaredCommand {
    return this.constructor as typeof DeclaredCommand
  }
}

/** The library adds the same to its own commands. */
const JSON_FLAG = Flags.boolean({description: 'Format output as json.', helpGroup: 'GLOBAL'})

/** All that may stand on the line of a command. */
export function lineDeclarations<F extends Values, B extends Values, A extends Values>({
  args,
  flags,
  baseFlags,
  enableJsonFlag,
  strict,
}: Interfaces.Input<F, B, A>): LineDeclarations {
  const json = enableJsonFlag === true ? {json: JSON_FLAG} : {}
  return {args: {...args}, flags: {...json, ...baseFlags, ...flags}, strict: strict !== false}
}
