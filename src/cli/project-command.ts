import {imageContext} from '../environments/create/request.js'
import {type ProjectEnvironment, whileAlone} from '../project/environment.js'
import {notTrustedError} from '../project/errors.js'
import {openProjectImage} from '../project/image.js'
import {type ProjectPlan, planEnvironment} from '../project/plan.js'
import {allow, isAllowed, outreachOf} from '../project/trust.js'
import {bringUp, type UpOptions, type UpResult} from '../project/up.js'
import {EnvsCommand} from './command.js'
import {escapeText, writeError} from './output.js'
import {Flags} from './parse.js'
import {runCreation} from './views/creation.js'

/** The flags of commands that bring an environment of a project up. */
export function upFlags() {
  return {
    replace: Flags.boolean({description: 'also hide changes that were made by hand; a snapshot keeps them'}),
    force: Flags.boolean({char: 'f', description: 'stop a running environment that has to be replaced'}),
    'keep-failed': Flags.boolean({description: 'keep the state in which a step failed, as NAME-failed'}),
    offline: Flags.boolean({description: 'send no request: use what is cached'}),
    yes: Flags.boolean({char: 'y', description: 'allow what the file asks for beyond its own environment'}),
  }
}

/** The option for another file than the nearest. */
export function projectFileFlag() {
  return Flags.string({description: 'the file [default: the nearest envs.toml above]', helpValue: 'PATH'})
}

type UpFlags = Pick<UpOptions, 'force'> & {
  readonly replace: boolean
  readonly 'keep-failed': boolean
  readonly offline: boolean
  readonly yes: boolean
}

/** Base class of the commands that compare environments with the file of a project, and bring them up. */
export abstract class ProjectCommand extends EnvsCommand {
  /** Compares one environment with the file. */
  protected async plan(
    environment: ProjectEnvironment,
    {offline}: Pick<UpFlags, 'offline'>,
  ): Promise<ProjectPlan> {
    const host = this.openHost()
    const signal = this.signal()
    const settings = await this.settings()
    const context = imageContext(host, settings, {signal, offline, onNotice: this.reportNotice})
    const image = await openProjectImage(host, environment, {settings, context, onNotice: this.reportNotice})
    return planEnvironment(host, environment, image, {signal})
  }

  /** Brings one environment up. Asks before anything that reaches out of it. */
  protected async bringUp(environment: ProjectEnvironment, flags: UpFlags): Promise<UpResult> {
    const host = this.openHost()
    await this.#askFor(environment, flags)
    const onWait = () => this.note(`${environment.name}: another command brings it up; waiting for it.`)
    return whileAlone(host, environment, {signal: this.signal(), onWait}, (present) =>
      this.#bringUp(present, flags),
    )
  }

  async #bringUp(environment: ProjectEnvironment, flags: UpFlags): Promise<UpResult> {
    const host = this.openHost()
    const settings = await this.settings()
    const plan = await this.plan(environment, flags)
    const output = this.#stepOutput()
    const {force, replace, 'keep-failed': keepsFailed} = flags
    const isSynced = settings.value('durable') !== 'never'
    const hooks = {
      signal: this.signal(),
      onLayer: ({title}: {title: string}) => this.note(`${environment.name}: ${title}`),
      onWait: () => this.note(`${environment.name}: another command makes the same layers; waiting for it.`),
      onOutput: output.onOutput,
      runCreation: (creation: Parameters<typeof runCreation>[0]) =>
        runCreation(creation, this.creationHooks()),
    }
    try {
      return await bringUp(host, plan, {options: {isSynced, replaces: replace, force, keepsFailed}, hooks})
    } catch (error) {
      output.printKept()
      throw error
    }
  }

  async #askFor(environment: ProjectEnvironment, {yes}: Pick<UpFlags, 'yes'>): Promise<void> {
    const host = this.openHost()
    if (isAllowed(host, environment)) return
    const {wishes} = outreachOf(environment)
    const {path} = environment
    if (!yes && (this.jsonEnabled() || !process.stdin.isTTY || !process.stderr.isTTY))
      throw notTrustedError({path, wishes})
    if (!yes) for (const wish of wishes) this.note(`  ${wish}`)
    await this.confirm(
      `${path} asks for ${wishes.length === 1 ? 'this' : 'these'} beyond its own environment. Allow it?`,
      {yes},
    )
    await allow(host, environment)
  }

  /** The output of steps goes to standard error; with --quiet, only that of one that fails. */
  #stepOutput() {
    const kept: Buffer[] = []
    let size = 0
    const isQuiet = this.quiet || this.jsonEnabled()
    return {
      onOutput: (_: unknown, chunk: Buffer) => {
        if (!isQuiet) return writeError(escapeLinesOf(chunk))
        kept.push(chunk)
        size += chunk.length
        while (size > MOST_KEPT_BYTES) size -= kept.shift()?.length ?? 0
      },
      printKept: () => writeError(kept.map(escapeLinesOf).join('')),
    }
  }
}

/** Of the output of a step, under --quiet. */
const MOST_KEPT_BYTES = 64 * 1024

/** The output is the guest's: it must not steer the terminal. */
function escapeLinesOf(chunk: Buffer): string {
  return chunk
    .toString('utf8')
    .split('\n')
    .map((line) => escapeText(line.replace(/\r$/, '')))
    .join('\n')
}
