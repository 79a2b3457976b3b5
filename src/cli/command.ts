import {Command, Config, type Interfaces} from '@oclif/core'
import {type Host, openCheckedHost} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import type {Resolution} from '../images/resolve.js'
import {type EndingSignal, InterruptedError} from './errors.js'
import {escapeLines, outputColumns, writeError, writeJson, writeOutput} from './output.js'
import {explainLine, Flags} from './parse.js'
import {chooseProgress, runStages, type Stage} from './progress.js'
import {type Failure, sessionStatus, tellFailure} from './render-error.js'
import {type Column, renderTable} from './table.js'
import {describeKept, type KeepingEvent, type Kept, MADE_INSTEAD, noteKept} from './views/creation.js'
import {
  describeFallback,
  describeIsolationGap,
  describeNotice,
  describeOverBudget,
  type ImageNotice,
} from './views/text.js'

/** What a stage has to say, kept until the display of the stages is over. */
type Untold = {readonly tell: () => void; readonly when: 'always' | 'success'}

/** Parsed flags or arguments, by name. */
type Values = {[name: string]: unknown}

/** As much of the library's configuration as a command needs to run; the whole one reads package.json and the manifest. */
class RunningConfig extends Config {
  override bin = 'envs'

  /** There are no hooks. */
  override async runHook() {
    return {failures: [], successes: []}
  }

  /** The library's own variables are none of ours. */
  override scopedEnvVar(): undefined {
    return undefined
  }
}

/**
 * What every command shares: flags, where output goes, how a failure is told.
 *
 * A command parses, makes one call, prints, and returns the value that `--json` shows: an object or an
 * array, never undefined (nothing would be printed).
 */
