import {escapeText} from '../src/cli/output.js'
import type {Identity} from '../src/sandbox/identity.js'
import {freePort} from './free-port.js'
import {checkOf, type Package} from './packages.js'
import type {Ran, Store} from './store.js'

/** Longer than any installation on a busy machine; a hanging step is a failure. */
const STEP_TIMEOUT_MS = 30 * 60_000
/** The last lines of a failed step's output that are shown. */
const LAST_LINES = 8

export type Outcome = {
  readonly package: Package
  readonly identity: Identity
  /** From dpkg; undefined if it is not installed. */
  readonly version: string | undefined
  /** Duration of `apt-get install`, including the download. */
  readonly installMs: number
  /** The proof beyond the installation, or the claim that failed. */
  readonly claim: string | undefined
  readonly failure: Failure | undefined
}

export type Failure = {
  readonly step: string
  readonly status: number
  /** The end of the output, escaped. */
  readonly lastLines: readonly string[]
}

export type TrialOptions = {
  readonly store: Store
  readonly rootfs: string
  readonly identity: Identity
  readonly signal?: AbortSignal
  /** A further test of the environment after its check has passed. */
  readonly andThen?: (ask: Ask) => Promise<void>
}

/** Runs a script of sh as the guest's root. */
export type Ask = (script: string) => Promise<Ran>

/** A step that failed. */
class StepFailedError extends Error {
  constructor(readonly failure: Failure) {
    super(failure.step)
    this.name = new.target.name
  }
}

/**
 * Installs a package in a fresh environment, reads dpkg's status, and runs the package's check.
 *
 * Removes the environment in any case.
 */
export async function tryPackage(name: Package, options: TrialOptions): Promise<Outcome> {
  const {store, rootfs, identity, andThen} = options
  const environment = `${name.replaceAll('.', '-')}-${identity}`
  const check = await checkOf(name)
  let version: string | undefined
  let installMs = 0
  const step = stepsOf(options)
  const inside = (what: string, ...command: string[]) => step(what, ['run', environment, '--', ...command])
  const failure = await failureOf(async () => {
    await step('envs create', ['create', rootfs, '--name', environment, '--identity', identity, '--quiet'])
    await inside('apt-get update', 'apt-get', '-q', 'update')
    const beforeMs = performance.now()
    await inside('apt-get install', ...INSTALL, name)
    installMs = performance.now() - beforeMs
    const audit = await inside('dpkg --audit', 'dpkg', '--audit')
    if (audit.output !== '') throw failed('dpkg --audit', audit)
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a format of dpkg-query(1)
    const format = '${db:Status-Abbrev}\t${Version}\n'
    const query = await inside('dpkg-query', 'dpkg-query', '--show', '--showformat', format, name)
    version = /^ii \t(\S+)$/m.exec(query.output)?.[1]
    if (version === undefined) throw failed('dpkg-query', query)
    if (check === undefined) return
    const variables = ['--env', `PORT=${await freePort()}`, '--env', `IDENTITY=${identity}`]
    await step(`check: ${check.claim}`, ['run', ...variables, environment, '--', 'bash', '-c', check.script])
    await andThen?.((script) => store.run(['run', environment, '--', 'sh', '-c', script]))
  })
  const removal = await failureOf(() => step('envs rm', ['rm', '--force', '--now', environment]))
  return {
    package: name,
    identity,
    version,
    installMs,
    claim: check?.claim,
    failure: failure ?? removal,
  }
}

const INSTALL = ['env', 'DEBIAN_FRONTEND=noninteractive', 'apt-get', '-q', '-y', 'install'] as const

function stepsOf({store, signal}: TrialOptions) {
  return async (what: string, argv: readonly string[]): Promise<Ran> => {
    const limits = {timeoutMs: STEP_TIMEOUT_MS, ...(signal === undefined ? {} : {signal})}
    const ran = await store.run(argv, limits)
    if (ran.status !== 0) throw failed(what, ran)
    return ran
  }
}

function failed(step: string, {status, output}: Ran): StepFailedError {
  const lastLines = output.trimEnd().split('\n').slice(-LAST_LINES).map(escapeText)
  return new StepFailedError({step, status, lastLines})
}

async function failureOf(steps: () => Promise<unknown>): Promise<Failure | undefined> {
  try {
    await steps()
    return undefined
  } catch (error) {
    if (error instanceof StepFailedError) return error.failure
    throw error
  }
}
