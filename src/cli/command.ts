import {Command, Config, type Interfaces} from '@oclif/core'
import {type FlagTexts, readSettings, type Settings} from '../config/settings.js'
import type {LookupNotice} from '../environments/create/request.js'
import {codeOf, didYouMean, EnvsError} from '../errors.js'
import {type Host, openCheckedHost} from '../host/host.js'
import {packageRoot} from '../host/paths.js'
import type {Resolution} from '../images/resolve.js'
import type {LockPatience} from '../store/locks.js'
import {type EndingSignal, InterruptedError} from './errors.js'
import {verbHabits} from './habits/find.js'
import {escapeLines, outputColumns, writeError, writeJson, writeOutput} from './output.js'
import {explainLine, Flags} from './parse.js'
import {chooseProgress, runStages, type Stage, type StageTiming} from './progress.js'
import {type Failure, reportFailure, sessionStatus} from './render-error.js'
import {type Column, renderTable} from './table.js'
import {
  addResumable,
  BUILT_INSTEAD,
  describeResumable,
  type KeepingEvent,
  type Resumable,
} from './views/creation.js'
import {
  describeFallback,
  describeIsolationGap,
  describeNotice,
  describeOverBudget,
  describeWait,
} from './views/text.js'
import {TIMING_COLUMNS, timingRows} from './views/timings.js'

/** A message of a stage, held back until the display of the stages ends. */
type DeferredMessage = {readonly print: () => void; readonly when: 'always' | 'success'}

/** Parsed flags or arguments, by name. */
type Values = {[name: string]: unknown}

/** The part of oclif's configuration that a command needs to run; the full one reads package.json and the manifest. */
class RunningConfig extends Config {
  override bin = 'envs'

  /** There are no hooks. */
  override async runHook() {
    return {failures: [], successes: []}
  }

  /** Disables oclif's own environment variables. */
  override scopedEnvVar(): undefined {
    return undefined
  }
}

