import assert from 'node:assert/strict'
import {type ChildProcess, spawn} from 'node:child_process'
import {join} from 'node:path'
import {after} from 'node:test'
import {openHost} from '../../src/host/host.js'
import {probeMapped} from '../../src/host/id-mapping.js'
import {type Captured, capture} from '../../src/host/process.js'
import type {Identity} from '../../src/sandbox/identity.js'
import {FRONT_DOOR, type Ran, type RunOptions, type SandboxedCli, type Scope, sandboxedCli} from './cli.js'
import {debianRootfs} from './debian-rootfs.js'
import {PLAIN} from './environment-cli.js'
import {seedImage} from './seeded-image.js'

/** A real Debian environment, called play, in a store of its own. */
export type Guest = {
  readonly cli: SandboxedCli
  /** The guest's `/` on the host, where it is a plain one; and the folder of its run-time state. */
  readonly root: string
  readonly state: string
  /** `envs run play -- COMMAND…` */
  run(...command: string[]): Promise<Ran>
  /** `envs run play -- sh -c SCRIPT` */
  sh(script: string): Promise<Ran>
  /** `envs run FLAG… play -- COMMAND…` */
  runWith(
    options: RunOptions & {readonly flags?: readonly string[]},
    ...command: readonly string[]
  ): Promise<Ran>
  /** A script of the host's bash, in which `envs` is the built CLI in this store; half a minute at most. */
  onHost(script: string): Promise<Captured>
  /** A running `envs ARGUMENT…`, its input empty and its output piped. */
  start(...argv: string[]): ChildProcess
}

/** Longer than any script of a test, shorter than the runner's patience. */
const HOST_TIMEOUT_MS = 30_000

const mapped = await probeMapped(openHost())
const AS_ROOT = ['unshare', '--map-auto', '--map-root-user', '--']

/** Both identities; `skip` is false, or why this host can't have that one. */
export const IDENTITIES: readonly {readonly identity: Identity; readonly skip: string | false}[] = [
  {identity: 'emulated', skip: false},
  {identity: 'mapped', skip: mapped.works ? false : `ids can not be mapped here: ${mapped.reason}`},
]

/**
 * One environment for the tests of a file, made when the first asks for it, and stopped and removed after the last.
 *
 * Call it outside a test. A test leaves nothing behind in it that another could notice.
 *
 * @param behind - Gives the words that envs is run by, when the first test asks.
 * @param isPlain - Its tree is a whole one, which a test can look into from the host.
 */
export function sharedGuest(
  identity: Identity,
  {behind, isPlain = false}: {behind?: () => Promise<readonly string[]>; isPlain?: boolean} = {},
): () => Promise<Guest> {
  const tidyUps: (() => Promise<void>)[] = []
  let made: Promise<Guest> | undefined
  const make = async () =>
    ownGuest({after: (tidyUp) => void tidyUps.push(tidyUp)}, identity, {
      ...(behind === undefined ? {} : {behind: await behind()}),
      isPlain,
    })
  after(async () => {
    for (const tidyUp of tidyUps) await tidyUp()
  })
  return () => {
    made ??= make()
    return made
  }
}

/** An environment for one test that changes what is in it or ends it; stopped and removed afterwards. */
export async function ownGuest(
  t: Scope,
  identity: Identity,
  {behind = [], isPlain = false}: {behind?: readonly string[]; isPlain?: boolean} = {},
): Promise<Guest> {
  const tidyUps: (() => Promise<void>)[] = []
  const scope = {after: (tidyUp: () => Promise<void>) => void tidyUps.push(tidyUp)}
  const cli = await sandboxedCli(scope, behind, isPlain ? PLAIN : {})
  t.after(async () => {
    // Before its folder goes: files of foreign owners can't be removed by anything else.
    await cli.run('rm', '--force', '--now', 'play')
    // What was unpacked of its image stays for the next one. Root of the namespace removes it in less time than prune.
    if (mapped.works) await capture([...AS_ROOT, 'rm', '-rf', '--', cli.data], {timeout: 60_000})
    else await cli.run('prune', '--yes', '--older-than', '0')
    for (const tidyUp of tidyUps) await tidyUp()
  })
  if (!isPlain) await seedImage(cli, identity)
  const made = await cli.run(
    'create',
    await debianRootfs(),
    '--name',
    'play',
    '--identity',
    identity,
    '--quiet',
  )
  assert.equal(made.status, 0, made.stderr)
  return guestIn(cli)
}

/** The same environment, with other variables around envs. */
export function withVariables({cli}: Guest, variables: Readonly<Record<string, string>>): Guest {
  const runWith: SandboxedCli['runWith'] = ({env, ...options}, ...argv) =>
    cli.runWith({...options, env: {...variables, ...env}}, ...argv)
  return guestIn({
    ...cli,
    env: {...cli.env, ...variables},
    run: (...argv) => runWith({}, ...argv),
    runWith,
  })
}

function guestIn(cli: SandboxedCli): Guest {
  const folder = join(cli.data, 'environments', 'play')
  const runWith: Guest['runWith'] = ({flags = [], ...options}, ...command) =>
    cli.runWith(options, 'run', ...flags, 'play', '--', ...command)
  return {
    cli,
    root: join(folder, 'rootfs'),
    state: join(folder, 'run'),
    run: (...command) => runWith({}, ...command),
    sh: (script) => runWith({}, 'sh', '-c', script),
    runWith,
    onHost: (script) =>
      capture(['bash', '-c', `envs() { ${quoted(cli.words)} "$@"; }\n${script}`], {
        cwd: cli.home,
        env: {...cli.env, ENVS: FRONT_DOOR},
        timeout: HOST_TIMEOUT_MS,
      }),
    start: (...argv) =>
      spawn(cli.words[0], [...cli.words.slice(1), ...argv], {
        cwd: cli.home,
        env: cli.env,
        stdio: ['ignore', 'pipe', 'pipe'],
        timeout: HOST_TIMEOUT_MS,
      }),
  }
}

/** Writes a program into an environment. */
export async function putProgram({runWith}: Guest, path: string, text: string): Promise<void> {
  const ran = await runWith({input: text}, 'sh', '-c', 'cat >"$1" && chmod 755 "$1"', 'sh', path)
  assert.equal(ran.status, 0, ran.stderr)
}

/** For a shell: none of the words has a quote in it. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(' ')
}
