import {mkdir} from 'node:fs/promises'
import {join} from 'node:path'
import type {Bench, Invocation} from './invocation.js'
import type {Contender, Group} from './measure.js'
import {openProduct, type Product} from './product.js'
import {WARM} from './sessions.js'

/** A version of envs with an environment and a shim of it. */
export type Version = {
  /** After the name of what is measured; empty for this version. */
  readonly suffix: string
  /** Name of the environment. */
  readonly warm: string
  readonly shim: Invocation
  front(...argv: string[]): Invocation
  run(...argv: string[]): Promise<string>
}

const FORMER = ', former version'

/** Returns this version, with the environment and the shim that its store has already. */
export function thisVersion(product: Product, bench: Bench): Version {
  return {suffix: '', warm: WARM, shim: shimIn(bench), front: product.front, run: product.run}
}

/**
 * Makes an environment and a shim with another version, in a home of its own.
 *
 * @param checkout - Folder of that version, built.
 * @throws {InvocationFailedError}
 */
export async function openFormer(
  rootfs: string,
  {checkout, bench}: {checkout: string; bench: Bench},
): Promise<Version & {close(): Promise<void>}> {
  const own = join(bench.folder, 'former')
  const itsBench = {...bench, environment: {...bench.environment, HOME: own}}
  await mkdir(own, {recursive: true})
  const {run, front} = openProduct(itsBench, join(own, 'store'), checkout)
  const withHome = ({argv, variables}: Invocation) => ({argv, variables: {...variables, HOME: own}})
  await run('create', rootfs, '--name', WARM, '--quiet')
  await run('run', WARM, 'true')
  await run('shim', WARM, 'true', '--quiet')
  const shim = withHome({...shimIn(itsBench), variables: {ENVS_HOME: join(own, 'store')}})
  return {
    ...{suffix: FORMER, warm: WARM, shim, run},
    front: (...argv) => withHome(front(...argv)),
    // Without flags that some versions lack; a later prune removes what `rm` puts aside.
    async close() {
      await run('rm', '--force', WARM)
      await run('prune', '--yes', '--older-than', '0')
    },
  }
}

/** Compares sessions of two versions, each kind by itself. */
export function versionGroups(now: Version, former: Version): Group[] {
  const kinds = [
    ['envs run, warm', ({front, warm}: Version) => front('run', warm, '--', 'true')],
    ['envs enter, warm, at once left', ({front, warm}: Version) => front('enter', warm)],
    ['a shim, warm', ({shim}: Version) => shim],
  ] as const
  return kinds.map(([name, invocationOf]) => ({
    title: `Two versions: ${name}`,
    compared: 'From the call to its end, in an environment that runs.',
    reference: `${name}${former.suffix}`,
    contenders: [former, now].map((version) => contender(name, version, invocationOf(version))),
    absent: [],
  }))
}

function contender(name: string, {suffix, warm, run}: Version, invocation: Invocation): Contender {
  return {
    name: `${name}${suffix}`,
    side: 'ours',
    async prepare() {
      await run('run', warm, '--', 'true')
      return invocation
    },
  }
}

function shimIn({environment, folder}: Bench): Invocation {
  return {argv: [join(environment['HOME'] ?? folder, '.local', 'bin', 'true')]}
}