/**
 * Base class of all commands: common flags, output, and the report of failures.
 *
 * A command parses, makes one call, prints, and returns the value that `--json` shows: an object or an array,
 * never undefined (nothing would be printed).
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

  /** Set by `parse`; false before. */
  protected quiet = false
  protected verbose = false

  #host: Host | undefined
  #interruption: Interruption | undefined
  #deferred: DeferredMessage[] = []
  #resumable: Resumable = {}
  #timings: StageTiming[] = []
  #showsTimings = false

  /**
   * Runs the command, including its output and the report of failures; sets the exit status of the process.
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

  /** Reads the settings, and warns of names in the file that are no settings. @throws As `readSettings`. */
  protected async settings(flags?: FlagTexts): Promise<Settings> {
    const settings = await readSettings(this.openHost(), flags)
    for (const {name, nearest, path} of settings.unknown)
      this.warn([`there is no setting "${name}", which ${path} sets.`, ...didYouMean(nearest)].join(' '))
    return settings
  }

  /**
   * Returns a signal that Ctrl-C, SIGTERM and SIGHUP abort, for work with cleanup. The first call installs the
   * signal handlers.
   */
  protected signal(): AbortSignal {
    this.#interruption ??= catchInterruption()
    return this.#interruption.signal
  }

  /**
   * Removes the signal handlers, for work that handles signals itself.
   *
   * @throws The reason of a signal that arrived before.
   */
  protected releaseSignals(): void {
    this.#interruption?.signal.throwIfAborted()
    this.#interruption?.release()
    this.#interruption = undefined
  }

  /** Prints a line or a table of the result on standard output; nothing under `--json`. */
  protected print(text: string): void {
    if (!this.jsonEnabled()) writeOutput(`${escapeLines(text)}\n`)
  }

  /** Prints the rows of the result; nothing if there are none. */
  protected printTable<Row>(rows: readonly Row[], layout: readonly Column<Row>[]): void {
    if (rows.length > 0) this.print(renderTable(rows, layout, outputColumns()))
  }

  /** Prints a note on standard error, unless `--quiet` or `--json`. */
  protected note(text: string): void {
    if (!this.quiet && !this.jsonEnabled()) writeError(`${escapeLines(text)}\n`)
  }

  /** Prints a warning on standard error, also under `--quiet` and `--json`. */
  override warn(text: string): string {
    writeError(`envs: warning: ${escapeLines(text)}\n`)
    return text
  }

  /** Warns of gaps in the isolation of an environment. */
  protected warnOfGaps(gaps: readonly Parameters<typeof describeIsolationGap>[0][]): void {
    for (const gap of gaps) this.warn(`${describeIsolationGap(gap)}.`)
  }

  /** Warns of a store that exceeds its budget. */
  protected warnOfBudget(over: Parameters<typeof describeOverBudget>[0] | undefined): void {
    if (over !== undefined) this.warn(describeOverBudget(over))
  }

  /** Runs the stages in order, and shows them as far as the output allows. */
  protected async runStages(stages: readonly Stage[]): Promise<void> {
    const {environment} = this.openHost()
    let hasFailed = true
    try {
      const mode = chooseProgress({silent: this.quiet || this.jsonEnabled(), environment})
      this.#timings.push(...(await runStages(stages, mode)))
      hasFailed = false
    } finally {
      for (const {print, when} of this.#deferred) if (when === 'always' || !hasFailed) print()
      this.#deferred = []
    }
  }

  /** Records progress that an interruption leaves to resume from. */
  protected readonly noteDownload = (event: KeepingEvent): void => {
    this.#resumable = addResumable(this.#resumable, event)
  }

  /** Reports a notice of the image lookup after the stages end. */
  protected readonly reportNotice = (notice: LookupNotice): void => {
    const text = describeNotice(notice)
    // A failure names the servers in its message.
    if (notice.kind === 'source-unreachable')
      this.#deferred.push({print: () => this.note(text), when: 'success'})
    else this.#deferred.push({print: () => this.warn(text), when: 'always'})
  }

  /** Reports a fallback after the stages end, instead of the servers that did not answer. */
  #reportFallback(text: string): void {
    this.#deferred = this.#deferred.filter(({when}) => when === 'always')
    this.#deferred.push({print: () => this.note(text), when: 'always'})
  }

  /** Returns how long the command waits for others that use the same environment; it reports the wait. */
  protected patience(waitMs: number): LockPatience {
    const onWait = (name: string) => this.note(describeWait(name, waitMs))
    return {waitMs, onWait}
  }

  /** Returns the hooks of {@link runCreation} for a command. */
  protected creationHooks() {
    return {
      runStages: (stages: readonly Stage[]) => this.runStages(stages),
      onDownload: this.noteDownload,
      onResolved: (resolution: Resolution) => {
        if (resolution.kind !== 'kept') return
        const {image, reason} = resolution
        this.#reportFallback(describeFallback(image, {reason, now: this.openHost().now()}))
      },
      onUnreachable: () => this.#reportFallback(BUILT_INSTEAD),
    }
  }

  /**
   * Asks for confirmation.
   *
   * @throws {@link confirmationNeededError} Without a terminal, or under `--json`.
   * @throws {@link declinedError} If the user says no.
   */
  protected async confirm(question: string, {yes}: {yes: boolean}): Promise<void> {
    if (yes) return
    const {askYesNo} = await import('./confirm.js')
    await askYesNo(question, {canAsk: !this.jsonEnabled(), signal: this.signal()})
  }

  /** Parses the command line, and stores the common flags. @throws {CommandLineError} */
  protected override async parse<F extends Values, B extends Values, A extends Values>(
    options: Interfaces.Input<F, B, A>,
    argv = this.argv,
  ) {
    // oclif warns about a command that ends without it, even after a parse error.
    this.parsed = true
    const parsed = await super.parse<F, B, A>(options, argv).catch((error: unknown) => {
      const flags = {...options.baseFlags, ...options.flags}
      throw explainLine(error, {argv, flags, id: this.id ?? ''})
    })
    const flags: Readonly<Record<string, unknown>> = parsed.flags
    this.quiet = flags['quiet'] === true
    this.verbose = flags['verbose'] === true
    this.#showsTimings = flags['timings'] === true
    return parsed
  }

  /** Returns the exit status of a failure. */
  protected exitStatusFor(failure: Failure): number {
    return failure.exitCode
  }

  protected override logJson(json: unknown): void {
    writeJson(json)
  }

  /** Replaces oclif's `init`, which looks for deprecated names. */
  protected override async init(): Promise<void> {}

  protected override async catch(error: unknown): Promise<void> {
    const signal = this.#interruption?.signal
    // An aborted command reports the signal, not the error that it caused.
    reportFailure(signal?.aborted ? signal.reason : await this.#explained(error), {
      json: this.jsonEnabled(),
      verbose: this.verbose,
      statusOf: (failure) => this.exitStatusFor(failure),
      resumable: signal?.aborted ? describeResumable(this.#resumable) : undefined,
    })
  }

  /**
   * Adds the finding of the doctor to the failure of a program of the host that works on a tree, and the right word to a name
   * that is a verb of another tool.
   */
  async #explained(error: unknown): Promise<unknown> {
    const host = this.#host
    if (codeOf(error) === 'ENVS_NOT_FOUND') {
      const {explainName} = await import('./habits/missing.js')
      return explainName(error, verbHabits(this.id ?? '', this.argv))
    }
    if (host === undefined || codeOf(error) !== 'ENVS_NO_NAMESPACE' || !(error instanceof EnvsError))
      return error
    const {explainNamespace} = await import('../environments/doctor/explain-start.js')
    return explainNamespace(host, error)
  }

  protected override async finally(): Promise<void> {
    if (this.#showsTimings && this.#timings.length > 0)
      writeError(`${renderTable(timingRows(this.#timings), TIMING_COLUMNS, outputColumns())}\n`)
    this.#interruption?.release()
  }
}

const ENDING_SIGNALS: readonly EndingSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP']

export type Interruption = {
  /** Aborted with an InterruptedError by the first signal that would end the process. */
  readonly signal: AbortSignal
  /** Restores the default action of the signals. */
  release(): void
}

/** Turns SIGINT, SIGTERM and SIGHUP into an abort; a second signal ends the process at once. */
export function catchInterruption(): Interruption {
  const controller = new AbortController()
  const onSignal = (signal: NodeJS.Signals) => {
    if (controller.signal.aborted) {
      release()
      process.kill(process.pid, signal)
      return
    }
    // The listener stays: restore-cursor ends the process if it is the only listener.
    const ending = ENDING_SIGNALS.find((name) => name === signal)
    if (ending !== undefined) controller.abort(new InterruptedError(ending))
  }
  const release = () => {
    for (const name of ENDING_SIGNALS) process.off(name, onSignal)
  }
  for (const name of ENDING_SIGNALS) process.on(name, onSignal)
  return {signal: controller.signal, release}
}

/** Base class of commands with the exit status of the guest. */
export abstract class SessionCommand extends EnvsCommand {
  protected override exitStatusFor(failure: Failure): number {
    return sessionStatus(failure)
  }
}