export abstract class EnvsCommand extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    quiet: Flags.boolean({
      char: 'q',
      description: 'print results only, no progress and no notes',
      env: 'ENVS_QUIET',
      helpGroup: 'GLOBAL',
    }),
    verbose: Flags.boolean({
      description: 'print details, and causes of failures',
      env: 'ENVS_VERBOSE',
      helpGroup: 'GLOBAL',
    }),
  }

  /** What `parse` found; false before it. */
  protected quiet = false
  protected verbose = false

  #host: Host | undefined
  #interruption: Interruption | undefined
  #untold: Untold[] = []
  #kept: Kept = {}

  /**
   * Runs the command to its end, output and failures included; its exit status is the process's.
   *
   * @param id - The words of its name, separated by `:`.
   */
  static async start(
    this: new (
      argv: string[],
      config: Config,
    ) => EnvsCommand,
    argv: readonly string[],
    id: string,
  ): Promise<void> {
    const command = new this([...argv], new RunningConfig({root: packageRoot()}))
    command.id = id
    await command._run()
  }

  protected openHost(): Host {
    this.#host ??= openCheckedHost()
    return this.#host
  }

  /** Aborted by Ctrl-C and its like, for work that must tidy up; asking for it is what catches the signals. */
  protected signal(): AbortSignal {
    this.#interruption ??= catchInterruption()
    return this.#interruption.signal
  }

  /** Gives the signals back, for work that has its own way with them. @throws What they have asked for until now. */
  protected releaseSignals(): void {
    this.#interruption?.signal.throwIfAborted()
    this.#interruption?.release()
    this.#interruption = undefined
  }

  /** A line, or a laid-out table, of the result: standard output, and nothing under `--json`. */
  protected print(text: string): void {
    if (!this.jsonEnabled()) writeOutput(`${escapeLines(text)}\n`)
  }

  /** Rows of the result; nothing at all when there are none. */
  protected printTable<Row>(rows: readonly Row[], layout: readonly Column<Row>[]): void {
    if (rows.length > 0) this.print(renderTable(rows, layout, outputColumns()))
  }

  /** What a user may care to know beside the result: standard error, unless `--quiet` or `--json`. */
  protected note(text: string): void {
    if (!this.quiet && !this.jsonEnabled()) writeError(`${escapeLines(text)}\n`)
  }

  /** What a user has to know: standard error, also under `--quiet` and `--json`. */
  override warn(text: string): string {
    writeError(`envs: warning: ${escapeLines(text)}\n`)
    return text
  }

  /** Warns of what programs of an environment are not kept from. */
  protected warnOfGaps(gaps: readonly Parameters<typeof describeIsolationGap>[0][]): void {
    for (const gap of gaps) this.warn(`${describeIsolationGap(gap)}.`)
  }

  /** Warns of a store that has outgrown its budget. */
  protected warnOfBudget(over: Parameters<typeof describeOverBudget>[0] | undefined): void {
    if (over !== undefined) this.warn(describeOverBudget(over))
  }

  /** Runs the stages one after another and shows them as far as the output allows. */
  protected async runStages(stages: readonly Stage[]): Promise<void> {
    const {environment} = this.openHost()
    let hasFailed = true
    try {
      await runStages(stages, chooseProgress({silent: this.quiet || this.jsonEnabled(), environment}))
      hasFailed = false
    } finally {
      for (const {tell, when} of this.#untold) if (when === 'always' || !hasFailed) tell()
      this.#untold = []
    }
  }

  /** Remembers what an interruption leaves to go on from. */
  protected readonly noteDownload = (event: KeepingEvent): void => {
    this.#kept = noteKept(this.#kept, event)
  }

  /** Tells, once the stages are over, of what came up while an image was looked for. */
  protected readonly tellNotice = (notice: ImageNotice): void => {
    const text = describeNotice(notice)
    // A failure names the servers itself.
    if (notice.kind === 'source-unreachable')
      this.#untold.push({tell: () => this.note(text), when: 'success'})
    else this.#untold.push({tell: () => this.warn(text), when: 'always'})
  }

  /** Tells, once the stages are over, of a way out that makes up for the servers that did not answer. */
  #tellFallback(text: string): void {
    this.#untold = this.#untold.filter(({when}) => when === 'always')
    this.#untold.push({tell: () => this.note(text), when: 'always'})
  }

  /** What {@link runCreation} tells of, as a command shows it. */
  protected creationHooks() {
    return {
      runStages: (stages: readonly Stage[]) => this.runStages(stages),
      onDownload: this.noteDownload,
      onResolved: (resolution: Resolution) => {
        if (resolution.kind !== 'kept') return
        const {image, reason} = resolution
        this.#tellFallback(describeFallback(image, {reason, now: this.openHost().now()}))
      },
      onUnreachable: () => this.#tellFallback(MADE_INSTEAD),
    }
  }

  /**
   * Goes on only if the user agrees.
   *
   * @throws {@link confirmationNeededError} Without a terminal, or under `--json`.
   * @throws {@link declinedError}
   */
  protected async confirm(question: string, {yes}: {yes: boolean}): Promise<void> {
    if (yes) return
    const {askYesNo} = await import('./confirm.js')
    await askYesNo(question, {canAsk: !this.jsonEnabled(), signal: this.signal()})
  }

  /** Also keeps the shared flags. @throws {CommandLineError} */
  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options: Interfaces.Input<F, B, A>,
    argv = this.argv,
  ) {
    // The library warns of a command that ends without it, also where the line is what is wrong.
    this.parsed = true
    const parsed = await super.parse<F, B, A>(options, argv).catch((error: unknown) => {
      const flags = {...options.baseFlags, ...options.flags}
      throw explainLine(error, {argv, flags, id: this.id ?? ''})
    })
    const flags: Readonly<Record<string, unknown>> = parsed.flags
    this.quiet = flags['quiet'] === true
    this.verbose = flags['verbose'] === true
    return parsed
  }

  /** The exit status a failure ends with. */
  protected exitStatusFor(failure: Failure): number {
    return failure.exitCode
  }

  protected override logJson(json: unknown): void {
    writeJson(json)
  }

  /** The library's own would look for deprecated names. */
  protected override async init(): Promise<void> {}

  protected override async catch(error: unknown): Promise<void> {
    const signal = this.#interruption?.signal
    // Whatever broke off because of the signal, the signal is what the user did.
    tellFailure(signal?.aborted ? signal.reason : error, {
      json: this.jsonEnabled(),
      verbose: this.verbose,
      statusOf: (failure) => this.exitStatusFor(failure),
      kept: signal?.aborted ? describeKept(this.#kept) : undefined,
    })
  }

  protected override async finally(): Promise<void> {
    this.#interruption?.release()
  }
}

const ENDING_SIGNALS: readonly EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

export type Interruption = {
  /** Aborted, with an InterruptedError as its reason, by the first signal that would end the process. */
  readonly signal: AbortSignal
  /** Gives the signals their default action again. */
  release(): void
}

/** Turns Ctrl-C and its like into an abort; a second one ends the process at once, as before. */
export function catchInterruption(): Interruption {
  const controller = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      release()
      process.kill(process.pid, signal)
      return
    }
    // Still listening: the package that restores the cursor ends the process when nobody else listens.
    const ending = ENDING_SIGNALS.find((name) => name === signal)
    if (ending !== undefined) controller.abort(new InterruptedError(ending))
  }
  const release = () => {
    for (const name of ENDING_SIGNALS) process.off(name, onSignal)
  }
  for (const name of ENDING_SIGNALS) process.on(name, onSignal)
  return {signal: controller.signal, release}
}

/** A command whose exit status is the guest's. */
export abstract class SessionCommand extends EnvsCommand {
  protected override exitStatusFor(failure: Failure): number {
    return sessionStatus(failure)
  }
}
